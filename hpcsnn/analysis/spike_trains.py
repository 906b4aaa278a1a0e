"""Intervals between the spikes of each neuron, and how regular they are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.network.recording.asked import configured_spikes
from hpcsnn.storage.checkpoints import committed
from hpcsnn.storage.network_store import StoredNetwork
from hpcsnn.storage.records import Records

# A neuron's regularity is that of two intervals or more.
_LEAST_INTERVALS = 2
# Of a large network less than ten seconds are looked at: about so many spikes.
_RECENT_MS, _MOST_SPIKES = 10_000.0, 2_000_000


@dataclass(frozen=True)
class Intervals:
    """Interspike intervals of a population.

    Attributes:
        steps: every interval of every neuron, shape (n_intervals,), int64.
        cv: the coefficient of variation of each neuron with two intervals or more, shape (n_neurons,): 0 where they are
            all alike, 1 of a Poisson process.
    """

    steps: NDArray[np.int64]
    cv: NDArray[np.float64]


def intervals_of(spikes: NDArray[np.int32]) -> Intervals:
    """Intervals of spikes given as rows of step and neuron, shape (n, 2), in any order."""
    order = np.lexsort((spikes[:, 0], spikes[:, 1]))
    step, neuron = spikes[order, 0].astype(np.int64), spikes[order, 1]
    within = neuron[1:] == neuron[:-1]
    steps, owner = np.diff(step)[within], neuron[1:][within]
    _, of_neuron, n = np.unique(owner, return_inverse=True, return_counts=True)
    mean = np.bincount(of_neuron, weights=steps) / np.maximum(n, 1)
    variance = np.bincount(of_neuron, weights=(steps - mean[of_neuron]) ** 2) / np.maximum(n, 1)
    some = n >= _LEAST_INTERVALS
    return Intervals(steps, np.sqrt(variance[some]) / mean[some])


def records_of(run: Path) -> tuple[Records, float]:
    """What the newest checkpoint lists, and the length of a step in ms; nothing, where there is none.

    Raises:
        StorageError: its manifest cannot be read.
    """
    manifest = _newest_manifest(run)
    if manifest is None:
        return Records(run / "records", []), 1.0
    return Records(run / "records", manifest["segments"]), float(manifest["configuration"]["dt_ms"])


def recorded_spikes_of(run: Path, stored: StoredNetwork, population: str) -> NDArray[np.int32] | None:
    """Ids of the neurons whose spikes are recorded; None: all, or none, as where there is no checkpoint.

    Raises:
        StorageError: the newest checkpoint's manifest cannot be read.
    """
    manifest = _newest_manifest(run)
    if manifest is None:
        return None
    configuration = manifest["configuration"]["populations"][population]
    return configured_spikes(population, configuration, stored.grid(population))


def _newest_manifest(run: Path) -> dict[str, Any] | None:
    there = committed(run)
    return there[-1].manifest() if there else None


def recent_intervals(run: Path, stored: StoredNetwork, population: str) -> Intervals:
    """Intervals of the last ten seconds of model time, of a large population of less; none, if nothing was recorded.

    Args:
        run: the run directory.
        stored: its newest network.

    Raises:
        StorageError: records are missing or damaged.
    """
    records, dt_ms = records_of(run)
    rates, _ = stored.rates_hz(population)
    in_a_second = max(float(rates.mean()) if len(rates) else 0.0, 1.0) * stored.grid(population).size
    span_ms = min(_RECENT_MS, 1e3 * _MOST_SPIKES / in_a_second)
    return intervals_of(records.spikes(population, round(max(0.0, stored.step - span_ms / dt_ms))))
