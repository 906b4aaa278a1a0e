"""What ``hpcsnn info`` says: what the directory of a run holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hpcsnn.errors import StorageError
from hpcsnn.storage.checkpoints import Checkpoint, committed, manifests_aside
from hpcsnn.storage.run_directory import RunDirectory
from hpcsnn.storage.run_reports import exchange_shares
from hpcsnn.storage.training_checkpoints import BEST, LAST, TrainingCheckpoints


def holdings_of(run: Path) -> dict[str, Any]:
    """State of a run, its checkpoints, and manifests that were set aside.

    ``state`` is completed, stopped or unfinished; of a run that has ended, ``stopped_by``, ``model_s``, ``ranks``,
    ``digest``, ``imbalance`` and ``per_rank`` are its summary's.

    Raises:
        StorageError: no run there.
    """
    directory = RunDirectory(run)
    there = committed(run)
    directory.check_run()
    return {
        "kind": "run",
        "run": str(run),
        **_ended(directory),
        "checkpoints": [_of_checkpoint(checkpoint) for checkpoint in there],
        "set_aside": [str(left) for left in manifests_aside(run)],
    }


def _ended(directory: RunDirectory) -> dict[str, Any]:
    if not directory.summary.is_file():
        return {"state": "unfinished"}
    try:
        summary = directory.read_summary()
        values = {name: summary[name] for name in ("stopped_by", "model_s", "ranks", "digest")}
        measured = {name: summary.get(name) for name in ("imbalance", "per_rank")}  # versions before had none
        shares = {"exchange_shares": exchange_shares(summary)}
        return {"state": "completed" if summary["completed"] else "stopped", **values, **shares, **measured}
    except (StorageError, KeyError):  # a file that anybody may have changed
        return {"state": "unfinished", "unreadable": str(directory.summary)}


def _of_checkpoint(checkpoint: Checkpoint) -> dict[str, Any]:
    try:
        manifest = checkpoint.manifest()
    except StorageError as error:
        return {"step": checkpoint.step, "damage": str(error)}
    return {
        "step": checkpoint.step,
        "model_s": checkpoint.step * manifest["configuration"]["dt_ms"] * 1e-3,
        "files": len(manifest["files"]),
        "bytes": sum(size for size, _ in manifest["files"].values()),
        "record_segments": len(manifest["segments"]),
        "configuration_sha256": manifest["configuration_sha256"],
    }


def training_holdings_of(run: Path) -> dict[str, Any]:
    """State of a training, and its last and best checkpoint by their roles.

    Raises:
        StorageError: no run there.
    """
    directory, checkpoints = RunDirectory(run), TrainingCheckpoints(run)
    directory.check_run()
    summary = directory.read_summary() if directory.summary.is_file() else {}
    state = "unfinished" if not summary else "completed" if summary.get("completed") else "stopped"
    kept = ["stopped_by", "epochs", "digest", "test_accuracy", "test_loss", "test_error"]
    kept += ["best_validation_accuracy", "best_validation_loss", "best_epoch"]
    return {
        "kind": "training",
        "run": str(run),
        "state": state,
        **{name: summary[name] for name in kept if name in summary},
        "checkpoints": {role: _of_role(checkpoints, role) for role in (LAST, BEST) if checkpoints.has(role)},
    }


def _of_role(checkpoints: TrainingCheckpoints, role: str) -> dict[str, Any]:
    found = checkpoints.read(role)
    position = found.position
    return {
        "epochs_done": position["epoch"] - 1,
        "batch": position["batch"],
        "batches": position["in_all"]["batches"],
        "best_validation_accuracy": position["best_accuracy"],
        "best_validation_loss": position.get("best_loss"),
        "best_epoch": position["best_epoch"],
        "bytes": found.path.stat().st_size,
    }
