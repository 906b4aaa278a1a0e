"""What ``hpcsnn jobs`` and ``watch`` say of a run, and ``logs`` of its job."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hpcsnn.jobs.run_index import RunEntry


def standing_of(entry: RunEntry) -> dict[str, Any]:
    """How a run stands."""
    return {
        "run": str(entry.path),
        "state": entry.state,
        "reason": entry.status.reason if entry.status else "",
        "job_id": entry.plan.job_id if entry.plan else None,
        "restarts": entry.status.restarts if entry.status else 0,
        "requeues": entry.status.requeues if entry.status else 0,
        "checkpoint_step": entry.checkpoint_step,
        "progress": entry.progress,
        "digest": entry.summary.get("digest"),
    }


def written_by(run: Path, job_id: str, log: Path) -> dict[str, Any]:
    """What a run's job has written so far, as text; bytes that are no UTF-8 are replaced."""
    return {"run": str(run), "job_id": job_id, "file": str(log), "text": log.read_text(errors="replace")}
