"""Which rank keeps which neurons: tiles along a space-filling curve, and the sources a rank can be wired to."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from hpcsnn.checked_numbers import whole_number
from hpcsnn.errors import ConfigurationError, shown
from hpcsnn.network import Grid, Network, Population, Projection
from hpcsnn.ranks.reach import tiles_within_reach

DEFAULT_TILE = 8
TILE_SIDES = (1, 2, 4, 8, 16, 32, 64)
# Tiles of a population: ranks order them all. The largest population there can be, of 2^31 - 1 neurons, has fewer at
# side 32, if it is not thin.
MOST_TILES = 2**22
# Neurons of a population that a rank keeps: with a hundred synapses each they fill the largest GPU.
MOST_NEURONS = 2**26
# Tiles whose ids are made in one step: what that takes beside the ids is small.
_TILES_AT_ONCE = 4096


@dataclass(frozen=True)
class Tiling:
    """A grid cut into tiles of 2^shift_x x 2^shift_y neurons; tiles at the far edges may be smaller."""

    grid: Grid
    shift_x: int
    shift_y: int

    @classmethod
    def of(cls, grid: Grid, side: int) -> Tiling:
        """Square tiles of `side`, or, where there is one row of neurons, runs of as many neurons."""
        shift = side.bit_length() - 1
        return cls(grid, 2 * shift, 0) if grid.ny == 1 else cls(grid, shift, shift)

    @property
    def tiles_x(self) -> int:
        """Tiles in x."""
        return (self.grid.nx + (1 << self.shift_x) - 1) >> self.shift_x

    @property
    def tiles_y(self) -> int:
        """Tiles in y."""
        return (self.grid.ny + (1 << self.shift_y) - 1) >> self.shift_y

    def widths(self) -> NDArray[np.int64]:
        """Width of each tile column, shape (tiles_x,)."""
        edges = np.minimum(np.arange(self.tiles_x + 1) << self.shift_x, self.grid.nx)
        return np.diff(edges)

    def heights(self) -> NDArray[np.int64]:
        """Height of each tile row, shape (tiles_y,)."""
        edges = np.minimum(np.arange(self.tiles_y + 1) << self.shift_y, self.grid.ny)
        return np.diff(edges)

    def sizes(self) -> NDArray[np.int64]:
        """Neurons of each tile, row-major, shape (tiles_y * tiles_x,)."""
        return np.outer(self.heights(), self.widths()).ravel()

    def order(self) -> NDArray[np.int64]:
        """All tiles, by their row-major numbers, along the curve."""
        return hilbert_order(self.tiles_x, self.tiles_y)

    def ids(self, tiles: int | NDArray[np.int64]) -> NDArray[np.int32]:
        """Global ids of the neurons of some tiles, tile after tile, row-major inside each."""
        tiles = np.atleast_1d(np.asarray(tiles, dtype=np.int64))
        tile_y, tile_x = np.divmod(tiles, self.tiles_x)
        widths, heights = self.widths()[tile_x], self.heights()[tile_y]
        sizes = widths * heights
        ids = np.empty(int(sizes.sum()), dtype=np.int32)
        starts = np.cumsum(sizes) - sizes
        for width, height in np.unique(np.stack([widths, heights], axis=1), axis=0).tolist():  # four at most
            alike = np.flatnonzero((widths == width) & (heights == height))
            inside = (np.arange(height)[:, None] * self.grid.nx + np.arange(width)).ravel()
            first = (tile_y[alike] << self.shift_y) * self.grid.nx + (tile_x[alike] << self.shift_x)
            for some in np.array_split(np.arange(len(alike)), len(alike) // _TILES_AT_ONCE + 1):
                places = starts[alike[some], None] + np.arange(width * height)
                ids[places] = first[some, None] + inside
        return ids

    def tiles_of(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Tile of each global id."""
        return (ids // self.grid.nx >> self.shift_y) * self.tiles_x + (ids % self.grid.nx >> self.shift_x)


@lru_cache(maxsize=4)
def hilbert_order(width: int, height: int) -> NDArray[np.int64]:
    """Row-major indices of a width x height grid in the order in which a Hilbert curve meets them.

    The curve fills the enclosing power-of-two square (Hilbert 1891); cells outside the grid are left out.
    """
    x, y = (axis.ravel().astype(np.int64) for axis in np.meshgrid(np.arange(width), np.arange(height)))
    index = np.arange(width * height)
    index.setflags(write=False)
    position = np.zeros_like(x)
    side = 1 << max(width - 1, height - 1, 1).bit_length()
    half = side >> 1
    while half:
        right, upper = (x & half) > 0, (y & half) > 0
        position += half * half * ((3 * right) ^ upper)
        flip = right & ~upper
        x, y = np.where(flip, side - 1 - x, x), np.where(flip, side - 1 - y, y)
        x, y = np.where(upper, x, y), np.where(upper, y, x)
        half >>= 1
    order = index[np.argsort(position, kind="stable")]
    order.setflags(write=False)  # all ranks of a process share it
    return order


@dataclass(frozen=True)
class Placement:
    """What one rank keeps of one population.

    Local order is tile after tile along the curve, own tiles first; behind them come those of other ranks that it may
    be wired to. ``tile_base`` (int32, one entry a tile of the population) is the local index of a tile's first neuron,
    -1 for tiles that it does not know. Ids are made when they are asked for: sizes need none.
    """

    tiling: Tiling
    own_tiles: NDArray[np.int64]
    known_tiles: NDArray[np.int64]
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

    def coordinates(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """x and y of the own neurons."""
        return self.global_id % self.tiling.grid.nx, self.global_id // self.tiling.grid.nx


def split_evenly(cost: NDArray[np.float64], n_parts: int) -> NDArray[np.int64]:
    """Bounds (n_parts + 1,) of contiguous, non-empty parts of nearly equal total cost."""
    total = np.concatenate([[0.0], np.cumsum(cost)])
    bounds = np.searchsorted(total, total[-1] * np.arange(n_parts + 1) / n_parts, side="left")
    bounds[0], bounds[-1] = 0, len(cost)
    for part in range(1, n_parts):  # at least one tile for each part, in front and behind
        bounds[part] = min(max(bounds[part], bounds[part - 1] + 1), len(cost) - (n_parts - part))
    return bounds.astype(np.int64)


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
        ConfigurationError: a tile side that is not a power of two up to 64, a population of too many tiles, more
            ranks than tiles, or more neurons than a rank keeps.
    """
    tile_side = check_tile_side(tile_side)
    tilings = {name: Tiling.of(population.grid, tile_side) for name, population in network.populations.items()}
    for name, tiling in tilings.items():
        _check_number(name, tiling, tile_side)
    most = max((tiling.tiles_x * tiling.tiles_y for tiling in tilings.values()), default=1)
    if n_ranks > most:
        raise ConfigurationError(
            f"ranks: {n_ranks} is not allowed; the largest population has {most} tiles of side {tile_side}, and each "
            "rank needs one: use fewer ranks or a smaller tile"
        )
    own = {
        name: _own_tiles(network, population, tilings[name], rank, n_ranks)
        for name, population in network.populations.items()
    }
    for name, tiles in own.items():
        n_own = int(tilings[name].sizes()[tiles].sum())
        if n_own > MOST_NEURONS:
            needed = -(-network.populations[name].size // MOST_NEURONS)
            raise ConfigurationError(
                f"ranks: {n_ranks} is not allowed; a rank would keep {n_own} neurons of populations.{name}, and keeps "
                f"at most {MOST_NEURONS}: use {needed} ranks or more"
            )
    return {
        name: _place(tilings[name], own[name], _known_tiles(network, population, tilings, own))
        for name, population in network.populations.items()
    }


def _check_number(name: str, tiling: Tiling, side: int) -> None:
    """Refuse more tiles than each rank should keep a table of, before anything is made of them."""
    n_tiles, grid = tiling.tiles_x * tiling.tiles_y, tiling.grid
    if n_tiles <= MOST_TILES:
        return
    others = [Tiling.of(grid, other) for other in TILE_SIDES]
    fit = [s for s, other in zip(TILE_SIDES, others, strict=True) if other.tiles_x * other.tiles_y <= MOST_TILES]
    raise ConfigurationError(
        f"tile: {side} is not allowed; populations.{name} of {grid.nx} x {grid.ny} neurons has {n_tiles} tiles of this "
        f"side, and each rank keeps a table of at most {MOST_TILES}; "
        + (f"must be {' or '.join(map(str, fit))}" if fit else "no side is large enough for a grid so long and thin")
    )


def _own_tiles(network: Network, population: Population, tiling: Tiling, rank: int, n_ranks: int) -> NDArray[np.int64]:
    """A contiguous run of tiles along the curve, balanced by neurons and expected synapses.

    What is learnt is scored where all outputs are: the first rank has the readout.
    """
    order = tiling.order()
    if network.learning is not None and population.name == network.learning.readout:
        return order if rank == 0 else order[:0]
    if len(order) < n_ranks:  # a small population: its tiles go to the first ranks
        return order[rank : rank + 1]
    sizes = tiling.sizes().astype(np.float64)
    cost = sizes.copy()
    for projection in network.incoming(population):
        if projection.synapse_list is not None:
            in_degrees = projection.synapse_list.in_degrees
            tiles = tiling.tiles_of(np.arange(len(in_degrees)))
            cost += 0.1 * np.bincount(tiles, weights=in_degrees, minlength=len(cost))
        else:
            cost += 0.1 * projection.expected_in_degree * sizes
    bounds = split_evenly(cost[order], n_ranks)
    return order[bounds[rank] : bounds[rank + 1]]


def _known_tiles(
    network: Network, population: Population, tilings: dict[str, Tiling], own: dict[str, NDArray[np.int64]]
) -> NDArray[np.bool_]:
    """Which tiles of `population` can be wired to this rank's neurons, shape (tiles_y * tiles_x,)."""
    tiling = tilings[population.name]
    known = np.zeros((tiling.tiles_y, tiling.tiles_x), dtype=bool)
    for projection in network.outgoing(population):
        known |= _sources_of(projection, tiling, tilings[projection.target.name], own[projection.target.name])
    return known.ravel()


def _sources_of(
    projection: Projection, tiling: Tiling, target_tiling: Tiling, own: NDArray[np.int64]
) -> NDArray[np.bool_]:
    connector = projection.connector.model
    known = np.zeros((tiling.tiles_y, tiling.tiles_x), dtype=bool)
    if len(own) == 0:
        return known
    reach_squared = projection.reach_squared
    if connector.explicit_sources is not None:
        targets = target_tiling.ids(own).astype(np.int64)
        sources = connector.explicit_sources(projection.connector.values, targets)
        known.ravel()[tiling.tiles_of(sources[sources < projection.source.size])] = True
        reach_squared = projection.rewiring_reach_squared
        if reach_squared == -1:  # none forms
            return known
    if reach_squared is None:
        return np.ones_like(known)
    known.ravel()[tiles_within_reach(tiling, target_tiling, own, reach_squared)] = True
    return known


def _place(tiling: Tiling, own: NDArray[np.int64], known: NDArray[np.bool_]) -> Placement:
    others = np.setdiff1d(np.flatnonzero(known), own)
    tiles = np.concatenate([own, others])
    sizes = tiling.sizes()[tiles]
    base = np.full(tiling.tiles_x * tiling.tiles_y, -1, dtype=np.int32)
    base[tiles] = np.concatenate([[0], np.cumsum(sizes)])[:-1]
    return Placement(tiling, own, tiles, base, int(sizes[: len(own)].sum()), int(sizes.sum()))
