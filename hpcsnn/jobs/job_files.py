"""What a run directory says of the job behind it: ``job/plan.json``, written once, and ``job/state.json``.

Plain JSON, each file replaced as a whole: anyone who sees the file system sees how a run stands, without asking Slurm
and without unpickling anything.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import asdict, dataclass, field, fields, replace
from enum import StrEnum
from pathlib import Path

from hpcsnn.atomic_files import open_own, refuse_link, write_json
from hpcsnn.errors import StorageError, shown

# A supervisor says this often that it lives, and counts as lost after this long without.
HEARTBEAT_S = 5.0
LOST_AFTER_S = 60.0
# What Slurm calls a job or a member of an array; a process number locally; nothing before it is submitted. scancel
# takes more than that, and this file may be anybody's.
_JOB_ID = re.compile(r"(?:[1-9][0-9]*(?:_[0-9]+)?)?")
_KINDS: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "bool": (bool,),
    "int": (int,),
    "float": (int, float),
    "int | None": (int, type(None)),
    "float | None": (int, float, type(None)),
}
_LARGEST = 2**63


class State(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    REQUEUED = "requeued"  # told to stop by a time limit or preemption; it goes on when its turn comes
    RESTARTING = "restarting"  # a rank was lost
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    STOPPED = "stopped"  # a signal to a rank, which nobody follows up
    FAILED = "failed"

    @property
    def over(self) -> bool:
        """Whether nothing more will come by itself."""
        return self in (State.COMPLETED, State.CANCELLED, State.STOPPED, State.FAILED)


@dataclass(frozen=True)
class JobPlan:
    """How a run is carried out by jobs.

    ``launch`` is how ranks are started (``srun`` or ``mpiexec``); ``time_min`` the limit of one start; ``logs`` the
    folder of standard output and errors, ``job_id`` the scheduler's (``123_4`` in an array, a process number locally).
    ``from_step`` is where the run goes on, as long as the checkpoints beyond it are those that are to be replaced
    (``replaces``: step and CRC32C of the manifest of each). ``figures`` are drawn at the run's end. ``mpiexec`` is what
    starts ranks where ``launch`` is mpiexec; empty: the one that is found. A run that is ``measured`` has no
    checkpoints: each start begins it anew.
    """

    cluster: str
    ranks: int
    nodes: int
    launch: str
    mpi_plugin: str
    device: str
    time_min: float
    max_restarts: int
    logs: str
    submitted: float
    gpus_per_node: int = 0
    job_id: str = ""
    from_step: int | None = None
    replaces: list[list[int]] = field(default_factory=list)
    figures: bool = True
    mpiexec: str = ""
    measured: bool = False


@dataclass(frozen=True)
class Status:
    """How a job stands; times in seconds since 1970. ``exit_code`` is that of the ranks of a job that failed."""

    state: State
    reason: str = ""
    restarts: int = 0
    requeues: int = 0
    started: float | None = None
    updated: float = field(default_factory=time.time)
    exit_code: int | None = None

    @property
    def lost(self) -> bool:
        """Whether it should say that it lives, and has not for a while."""
        return self.state in (State.RUNNING, State.RESTARTING) and time.time() - self.updated > LOST_AFTER_S


class JobFiles:
    """The folder ``job/`` of one run directory."""

    def __init__(self, run: Path) -> None:
        self.run = run
        self.folder = run / "job"
        self.configuration = self.folder / "config.yaml"
        self.plan_file = self.folder / "plan.json"
        self.status_file = self.folder / "state.json"
        self.cancel_file = self.folder / "cancel"

    def write_plan(self, plan: JobPlan) -> None:
        """Write the plan."""
        refuse_link(self.folder)
        write_json(self.plan_file, asdict(plan))

    def plan(self) -> JobPlan:
        """The plan.

        Raises:
            StorageError: there is none, or not one of this version.
        """
        try:
            return _checked(JobPlan(**json.loads(self.plan_file.read_text())))
        except FileNotFoundError:
            raise StorageError(
                f"{self.run}: no job here (there is no {self.plan_file.relative_to(self.run)})"
            ) from None
        except (OSError, ValueError, TypeError) as error:
            raise StorageError(f"{self.plan_file}: cannot be read: {error}") from None

    def write_status(self, status: Status) -> Status:
        """Write how the job stands, with the time; what was written."""
        status = replace(status, updated=time.time())
        refuse_link(self.folder)
        write_json(self.status_file, asdict(status))
        return status

    def status(self) -> Status | None:
        """How the job stands; None if nobody has said so yet.

        Raises:
            StorageError: unreadable.
        """
        try:
            read = json.loads(self.status_file.read_text())
            status = Status(**{**read, "state": State(read["state"])})
            _check_kinds(status)
            return status
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise StorageError(f"{self.status_file}: cannot be read: {error}") from None

    def submitted(self) -> bool:
        """Whether there is, or was, a job: not where a scheduler did not take it."""
        if not self.plan_file.exists():
            return False
        status = self.status()
        return bool(self.plan().job_id) or status is None or status.state is not State.FAILED

    def request_cancel(self) -> None:
        """Ask the job's supervisor to end it.

        Raises:
            StorageError: ``job/`` is a link.
        """
        refuse_link(self.folder)
        open_own(self.cancel_file).close()


def _checked(plan: JobPlan) -> JobPlan:
    """Raise ValueError unless every field is of its kind, and the job's id one."""
    _check_kinds(plan)
    if not _JOB_ID.fullmatch(plan.job_id):
        raise ValueError(f"job_id: {plan.job_id!r} is not allowed; must be a job's number, such as 123 or 123_4")
    return plan


def _check_kinds(read: JobPlan | Status) -> None:
    """Raise ValueError unless every field is of its kind: what is read is from a folder that may be anybody's."""
    for one in fields(read):
        value, kinds = getattr(read, one.name), _KINDS.get(str(one.type))
        good = not kinds or (isinstance(value, kinds) and isinstance(value, bool) == (bool in kinds))
        if good and isinstance(value, (int, float)):
            good = abs(value) < _LARGEST  # and thus a number
        if not good:
            raise ValueError(f"{one.name}: {shown(value)} is not allowed; must be a {one.type}")
