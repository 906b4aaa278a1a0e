"""How large a run is before anything runs: neurons, expected synapses and memory per rank, from the table of arrays."""

from __future__ import annotations

import ctypes
import math
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from hpcsnn.codegen.constants import Control
from hpcsnn.engine.learning.arrays import learning_room
from hpcsnn.engine.model_binding import made_places, made_tables, trace_taus_ms, words_of
from hpcsnn.engine.recording.recorder_arrays import recorder_room
from hpcsnn.engine.rewiring.arrays import blocks_of, most_events, thinned_displacements
from hpcsnn.engine.state import LOG_ENTRIES, population_room
from hpcsnn.engine.synapse_store import shift_for
from hpcsnn.models.connectors.synapse_lists import SynapseList
from hpcsnn.models.distance_profiles import displacements_within
from hpcsnn.network import Network, Population, Projection
from hpcsnn.network.exchange_fields import exchange_fields
from hpcsnn.network.fields import (
    Field,
    Growth,
    ProjectionRoom,
    decay_fields,
    population_fields,
    projection_fields,
)
from hpcsnn.network.learning import trained_projections
from hpcsnn.network.learning_fields import learning_bytes
from hpcsnn.network.neuron_arrays import neuron_arrays
from hpcsnn.network.places.lattice import Lattice
from hpcsnn.network.recording.recorders import recorders
from hpcsnn.network.unsupervised.hypercolumns import HypercolumnRoom, hypercolumn_fields
from hpcsnn.ranks.exchange.neighbours import has_neighbours
from hpcsnn.ranks.exchange.plan import plan_exchange
from hpcsnn.ranks.partition import Placement, place_network

Placements = dict[str, Placement]
# A copy of rows keeps some room for the next one; see `HostDevice.room`.
_COPY_SLACK = 1 / 8
# Sources, evenly spread, of which the one with most targets on a rank is looked for.
_SOURCES_LOOKED_AT = 64


@dataclass(frozen=True)
class RankSize:
    """What one rank will hold.

    Attributes:
        neurons, known: own neurons, and own ones with those it can be wired to, per population.
        synapses: expected, per projection.
        n_bytes: all arrays after the first wiring.
        growing: bytes more once all rows that may grow and all lists, with the logs of what happens in them, doubled.
        checkpoint: bytes of the copy from which a checkpoint is written.
        wiring: of `n_bytes`, those of projections: synapses with their variables, lists, traces.
        learning: of `n_bytes`, what is there because the network learns, beside its optimiser's variables.
    """

    neurons: dict[str, int] = field(default_factory=dict)
    known: dict[str, int] = field(default_factory=dict)
    synapses: dict[str, int] = field(default_factory=dict)
    n_bytes: int = 0
    growing: int = 0
    checkpoint: int = 0
    wiring: int = 0
    learning: int = 0


def estimate(network: Network, tile: int, rank: int, n_ranks: int) -> RankSize:
    """The size of one rank of a network after its first wiring; of one that learns, without the samples it plays.

    Degrees are taken to be as large as the largest of as many neurons is likely to be (its median): where that is near
    a power of two, rows may come out half as long, or twice.

    Raises:
        ConfigurationError: more ranks than tiles, a tile side that is not allowed.
    """
    placements = place_network(network, tile, rank, n_ranks)
    size = RankSize(
        {name: placement.n_own for name, placement in placements.items()},
        {name: placement.n_known for name, placement in placements.items()},
        {
            name: _n_synapses(projection, placements[projection.target.name])
            for name, projection in network.projections.items()
        },
    )
    n_bytes, wiring, growing, checkpoint = ctypes.sizeof(Control), 0, 0, 0
    for population in network.populations.values():
        n_bytes += _population_bytes(network, population, placements[population.name])
    for projection in network.projections.values():
        declared, more = _projection_bytes(network, projection, placements)
        wiring += declared
        growing += more
        checkpoint += _copied_rows(projection, size.synapses[projection.name], placements)
    for population in network.populations.values():
        checkpoint += _copied_neurons(network, population, placements)
    for recorder in recorders(network):
        of = recorder.projection
        capacity = _row_capacity(of, placements[of.target.name]) if of and recorder.kind == "synapses" else 1
        rows = recorder_room(recorder, placements[recorder.neurons.name], LOG_ENTRIES, capacity)
        n_bytes += sum(one.n_bytes(rows) for one in recorder.fields)
    if n_ranks > 1:
        n_bytes += _exchange_bytes(network, placements, rank, n_ranks)
    learning = 0
    if network.learning is not None:
        learning = _learning_bytes(network, placements, 1)
        growing += _learning_bytes(network, placements, 2) - learning
    if (layer := network.hypercolumns) is not None:
        room = HypercolumnRoom(placements[layer.population].n_own)
        learning = sum(one.n_bytes(room) for one in hypercolumn_fields(layer))
    n_bytes += wiring + learning
    return replace(size, n_bytes=n_bytes, growing=growing, checkpoint=checkpoint, wiring=wiring, learning=learning)


def _exchange_bytes(network: Network, placements: Placements, rank: int, n_ranks: int) -> int:
    plan = plan_exchange(network, placements, rank, n_ranks, int, with_neighbours=has_neighbours(network))
    tables = sum(table.nbytes for table in plan.tables().values())
    return tables + sum(one.n_bytes(plan.room) for one in exchange_fields())


def _population_bytes(network: Network, population: Population, placement: Placement) -> int:
    room = population_room(network, population, placement, LOG_ENTRIES)
    models = [population.model, *(one.current for one in population.stimulations)]
    tables = [table for model in models for table in made_tables(model, network.dt_ms, placement).values()]
    declared = sum(one.n_bytes(room) for one in population_fields(population))
    return declared + sum(table.nbytes for table in tables)


def _projection_bytes(network: Network, projection: Projection, placements: Placements) -> tuple[int, int]:
    """Bytes of a projection's arrays, and how many more they are once rows and lists have doubled."""
    source, target = placements[projection.source.name], placements[projection.target.name]
    capacities = (_capacities(projection, placements, doubled) for doubled in (1, 2))
    room, grown = (
        replace(_projection_room(projection, source, target, *of), replicas=network.replicas) for of in capacities
    )
    fields: list[Field] = list(projection_fields(projection))
    for _, tau_ms in trace_taus_ms(projection, network.dt_ms):
        fields += decay_fields(network.dt_ms, tau_ms)
    tables = [
        table
        for model in projection.models.values()
        for table in made_tables(model, network.dt_ms, target, source, words_of(network, projection)).values()
    ]
    tables += made_places(projection, target).values()
    declared = sum(one.n_bytes(room) for one in fields)
    return declared + sum(table.nbytes for table in tables), sum(one.n_bytes(grown) for one in fields) - declared


def _learning_bytes(network: Network, placements: Placements, doubled: int) -> int:
    """Bytes of what training keeps, once rows and lists have so many times the places that they have at first."""
    rooms = {
        name: learning_room(network, n_neurons=placement.n_own, n_sources=placement.n_known)
        for name, placement in placements.items()
    }
    for projection in trained_projections(network):
        source, target = placements[projection.source.name], placements[projection.target.name]
        rows, lists = _capacities(projection, placements, doubled)
        rooms[projection.name] = learning_room(
            network,
            n_neurons=target.n_own,
            n_slots=rows * target.n_own,
            n_synapses=_n_synapses(projection, target),
            n_entries=lists * source.n_known,
            n_sources=source.n_known,
        )
    return learning_bytes(network, rooms)


def _projection_room(
    projection: Projection, source: Placement, target: Placement, rows: int, lists: int
) -> ProjectionRoom:
    """What a rank holds of a projection whose rows and lists have so many places each."""
    room = ProjectionRoom(target.n_own, source.n_own, source.n_known, rows, lists)
    if projection.rule is None:
        return room
    if projection.rule.attempts:
        n_blocks = len(blocks_of(projection, target)[0])
        room = replace(room, n_blocks=n_blocks, n_within=len(thinned_displacements(projection)[0]))
    if projection.record_events:
        most = most_events(projection, room.n_blocks, target.n_own, rows)
        room = replace(room, event_entries=most + LOG_ENTRIES)
    return room


def _n_synapses(projection: Projection, target: Placement) -> int:
    """Expected synapses of this rank's targets; exact where the connector knows them beforehand."""
    connector, values = projection.connector.model, projection.connector.values
    if projection.synapse_list is not None:
        return int(_listed_in_degrees(projection.synapse_list, target).sum())
    if connector.explicit_sources is not None:
        sources = connector.explicit_sources(values, target.global_id.astype(np.int64))
        return int((sources < projection.source.size).sum())
    return round(projection.expected_in_degree * target.n_own)


def _listed_in_degrees(listed: SynapseList, target: Placement) -> NDArray[np.int64]:
    """Of those of this rank's targets that are not behind the last one of the list."""
    return listed.in_degrees[target.global_id[target.global_id < len(listed.in_degrees)]]


# -- degrees ---------------------------------------------------------------------------------------------------------


def _capacities(projection: Projection, placements: Placements, doubled: int = 1) -> tuple[int, int]:
    """Places per row and per outgoing list; `doubled`: how many times those of the start, where rows may grow."""
    source, target = placements[projection.source.name], placements[projection.target.name]
    rows = _row_capacity(projection, target) * (doubled if projection.rows_grow else 1)
    return rows, _list_capacity(projection, source, target) * doubled


def _row_capacity(projection: Projection, target: Placement) -> int:
    """Places per row: the largest in-degree of this rank's targets, or what was asked for, as a power of two."""
    connector, values = projection.connector.model, projection.connector.values
    if projection.synapse_list is not None:
        needed = int(_listed_in_degrees(projection.synapse_list, target).max(initial=0))
    else:
        needed = _likely_largest(projection, projection.source.size, projection.expected_in_degree, target.n_own)
        if connector.most_sources is not None:
            needed = min(needed, connector.most_sources(values, projection.source.size))
    asked = projection.capacity
    if asked is None:
        return 1 << shift_for(max(needed, 1))
    return 1 << shift_for(max(asked, needed) if projection.rows_grow else asked)


def _list_capacity(projection: Projection, source: Placement, target: Placement) -> int:
    """Places per outgoing list: the largest number of synapses that a source has onto this rank."""
    connector, values = projection.connector.model, projection.connector.values
    if projection.synapse_list is not None and connector.explicit_sources is not None:
        pre = connector.explicit_sources(values, target.global_id.astype(np.int64))
        return 1 << shift_for(int(np.bincount(pre).max(initial=0)))
    mean = projection.expected_in_degree * projection.target.size / projection.source.size
    mean *= _share_here(projection, source, target)
    needed = _likely_largest(projection, target.n_own, mean, source.n_known)
    if connector.most_targets is not None:
        needed = min(needed, connector.most_targets(values, target.n_own))
    return 1 << shift_for(needed)


def _share_here(projection: Projection, source: Placement, target: Placement) -> float:
    """Of a source's expected synapses the share onto this rank's targets, for the source with most of them."""
    share = target.n_own / max(projection.target.size, 1)
    profile = projection.connector_profile
    if profile is None or share in (0.0, 1.0):
        return share
    whole = projection.expected_in_degree
    if whole == 0.0:
        return 0.0
    lattice = projection.lattice or Lattice(projection.source.grid, projection.target.grid)
    largest = 0.0
    for one in source.known_id[:: max(1, source.n_known // _SOURCES_LOOKED_AT)]:
        squared = lattice.squared_distances(one, target.global_id)
        largest = max(largest, float(profile[squared[squared < len(profile)]].sum()))
    return min(largest / whole, 1.0)


def _likely_largest(projection: Projection, n_partners: int, mean: float, n: int) -> int:
    """The median of the largest of n degrees, each of which has up to so many partners."""
    if n == 0 or n_partners == 0:
        return 0
    profile, reach_squared, grid = (
        projection.connector_profile,
        projection.connector_reach_squared,
        projection.source.grid,
    )
    if profile is not None and reach_squared is not None and projection.lattice is None:
        chances = profile[displacements_within(reach_squared, grid.nx, grid.ny)[2]]
        # Where all partners are here, these are their chances; else each is taken to be here with the same one.
        if grid.is_open:  # a place in the middle has all of these partners, and the mean is over all places
            mean *= max(1.0, chances.sum() / max(projection.expected_in_degree, 1e-300))
        at_most = np.cumsum(_number_of_successes(chances * min(mean / max(chances.sum(), 1e-300), 1.0), mean))
    else:
        from scipy.special import bdtr  # takes longer to load than most commands take

        if profile is not None and projection.grid_lattice is not None and grid.is_open:
            in_the_middle = projection.grid_lattice.chances_in_the_middle(profile).sum()
            mean *= max(1.0, in_the_middle / max(projection.expected_in_degree, 1e-300))
            mean = min(mean, float(n_partners))
        degrees = np.arange(min(n_partners, math.ceil(mean + 20 * math.sqrt(mean + 1))) + 1, dtype=np.float64)
        at_most = bdtr(degrees, n_partners, min(mean / n_partners, 1.0))
    with np.errstate(divide="ignore"):
        all_at_most = n * np.log(np.clip(at_most, 0.0, 1.0))
    return int(np.argmax(all_at_most >= math.log(0.5)))


def _number_of_successes(chances: NDArray[np.float64], mean: float) -> NDArray[np.float64]:
    """Chance of 0, 1, .. successes in independent trials, cut off far above the mean."""
    most = math.ceil(mean + 20 * math.sqrt(mean + 1))
    distribution = np.zeros(most + 1)
    distribution[0] = 1.0
    for chance in chances.tolist():
        distribution[1:] = distribution[1:] * (1 - chance) + distribution[:-1] * chance
        distribution[0] *= 1 - chance
    return distribution


# -- the copy behind a checkpoint ------------------------------------------------------------------------------------


def _copied_neurons(network: Network, population: Population, placements: Placements) -> int:
    """Bytes of the copies of arrays with a value per neuron."""
    copied = 0
    for array in neuron_arrays(network, population):
        if array.path and array.field.length is not None:
            room: object = population_room(network, population, placements[population.name], LOG_ENTRIES)
            if array.projection is not None:
                ends = (array.projection.source.name, array.projection.target.name)
                source, target = (placements[end] for end in ends)
                room = ProjectionRoom(target.n_own, source.n_own, source.n_known)
            copied += array.field.n_bytes(room)
    return copied


def _copied_rows(projection: Projection, n_synapses: int, placements: Placements) -> int:
    """Bytes of the copy of a projection's rows, without the room behind them."""
    per_synapse = sum(
        one.dtype.itemsize
        for one in projection_fields(projection)
        if one.growth is Growth.ROWS and one.disk  # what is kept of a slot
    )
    return round(n_synapses * per_synapse * (1 + _COPY_SLACK)) + 4 * placements[projection.target.name].n_own


def shown_bytes(n_bytes: float) -> str:
    """With three digits, in the unit that fits: ``3.21 GB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if n_bytes < 1000:
            return f"{n_bytes:.3g} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.3g} TB"
