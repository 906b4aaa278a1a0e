"""What starts the ranks of a job under the profiles that ship, where no test has such a cluster."""

from __future__ import annotations

import pytest

from hpcsnn.configuration.files import load_configuration
from hpcsnn.jobs.executors import make_plan
from hpcsnn.jobs.rank_processes import command_line, environment
from hpcsnn.planning.request import make_request
from hpcsnn.planning.site_profiles import load_profile


@pytest.fixture
def plan(tmp_path, monkeypatch):
    """The plan that a profile and a number of nodes come to, for a network of 32,768 neurons."""
    monkeypatch.setenv("HPCSNN_CLUSTERS", str(tmp_path / "none.yaml"))
    configuration = load_configuration("topomap", ["scale=8"])

    def planned(name, nodes, device="auto", **asked):
        profile = load_profile(name)
        request = make_request(configuration, profile, nodes=nodes, **asked)
        return make_plan("slurm", request, profile, tmp_path, device=device, max_restarts=3)

    return planned


def test_pmix_is_spoken_on_one_node_and_on_several(plan):
    for nodes in (1, 4):
        command = command_line(plan("srun_pmix", nodes, ranks=2 * nodes), ["run"])
        assert command[0] == "srun"
        assert {"--mpi=pmix", f"--nodes={nodes}", f"--ntasks={2 * nodes}", "--ntasks-per-node=2"} <= set(command)


def test_every_gpu_of_every_node_has_a_rank_that_sees_them_all(plan):
    command = command_line(plan("gpu_per_rank", 2), ["run"])
    assert {"--ntasks=8", "--ntasks-per-node=4", "--gpus-per-node=4", "--mpi=pmi2"} <= set(command)
    assert not [word for word in command if word.startswith(("--gpus-per-task", "--gpu-bind"))]
    assert plan("gpu_per_rank", 1).launch == "mpiexec"
    assert plan("gpu_per_rank", 2, gpus_per_node=2).ranks == 4


@pytest.mark.parametrize(
    ("profile", "asked", "expected"),
    [("gpu_per_rank", "auto", "gpu"), ("gpu_per_rank", "cpu", "cpu"), ("srun_pmix", "auto", "auto")],
)
def test_a_job_that_asks_for_gpus_insists_on_them(plan, profile, asked, expected):
    ranks = {} if profile == "gpu_per_rank" else {"ranks": 2}
    assert plan(profile, 1, device=asked, **ranks).device == expected


def test_mpiexec_over_several_nodes_is_told_of_the_jobs_tasks(plan, monkeypatch):
    """The supervisor is a step of one task; with its number MPICH's mpiexec would divide by zero."""
    monkeypatch.setenv("SLURM_TASKS_PER_NODE", "1")
    several = plan("cpu_mpiexec", 2, ranks=6)
    assert several.launch == "mpiexec"
    assert environment(several)["SLURM_TASKS_PER_NODE"] == "3(x2)"
    assert "HYDRA_BOOTSTRAP" not in environment(several)
    assert environment(plan("cpu_mpiexec", 1))["HYDRA_BOOTSTRAP"] == "fork"


def test_a_workstation_needs_no_slurm(plan):
    assert plan("workstation", 1).launch == "mpiexec"
