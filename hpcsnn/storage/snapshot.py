"""A copy of all that a run's future depends on, ready to be written while the run goes on."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.engine.digest import spike_record
from hpcsnn.engine.finiteness import in_neurons, in_synapses
from hpcsnn.engine.simulation import Simulation
from hpcsnn.engine.spike_ring import spikes_in_flight
from hpcsnn.engine.synapse_rows import SynapseRows
from hpcsnn.network import Grid, Projection
from hpcsnn.network.fields import COUNTERS
from hpcsnn.network.neuron_arrays import column_of, entries_on_disk, neuron_arrays
from hpcsnn.storage.descriptions import descriptions
from hpcsnn.storage.packed.arrays import Description
from hpcsnn.storage.shards import ShardGrid, writers


@dataclass(frozen=True)
class Part:
    """Some neurons of one population, those of a shard together, ids ascending within it.

    Attributes:
        ids: global, shape (n,).
        rows: by projection the synapses onto them, in the order of `ids`.
        columns: by array path one value per neuron, shape (n,), in an order that is cheaper to copy.
        places: where in `columns` each of `ids` is, shape (n,).
    """

    ids: NDArray[np.int32]
    rows: dict[str, SynapseRows]
    columns: dict[str, NDArray[Any]]
    places: NDArray[np.intp]

    def take(self, chosen: NDArray[np.intp]) -> Part:
        """Some of the neurons, by their places in `ids`."""
        rows = {name: rows.take(chosen) for name, rows in self.rows.items()}
        return self._with(self.ids[chosen], rows, self.places[chosen])

    def between(self, first: int, last: int) -> Part:
        """Neurons first .. last - 1 of `ids`."""
        rows = {name: rows.between(first, last) for name, rows in self.rows.items()}
        return self._with(self.ids[first:last], rows, self.places[first:last])

    def _with(self, ids: NDArray[np.int32], rows: dict[str, SynapseRows], places: NDArray[np.intp]) -> Part:
        columns = {path: values[places] for path, values in self.columns.items()}
        return Part(ids, rows, columns, np.arange(len(ids)))

    @classmethod
    def joined(cls, parts: Sequence[Part]) -> Part:
        """The neurons of all parts (at least one), which are all of one shard."""
        ids = np.concatenate([part.ids for part in parts])
        rows = {name: SynapseRows.joined([part.rows[name] for part in parts]) for name in parts[0].rows}
        columns = {
            path: np.concatenate([part.columns[path][part.places] for part in parts]) for path in parts[0].columns
        }
        return cls(ids, rows, columns, np.arange(len(ids))).take(np.argsort(ids))

    @property
    def n_bytes(self) -> int:
        """Bytes of all arrays."""
        return sum(column.nbytes for column in self.columns.values()) + sum(r.n_bytes for r in self.rows.values())


@dataclass(frozen=True)
class DiskArray:
    """An array on disk: one value per neuron of a population; ``room`` of 0: none, else synapses per shard."""

    population: str
    dtype: np.dtype[Any]
    room: int = 0


class Copies:
    """Copies of a simulation's arrays, in the memory of earlier ones that are needed no more: a run waits for them."""

    def __init__(self, simulation: Simulation, spare: Copies | None) -> None:
        self._simulation = simulation
        self._arrays: dict[str, NDArray[Any]] = {} if spare is None else spare._arrays
        self._rows: dict[str, SynapseRows] = {} if spare is None else spare._rows
        self._unfinished: list[Callable[[], None]] = []

    def array(self, name: str) -> NDArray[Any]:
        """As `RankState.read`."""
        self._arrays[name] = self._simulation.state.read(name, self._arrays.get(name))
        return self._arrays[name]

    def rows(self, projection: str, order: NDArray[np.intp]) -> SynapseRows:
        """As `SynapseStore.packed`, but before `finish` in no order within a row and with sources as local indices."""
        store, spare = self._simulation.state.stores[projection], self._rows.get(projection)
        self._rows[projection], sort_rows = store.copy_rows(self._simulation.executable, order, spare)
        self._unfinished.append(sort_rows)
        return self._rows[projection]

    @property
    def n_bytes(self) -> int:
        """Bytes of memory that the copies take, with the room that they leave for the next ones."""
        rows = [array for copy in self._rows.values() for array in (copy.in_degree, *copy.columns.values())]
        return sum((one if one.base is None else one.base).nbytes for one in (*self._arrays.values(), *rows))

    def finish(self) -> None:
        """Bring rows of synapses into order: what can be done while the run goes on."""
        while self._unfinished:
            self._unfinished.pop()()


@dataclass(frozen=True)
class Snapshot:
    """The state at one step, as this rank writes it.

    ``parts`` holds, per population, this rank's own neurons and those that others handed over because this rank writes
    their shard; ``shards`` the shards that it writes. ``small`` holds arrays that rank 0 writes (empty elsewhere),
    ``attributes`` what is true of the whole network, ``layout`` what the arrays of `parts` look like on disk,
    ``descriptions`` what all arrays are, by path.
    """

    step: int
    attributes: dict[str, Any]
    grids: dict[str, Grid]
    layout: dict[str, DiskArray]
    parts: dict[str, list[Part]]
    shards: dict[str, NDArray[np.intp]]
    small: dict[str, NDArray[Any]]
    descriptions: dict[str, Description]
    copies: Copies

    def not_finite(self) -> str | None:
        """The first value of this rank's parts that is not finite, in words; rows are finished (`Copies.finish`)."""

        def wrong(columns: dict[str, NDArray[Any]]) -> list[str]:
            return [
                name for name, values in columns.items() if values.dtype.kind == "f" and not np.isfinite(values).all()
            ]

        for population, part in ((name, part) for name, parts in self.parts.items() for part in parts):
            for path in wrong(part.columns):
                name = column_of(path) or path
                return in_neurons(population, {"id": part.ids, name: part.columns[path][part.places]})
            for projection, rows in part.rows.items():
                if names := wrong(rows.columns):
                    ends = {"pre": rows.columns["source"], "post": np.repeat(part.ids, rows.in_degree)}
                    return in_synapses(projection, ends | {name: rows.columns[name] for name in names})
        return None

    @property
    def n_bytes(self) -> int:
        """Bytes of the copy on this rank."""
        parts = itertools.chain.from_iterable(self.parts.values())
        return sum(part.n_bytes for part in parts) + sum(values.nbytes for values in self.small.values())


class WritingPlan:
    """Which rank writes which shards, in which order, and as what: fixed for a run, so worked out once.

    A collective call.
    """

    def __init__(self, simulation: Simulation) -> None:
        self.descriptions = descriptions(simulation.network)
        self.order: dict[str, NDArray[np.intp]] = {}  # this rank's neurons, by shard and then by id
        self.shard_of: dict[str, NDArray[np.int64]] = {}  # of each neuron, in this order
        self.receiver: dict[str, NDArray[np.int64]] = {}  # the rank that writes it
        self.shards: dict[str, NDArray[np.intp]] = {}  # that this rank writes
        for name, population in simulation.network.populations.items():
            shards, ids = ShardGrid.of(population.grid), simulation.placements[name].global_id
            writer, shard_of = writers(simulation.communicator, shards, ids), shards.of_ids(ids)
            self.order[name] = np.lexsort((ids, shard_of))
            self.shard_of[name] = shard_of[self.order[name]]
            self.receiver[name] = writer[self.shard_of[name]]
            self.shards[name] = np.flatnonzero(writer == simulation.rank)


def take_snapshot(simulation: Simulation, plan: WritingPlan | None = None, spare: Snapshot | None = None) -> Snapshot:
    """Copy the state as it stands between two steps; a collective call that a run waits for.

    Args:
        plan: of this simulation, if it is known already.
        spare: an earlier snapshot that is needed no more, whose memory may be used again.
    """
    plan = plan or WritingPlan(simulation)
    network = simulation.network
    grids = {name: population.grid for name, population in network.populations.items()}
    parts: dict[str, list[Part]] = {}
    copies = Copies(simulation, spare.copies if spare else None)
    layout: dict[str, DiskArray] = {}
    for name, grid in grids.items():
        own, n_shards = _own_part(simulation, name, copies, plan.order[name]), ShardGrid.of(grid).n_shards
        for path, values in own.columns.items():
            layout[path] = DiskArray(name, values.dtype)
        for projection, rows in own.rows.items():
            layout[f"projections/{projection}/in_degree"] = DiskArray(name, rows.in_degree.dtype)
            # Whole numbers on every rank: NumPy counts in another type where there is nothing to count.
            in_shard = np.bincount(plan.shard_of[name], rows.in_degree, n_shards).astype(np.int64)
            room = max(int(simulation.sum_over_ranks(in_shard).max()), 1)
            for field, values in rows.columns.items():
                layout[f"projections/{projection}/synapse/{field}"] = DiskArray(name, values.dtype, room)
        parts[name] = [own, *_handed_over(simulation, own, plan.receiver[name])]
    attributes = {
        "step": simulation.step,
        "dt_ms": network.dt_ms,
        "seed": network.seed,
        "bin_ms": simulation.state.bin_steps * network.dt_ms,
        "spikes": spike_record(simulation),
        "grids": {name: [grid.ny, grid.nx] for name, grid in grids.items()},
        **_said_of(grids),
        "projections": {
            name: {
                "source": projection.source.name,
                "target": projection.target.name,
                **{counter: _total(simulation, name, counter) for counter in COUNTERS},
                **_sums(simulation, projection),
            }
            for name, projection in network.projections.items()
        },
    }
    small = _small(simulation)
    return Snapshot(simulation.step, attributes, grids, layout, parts, plan.shards, small, plan.descriptions, copies)


def _handed_over(simulation: Simulation, own: Part, receiver: NDArray[np.int64]) -> list[Part]:
    """Give neurons to the ranks that write their shards, and take what others give: few, where two ranks meet."""
    if simulation.n_ranks == 1:
        return []
    messages: list[Part | None] = [None] * simulation.n_ranks
    for rank in np.unique(receiver):
        if rank != simulation.rank:
            given = own.take(np.flatnonzero(receiver == rank))
            for name, rows in given.rows.items() if simulation.executable.defers else ():
                source = simulation.network.projections[name].source.name
                given.rows[name] = rows.ordered(simulation.placements[source].known_id)
            messages[rank] = given
    return [part for part in simulation.communicator.swap(messages) if part is not None]


def _sums(simulation: Simulation, projection: Projection) -> dict[str, dict[str, int]]:
    """What the projection's rule has added up over ranks in its last update."""
    rule = projection.rule
    if rule is None or not rule.sums:
        return {}
    return {"sums": {name: int(simulation.state.read(f"{projection.name}.sum_{name}")[0]) for name in rule.sums}}


def _total(simulation: Simulation, projection: str, counter: str) -> int:
    count = np.array([simulation.state.stores[projection].counter(counter)], dtype=np.uint64)
    return int(simulation.sum_over_ranks(count)[0])


def _own_part(simulation: Simulation, population: str, copies: Copies, order: NDArray[np.intp]) -> Part:
    """This rank's neurons of one population.

    Every rank that knows a source has the same traces of it; its owner's are those that are kept.
    """
    network, placement = simulation.network, simulation.placements[population]
    declared = network.populations[population]
    columns: dict[str, NDArray[Any]] = {}
    for array in neuron_arrays(network, declared):
        if array.path:
            for path, values in entries_on_disk(array, copies.array(array.name), simulation.step).items():
                columns[path] = values[: placement.n_own]
    rows = {projection.name: copies.rows(projection.name, order) for projection in network.incoming(declared)}
    return Part(placement.global_id[order], rows, columns, order)


def _said_of(grids: dict[str, Grid]) -> dict[str, Any]:
    """What is to be said of grids beside their sides, if there is anything: as `NetworkStore` reads it."""
    is_open = {name: grid.borders for name, grid in grids.items() if grid.is_open}
    in_a_row = [name for name, grid in grids.items() if grid.ny == 1 and grid.has_places]
    somewhere = {name: grid.positions.digest for name, grid in grids.items() if grid.positions is not None}
    said = {"borders": is_open, "rows_of_places": in_a_row, "positions": somewhere}
    return {name: of_grids for name, of_grids in said.items() if of_grids}


def _small(simulation: Simulation) -> dict[str, NDArray[Any]]:
    """Rate histograms, and the spikes that are still on their way: (step, id) of the last steps, sorted."""
    small: dict[str, NDArray[Any]] = {}
    # As far as the run has come: room for more is no part of the state.
    n_bins = simulation.step // simulation.state.bin_steps + 1
    for name in simulation.network.populations:
        bins = simulation.state.read(f"{name}.spikes_per_bin")[:n_bins].astype(np.int64)
        small[f"populations/{name}/spikes_per_bin"] = simulation.sum_over_ranks(bins)
        together = np.concatenate(simulation.communicator.gather(spikes_in_flight(simulation.state, name)))
        order = np.lexsort((together[:, 1], together[:, 0]))
        small[f"populations/{name}/in_flight"] = together[order]
    return small if simulation.rank == 0 else {}
