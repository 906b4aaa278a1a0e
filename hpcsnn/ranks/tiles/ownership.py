"""Which rank owns which tiles: a part of the curve for each."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpcsnn.network import Network, Population
from hpcsnn.ranks.tiles.curve import TileCurve
from hpcsnn.ranks.tiles.tiling import Tiling

# What a synapse costs a rank, in neurons.
_COST_OF_A_SYNAPSE = 0.1


@dataclass(frozen=True)
class Ownership:
    """Rank r owns the tiles whose start on the curve is from ``bounds[r]`` up to ``bounds[r + 1]``, shape (ranks + 1,).

    Any rank can tell any tile's owner; what that takes does not grow with the network.
    """

    curve: TileCurve
    bounds: NDArray[np.int64]

    def tiles(self, rank: int) -> NDArray[np.int64]:
        """The tiles of a rank in the order of the curve."""
        return self.curve.between(int(self.bounds[rank]), int(self.bounds[rank + 1]))

    def owners(self, tiles: NDArray[np.int64]) -> NDArray[np.int64]:
        """The rank that owns each of some tiles."""
        return np.searchsorted(self.bounds, self.curve.starts(tiles), side="right") - 1


def share_out(network: Network, population: Population, tiling: Tiling, n_ranks: int) -> Ownership:
    """Contiguous parts of the curve, balanced by neurons and expected synapses.

    What is learnt is scored where all outputs are: the first rank has the readout. Of a population with fewer tiles
    than there are ranks, the first ranks have one each. No group of neurons is split: where neurons are in one row,
    parts are of as many tiles as whole groups have; elsewhere the first rank has all of them.
    """
    tiles, neurons = TileCurve(tiling, by_neurons=False), TileCurve(tiling)
    ranks = np.arange(n_ranks + 1, dtype=np.int64)
    if population.group_size > 1:
        together = math.lcm(population.group_size, tiling.largest) // tiling.largest if tiling.grid.ny == 1 else 0
        n_parts = -(-tiles.length // together) if together else 1
        bounds = -(-ranks * n_parts // n_ranks) if n_parts >= n_ranks else np.minimum(ranks, n_parts)
        return Ownership(tiles, np.minimum(bounds * together, tiles.length) if together else bounds * tiles.length)
    if network.learning is not None and population.name == network.learning.readout:
        return Ownership(tiles, np.minimum(ranks, 1) * tiles.length)
    if tiles.length < n_ranks:
        return Ownership(tiles, np.minimum(ranks, tiles.length))
    listed = [one.synapse_list for one in network.incoming(population) if one.synapse_list is not None]
    if listed:
        # Each list says how many synapses each neuron has, so whoever reads it has the whole population at hand.
        order = tiles.order()
        cost = tiling.sizes(order).astype(np.float64)
        alike = [one.expected_in_degree for one in network.incoming(population) if one.synapse_list is None]
        cost *= 1.0 + _COST_OF_A_SYNAPSE * sum(alike)
        for one in listed:
            of_tiles = tiling.tiles_of(np.arange(len(one.in_degrees)))
            cost += _COST_OF_A_SYNAPSE * np.bincount(of_tiles, weights=one.in_degrees, minlength=len(order))[order]
        return Ownership(tiles, split_evenly(cost, n_ranks))
    # Parts as long as the largest tile have one at least that begins in them.
    curve = neurons if neurons.length // n_ranks >= tiling.largest else tiles
    return Ownership(curve, -(-ranks * curve.length // n_ranks))


def split_evenly(cost: NDArray[np.float64], n_parts: int) -> NDArray[np.int64]:
    """Bounds (n_parts + 1,) of contiguous, non-empty parts of nearly equal total cost."""
    total = np.concatenate([[0.0], np.cumsum(cost)])
    bounds = np.searchsorted(total, total[-1] * np.arange(n_parts + 1) / n_parts, side="left")
    bounds[0], bounds[-1] = 0, len(cost)
    for part in range(1, n_parts):  # at least one tile for each part, in front and behind
        bounds[part] = min(max(bounds[part], bounds[part - 1] + 1), len(cost) - (n_parts - part))
    return bounds.astype(np.int64)
