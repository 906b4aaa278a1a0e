"""Which rank keeps which neurons: tiles along a space-filling curve, and the sources a rank can be wired to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpcsnn.errors import ConfigurationError
from hpcsnn.network import Grid, Network, Population, Projection

DEFAULT_TILE = 8
TILE_SIDES = (1, 2, 4, 8, 16, 32, 64)


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

    def ids(self, tile: int) -> NDArray[np.int32]:
        """Global ids of a tile's neurons, row-major inside the tile."""
        tile_y, tile_x = divmod(int(tile), self.tiles_x)
        x = (tile_x << self.shift_x) + np.arange(self.widths()[tile_x])
        y = (tile_y << self.shift_y) + np.arange(self.heights()[tile_y])
        return (y[:, None] * self.grid.nx + x[None, :]).ravel().astype(np.int32)

    def tiles_of(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Tile of each global id."""
        return (ids // self.grid.nx >> self.shift_y) * self.tiles_x + (ids % self.grid.nx >> self.shift_x)


def hilbert_order(width: int, height: int) -> NDArray[np.int64]:
    """Row-major indices of a width x height grid in the order in which a Hilbert curve meets them.

    The curve fills the enclosing power-of-two square (Hilbert 1891); cells outside the grid are left out.
    """
    x, y = (axis.ravel().astype(np.int64) for axis in np.meshgrid(np.arange(width), np.arange(height)))
    index = np.arange(width * height)
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
    return index[np.argsort(position, kind="stable")]


@dataclass(frozen=True)
class Placement:
    """What one rank keeps of one population.

    ``global_id`` (int32) are its own neurons in local order: tile after tile along the curve. Behind them, up to
    ``n_known``, come the neurons of other ranks that it may be wired to. ``tile_base`` (int32, one entry a tile of the
    population) is the local index of a tile's first neuron, -1 for tiles that it does not know.
    """

    tiling: Tiling
    own_tiles: NDArray[np.int64]
    global_id: NDArray[np.int32]
    known_id: NDArray[np.int32]
    tile_base: NDArray[np.int32]

    @property
    def n_own(self) -> int:
        """Neurons that the rank owns."""
        return len(self.global_id)

    @property
    def n_known(self) -> int:
        """Neurons that the rank owns or can be wired to."""
        return len(self.known_id)

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


def check_tile_side(side: int) -> None:
    """Raise ConfigurationError unless `side` is a power of two up to 64."""
    if side not in TILE_SIDES:
        allowed = ", ".join(map(str, TILE_SIDES))
        raise ConfigurationError(f"tile: {side!r} is not allowed; must be one of {allowed}")


def place_network(network: Network, tile_side: int, rank: int, n_ranks: int) -> dict[str, Placement]:
    """Placement of every population on this rank.

    Raises:
        ConfigurationError: a tile side that is not a power of two up to 64, or more ranks than tiles.
    """
    check_tile_side(tile_side)
    tilings = {name: Tiling.of(population.grid, tile_side) for name, population in network.populations.items()}
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
    return {
        name: _place(tilings[name], own[name], _known_tiles(network, population, tilings, own))
        for name, population in network.populations.items()
    }


def _own_tiles(network: Network, population: Population, tiling: Tiling, rank: int, n_ranks: int) -> NDArray[np.int64]:
    """A contiguous run of tiles along the curve, balanced by neurons and expected synapses."""
    order = hilbert_order(tiling.tiles_x, tiling.tiles_y)
    if len(order) < n_ranks:  # a small population: its tiles go to the first ranks
        return order[rank : rank + 1]
    sizes = tiling.sizes().astype(np.float64)
    cost = sizes.copy()
    for projection in network.incoming(population):
        connector = projection.connector.model
        if connector.listed_targets is not None:
            post = connector.listed_targets(projection.connector.values)
            cost += 0.1 * np.bincount(tiling.tiles_of(post), minlength=len(cost))
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
        targets = np.concatenate([target_tiling.ids(tile) for tile in own]).astype(np.int64)
        sources = connector.explicit_sources(projection.connector.values, targets)
        known.ravel()[tiling.tiles_of(sources[sources < projection.source.size])] = True
        if projection.rewiring is None:
            return known
        reach_squared = projection.rewiring_reach_squared
    if reach_squared is None:
        return np.ones_like(known)
    reach = int(np.sqrt(max(reach_squared, 0)))
    own_map = np.zeros_like(known)
    own_map.ravel()[own] = True  # equal grids: the same tiling
    return known | _dilated(_dilated(own_map, reach, 1 << tiling.shift_x, axis=1), reach, 1 << tiling.shift_y, axis=0)


def _dilated(tiles: NDArray[np.bool_], reach: int, side: int, axis: int) -> NDArray[np.bool_]:
    """Tiles on the torus with a neuron within `reach` along one axis of a marked tile.

    A tile cut short at the edge brings its neighbours nearer by up to a tile: one more tile covers it.
    """
    n = tiles.shape[axis]
    furthest = reach // side + 2
    if 2 * furthest + 1 >= n:
        return np.broadcast_to(tiles.any(axis=axis, keepdims=True), tiles.shape)
    wide = tiles.copy()
    for distance in range(1, furthest + 1):
        wide |= np.roll(tiles, distance, axis) | np.roll(tiles, -distance, axis)
    return wide


def _place(tiling: Tiling, own: NDArray[np.int64], known: NDArray[np.bool_]) -> Placement:
    others = np.setdiff1d(np.flatnonzero(known), own)
    tiles = np.concatenate([own, others])
    sizes = tiling.sizes()[tiles]
    base = np.full(tiling.tiles_x * tiling.tiles_y, -1, dtype=np.int32)
    base[tiles] = np.concatenate([[0], np.cumsum(sizes)])[:-1]
    ids = [tiling.ids(tile) for tile in tiles]
    known_id = np.concatenate(ids) if ids else np.empty(0, dtype=np.int32)
    return Placement(tiling, own, known_id[: int(sizes[: len(own)].sum())], known_id, base)
