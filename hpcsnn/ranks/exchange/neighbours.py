"""Which ranks a rank swaps spikes with where wiring is bounded by distance, and by which numbers they know neurons.

Who owns a tile is a matter of arithmetic (`Ownership`), and being within reach is mutual: so each rank finds by itself
what it knows of others and what others know of it, in the same order as they do, and nobody has to ask.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpcsnn.network import Network
from hpcsnn.ranks.partition import Placement, has_bounded_reach
from hpcsnn.ranks.tiles.reach import targets_within_reach, tiles_within_reach

Whole = NDArray[np.int64]


@dataclass(frozen=True)
class Neighbourhood:
    """The neighbours of a rank.

    A neighbour numbers its neurons that are known here population by population, tile by tile in the order of the
    tiles' numbers. Here they have indices in the same order, without gaps in a population.

    Attributes:
        ranks: of which one knows neurons of the other, in rising order, shape (n,). Each sends to the other in each
            exchange, if only that there is nothing: so neither is ever two exchanges ahead.
        first_known, n_known: index of the first neuron, and how many there are, of each neighbour and population,
            shape (n, populations).
        all_known: neurons known here of each population, own ones too, shape (populations,).
        route_start: for own neurons of all populations in local order, where each one's routes begin, shape (n + 1,).
        route_to, route_number: which of ``ranks``, and the neuron's number there, shape (routes,).
    """

    ranks: Whole
    first_known: Whole
    n_known: Whole
    all_known: Whole
    route_start: Whole
    route_to: Whole
    route_number: Whole

    @property
    def n_border(self) -> Whole:
        """Own neurons that each neighbour knows, shape (n,)."""
        return np.bincount(self.route_to, minlength=len(self.ranks))


def has_neighbours(network: Network) -> bool:
    """Whether distance bounds what every projection can wire."""
    return all(has_bounded_reach(projection) for projection in network.projections.values())


def neighbourhood(network: Network, placements: Mapping[str, Placement], rank: int) -> Neighbourhood:
    """The neighbours of `rank` in a network that `has_neighbours`, from its own placements."""
    border = {name: _known_elsewhere(network, placements, name, rank) for name in placements}
    knowing = np.array([other for of_ranks in border.values() for other in of_ranks], dtype=np.int64)
    ranks = np.union1d(knowing, np.concatenate([placement.owners for placement in placements.values()]))
    first_known, n_known = np.zeros((2, len(ranks), len(placements)), dtype=np.int64)
    for number, placement in enumerate(placements.values()):
        sizes = placement.tiling.sizes(placement.known_tiles[len(placement.own_tiles) :])
        slots_in = np.searchsorted(ranks, placement.owners)
        n_known[:, number] = np.bincount(slots_in, weights=sizes, minlength=len(ranks))
        first_known[:, number] = placement.n_own + np.cumsum(n_known[:, number]) - n_known[:, number]
    neurons, slots, numbers = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for slot, other in enumerate(ranks.tolist()):
        first_own = first_number = 0
        for name, placement in placements.items():
            tiles = border[name].get(other, np.empty(0, np.int64))
            sizes = placement.tiling.sizes(tiles)
            base = placement.tile_base[placement.window.places(placement.tiling, tiles)]
            inside = np.arange(int(sizes.sum())) - np.repeat(np.cumsum(sizes) - sizes, sizes)
            neurons.append(first_own + np.repeat(base, sizes) + inside)
            numbers.append(first_number + np.arange(int(sizes.sum())))
            slots.append(np.full(int(sizes.sum()), slot))
            first_own += placement.n_own
            first_number += int(sizes.sum())
    all_neurons = np.concatenate(neurons)
    order = np.argsort(all_neurons, kind="stable")
    n_own = sum(placement.n_own for placement in placements.values())
    start = np.concatenate([[0], np.cumsum(np.bincount(all_neurons, minlength=n_own))])
    routes = np.concatenate(slots)[order], np.concatenate(numbers)[order]
    all_known = np.array([placement.n_known for placement in placements.values()], dtype=np.int64)
    return Neighbourhood(ranks, first_known, n_known, all_known, start, *routes)


def _known_elsewhere(
    network: Network, placements: Mapping[str, Placement], name: str, rank: int
) -> dict[int, NDArray[np.int64]]:
    """Own tiles of a population that other ranks know, by rank, in rising order."""
    here = placements[name]
    found: dict[int, list[Whole]] = {}
    for projection in network.outgoing(network.populations[name]):
        there = placements[projection.target.name]
        assert projection.reach_squared is not None
        targets = targets_within_reach(here.tiling, there.tiling, here.own_tiles, projection.reach_squared)
        owners = there.ownership.owners(targets)
        for other in np.unique(owners[owners != rank]).tolist():
            theirs = targets[owners == other]
            sources = tiles_within_reach(here.tiling, there.tiling, theirs, projection.reach_squared)
            found.setdefault(other, []).append(np.intersect1d(sources, here.own_tiles))
    return {other: np.unique(np.concatenate(tiles)) for other, tiles in found.items()}
