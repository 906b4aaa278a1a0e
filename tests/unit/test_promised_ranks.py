"""What launchers say in the environment."""

from __future__ import annotations

import pytest

from hpcsnn.ranks.promised_ranks import promised_ranks, speaks_pmix_alone

SLURM_JOB = {"SLURM_JOB_ID": "7", "SLURM_NTASKS": "8", "SLURM_PROCID": "0"}


@pytest.mark.parametrize(
    ("environment", "variable", "ranks"),
    [
        ({"PMI_SIZE": "4", "PMI_RANK": "1"}, "PMI_SIZE", 4),
        ({"OMPI_COMM_WORLD_SIZE": "3", "PMIX_RANK": "0"}, "OMPI_COMM_WORLD_SIZE", 3),
        ({"PMIX_RANK": "0", "PMIX_NAMESPACE": "x"}, "PMIX_RANK", None),
        ({**SLURM_JOB, "SLURM_STEP_NUM_TASKS": "2", "PMIX_RANK": "0"}, "SLURM_STEP_NUM_TASKS", 2),
        # mpiexec within a step of one task.
        ({**SLURM_JOB, "SLURM_STEP_NUM_TASKS": "1", "PMI_SIZE": "8"}, "PMI_SIZE", 8),
        # mpirun within a step that has a PMI of its own.
        ({"PMI_SIZE": "1", "OMPI_COMM_WORLD_SIZE": "8"}, "OMPI_COMM_WORLD_SIZE", 8),
        ({"HPCSNN_EXPECTED_RANKS": "1", "PMI_SIZE": "8"}, "HPCSNN_EXPECTED_RANKS", 1),
        ({"HPCSNN_EXPECTED_RANKS": "many", "PMI_SIZE": "8"}, "PMI_SIZE", 8),
        ({"PMI_RANK": "0"}, "PMI_RANK", None),
    ],
)
def test_who_is_inside_comes_first(environment, variable, ranks):
    promise = promised_ranks(environment)
    assert (promise.variable, promise.ranks) == (variable, ranks)
    assert str(promise).startswith(f"{variable} of ")


@pytest.mark.parametrize("environment", [{}, SLURM_JOB, {"PMI_SIZE": "0"}, {"PMI_SIZE": ""}])
def test_nobody_promises_ranks(environment):
    """Least of all Slurm in a batch script, which is one process whatever the job has asked for."""
    assert promised_ranks(environment) is None


def test_pmix_is_asked_only_where_nothing_else_is():
    assert speaks_pmix_alone({"PMIX_RANK": "0"})
    assert not speaks_pmix_alone({"PMIX_RANK": "0", "PMI_FD": "9"})
    assert not speaks_pmix_alone({"PMI_SIZE": "4"})
