"""A fork: a run that goes on from another one's checkpoint with other parameters.

Its configuration is that of the run it comes from, with one more change at the moment of the fork, and says where it
comes from. So it is a run like any other: from the beginning it comes to the same bits.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpcsnn.configuration.changes import is_changeable, is_removal
from hpcsnn.configuration.files import override_of, parse_configuration
from hpcsnn.configuration.schema import Configuration
from hpcsnn.configuration.trust import check_named
from hpcsnn.errors import ConfigurationError, StorageError
from hpcsnn.runs.resuming import MAY_CHANGE
from hpcsnn.storage.checkpoints import ITSELF, Checkpoint, commit, committed
from hpcsnn.storage.run_directory import RunDirectory


@dataclass(frozen=True)
class Fork:
    """Where a fork begins, and what it is."""

    checkpoint: Checkpoint
    manifest: dict[str, Any]
    configuration: Configuration

    def name(self) -> str:
        """Of its run directory, where none is given."""
        time_s = self.checkpoint.step * self.configuration.dt_ms * 1e-3
        return f"{self.checkpoint.run.resolve().name}-from-{time_s:g}s"


def prepare_fork(run: Path, time_ms: float | None, overrides: Sequence[str], trust: bool = False) -> Fork:
    """Choose the checkpoint of a run and put together the configuration of a fork.

    Args:
        time_ms: of the checkpoint; None: the newest.
        overrides: ``key=value``: parameters of models, which change there, ``populations.NAME.remove``, neurons that
            are removed there, and what a resumed run may change.

    Raises:
        StorageError: no run, or no whole checkpoint of this time.
        ConfigurationError: an override that a fork may not have, or an end that is not behind its beginning.
    """
    directory = RunDirectory(run)
    directory.check_run()
    there = committed(run)
    if not there:
        raise StorageError(f"{run}: no checkpoint to begin from; run it with --checkpoint-every")
    newest = there[-1].manifest()
    check_named(directory.configuration, newest["configuration"], run, trust)
    dt_ms = float(newest["configuration"]["dt_ms"])
    at = {round(one.step * dt_ms, 6): one for one in there}
    checkpoint = there[-1] if time_ms is None else at.get(round(time_ms, 6))
    if checkpoint is None:
        times = ", ".join(f"{time * 1e-3:g}s" for time in at)
        raise StorageError(f"{run}: no checkpoint at {time_ms:g} ms; there are some at {times}")
    checkpoint.verify()
    manifest = checkpoint.manifest()
    raw, plain = dict(manifest["configuration"]), []
    changed: dict[str, dict[str, Any]] = {}
    for override in overrides:
        key, value = override_of(override)
        if is_changeable(key):
            changed.setdefault("set", {})[key] = value
        elif is_removal(key):
            changed.setdefault("remove", {})[key.removesuffix(".remove")] = value
        elif key in MAY_CHANGE:
            plain.append(override)
        else:
            raise ConfigurationError(
                f"--set {key}: is not allowed with --from a run; a fork changes parameters of models, "
                f"populations.NAME.remove, and {', '.join(MAY_CHANGE)}"
            )
    here_ms = checkpoint.step * dt_ms
    if changed and checkpoint.step == 0:
        raise ConfigurationError("--from: nothing has happened at 0 s yet; begin a run of its own")
    raw["changes"] = [*raw.get("changes", ()), *([{"at_ms": here_ms, **changed}] if changed else [])]
    raw["forked_from"] = [*raw.get("forked_from", ()), {"run": str(run.resolve()), "step": checkpoint.step}]
    configuration = parse_configuration(raw, run, plain)
    if configuration.network().steps(configuration.duration_ms) <= checkpoint.step:
        raise ConfigurationError(
            f"duration_ms: {configuration.duration_ms:g} is not allowed; the fork begins there: --set duration_ms=..."
        )
    return Fork(checkpoint, manifest, configuration)


def lay_out(fork: Fork, out: Path, overwrite: bool = False) -> None:
    """Make a run directory that is at the fork's beginning, for `resume_experiment` to go on with.

    Files of checkpoint and records are the other run's own where the file system allows it (nothing changes them).

    Raises:
        StorageError: there is a run already (and not `overwrite`), or it cannot be written.
    """
    directory, old = RunDirectory(out), RunDirectory(fork.checkpoint.run)
    directory.check_free(overwrite)
    if out.resolve() == old.path.resolve():
        raise StorageError(f"{out}: is the run that the fork comes from; give another --out")
    with directory.lock():
        directory.clear(overwrite)
        directory.write_configuration(fork.configuration)
        try:
            _take_over(fork, directory, old)
        except OSError as error:
            raise StorageError(f"{error.filename or out}: cannot be written: {error.strerror}") from None


def _take_over(fork: Fork, directory: RunDirectory, old: RunDirectory) -> None:
    manifest, step = fork.manifest, fork.checkpoint.step
    directory.checkpoints.mkdir()
    for name in manifest["record_files"]:
        _same_file(old.records / name, directory.records / name)
    for segment in manifest["segments"]:
        (directory.records / segment).mkdir(parents=True, exist_ok=True)
    partial = directory.checkpoints / f"{step:010d}.zarr.partial"
    for name in manifest["files"]:
        below = () if name == ITSELF else (name,)
        _same_file(fork.checkpoint.network_path.joinpath(*below), partial.joinpath(*below))
    if old.displacement.is_dir() and not old.displacement.is_symlink():
        shutil.copytree(old.displacement, directory.displacement, symlinks=True)
    tables = (manifest["files"], manifest["record_files"])
    files, records = ({name: tuple(entry) for name, entry in table.items()} for table in tables)
    resolved = fork.configuration.resolved()
    made = commit(directory.path, step, partial, files, resolved, list(manifest["segments"]), records)
    directory.link_network(made.network_path)


def _same_file(old: Path, new: Path) -> None:
    """One file under two names; on another file system, or one that has no such links, a copy."""
    new.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(old, new, follow_symlinks=False)
    except OSError:
        shutil.copy2(old, new, follow_symlinks=False)
