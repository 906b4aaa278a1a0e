"""Where things are in a run directory that is read, whether it goes on or not: what `OpenedRun` stands on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hpcsnn.atomic_files import refuse_link
from hpcsnn.checked_numbers import Limits, real_number, shown_time, whole_numbers
from hpcsnn.errors import ConfigurationError, DamageError, StorageError, check_known, shown
from hpcsnn.network.recording.asked import configured_spikes
from hpcsnn.runs.stored.manifest_contents import is_whole
from hpcsnn.runs.stored.times import TIME, steps_between
from hpcsnn.storage.checkpoints import Checkpoint, committed
from hpcsnn.storage.network_store import StoredNetwork
from hpcsnn.storage.records import Records
from hpcsnn.storage.run_directory import RunDirectory

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

# How often a run that goes on may remove what is just being read.
_TRIES = 5


class RunReader:
    """Checkpoints and records that count, of a directory in which no link is followed."""

    path: Path
    _directory: RunDirectory

    def _own(self, path: Path) -> Path:
        """A path below the run's, once no part of it is a link."""
        at = self.path
        for name in path.relative_to(self.path).parts:
            at /= name
            refuse_link(at, to="reads")
        return path

    def _committed(self) -> list[Checkpoint]:
        self._own(self._directory.checkpoints)
        return committed(self.path)

    def _newest(self) -> Checkpoint:
        there = self._committed()
        if not there:
            raise StorageError(
                f"{self.path}: no checkpoint yet, and so nothing to read; one is written at the end, and before that "
                "with --checkpoint-every"
            )
        return there[-1]

    def _manifest(self) -> dict[str, Any]:
        """Of the newest checkpoint, with a configuration in it."""
        for _ in range(_TRIES):
            newest = self._newest()
            try:
                manifest = newest.manifest() if self._own(newest.manifest_path) else {}
            except DamageError:
                if newest.manifest_path.exists():
                    raise
                continue  # the run has gone on since
            if not is_whole(manifest):
                raise DamageError(f"{newest.manifest_path}: damaged manifest (no configuration, or no segments)")
            return manifest
        raise StorageError(f"{self.path}: its checkpoints are replaced faster than they can be read: try again")

    def _network(self, at_ms: float | None) -> StoredNetwork:
        if at_ms is not None:
            return self._opened(self._at(at_ms))
        for _ in range(_TRIES - 1):
            newest = self._newest()
            try:
                return self._opened(newest)
            except StorageError:
                if newest.manifest_path.exists():
                    raise
        return self._opened(self._newest())

    def _opened(self, checkpoint: Checkpoint) -> StoredNetwork:
        path = self._own(checkpoint.network_path)
        refuse_link(path, below=True, to="reads")
        return checkpoint.network()

    def _at(self, at_ms: float) -> Checkpoint:
        wanted_ms = real_number("at_ms", at_ms, TIME)
        dt_ms = self._manifest()["configuration"]["dt_ms"]
        there = {checkpoint.step: checkpoint for checkpoint in self._committed()}
        step = round(wanted_ms / dt_ms)
        if step not in there or abs(step * dt_ms - wanted_ms) > 1e-3 * dt_ms:
            times = ", ".join(shown_time(step * dt_ms) for step in there)
            raise ConfigurationError(
                f"at_ms: {shown(at_ms)} is not allowed; must be the time of a stored checkpoint, one of {times}"
            )
        return there[step]

    def _spikes(
        self, population: str, from_ms: float, to_ms: float | None, neurons: ArrayLike | None
    ) -> tuple[NDArray[np.int32], float]:
        """Rows of step and neuron, and the length of a step."""
        records, dt_ms, said = self._records("populations", population, "record_spikes", "spikes")
        first, last = steps_between(from_ms, to_ms, dt_ms)
        if neurons is not None:
            grid = self._network(None).grid(population)
            neurons = whole_numbers("neurons", neurons, Limits(minimum=0, maximum=grid.size - 1))
            recorded = configured_spikes(population, said, grid)
            if recorded is not None and len(others := np.setdiff1d(neurons, recorded)):
                raise StorageError(f"{self.path}: spikes of neuron {others[0]} of {population} were not recorded")
        return records.spikes(population, first, last, neurons), dt_ms

    def _records(self, kind: str, name: str, key: str, what: str) -> tuple[Records, float, Mapping[str, Any]]:
        """The records that count, the length of a step, and what the configuration says of whose they are."""
        manifest = self._manifest()
        configured = manifest["configuration"].get(kind, {})
        said = configured[check_known(kind.removesuffix("s"), name, configured)]
        if not said.get(key) and not (what == "spikes" and said.get("record", {}).get("spikes")):
            raise StorageError(
                f"{self.path}: {what} of {name} were not recorded; set {kind}.{name}.{key}, and run it again"
            )
        records = Records(self._own(self._directory.records), manifest["segments"])
        return records, manifest["configuration"]["dt_ms"], said
