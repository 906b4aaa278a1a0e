"""Recorded formations and eliminations, counted by time and distance."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.errors import StorageError
from hpcsnn.network.places.lattice import Lattice
from hpcsnn.storage.packed.opening import open_group

_EVENTS_AT_A_TIME = 1 << 20
_MOST_BINS = 100


def time_bins(n_steps: int, dt_ms: float) -> NDArray[np.float64]:
    """Edges (ms) of at most 100 equal bins from 0 to past the last step, 1, 2 or 5 times a power of ten long."""
    duration = max(n_steps, 1) * dt_ms
    least = max(duration / _MOST_BINS, dt_ms)
    decade = 10.0 ** np.floor(np.log10(least))
    width = next(factor * decade for factor in (1, 2, 5, 10) if factor * decade >= least * (1 - 1e-9))
    return width * np.arange(int(np.ceil(duration / width * (1 - 1e-9))) + 1)


@dataclass(frozen=True)
class EventCount:
    """How events are counted: by which ``lattice`` (None without places), ``edges_ms``, kinds of events."""

    projection: str
    lattice: Lattice | None
    dt_ms: float
    edges_ms: NDArray[np.float64]
    n_kinds: int

    @property
    def n_distances(self) -> int:
        """Whole distances from 0 to the furthest there is; one where there are no distances."""
        if self.lattice is None:
            return 1
        return round(math.sqrt(self.lattice.furthest_squared) / self.lattice.fineness) + 1

    def of(self, events: NDArray[np.int32]) -> NDArray[np.int64]:
        """Counts of a table (step, pre, post, what), shape (kinds, times, distances); distances are rounded."""
        step, pre, post, what = events.T
        n_times = len(self.edges_ms) - 1
        width = self.edges_ms[1] - self.edges_ms[0]
        time = np.minimum((step * (self.dt_ms / width) + 1e-9).astype(np.int64), n_times - 1)
        distance = np.zeros(len(events), dtype=np.int64)
        if self.lattice is not None:
            points = np.hypot(*self.lattice.displacements(pre, post))
            distance = np.rint(points / self.lattice.fineness).astype(np.int64)
        cell = (what.astype(np.int64) * n_times + time) * self.n_distances + distance
        shape = (self.n_kinds, n_times, self.n_distances)
        return np.bincount(cell, minlength=int(np.prod(shape))).reshape(shape)


def count_events(part: Path, count: EventCount) -> NDArray[np.int64]:
    """One Dask task: the events of one segment and rank, read piece by piece; see `EventCount.of`.

    Raises:
        StorageError: a file is missing or damaged.
    """
    total = count.of(np.empty((0, 4), dtype=np.int32))
    try:
        for events in _pieces(part, count.projection):
            total = total + count.of(events)
    except Exception as error:  # whatever a codec finds wrong
        raise StorageError(f"{part}: events of {count.projection} cannot be read: {error}") from error
    return total


def _pieces(part: Path, projection: str) -> Iterator[NDArray[np.int32]]:
    group = open_group(part)
    if f"events/{projection}" not in group:
        return
    table: Any = group[f"events/{projection}"]
    for first in range(0, table.shape[0], _EVENTS_AT_A_TIME):
        yield np.asarray(table[first : first + _EVENTS_AT_A_TIME])
