"""How large a run is before anything runs: neurons, expected synapses and memory a rank."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hpcsnn.engine.state import PADDING, ring_slots
from hpcsnn.engine.synapse_store import shift_for
from hpcsnn.models.synapses import SynapseModel
from hpcsnn.network import Network, Population, Projection
from hpcsnn.network.attached import synapse_columns
from hpcsnn.ranks.partition import Placement, place_network


@dataclass(frozen=True)
class RankSize:
    """What one rank will hold: neurons per population, expected synapses per projection, bytes in all."""

    neurons: dict[str, int]
    known: dict[str, int]
    synapses: dict[str, int]
    n_bytes: int


def estimate(network: Network, tile: int, rank: int, n_ranks: int) -> RankSize:
    """The size of one rank of a network at its start.

    Raises:
        ConfigurationError: more ranks than tiles, a tile side that is not allowed.
    """
    placements = place_network(network, tile, rank, n_ranks)
    synapses = {
        name: round(projection.expected_in_degree * placements[projection.target.name].n_own)
        for name, projection in network.projections.items()
    }
    population_bytes = sum(_population_bytes(network, p, placements[p.name]) for p in network.populations.values())
    projection_bytes = sum(_projection_bytes(p, placements) for p in network.projections.values())
    return RankSize(
        {name: placement.n_own for name, placement in placements.items()},
        {name: placement.n_known for name, placement in placements.items()},
        synapses,
        population_bytes + projection_bytes,
    )


def _population_bytes(network: Network, population: Population, placement: Placement) -> int:
    state = 4 * len(population.model.model.state)  # type: ignore[attr-defined]
    constants = sum(8 if ctype == "Probability" else 4 for _, ctype in population.model.array_types())
    own = 4 + state + constants + (4 if population.is_source else 0)
    padding = 4 * PADDING if population.is_source else 0
    return placement.n_own * own + 4 * placement.n_known * ring_slots(network, population) + padding


def _projection_bytes(projection: Projection, placements: dict[str, Placement]) -> int:
    synapse = projection.synapse.model
    assert isinstance(synapse, SynapseModel)
    slots = projection.delays.slots if projection.delays else 1
    target, source = placements[projection.target.name], placements[projection.source.name]
    slot = 8 + 4 * len(synapse_columns(projection))
    rows = target.n_own * (slot * _room(projection.expected_in_degree, target.n_own, projection.capacity) + 4)
    out_degree = projection.expected_in_degree * projection.target.size / projection.source.size
    lists = source.n_known * 4 * (_room(out_degree, source.n_known, None) + 1)
    state = 4 * len(projection.receptor.model.state) + slots * (8 if projection.input_scale()[0] == "int64" else 4)  # type: ignore[attr-defined]
    traces = 8 * (source.n_known * len(synapse.pre_traces) + target.n_own * len(synapse.post_traces))
    return rows + lists + target.n_own * state + traces


def _room(mean_degree: float, n: int, asked: int | None) -> int:
    """Places a row: the largest of n nearly Poisson degrees, rounded up to a power of two."""
    largest = mean_degree + math.sqrt(2 * math.log(max(n, 2)) * max(mean_degree, 1.0))
    return 1 << shift_for(max(asked or 0, math.ceil(largest)))
