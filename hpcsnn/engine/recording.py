"""Spikes and rewiring events that a simulation keeps: taken from the logs, and handed out in order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hpcsnn.engine.state import RankState
from hpcsnn.errors import check_known
from hpcsnn.network import Network

Tables = dict[str, NDArray[np.int32]]


class Recorded:
    """What this rank has recorded since the beginning, or since the last `take`."""

    def __init__(self, network: Network) -> None:
        self._spikes: dict[str, list[NDArray[np.int32]]] = {
            name: [] for name, population in network.populations.items() if population.record_spikes
        }
        self._events: dict[str, list[NDArray[np.int32]]] = {
            name: []
            for name, projection in network.projections.items()
            if projection.record_events and projection.rule is not None
        }

    def take_logs(self, state: RankState) -> None:
        """Empty the logs of a rank into here."""
        for name, chunks in self._spikes.items():
            chunks.append(state.take_spikes(name))
        for name, chunks in self._events.items():
            chunks.append(state.take_events(name))

    def spikes(self, population: str) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """See `Simulation.spikes`."""
        check_known("population with record_spikes", population, self._spikes)
        log = _joined(self._spikes[population], 2)
        order = np.lexsort((log[:, 1], log[:, 0]))
        return log[order, 0], log[order, 1]

    def events(self, projection: str) -> NDArray[np.int32]:
        """See `Simulation.events`."""
        check_known("projection with record_events", projection, self._events)
        log = _joined(self._events[projection], 4)
        return log[np.lexsort((log[:, 1], log[:, 2], log[:, 0]))]

    def take(self) -> tuple[Tables, Tables]:
        """See `Simulation.take_recorded`."""
        spikes = {name: _joined(chunks, 2) for name, chunks in self._spikes.items()}
        events = {name: _joined(chunks, 4) for name, chunks in self._events.items()}
        for chunks in (*self._spikes.values(), *self._events.values()):
            chunks.clear()
        return spikes, events


def _joined(chunks: list[NDArray[np.int32]], width: int) -> NDArray[np.int32]:
    return np.concatenate([np.empty((0, width), dtype=np.int32), *chunks])
