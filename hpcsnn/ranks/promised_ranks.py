"""How many ranks the environment promises: who started this process, and how many like it.

MPI is loaded only where there is a promise: a process alone needs none, and a library of another kind than the launcher
would end it, or make a world of one rank out of each of several.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# Launchers set this to the number of ranks that they start; whoever wants runs of one rank each, to 1.
EXPECTED_RANKS = "HPCSNN_EXPECTED_RANKS"
# Variable -> who sets it to the number of ranks. What is started inside of another's job has both's: the inner ones
# come first, Slurm's step last.
_SIZES = {
    EXPECTED_RANKS: "hpcsnn or a batch script",
    "OMPI_COMM_WORLD_SIZE": "Open MPI's mpirun",
    "MV2_COMM_WORLD_SIZE": "MVAPICH's mpirun",
    "PALS_SIZE": "Cray's PALS",
    "JSM_NAMESPACE_SIZE": "IBM's jsrun",
    "FLUX_JOB_SIZE": "Flux",
    "PMI_SIZE": "mpiexec or srun, by PMI",
    "SLURM_STEP_NUM_TASKS": "srun",
}
# Set in each rank by launchers that tell the number of ranks to MPI alone.
_RANKS = {"PMIX_RANK": "prterun or srun, by PMIx", "PMI_RANK": "mpiexec or srun, by PMI"}
# Of these MPICH takes one that is there, and does not ask PMIx.
_PMI = ("PMI_FD", "PMI_RANK", "PMI_PORT")


@dataclass(frozen=True)
class Promise:
    """``variable`` is the one that says it, ``launcher`` who sets that, ``ranks`` how many (None: MPI knows)."""

    variable: str
    launcher: str
    ranks: int | None

    def __str__(self) -> str:
        return f"{self.variable} of {self.launcher}"


def promised_ranks(environment: Mapping[str, str]) -> Promise | None:
    """What the environment promises; None: nobody has started ranks."""
    for variable, launcher in _SIZES.items():
        value = environment.get(variable, "").strip()
        if value.isascii() and value.isdigit() and int(value) > 0:
            return Promise(variable, launcher, int(value))
    for variable, launcher in _RANKS.items():
        if variable in environment:
            return Promise(variable, launcher, None)
    return None


def speaks_pmix_alone(environment: Mapping[str, str]) -> bool:
    """Whether MPI can learn of the other ranks by PMIx, and by nothing else."""
    return "PMIX_RANK" in environment and not any(name in environment for name in _PMI)
