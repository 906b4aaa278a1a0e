"""From which checkpoint a run goes on, and with which configuration."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import Any

from hpcsnn.configuration.files import load_configuration, parse_configuration
from hpcsnn.configuration.schema import Configuration
from hpcsnn.errors import ConfigurationError, StorageError
from hpcsnn.storage.checkpoints import Checkpoint, committed
from hpcsnn.storage.run_directory import RunDirectory

# What a resumed run may have otherwise than the run that wrote the checkpoint: where it ends, how it is carried out.
MAY_CHANGE = ("description", "duration_ms", "tile", "exchange_block", "checkpoint_every", "checkpoint_keep")

# Random numbers are told apart by the place of a population or projection in the order of declaration.
_NUMBERED = ("populations", "projections")


@dataclass(frozen=True)
class Resumption:
    """The checkpoint to go on from, its manifest, the configuration, and what the user should know."""

    configuration: Configuration
    checkpoint: Checkpoint
    manifest: dict[str, Any]
    warnings: list[str]


def prepare_resume(directory: RunDirectory, until_ms: float | None, from_step: int | None) -> Resumption:
    """Choose the checkpoint and check that the run may go on from it; removes what lies beyond it.

    One rank calls. ``network.zarr`` then names this checkpoint's network.

    Raises:
        StorageError: no good checkpoint.
        ConfigurationError: the configuration differs where it may not, or ends before the checkpoint.
    """
    overrides = [] if until_ms is None else [f"duration_ms={until_ms!r}"]
    configuration = load_configuration(directory.configuration, overrides)
    checkpoint, manifest, warnings = _choose(directory, from_step)
    # Keys that are newer than the checkpoint have there what they default to, and mean that there was none.
    before = parse_configuration(manifest["configuration"], directory.path).resolved()
    changed = _differences(before, configuration.resolved())
    if changed:
        field, before, now = changed[0]
        raise ConfigurationError(
            f"{field}: {before!r} in the checkpoint, {now!r} in {directory.configuration}; a resumed run may change "
            f"only {', '.join(MAY_CHANGE)}, ranks and device: change it back, or start a new run"
        )
    time_ms = checkpoint.step * configuration.dt_ms
    if configuration.network().steps(configuration.duration_ms) < checkpoint.step:
        raise ConfigurationError(
            f"duration_ms: {configuration.duration_ms:g} is not allowed; the checkpoint is at {time_ms:g} ms already: "
            "give a later --until, or --from an earlier checkpoint"
        )
    for later in committed(directory.path):
        if later.step > checkpoint.step:
            later.remove()
    directory.link_network(checkpoint.network_path)  # the newest there is, which may be an older one than before
    for segment in directory.records.glob("*"):
        if segment.is_dir() and segment.name not in manifest["segments"]:
            shutil.rmtree(segment)
    return Resumption(configuration, checkpoint, manifest, warnings)


def _choose(directory: RunDirectory, from_step: int | None) -> tuple[Checkpoint, dict[str, Any], list[str]]:
    there = committed(directory.path)
    if not there:
        raise StorageError(f"{directory.path}: no checkpoint to resume from; run it again with --checkpoint-every")
    if from_step is not None:
        return _choose_step(directory, there, from_step)
    damaged: list[str] = []
    for checkpoint in reversed(there):
        try:
            manifest = checkpoint.manifest()
            checkpoint.verify()
        except StorageError as error:
            damaged.append(str(error))
            continue
        return checkpoint, manifest, [f"{said}; going on from step {checkpoint.step} instead" for said in damaged]
    raise StorageError(f"{damaged[0]}; no checkpoint of this run is whole: start it again")


def _choose_step(
    directory: RunDirectory, there: list[Checkpoint], from_step: int
) -> tuple[Checkpoint, dict[str, Any], list[str]]:
    steps = {checkpoint.step: checkpoint for checkpoint in there}
    if from_step not in steps:
        raise StorageError(f"{directory.path}: no checkpoint of step {from_step}; there: {', '.join(map(str, steps))}")
    try:
        manifest = steps[from_step].manifest()
        steps[from_step].verify()
    except StorageError as error:
        older = " or ".join(f"--from {step}" for step in steps if step < from_step)
        way_out = f"an older checkpoint may serve: {older}" if older else "no older checkpoint is kept"
        raise StorageError(f"{error}; {way_out}") from None
    return steps[from_step], manifest, []


def _differences(before: Any, now: Any, where: str = "") -> list[tuple[str, Any, Any]]:
    """(field, before, now) of every leaf that differs and may not."""
    if where in MAY_CHANGE:
        return []
    if isinstance(before, dict) and isinstance(now, dict):
        if where in _NUMBERED and sorted(before) == sorted(now) and list(before) != list(now):
            return [(f"{where}, in order", list(before), list(now))]
        fields = [*before, *(key for key in now if key not in before)]
        return [
            difference
            for key in fields
            for difference in _differences(before.get(key), now.get(key), f"{where}.{key}" if where else key)
        ]
    return [] if before == now else [(where, before, now)]
