"""A grid of neurons cut into tiles, the unit in which ranks own neurons."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpcsnn.network import Grid

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

    @property
    def n_tiles(self) -> int:
        """Tiles in all; they are numbered row by row."""
        return self.tiles_x * self.tiles_y

    @property
    def largest(self) -> int:
        """Neurons of the largest tile."""
        return min(self.grid.nx, 1 << self.shift_x) * min(self.grid.ny, 1 << self.shift_y)

    def shapes(self, tiles: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Width and height of each of some tiles, in neurons."""
        tile_y, tile_x = np.divmod(tiles, self.tiles_x)
        width = np.minimum(self.grid.nx - (tile_x << self.shift_x), 1 << self.shift_x)
        return width, np.minimum(self.grid.ny - (tile_y << self.shift_y), 1 << self.shift_y)

    def sizes(self, tiles: NDArray[np.int64]) -> NDArray[np.int64]:
        """Neurons of each of some tiles."""
        width, height = self.shapes(tiles)
        return width * height

    def ids(self, tiles: int | NDArray[np.int64]) -> NDArray[np.int32]:
        """Global ids of the neurons of some tiles, tile after tile, row-major inside each."""
        tiles = np.atleast_1d(np.asarray(tiles, dtype=np.int64))
        tile_y, tile_x = np.divmod(tiles, self.tiles_x)
        widths, heights = self.shapes(tiles)
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
