"""Run directories of jobs that never ran."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from hpcsnn.jobs.job_files import JobFiles, JobPlan, Status

# What progress.json may say.
PROGRESS = {
    "updated": time.time(),
    "step": 1000,
    "model_s": 15.0,
    "end_s": 60.0,
    "speed": 2.5,
    "left_s": 18.0,
    "synapses": 12345,
    "rates_hz": {"source": 20.0, "target": 7.5},
}


def a_plan(**changes: Any) -> JobPlan:
    """A local job of two ranks for an hour."""
    plan = JobPlan("local", 2, 1, "mpiexec", "pmi2", "cpu", 60.0, 3, "logs", time.time(), job_id="17")
    return replace(plan, **changes)


def a_run(path: Path, status: Status, progress: dict[str, Any] | None = None) -> Path:
    """The directory of a run whose job stands as `status` says."""
    files = JobFiles(path)
    files.write_plan(a_plan())
    files.write_status(status)
    if progress is not None:
        (path / "progress.json").write_text(json.dumps(progress))
    return path
