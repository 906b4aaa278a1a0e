"""How ranks are started: the command and the environment that they get."""

from __future__ import annotations

import re
import sys

import pytest

from hpcsnn import ConfigurationError, DeviceError
from hpcsnn.jobs.job_files import JobPlan
from hpcsnn.jobs.rank_processes import choose_launch, command_line, environment, find_mpiexec
from hpcsnn.ranks.exit_codes import SUPERVISED, tell_exit_code, told_exit_code
from hpcsnn.ranks.promised_ranks import EXPECTED_RANKS

ARGUMENTS = ["resume", "/a run/with 'quotes'", "--device", "cpu"]


def plan(**changes):
    given = {"cluster": "slurm", "ranks": 8, "nodes": 2, "launch": "srun", "mpi_plugin": "pmix", "gpus_per_node": 0}
    rest = {"device": "auto", "time_min": 60.0, "max_restarts": 3, "logs": "logs", "submitted": 0.0}
    return JobPlan(**{**given, **rest, **changes})


def test_srun_starts_all_ranks_as_a_step_of_their_own():
    command = command_line(plan(), ARGUMENTS)
    assert command[0] == "srun"
    options, rest = command[1 : command.index(sys.executable)], command[command.index(sys.executable) :]
    assert set(options) >= {"--nodes=2", "--ntasks=8", "--ntasks-per-node=4", "--mpi=pmix", "--overlap"}
    assert "--kill-on-bad-exit=1" in options, "no rank outlives another"
    assert not any(option.startswith("--gpus") for option in options)
    assert rest[-len(ARGUMENTS) :] == ARGUMENTS, "words, which no shell reads"


def test_gpus_are_asked_for_where_there_are_any():
    command = command_line(plan(gpus_per_node=4), ARGUMENTS)
    assert "--gpus-per-node=4" in command[: command.index(sys.executable)]


def test_one_rank_needs_nobody_to_start_it():
    command = command_line(plan(launch="mpiexec", ranks=1, nodes=1), ARGUMENTS)
    assert command[:2] == [sys.executable, "-c"]
    assert command[3:] == ARGUMENTS
    compile(command[2], "the ranks' own program", "exec")


def test_ranks_know_how_many_they_should_be_and_nothing_of_the_supervisors_step(monkeypatch):
    for name in ("SLURM_CPU_BIND", "SLURM_CPU_BIND_TYPE", "SLURM_MPI_TYPE", "SUBMITIT_EXECUTOR", "PMI_RANK", "PMIX_ID"):
        monkeypatch.setenv(name, "the supervisor's")
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    monkeypatch.setenv("PMI", "someone's own")
    got = environment(plan())
    assert got[EXPECTED_RANKS] == "8"
    assert SUPERVISED in got
    assert (got["SLURM_JOB_ID"], got["PMI"]) == ("17", "someone's own")
    assert "the supervisor's" not in got.values()
    assert "HYDRA_BOOTSTRAP" not in got


@pytest.mark.parametrize(("nodes", "bootstrap"), [(1, "fork"), (2, None)])
def test_mpiexec_on_one_node_asks_slurm_for_nothing(nodes, bootstrap, monkeypatch):
    monkeypatch.delenv("HYDRA_BOOTSTRAP", raising=False)
    got = environment(plan(launch="mpiexec", nodes=nodes))
    assert got.get("HYDRA_BOOTSTRAP") == bootstrap


@pytest.mark.parametrize(
    ("asked", "cluster", "nodes", "launch"),
    [
        ("auto", "slurm", 1, "mpiexec"), ("auto", "slurm", 2, "srun"), ("auto", "local", 1, "mpiexec"),
        ("auto", "debug", 1, "mpiexec"), ("srun", "slurm", 1, "srun"), ("mpiexec", "slurm", 2, "mpiexec"),
        ("mpiexec", "local", 1, "mpiexec"),
    ],
)  # fmt: skip
def test_several_nodes_need_what_starts_ranks_on_all_of_them(asked, cluster, nodes, launch):
    assert choose_launch(asked, cluster, nodes) == launch


def test_srun_is_slurms():
    with pytest.raises(
        ConfigurationError, match=r"^mpi: 'srun' is not allowed with --cluster local; use mpiexec or au"
    ):
        choose_launch("srun", "local", 1)


def test_mpiexec_beside_this_python_goes_before_one_on_the_path(monkeypatch, tmp_path):
    beside, elsewhere = tmp_path / "beside", tmp_path / "elsewhere"
    for folder in (beside, elsewhere):
        folder.mkdir()
        (folder / "mpiexec").write_text("#!/bin/sh\n")
        (folder / "mpiexec").chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(beside / "python"))
    monkeypatch.setenv("PATH", str(elsewhere))
    assert find_mpiexec() == str(beside / "mpiexec")
    (beside / "mpiexec").unlink()
    assert find_mpiexec() == str(elsewhere / "mpiexec")
    (elsewhere / "mpiexec").unlink()
    missing = re.escape("no mpiexec beside this Python or on PATH; pip install 'hpcsnn[mpich]', or load")
    with pytest.raises(DeviceError, match=missing):
        find_mpiexec()


def test_a_profile_may_say_which_mpiexec(tmp_path):
    """By its path or its name; whatever a wheel has brought."""
    own = tmp_path / "mpiexec.hydra"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    assert find_mpiexec(str(own)) == str(own)
    with pytest.raises(DeviceError, match=r"^mpiexec: 'aprun' of the profile is no program here; load the module"):
        command_line(plan(launch="mpiexec", nodes=1, mpiexec="aprun"), ARGUMENTS)


def test_ranks_tell_a_supervisor_their_exit_code_and_nobody_else(monkeypatch, capsys):
    monkeypatch.delenv(SUPERVISED, raising=False)
    tell_exit_code(2)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setenv(SUPERVISED, "1")
    tell_exit_code(2)
    (line,) = capsys.readouterr().err.splitlines()
    assert told_exit_code(line) == 2
    for other in ("error: exit code 2", "exit code 2.", "exit code two", "exit code 1234", ""):
        assert told_exit_code(other) is None
