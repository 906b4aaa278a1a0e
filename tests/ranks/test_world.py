"""MPI is loaded where ranks are promised, and what it finds is what was promised."""

from __future__ import annotations

import os

import pytest

from support.processes import completed
from support.ranks import hpcsnn_command
from support.runs import PLAIN

pytestmark = pytest.mark.skipif("HPCSNN_TEST_OPENMPI" in os.environ, reason="speaks of MPICH's wheel")


def run(folder, **environment):
    """A short run, in an environment with these variables too."""
    command = hpcsnn_command("run", "topomap", "--set", "duration_ms=10", *PLAIN, "--out", folder / "run")
    return completed(command, env={**os.environ, **environment})


def broken(folder):
    """The environment of a machine on which MPI cannot be loaded."""
    (folder / "mpi4py").mkdir()
    (folder / "mpi4py" / "__init__.py").write_text(
        "raise ImportError('libmpi.so.12: cannot open shared object file')\n"
    )
    paths = filter(None, [str(folder), os.environ.get("PYTHONPATH")])
    return {"PYTHONPATH": os.pathsep.join(paths)}


def test_one_rank_needs_no_mpi(tmp_path):
    done = run(tmp_path, **broken(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "1 rank, each on cpu" in done.stdout


def test_a_step_of_one_task_needs_none_either(tmp_path):
    """Such as an interactive allocation, which may have any launcher's variables in it."""
    done = run(tmp_path, PMIX_NAMESPACE="slurm.pmix.7.0", PMIX_RANK="0", SLURM_STEP_NUM_TASKS="1", **broken(tmp_path))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        (
            {"PMIX_NAMESPACE": "x", "PMIX_RANK": "0"},
            "the ranks are started through PMIx (PMIX_RANK of prterun or srun, by PMIx), by which the MPI library here "
            "(MPICH Version: ",
        ),
        (
            {"OMPI_COMM_WORLD_SIZE": "4"},
            "MPI made a world of 1 rank where 4 were started (OMPI_COMM_WORLD_SIZE of Open MPI's mpirun): the library "
            "here (MPICH Version: ",
        ),
        (
            {"SLURM_STEP_NUM_TASKS": "2"},
            "MPI made a world of 1 rank where 2 were started (SLURM_STEP_NUM_TASKS of srun): the library here (MPICH ",
        ),
    ],
    ids=["PMIx", "Open MPI's mpirun", "srun"],
)
def test_a_launcher_of_another_mpi_is_named_beside_the_library(environment, message, tmp_path):
    done = run(tmp_path, **environment)
    assert (done.returncode, done.stderr.startswith(f"error: {message}")) == (1, True), done.stderr
    assert "for runs of one rank each, set HPCSNN_EXPECTED_RANKS=1" in done.stderr
    assert not (tmp_path / "run").exists()


def test_ranks_without_a_usable_mpi_are_told(tmp_path):
    done = run(tmp_path, PMI_SIZE="2", **broken(tmp_path))
    assert done.returncode == 1
    assert done.stderr.startswith("error: MPI is not usable: libmpi.so.12: cannot open shared object file; pip install")
