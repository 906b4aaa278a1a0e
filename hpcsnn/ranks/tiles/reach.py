"""Which tiles of sources are near enough to the tiles of targets that a rank owns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpcsnn.network.places.lattice import Lattice
from hpcsnn.ranks.tiles.tiling import Tiling

# Pairs of a run of own tiles and a row of sources that are looked at in one step: what that takes beside the answer is
# small.
_PAIRS_AT_ONCE = 2**20


@dataclass(frozen=True)
class _Along:
    """Neurons of one of two populations along an axis of their lattice, of which 2^shift are in a tile."""

    offset: int
    stride: int
    n: int
    shift: int
    is_open: bool

    def edges(self, first: NDArray[np.int64], last: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where the first neuron of tile `first` and the last one of tile `last` are."""
        behind = np.minimum((last + 1) << self.shift, self.n)
        return self.offset + self.stride * (first << self.shift), self.offset + self.stride * (behind - 1)

    def tiles_between(
        self, low: NDArray[np.int64], high: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """First tile, and number of tiles, whose neurons are not all before `low` nor all behind `high`, which may be
        beyond both ends."""
        n_tiles = (self.n - 1 >> self.shift) + 1
        low, high = -((self.offset - low) // self.stride), (high - self.offset) // self.stride
        if self.is_open:
            low, high = np.maximum(low, 0), np.minimum(high, self.n - 1)
        first, last = (at // self.n * n_tiles + (at % self.n >> self.shift) for at in (low, high))
        return first % n_tiles, np.clip(last - first + 1, 0, n_tiles)


def tiles_within_reach(source: Tiling, target: Tiling, own: NDArray[np.int64], reach_squared: int) -> NDArray[np.int64]:
    """Row-major numbers of the source tiles within reach of the target tiles `own`, in rising order, each once.

    Of equal grids they are exactly those that have a neuron within reach of a neuron. Of unequal grids, and of
    populations with positions, a tile is taken for the box around its neurons, so that a few more are among them; being
    within reach is mutual, tile by tile (`targets_within_reach`).

    Time and memory go with the tiles in `own` and in the answer: no table of all tiles is made. Along the rows,
    neighbours in `own` are one run, where the grids are equal; for each row of source tiles that is near enough to a
    run, the columns left to it are a stretch of tile numbers. Where populations have positions they go with all tiles.

    Args:
        own: row-major numbers of target tiles, in any order, shape (n_own,).
        reach_squared: largest squared distance in points of the `Projection.lattice`, or in grid units where there is
            none, as both grids are equal; below 2^52. Nothing is within a negative one.
    """
    return _near(source, target, own, reach_squared, Lattice(source.grid, target.grid), True)


def targets_within_reach(
    source: Tiling, target: Tiling, own: NDArray[np.int64], reach_squared: int
) -> NDArray[np.int64]:
    """The target tiles that are within reach of the source tiles `own`; as `tiles_within_reach`."""
    return _near(target, source, own, reach_squared, Lattice(source.grid, target.grid), False)


def _near(
    found: Tiling, owned: Tiling, own: NDArray[np.int64], reach_squared: int, lattice: Lattice, of_sources: bool
) -> NDArray[np.int64]:
    """Tiles of `found`, which are `of_sources` or of targets, within reach of the tiles `own` of `owned`."""
    if len(own) == 0 or reach_squared < 0:
        return np.empty(0, dtype=np.int64)
    own, reach = np.unique(own), int(np.sqrt(reach_squared))
    if found.grid.positions is not None and owned.grid.positions is not None:
        return _boxes_within_reach(found, owned, own, reach_squared)
    (found_x, found_y), (owned_x, owned_y) = _axes(found, lattice, of_sources), _axes(owned, lattice, not of_sources)
    # Between the neighbours of a run there are other neurons than theirs if grids are unequal.
    first, last = _runs(own, owned.tiles_x) if found.grid == owned.grid else (own, own)
    low_y, high_y = owned_y.edges(first // owned.tiles_x, first // owned.tiles_x)
    low_x, high_x = owned_x.edges(first % owned.tiles_x, last % owned.tiles_x)
    first_row, n_rows = found_y.tiles_between(low_y - reach, high_y + reach)
    starts, ends = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    for some in np.array_split(np.arange(len(first)), int(n_rows.sum()) // _PAIRS_AT_ONCE + 1):
        run = np.repeat(some, n_rows[some])
        row = (first_row[run] + _counted(n_rows[some])) % found.tiles_y
        gap = _gap(low_y[run], high_y[run], *found_y.edges(row, row), lattice.axes[1].period)
        near = gap**2 <= reach_squared
        run, row, gap = run[near], row[near], gap[near]
        left = np.sqrt(reach_squared - gap**2).astype(np.int64)
        column, n_columns = found_x.tiles_between(low_x[run] - left, high_x[run] + left)
        row, column, n_columns = (each[n_columns > 0] for each in (row, column, n_columns))
        # Those behind the last column go on from the first one.
        behind = np.maximum(column + n_columns - found.tiles_x, 0)
        row, column = row * found.tiles_x, column + row * found.tiles_x
        starts = np.concatenate([starts, column, row[behind > 0]])
        ends = np.concatenate([ends, column + n_columns - behind, (row + behind)[behind > 0]])
        starts, ends = _merged(starts, ends)
    return np.repeat(starts, ends - starts) + _counted(ends - starts)


def _axes(tiling: Tiling, lattice: Lattice, of_sources: bool) -> tuple[_Along, _Along]:
    grid = tiling.grid
    of_targets = [(0, axis.fineness) for axis in lattice.axes]
    places = [(axis.offset, axis.stride) for axis in lattice.axes] if of_sources else of_targets
    shapes = ((grid.nx, tiling.shift_x), (grid.ny, tiling.shift_y))
    x, y = (_Along(*place, *shape, grid.is_open) for place, shape in zip(places, shapes, strict=True))
    return x, y


def _boxes_within_reach(
    source: Tiling, target: Tiling, own: NDArray[np.int64], reach_squared: int
) -> NDArray[np.int64]:
    """Source tiles whose box is within reach of the box of a target tile."""
    of, to = _boxes(source), _boxes(target)
    near = np.zeros(of.shape[1], dtype=bool)
    for low, high in zip(to[0, own], to[1, own], strict=True):
        apart = np.maximum(np.maximum(of[0] - high, low - of[1]), 0)
        near |= (apart**2).sum(axis=1) <= reach_squared
    return np.flatnonzero(near)


def _boxes(tiling: Tiling) -> NDArray[np.int64]:
    """Least and largest coordinates of each tile's neurons, which are a run of ids: shape (2, tiles, dimensions)."""
    assert tiling.grid.positions is not None
    points = tiling.grid.positions.points.astype(np.int64)
    starts = np.arange(tiling.tiles_x) << tiling.shift_x
    return np.stack([end.reduceat(points, starts, axis=0) for end in (np.minimum, np.maximum)])


def _runs(tiles: NDArray[np.int64], tiles_x: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and last of each run of neighbours in a row, of sorted tiles."""
    breaks = (np.diff(tiles) > 1) | (tiles[1:] % tiles_x == 0)
    return tiles[np.r_[True, breaks]], tiles[np.r_[breaks, True]]


def _gap(
    low: NDArray[np.int64], high: NDArray[np.int64], other_low: NDArray[np.int64], other_high: NDArray[np.int64], n: int
) -> NDArray[np.int64]:
    """Least distance along an axis, which goes on from the front after n, between two stretches of neurons."""
    apart = np.minimum((other_low - high) % n, (low - other_high) % n)
    return np.where((low <= other_high) & (other_low <= high), 0, apart)


def _counted(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """0, 1, ... up to each length, one after the other."""
    return np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)


def _merged(starts: NDArray[np.int64], ends: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Stretches of numbers, each up to but not with its end, as the fewest that hold the same numbers, in order."""
    if len(starts) == 0:
        return starts, ends
    order = np.argsort(starts, kind="stable")
    starts, reached = starts[order], np.maximum.accumulate(ends[order])
    new = starts[1:] > reached[:-1]
    return starts[np.r_[True, new]], reached[np.r_[new, True]]
