"""From which checkpoint a run goes on, and with which configuration."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from hpcsnn.configuration.files import load_configuration, parse_configuration
from hpcsnn.configuration.schema import Configuration
from hpcsnn.configuration.trust import check_named
from hpcsnn.errors import ConfigurationError, DamageError, StorageError
from hpcsnn.storage.checkpoints import Checkpoint, committed, end_replacements
from hpcsnn.storage.run_directory import RunDirectory

# What a resumed run may have otherwise than the run that wrote the checkpoint: where it ends, how it is carried out.
MAY_CHANGE = ("description", "duration_ms", "tile", "exchange", "exchange_block", "checkpoint_every", "checkpoint_keep")

# Random numbers are told apart by the place of a population or projection in the order of declaration.
_NUMBERED = ("populations", "projections")


@dataclass(frozen=True)
class Resumption:
    """The checkpoint to go on from, its manifest, the configuration, and what the user should know.

    Of the checkpoints beyond it, ``unreadable`` are to be set aside and ``replaced`` removed when the first new one is
    committed, and not before. ``summary`` is that of a run which is at its end already: there is nothing to do.
    """

    configuration: Configuration
    checkpoint: Checkpoint
    manifest: dict[str, Any]
    warnings: list[str] = field(default_factory=list)
    unreadable: list[Checkpoint] = field(default_factory=list)
    replaced: list[Checkpoint] = field(default_factory=list)
    summary: dict[str, Any] | None = None


def prepare_resume(
    directory: RunDirectory, until_ms: float | None, from_step: int | None, trust: bool = False
) -> Resumption:
    """Choose the checkpoint and check that the run may go on from it; removes nothing.

    One rank calls, which holds the run's lock. What a killed writer has left half done is ended or undone first, and
    ``network.zarr`` names the newest checkpoint again if it did not.

    Raises:
        StorageError: no good checkpoint, or the system does not let one be read.
        ConfigurationError: the configuration differs where it may not, or ends before the checkpoint.
    """
    end_replacements(directory.path)
    there = committed(directory.path)
    if not there:
        raise StorageError(f"{directory.path}: no checkpoint to resume from; run it again with --checkpoint-every")
    checkpoint, manifest, damaged = _newest(there) if from_step is None else _of_step(directory, there, from_step)
    overrides = [] if until_ms is None else [f"duration_ms={until_ms!r}"]
    configuration = load_configuration(directory.configuration, overrides, trust=trust, of_run=True)
    # Keys that are newer than the checkpoint have there what they default to, and mean that there was none.
    check_named(checkpoint.manifest_path, manifest["configuration"], directory.path, trust)
    before = _until(parse_configuration(manifest["configuration"], directory.path).resolved(), checkpoint.step)
    now = _until(configuration.resolved(), checkpoint.step)
    changed = differences(before, now, (*MAY_CHANGE, "forked_from"))
    if changed:
        where, was, given = changed[0]
        raise ConfigurationError(
            f"{where}: {was!r} in the checkpoint, {given!r} in {directory.configuration}; a resumed run may change "
            f"only {', '.join(MAY_CHANGE)}, ranks and device: change it back, or start a new run"
        )
    time_ms, end = checkpoint.step * configuration.dt_ms, configuration.network().steps(configuration.duration_ms)
    if end < checkpoint.step:
        raise ConfigurationError(
            f"duration_ms: {configuration.duration_ms:g} is not allowed; the checkpoint is at {time_ms:g} ms already: "
            "give a later --until, or --from an earlier checkpoint"
        )
    later = [one for one in there if one.step > checkpoint.step]
    unreadable = [one for one in later if from_step is None or not _has_manifest(one)]
    replaced = [one for one in later if one not in unreadable]
    warnings = [
        f"{said}; going on from step {checkpoint.step} instead; once there is a new checkpoint, this one is set aside "
        f"as {one.manifest_path.with_suffix('.unreadable.*')}"
        for one, said in damaged
    ]
    if replaced:
        steps = ", ".join(str(one.step) for one in replaced)
        warnings.append(
            f"--from {checkpoint.step}: checkpoints of later steps ({steps}) stay until there is a new one, which "
            "replaces them"
        )
    if not later:
        warnings += filter(None, [directory.repair_network()])
    at_end = checkpoint.step == end and not later
    summary = _summary_of(directory, end) if at_end else None
    return Resumption(configuration, checkpoint, manifest, warnings, unreadable, replaced, summary)


def goes_on(directory: RunDirectory, configuration: Configuration, trust: bool = False) -> bool:
    """Whether a run with this configuration has come to a checkpoint there, from which it can go on.

    Raises:
        ConfigurationError: there is a run with another configuration.
    """
    if not directory.configuration.is_file():
        return False
    there = load_configuration(directory.configuration, trust=trust, of_run=True)
    for where, was, given in differences(there.resolved(), configuration.resolved(), (*MAY_CHANGE, "forked_from")):
        raise ConfigurationError(
            f"{where}: {given!r} is not allowed with --continue; the run in {directory.path} has {was!r}: give it "
            "another --out, or --overwrite in place of --continue"
        )
    return bool(committed(directory.path))


def _until(resolved: dict[str, Any], step: int) -> dict[str, Any]:
    """A configuration without the changes that are still to come: these may be others."""
    end_ms = (step + 0.5) * resolved["dt_ms"]
    return {**resolved, "changes": [one for one in resolved["changes"] if one["at_ms"] < end_ms]}


def _newest(there: list[Checkpoint]) -> tuple[Checkpoint, dict[str, Any], list[tuple[Checkpoint, str]]]:
    """The newest that is whole, its manifest, and the damaged ones beyond it with what is wrong."""
    damaged: list[tuple[Checkpoint, str]] = []
    for checkpoint in reversed(there):
        try:
            manifest = checkpoint.manifest()
            checkpoint.verify()
        except DamageError as error:
            damaged.append((checkpoint, str(error)))
            continue
        return checkpoint, manifest, damaged
    raise StorageError(f"{damaged[0][1]}; no checkpoint of this run is whole: start it again")


def _of_step(
    directory: RunDirectory, there: list[Checkpoint], from_step: int
) -> tuple[Checkpoint, dict[str, Any], list[tuple[Checkpoint, str]]]:
    steps = {checkpoint.step: checkpoint for checkpoint in there}
    if from_step not in steps:
        raise StorageError(f"{directory.path}: no checkpoint of step {from_step}; there: {', '.join(map(str, steps))}")
    try:
        manifest = steps[from_step].manifest()
        steps[from_step].verify()
    except DamageError as error:
        older = " or ".join(f"--from {step}" for step in steps if step < from_step)
        way_out = f"an older checkpoint may serve: {older}" if older else "no older checkpoint is kept"
        raise StorageError(f"{error}; {way_out}") from None
    return steps[from_step], manifest, []


def _has_manifest(checkpoint: Checkpoint) -> bool:
    try:
        checkpoint.manifest()
    except DamageError:
        return False
    return True


def _summary_of(directory: RunDirectory, end: int) -> dict[str, Any] | None:
    """The summary of a run that came to this end; None if it is of another state, or none that can be read."""
    try:
        summary = directory.read_summary()
    except StorageError:
        return None
    return summary if summary.get("completed") and summary.get("steps") == end else None


def differences(before: Any, now: Any, may_change: Collection[str], where: str = "") -> list[tuple[str, Any, Any]]:
    """(field, before, now) of every leaf that differs and may not."""
    if where in may_change:
        return []
    if isinstance(before, dict) and isinstance(now, dict):
        if where in _NUMBERED and sorted(before) == sorted(now) and list(before) != list(now):
            return [(f"{where}, in order", list(before), list(now))]
        fields = [*before, *(key for key in now if key not in before)]
        return [
            difference
            for key in fields
            for difference in differences(before.get(key), now.get(key), may_change, f"{where}.{key}" if where else key)
        ]
    return [] if before == now else [(where, before, now)]
