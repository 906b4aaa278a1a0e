"""What a simulation keeps: spikes, rewiring events, variables of neurons; taken from logs, and handed out in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hpcsnn.engine.state import RankState
from hpcsnn.errors import check_known
from hpcsnn.network import Network
from hpcsnn.network.neuron_arrays import Recorder, recorders

if TYPE_CHECKING:
    import xarray as xr

Tables = dict[str, NDArray[np.int32]]


@dataclass(frozen=True)
class Rows:
    """A variable of some of a rank's neurons at some times.

    Attributes:
        steps: so many steps had been done, shape (n_times,), int32, ascending.
        ids: global ids of the neurons, shape (n_neurons,), int32.
        values: shape (n_times, n_neurons), as the variable is.
        unit: of the values; empty: they have none.
    """

    steps: NDArray[np.int32]
    ids: NDArray[np.int32]
    values: NDArray[np.generic]
    unit: str = ""

    def as_xarray(self, name: str, dt_ms: float, nx: int) -> xr.DataArray:
        """The same over ``time`` (ms) and ``neuron``, which is in row ``y`` and column ``x`` of a grid nx wide."""
        import xarray as xr

        y, x = np.divmod(self.ids, np.int32(nx))
        coordinates = {
            "time": ("time", self.steps * dt_ms, {"units": "ms", "long_name": "model time"}),
            "neuron": ("neuron", self.ids, {"long_name": "id"}),
            **{axis: ("neuron", place, {"units": "grid units"}) for axis, place in (("x", x), ("y", y))},
        }
        about = {"long_name": name, **({"units": self.unit} if self.unit else {})}
        return xr.DataArray(self.values, coordinates, ("time", "neuron"), name, about)


class Taken(NamedTuple):
    """Spikes (step, id) by population and events (step, pre, post, what) by projection, shape (n, 2) and (n, 4); and
    rows by ``population/variable``."""

    spikes: Tables
    events: Tables
    rows: Mapping[str, Rows] = {}


class Recorded:
    """What this rank has recorded since the beginning, or since the last `take`."""

    def __init__(self, network: Network, state: RankState) -> None:
        self._state = state
        self._spikes: dict[str, list[NDArray[np.int32]]] = {
            name: [] for name, population in network.populations.items() if population.record_spikes
        }
        self._events: dict[str, list[NDArray[np.int32]]] = {
            name: []
            for name, projection in network.projections.items()
            if projection.record_events and projection.rule is not None
        }
        self._recorders = {f"{one.population.name}/{one.column}": one for one in recorders(network)}
        self._rows: dict[str, list[tuple[int, NDArray[np.generic]]]] = {name: [] for name in self._recorders}
        self.n_bytes = 0
        """Of rows that are here."""

    def take_logs(self) -> None:
        """Empty the logs of the rank into here."""
        for name, spikes in self._spikes.items():
            spikes.append(self._state.take_spikes(name))
        for name, events in self._events.items():
            events.append(self._state.take_events(name))
        for name, recorder in self._recorders.items():
            first, values = self._state.take_rows(recorder)
            if len(values):
                self._rows[name].append((first, values))
                self.n_bytes += values.nbytes

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

    def rows(self, population: str, variable: str) -> Rows:
        """See `Simulation.recorded`."""
        of_population = [one.column for one in self._recorders.values() if one.population.name == population]
        check_known(f"populations.{population}.record", variable, of_population)
        return self._joined_rows(f"{population}/{variable}")

    def take(self) -> Taken:
        """See `Simulation.take_recorded`."""
        spikes = {name: _joined(chunks, 2) for name, chunks in self._spikes.items()}
        events = {name: _joined(chunks, 4) for name, chunks in self._events.items()}
        rows = {name: self._joined_rows(name) for name in self._rows}
        for chunks in (*self._spikes.values(), *self._events.values()):
            chunks.clear()
        for parts in self._rows.values():
            parts.clear()
        self.n_bytes = 0
        return Taken(spikes, events, rows)

    def _joined_rows(self, name: str) -> Rows:
        recorder, chunks = self._recorders[name], self._rows[name]
        every, ids = recorder.recording.every_steps, recorded_ids(recorder, self._state)
        numbers = [np.arange(first, first + len(values)) for first, values in chunks]
        steps = (np.concatenate([np.empty(0, np.int64), *numbers]) + 1) * every
        nothing = np.empty((0, len(ids)), recorder.array.field.dtype)
        variable = recorder.array.field.variable
        values = np.concatenate([nothing, *(values for _, values in chunks)])
        return Rows(steps.astype(np.int32), ids, values, variable.unit if variable else "")


def recorded_ids(recorder: Recorder, state: RankState) -> NDArray[np.int32]:
    """Global ids of the neurons of a rank of which a variable is recorded, in the order of their rows' columns."""
    return state.placements[recorder.population.name].global_id[state.read(f"{recorder.name}.neuron")]


def _joined(chunks: list[NDArray[np.int32]], width: int) -> NDArray[np.int32]:
    return np.concatenate([np.empty((0, width), dtype=np.int32), *chunks])
