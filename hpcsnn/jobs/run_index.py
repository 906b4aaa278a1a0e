"""The runs below a folder and how each stands, read from their own files: no daemon, no database.

Only of jobs that wait for their turn, whose files nobody would change, Slurm is asked whether it still knows them.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hpcsnn.errors import StorageError
from hpcsnn.jobs.job_files import JobFiles, JobPlan, State, Status
from hpcsnn.jobs.slurm_answers import said_by
from hpcsnn.storage.checkpoints import committed
from hpcsnn.storage.run_reports import progress_of, summary_of

# Between writing that a run is queued and having a job for it.
_SUBMITTING_S = 10.0
# How often to look at a run that is followed, and of how many looks Slurm is asked at one.
_LOOK_EVERY_S, _ASK_SLURM_EVERY = 0.5, 60
# Folders of a run in which no other run is looked for.
_INSIDE = {"checkpoints", "records", "figures", "job", "network.zarr", "displacement.zarr", "analysis.zarr"}


@dataclass(frozen=True)
class RunEntry:
    """One run directory: its job (if it has one), where the run is, and what it came to."""

    path: Path
    plan: JobPlan | None
    status: Status | None
    progress: dict[str, Any]
    summary: dict[str, Any]
    checkpoint_step: int | None
    forgotten: bool = False

    @property
    def state(self) -> str:
        """The job's state; of a run without a job what its files say."""
        if self.status is not None:
            return "lost" if self.status.lost or self.forgotten else str(self.status.state)
        if self.summary:
            if self.progress.get("step", self.summary.get("steps")) != self.summary.get("steps"):
                return "unfinished"  # a summary stays until a run that goes on has come to its next checkpoint
            return str(State.COMPLETED if self.summary.get("completed") else State.STOPPED)
        return "unfinished"

    @property
    def to_submit(self) -> bool:
        """Whether it is neither finished nor has a job at it."""
        if self.summary.get("completed"):
            return False
        return self.status is None or self.status.state.over or self.state == "lost"

    @property
    def limit_left_s(self) -> float | None:
        """Seconds until the time limit of the running start."""
        if self.plan is None or self.status is None or self.status.state is not State.RUNNING:
            return None
        return (self.status.started or self.status.updated) + self.plan.time_min * 60 - time.time()


def find_runs(root: Path) -> list[RunEntry]:
    """Every run at or below `root`, by path.

    Raises:
        StorageError: no such folder.
    """
    if not root.is_dir():
        raise StorageError(f"{root}: no such folder")
    return without_forgotten(sorted((read_run(path) for path in _run_folders(root)), key=lambda entry: entry.path))


def without_forgotten(entries: list[RunEntry]) -> list[RunEntry]:
    """The same runs; marked are those that wait for a job that nobody submitted or Slurm does not know any more."""
    entries = [replace(entry, forgotten=True) if _never_submitted(entry) else entry for entry in entries]
    waiting = [entry for entry in entries if _waits_in_slurm(entry)]
    known = _known_to_slurm() if waiting else None
    if known is None:
        return entries
    forgotten = {entry.path for entry in waiting if entry.plan is not None and entry.plan.job_id not in known}
    return [replace(entry, forgotten=entry.forgotten or entry.path in forgotten) for entry in entries]


def _never_submitted(entry: RunEntry) -> bool:
    """Whether what was about to submit its job has ended before it did."""
    if entry.plan is None or entry.status is None or entry.plan.job_id:
        return False
    return entry.status.state is State.QUEUED and time.time() - entry.status.updated > _SUBMITTING_S


def _waits_in_slurm(entry: RunEntry) -> bool:
    if entry.plan is None or entry.status is None or entry.status.state not in (State.QUEUED, State.REQUEUED):
        return False
    return entry.plan.cluster == "slurm" and time.time() - entry.status.updated > _SUBMITTING_S


def _known_to_slurm() -> set[str] | None:
    """Ids of the jobs that wait or run, array members one by one; None where Slurm does not answer."""
    said = said_by("squeue", "-h", "-r", "-o", "%i", within_s=10.0)
    return None if said is None else set(said.split())


def _run_folders(folder: Path) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        names = {entry.name: entry for entry in entries}
    if "config.yaml" in names or ("job" in names and JobFiles(folder).plan_file.is_file()):
        yield folder
        return
    for name, entry in names.items():
        if name not in _INSIDE and not name.startswith(".") and entry.is_dir(follow_symlinks=False):
            yield from _run_folders(Path(entry.path))


def followed(path: Path) -> Iterator[RunEntry]:
    """How a run stands, some times a second; the last time its job is over, or of one without a job the run itself."""
    for look in itertools.count():
        entry = look_up(path) if look % _ASK_SLURM_EVERY == 0 else read_run(path)
        yield entry
        over = bool(entry.summary) if entry.status is None else entry.status.state.over or entry.state == "lost"
        if over:
            return
        time.sleep(_LOOK_EVERY_S)


def look_up(path: Path) -> RunEntry:
    """One run, as `find_runs` gives it."""
    return without_forgotten([read_run(path)])[0]


def read_run(path: Path) -> RunEntry:
    """One run; what cannot be read counts as not there."""
    files = JobFiles(path)
    try:
        plan, status = (files.plan(), files.status()) if files.plan_file.is_file() else (None, None)
    except StorageError:
        plan, status = None, None
    try:
        steps = [checkpoint.step for checkpoint in committed(path)]
    except StorageError:
        steps = []
    progress, summary = _read(path / "progress.json", progress_of), _read(path / "summary.json", summary_of)
    return RunEntry(path, plan, status, progress, summary, max(steps, default=None))


def _read(path: Path, report: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
    try:
        return report(path.read_text())
    except (OSError, ValueError):
        return {}
