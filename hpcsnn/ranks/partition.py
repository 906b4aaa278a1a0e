"""Which neurons a rank keeps of each population: those that it owns, and the sources that it can be wired to.

What a rank works out here goes with its own part and what is around it, not with the network, unless it can be wired
to any source or reads a list of synapses.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.checked_numbers import whole_number
from hpcsnn.errors import ConfigurationError, shown
from hpcsnn.network import Network, Population, Projection
from hpcsnn.ranks.tiles.ownership import Ownership, share_out
from hpcsnn.ranks.tiles.reach import tiles_within_reach
from hpcsnn.ranks.tiles.tiling import Tiling

DEFAULT_TILE = 8
TILE_SIDES = (1, 2, 4, 8, 16, 32, 64)
# Tiles in the rectangle that a rank's table covers: what it knows is in a few of them, where wiring is local.
MOST_TILES = 2**22
# Neurons of a population that a rank keeps: with a hundred synapses each they fill the largest GPU.
MOST_NEURONS = 2**26


@dataclass(frozen=True)
class Window:
    """The smallest rectangle of tiles, on a grid that goes on behind its ends, that holds all that a rank knows."""

    x: int
    y: int
    width: int
    height: int

    @classmethod
    def around(cls, tiling: Tiling, tiles: NDArray[np.int64]) -> Window:
        """Of these tiles."""
        x, width = _stretch(tiles % tiling.tiles_x, tiling.tiles_x)
        y, height = _stretch(tiles // tiling.tiles_x, tiling.tiles_y)
        return cls(x, y, width, height)

    @property
    def n_tiles(self) -> int:
        """Tiles in it."""
        return self.width * self.height

    def places(self, tiling: Tiling, tiles: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where tiles in it are, row by row."""
        x = (tiles % tiling.tiles_x - self.x) % tiling.tiles_x
        y = (tiles // tiling.tiles_x - self.y) % tiling.tiles_y
        return y * self.width + x


def _stretch(at: NDArray[np.int64], n: int) -> tuple[int, int]:
    """First and number of the fewest neighbours, of n in a circle, among which all of `at` are."""
    if len(at) == 0:
        return 0, 0
    there = np.unique(at)
    gaps = np.diff(there, append=there[0] + n)
    last = int(np.argmax(gaps))  # the widest gap is behind it
    first = int(there[(last + 1) % len(there)])
    return first, (int(there[last]) - first) % n + 1


@dataclass(frozen=True)
class Placement:
    """What one rank keeps of one population.

    Local order is tile after tile, own ones first, along the curve; behind them come those of other ranks that it may
    be wired to, rank by rank, and for each in the order of their numbers. ``tile_base`` (int32, one entry for each tile
    of the ``window``, row by row) is the local index of a tile's first neuron, -1 for tiles that it does not know. Ids
    are made when they are asked for: sizes need none.

    Attributes:
        own_tiles, known_tiles: numbers of its tiles, and of all that it knows, in local order.
        owners: the rank of each tile in ``known_tiles`` behind its own.
    """

    tiling: Tiling
    ownership: Ownership
    own_tiles: NDArray[np.int64]
    known_tiles: NDArray[np.int64]
    owners: NDArray[np.int64]
    window: Window
    tile_base: NDArray[np.int32]
    n_own: int
    n_known: int

    @cached_property
    def global_id(self) -> NDArray[np.int32]:
        """Ids of its own neurons in local order, shape (n_own,)."""
        return self.known_id[: self.n_own]

    @cached_property
    def known_id(self) -> NDArray[np.int32]:
        """Ids of the neurons that it owns or can be wired to, own ones first, shape (n_known,)."""
        return self.tiling.ids(self.known_tiles)

    def local(self, ids: NDArray[Any]) -> NDArray[np.int64]:
        """Where it keeps neurons, by their global ids; -1 for those that it does not know."""
        tiling, window = self.tiling, self.window
        if window.n_tiles == 0:
            return np.full(len(ids), -1, dtype=np.int64)
        y, x = np.divmod(np.asarray(ids, dtype=np.int64), tiling.grid.nx)
        tile_x, tile_y = x >> tiling.shift_x, y >> tiling.shift_y
        column, row = (tile_x - window.x) % tiling.tiles_x, (tile_y - window.y) % tiling.tiles_y
        there = (y >= 0) & (y < tiling.grid.ny) & (column < window.width) & (row < window.height)
        base = np.where(there, self.tile_base[np.where(there, row * window.width + column, 0)], -1)
        in_x, in_y = x - (tile_x << tiling.shift_x), y - (tile_y << tiling.shift_y)
        width = np.minimum(tiling.grid.nx - (tile_x << tiling.shift_x), 1 << tiling.shift_x)
        return np.where(base < 0, -1, base + in_y * width + in_x)

    def local_of_own(self, ids: NDArray[Any]) -> NDArray[np.int64]:
        """Where it keeps its own neurons, by their global ids; -1 for all others, whether it knows of them or not."""
        index = self.local(ids)
        return np.where(index < self.n_own, index, -1)

    def coordinates(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """x and y of the own neurons."""
        return self.global_id % self.tiling.grid.nx, self.global_id // self.tiling.grid.nx


def check_tile_side(side: object) -> int:
    """`side` as a whole number; raise ConfigurationError unless it is a power of two up to 64."""
    checked = whole_number("tile", side)
    if checked not in TILE_SIDES:
        allowed = ", ".join(map(str, TILE_SIDES))
        raise ConfigurationError(f"tile: {shown(side)} is not allowed; must be one of {allowed}")
    return checked


def place_network(network: Network, tile_side: int, rank: int, n_ranks: int) -> dict[str, Placement]:
    """Placement of every population on this rank.

    Raises:
        ConfigurationError: a tile side that is not a power of two up to 64, too many tiles for a rank's table, more
            ranks than tiles, or more neurons than a rank keeps.
    """
    tile_side = check_tile_side(tile_side)
    tilings = {name: Tiling.of(population.grid, tile_side) for name, population in network.populations.items()}
    most = max((tiling.n_tiles for tiling in tilings.values()), default=1)
    if n_ranks > most:
        raise ConfigurationError(
            f"ranks: {n_ranks} is not allowed; the largest population has {most} tiles of side {tile_side}, and each "
            "rank needs one: use fewer ranks or a smaller tile"
        )
    ownership, own = {}, {}
    for name, population in network.populations.items():
        parts = 1 if _may_need_all(network, population) else n_ranks
        _check_table(name, tilings[name], tile_side, tilings[name].n_tiles // parts, parts)
        _check_neurons(population, n_ranks, population.size // n_ranks)
        ownership[name] = share_out(network, population, tilings[name], n_ranks)
        own[name] = ownership[name].tiles(rank)
        _check_neurons(population, n_ranks, int(tilings[name].sizes(own[name]).sum()))
    placements = {
        name: _place(ownership[name], own[name], _known_tiles(network, population, tilings, own))
        for name, population in network.populations.items()
    }
    for name, placement in placements.items():
        _check_table(name, tilings[name], tile_side, placement.window.n_tiles, n_ranks)
    return placements


def has_bounded_reach(projection: Projection) -> bool:
    """Whether distance alone tells which sources a rank's neurons can be wired to."""
    return projection.reach_squared is not None and projection.connector.model.explicit_sources is None


def _may_need_all(network: Network, population: Population) -> bool:
    """Whether a rank may know all neurons, or sorts all to share them out."""
    outgoing = (one.reach_squared is None for one in network.outgoing(population))
    return any(outgoing) or any(one.synapse_list is not None for one in network.incoming(population))


def _check_table(name: str, tiling: Tiling, side: int, n_tiles: int, n_parts: int) -> None:
    """Refuse a table of more tiles than a rank should keep, before anything is made of them."""
    if n_tiles <= MOST_TILES:
        return
    grid = tiling.grid
    fit = [other for other in TILE_SIDES if Tiling.of(grid, other).n_tiles // n_parts <= MOST_TILES and other > side]
    raise ConfigurationError(
        f"tile: {side} is not allowed; of populations.{name} of {grid.nx} x {grid.ny} neurons a rank would have a "
        f"table of {n_tiles} tiles of this side, and has one of at most {MOST_TILES}; "
        + (f"must be {' or '.join(map(str, fit))}" if fit else "no side is large enough for a grid so long and thin")
    )


def _check_neurons(population: Population, n_ranks: int, n_own: int) -> None:
    if n_own > MOST_NEURONS:
        needed = -(-population.size // MOST_NEURONS)
        raise ConfigurationError(
            f"ranks: {n_ranks} is not allowed; a rank would keep {n_own} neurons of populations.{population.name}, "
            f"and keeps at most {MOST_NEURONS}: use {needed} ranks or more"
        )


def _known_tiles(
    network: Network, population: Population, tilings: dict[str, Tiling], own: dict[str, NDArray[np.int64]]
) -> NDArray[np.int64]:
    """Tiles of `population` that can be wired to this rank's neurons, in rising order, each once."""
    tiling = tilings[population.name]
    known = [np.empty(0, dtype=np.int64)]
    for projection in network.outgoing(population):
        target = projection.target.name
        known.append(_sources_of(projection, tiling, tilings[target], own[target]))
    return np.unique(np.concatenate(known))


def _sources_of(
    projection: Projection, tiling: Tiling, target_tiling: Tiling, own: NDArray[np.int64]
) -> NDArray[np.int64]:
    connector, reach_squared = projection.connector.model, projection.reach_squared
    listed = np.empty(0, dtype=np.int64)
    if len(own) == 0:
        return listed
    if connector.explicit_sources is not None:
        targets = target_tiling.ids(own).astype(np.int64)
        sources = connector.explicit_sources(projection.connector.values, targets)
        listed = np.unique(tiling.tiles_of(sources[sources < projection.source.size]))
        reach_squared = projection.rewiring_reach_squared
        if reach_squared == -1:  # none forms
            return listed
    if reach_squared is None:
        return np.arange(tiling.n_tiles)
    return np.concatenate([listed, tiles_within_reach(tiling, target_tiling, own, reach_squared)])


def _place(ownership: Ownership, own: NDArray[np.int64], known: NDArray[np.int64]) -> Placement:
    tiling = ownership.curve.tiling
    others = np.setdiff1d(known, own, assume_unique=True)
    owners = ownership.owners(others)
    by_owner = np.argsort(owners, kind="stable")
    tiles, owners = np.concatenate([own, others[by_owner]]), owners[by_owner]
    sizes = tiling.sizes(tiles)
    window = Window.around(tiling, tiles)
    base = np.full(window.n_tiles if window.n_tiles <= MOST_TILES else 0, -1, dtype=np.int32)
    if len(base):
        base[window.places(tiling, tiles)] = np.cumsum(sizes) - sizes
    return Placement(
        tiling, ownership, own, tiles, owners, window, base, int(sizes[: len(own)].sum()), int(sizes.sum())
    )
