"""The runs below a folder and how each stands, read from their own files: no daemon, no database, no scheduler."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpcsnn.errors import StorageError
from hpcsnn.launch.job_files import JobFiles, Plan, State, Status
from hpcsnn.storage.checkpoints import committed

# Folders of a run in which no other run is looked for.
_INSIDE = {"checkpoints", "records", "figures", "job", "network.zarr", "displacement.zarr", "analysis.zarr"}


@dataclass(frozen=True)
class RunEntry:
    """One run directory: its job (if it has one), where the run is, and what it came to."""

    path: Path
    plan: Plan | None
    status: Status | None
    progress: dict[str, Any]
    summary: dict[str, Any]
    checkpoint_step: int | None

    @property
    def state(self) -> str:
        """The job's state; of a run without a job what its files say."""
        if self.status is not None:
            return "lost" if self.status.lost else str(self.status.state)
        if self.summary:
            return str(State.COMPLETED if self.summary.get("completed") else State.STOPPED)
        return "unfinished"

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
    return sorted((read_run(path) for path in _run_folders(root)), key=lambda entry: entry.path)


def _run_folders(folder: Path) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        names = {entry.name: entry for entry in entries}
    if "config.yaml" in names or ("job" in names and JobFiles(folder).plan_file.is_file()):
        yield folder
        return
    for name, entry in names.items():
        if name not in _INSIDE and not name.startswith(".") and entry.is_dir(follow_symlinks=False):
            yield from _run_folders(Path(entry.path))


def read_run(path: Path) -> RunEntry:
    """One run; what cannot be read counts as not there."""
    files = JobFiles(path)
    try:
        plan, status = (files.plan(), files.status()) if files.plan_file.is_file() else (None, None)
    except StorageError:
        plan, status = None, None
    steps = [checkpoint.step for checkpoint in committed(path)]
    progress, summary = _json(path / "progress.json"), _json(path / "summary.json")
    return RunEntry(path, plan, status, progress, summary, max(steps, default=None))


def _json(path: Path) -> dict[str, Any]:
    try:
        read = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return read if isinstance(read, dict) else {}
