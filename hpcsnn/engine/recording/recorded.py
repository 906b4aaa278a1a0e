"""What a simulation keeps: spikes, rewiring events, variables; taken from logs, and handed out in order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hpcsnn.engine.recording.recorder_arrays import recorded_ids, take_rows
from hpcsnn.engine.recording.rows import Average, Rows, SynapseValues
from hpcsnn.engine.state import RankState
from hpcsnn.errors import ConfigurationError, check_known
from hpcsnn.network import Network
from hpcsnn.network.recording.exact_sums import WINDOWS, means_of, values_of
from hpcsnn.network.recording.recorders import Kind, Recorder, recorders

_READ_BY = {
    "variables": "is recorded of each neuron; read it by Simulation.recorded",
    "averages": "is recorded on average; read it by Simulation.recorded_average",
    "synapses": "is recorded of each synapse; read it by Simulation.recorded_synapses",
}
Tables = dict[str, NDArray[np.int32]]


class Taken(NamedTuple):
    """Spikes (step, id) by population and events (step, pre, post, what) by projection, shape (n, 2) and (n, 4);
    variables of neurons by ``population/variable``, and of synapses by ``projection/variable``; and averages, of all
    ranks together, on the first one alone."""

    spikes: Tables
    events: Tables
    rows: Mapping[str, Rows] = {}
    synapses: Mapping[str, SynapseValues] = {}
    averages: Mapping[str, Average] = {}


class _Sums(NamedTuple):
    """Of a rank's neurons at some times: steps done; windows of sums, (n_times, WINDOWS), smallest and largest value,
    (n_times,), as `hpcsnn.network.recording.exact_sums` has them."""

    steps: NDArray[np.int32]
    sums: NDArray[np.int64]
    least: NDArray[np.int32]
    most: NDArray[np.int32]


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
        self._recorders = recorders(network)
        self._ids = {one.key: recorded_ids(one, state.placements[one.neurons.name]) for one in self._recorders}
        self._rows: dict[str, list[Rows]] = {one.key: [] for one in self._of_kind("variables")}
        self._synapses: dict[str, list[SynapseValues]] = {one.key: [] for one in self._of_kind("synapses")}
        self._sums: dict[str, list[_Sums]] = {one.key: [] for one in self._of_kind("averages")}
        self.n_bytes = 0
        """Of values that are here."""

    def take_logs(self) -> None:
        """Empty the logs of the rank into here."""
        for name, spikes in self._spikes.items():
            spikes.append(self._state.take_spikes(name))
        for name, events in self._events.items():
            events.append(self._state.take_events(name))
        for recorder in self._recorders:
            steps, rows = take_rows(self._state, recorder)
            if not len(steps):
                continue
            ids = self._ids[recorder.key]
            if recorder.kind == "averages":
                self._sums[recorder.key].append(_Sums(steps, rows["sums"], rows["least"][:, 0], rows["most"][:, 0]))
                self.n_bytes += sum(array.nbytes for array in rows.values())
            elif recorder.kind == "synapses":
                taken = _of_synapses(steps, ids, rows["source"], rows["rows"], recorder.unit)
                self._synapses[recorder.key].append(taken)
                self.n_bytes += sum(part.nbytes for part in (taken.steps, taken.pre, taken.post, taken.values))
            else:
                self._rows[recorder.key].append(Rows(steps, ids, rows["rows"], recorder.unit))
                self.n_bytes += rows["rows"].nbytes

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
        return self._joined_rows(self._recorder("variables", "populations", population, variable))

    def average(self, population: str, variable: str) -> Average:
        """See `Simulation.recorded_average`."""
        return self._joined_sums(self._recorder("averages", "populations", population, variable))

    def synapses(self, projection: str, variable: str) -> SynapseValues:
        """See `Simulation.recorded_synapses`."""
        return self._joined_synapses(self._recorder("synapses", "projections", projection, variable)).in_order()

    def take(self) -> Taken:
        """See `Simulation.take_recorded`."""
        spikes = {name: _joined(chunks, 2) for name, chunks in self._spikes.items()}
        events = {name: _joined(chunks, 4) for name, chunks in self._events.items()}
        rows = {one.key: self._joined_rows(one) for one in self._of_kind("variables")}
        synapses = {one.key: self._joined_synapses(one) for one in self._of_kind("synapses")}
        averages = {one.key: self._joined_sums(one) for one in self._of_kind("averages")}
        for parts in (self._spikes, self._events, self._rows, self._synapses, self._sums):
            for chunks in parts.values():  # type: ignore[attr-defined]
                chunks.clear()
        self.n_bytes = 0
        if averages and self._state.communicator.rank > 0:
            averages = {}
        return Taken(spikes, events, rows, synapses, averages)

    def _of_kind(self, kind: Kind) -> list[Recorder]:
        return [one for one in self._recorders if one.kind == kind]

    def _recorder(self, kind: Kind, owners: str, owner: str, variable: str) -> Recorder:
        of_owner = {one.column: one for one in self._of_kind(kind) if one.owner.name == owner}
        for other in self._recorders:
            if other.kind != kind and (other.owner.name, other.column) == (owner, variable):
                raise ConfigurationError(f"{other.place}: {_READ_BY[other.kind]}")
        return of_owner[check_known(f"{owners}.{owner}.record", variable, of_owner)]

    def _joined_rows(self, recorder: Recorder) -> Rows:
        ids, parts = self._ids[recorder.key], self._rows[recorder.key]
        steps = np.concatenate([np.empty(0, np.int32), *(part.steps for part in parts)])
        values = np.concatenate([np.empty((0, len(ids)), recorder.dtype), *(part.values for part in parts)])
        return Rows(steps, ids, values, recorder.unit)

    def _joined_sums(self, recorder: Recorder) -> Average:
        none = np.empty(0, np.int32)
        parts = [_Sums(none, np.empty((0, WINDOWS), np.int64), none, none), *self._sums[recorder.key]]
        steps, sums, least, most = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        ranks, ids = self._state.communicator, recorder.recording.ids
        ends = ranks.gather((least, most))
        least, most = np.min([one for one, _ in ends], axis=0), np.max([one for _, one in ends], axis=0)
        mean = means_of(ranks.total(sums), recorder.neurons.size if ids is None else len(ids))
        first, last = values_of(least, recorder.dtype), values_of(most, recorder.dtype)
        return Average(steps, mean, first, last, recorder.unit)

    def _joined_synapses(self, recorder: Recorder) -> SynapseValues:
        nothing = np.empty(0, np.int32)
        empty = SynapseValues(nothing, nothing, nothing, np.empty(0, recorder.dtype), recorder.unit)
        return SynapseValues.joined([empty, *self._synapses[recorder.key]])


def _of_synapses(
    steps: NDArray[np.int32],
    ids: NDArray[np.int32],
    sources: NDArray[np.int32],
    values: NDArray[np.generic],
    unit: str,
) -> SynapseValues:
    """The places of rows in which there is a synapse."""
    row, place = np.nonzero(sources >= 0)
    capacity = sources.shape[1] // max(len(ids), 1)
    return SynapseValues(steps[row], sources[row, place], ids[place // max(capacity, 1)], values[row, place], unit)


def _joined(chunks: list[NDArray[np.int32]], width: int) -> NDArray[np.int32]:
    return np.concatenate([np.empty((0, width), dtype=np.int32), *chunks])
