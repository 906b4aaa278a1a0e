"""A Hilbert curve through the tiles of a grid, any part of which can be had without the rest (Hilbert 1891).

The curve fills the smallest square of 2^n tiles that holds the grid; tiles outside the grid are left out. A square of
it is known by its corner, and by whether its axes are swapped and whether both are reversed; its quarters follow each
other in the order (left, lower), (left, upper), (right, upper), (right, lower) of its own axes. What lies in a quarter
is a rectangle cut off at the grid's ends, so what the curve meets before a place is a sum over a few rectangles.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpcsnn.ranks.tiles.tiling import Tiling

Whole = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class TileCurve:
    """The curve, with a measure along it: how many neurons it has met, or, unless `by_neurons`, how many tiles."""

    tiling: Tiling
    by_neurons: bool = True

    @property
    def length(self) -> int:
        """The measure of all tiles."""
        return self.tiling.grid.size if self.by_neurons else self.tiling.n_tiles

    def starts(self, tiles: Whole) -> Whole:
        """The measure of all that the curve meets before each of some tiles."""
        tile_y, tile_x = np.divmod(tiles, self.tiling.tiles_x)
        before, corner_x, corner_y = np.zeros((3, len(tiles)), dtype=np.int64)
        swapped, reversed_ = np.zeros((2, len(tiles)), dtype=bool)
        half = self._side >> 1
        while half:
            in_x, in_y = (tile_x & half) > 0, (tile_y & half) > 0
            right = np.where(swapped, in_y, in_x) ^ reversed_
            upper = np.where(swapped, in_x, in_y) ^ reversed_
            quarter = (3 * right) ^ upper
            for earlier in range(3):
                x, y = _corner(earlier, swapped, reversed_)
                measure = self._measure(corner_x + half * x, corner_y + half * y, half)
                before += np.where(earlier < quarter, measure, 0)
            corner_x, corner_y = corner_x + half * in_x, corner_y + half * in_y
            reversed_ = reversed_ ^ (right & ~upper)
            swapped = swapped ^ ~upper
            half >>= 1
        return before

    def between(self, first: int, last: int) -> Whole:
        """The tiles whose start is `first` or more and less than `last`, in the order of the curve."""
        x, y, start = np.zeros((3, 1), dtype=np.int64)
        swapped, reversed_ = np.zeros((2, 1), dtype=bool)
        half = self._side >> 1
        while half:
            quarters = []
            for quarter in range(4):
                of_x, of_y = _corner(quarter, swapped, reversed_)
                at_x, at_y = x + half * of_x, y + half * of_y
                measure = self._measure(at_x, at_y, half)
                turns = reversed_ ^ (quarter == 3), swapped ^ (quarter in (0, 3))
                quarters.append((at_x, at_y, start, *turns, measure))
                start = start + measure
            x, y, start, reversed_, swapped, measure = (
                np.stack(one, axis=1).ravel() for one in zip(*quarters, strict=True)
            )
            kept = (measure > 0) & (start < last) & (start + measure > first)
            x, y, start, reversed_, swapped = (one[kept] for one in (x, y, start, reversed_, swapped))
            half >>= 1
        whole = start >= first
        return (y * self.tiling.tiles_x + x)[whole]

    def order(self) -> Whole:
        """All tiles."""
        return self.between(0, self.length)

    @property
    def _side(self) -> int:
        return 1 << max(self.tiling.tiles_x - 1, self.tiling.tiles_y - 1, 1).bit_length()

    def _measure(self, x: Whole, y: Whole, side: int) -> Whole:
        """Of what is on the grid of squares of so many tiles, by their first corners."""
        tiling = self.tiling
        if self.by_neurons:
            unit_x, unit_y, end_x, end_y = 1 << tiling.shift_x, 1 << tiling.shift_y, tiling.grid.nx, tiling.grid.ny
        else:
            unit_x, unit_y, end_x, end_y = 1, 1, tiling.tiles_x, tiling.tiles_y
        width = np.minimum((x + side) * unit_x, end_x) - np.minimum(x * unit_x, end_x)
        return width * (np.minimum((y + side) * unit_y, end_y) - np.minimum(y * unit_y, end_y))


def _corner(quarter: int, swapped: Flags, reversed_: Flags) -> tuple[Flags, Flags]:
    """Whether the n-th quarter that the curve meets in squares is in the second half of the grid's x and y."""
    right, upper = reversed_ ^ (quarter >= 2), reversed_ ^ (quarter in (1, 2))
    return np.where(swapped, upper, right), np.where(swapped, right, upper)
