"""Which tiles of sources are near enough to the tiles of targets that a rank owns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hpcsnn.network.lattice import Lattice

if TYPE_CHECKING:
    from hpcsnn.models.tables import LatticeAxis
    from hpcsnn.ranks.partition import Tiling

# Pairs of a run of own tiles and a row of sources that are looked at in one step: what that takes beside the answer is
# small.
_PAIRS_AT_ONCE = 2**20


def tiles_within_reach(source: Tiling, target: Tiling, own: NDArray[np.int64], reach_squared: int) -> NDArray[np.int64]:
    """Row-major numbers of the source tiles that have a neuron within reach of a neuron of the target tiles `own`.

    They are in rising order, each once: exactly these where the grids are equal. Where they are not, a tile is taken
    for all that is between its outermost neurons, so that a few more may be among them. Time and memory go with the
    tiles in `own` and in the answer: no table of all tiles is made. Along the rows, neighbours in `own` are one run;
    for each row of source tiles that is near enough to a run, the columns left to it are a stretch of neurons, which
    is a stretch of tile numbers.

    Where populations have positions on no grid, a tile is taken for the box around its neurons: what is within reach of
    it depends on how they are numbered. Time and memory go with all tiles then.

    Args:
        own: row-major numbers of target tiles, in any order, shape (n_own,).
        reach_squared: largest squared distance in points of the `Projection.lattice`, or in grid units where there is
            none, as both grids are equal; below 2^52. Nothing is within a negative one.
    """
    if len(own) == 0 or reach_squared < 0:
        return np.empty(0, dtype=np.int64)
    if source.grid.positions is not None and target.grid.positions is not None:
        return _boxes_within_reach(source, target, np.unique(own), reach_squared)
    first, last = _runs(np.unique(own), target.tiles_x)
    grid, reach = target.grid, int(np.sqrt(reach_squared))
    along_x, along_y = Lattice(source.grid, target.grid).axes
    rows = first // target.tiles_x
    low_y, high_y = _edges(rows, rows, target.shift_y, grid.ny, along_y.fineness)
    low_x, high_x = _edges(first % target.tiles_x, last % target.tiles_x, target.shift_x, grid.nx, along_x.fineness)
    first_row, n_rows = _tiles_between(along_y, source.shift_y, low_y - reach, high_y + reach)
    starts, ends = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    for some in np.array_split(np.arange(len(first)), int(n_rows.sum()) // _PAIRS_AT_ONCE + 1):
        run = np.repeat(some, n_rows[some])
        row = (first_row[run] + _counted(n_rows[some])) % source.tiles_y
        row_low, row_high = _edges(row, row, source.shift_y, source.grid.ny, along_y.stride, along_y.offset)
        gap = _gap(low_y[run], high_y[run], row_low, row_high, along_y.period)
        near = gap**2 <= reach_squared
        run, row, gap = run[near], row[near], gap[near]
        left = np.sqrt(reach_squared - gap**2).astype(np.int64)
        column, n_columns = _tiles_between(along_x, source.shift_x, low_x[run] - left, high_x[run] + left)
        row, column, n_columns = (each[n_columns > 0] for each in (row, column, n_columns))
        # Those behind the last column go on from the first one.
        behind = np.maximum(column + n_columns - source.tiles_x, 0)
        row, column = row * source.tiles_x, column + row * source.tiles_x
        starts = np.concatenate([starts, column, row[behind > 0]])
        ends = np.concatenate([ends, column + n_columns - behind, (row + behind)[behind > 0]])
        starts, ends = _merged(starts, ends)
    return np.repeat(starts, ends - starts) + _counted(ends - starts)


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


def _edges(
    first: NDArray[np.int64], last: NDArray[np.int64], shift: int, n: int, stride: int, offset: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where the first neuron of tile `first` and the last one of tile `last` are, of n along an axis."""
    return offset + stride * (first << shift), offset + stride * (np.minimum((last + 1) << shift, n) - 1)


def _gap(
    low: NDArray[np.int64], high: NDArray[np.int64], other_low: NDArray[np.int64], other_high: NDArray[np.int64], n: int
) -> NDArray[np.int64]:
    """Least distance along an axis, which goes on from the front after n, between two stretches of neurons."""
    apart = np.minimum((other_low - high) % n, (low - other_high) % n)
    return np.where((low <= other_high) & (other_low <= high), 0, apart)


def _tiles_between(
    axis: LatticeAxis, shift: int, low: NDArray[np.int64], high: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First tile, and number of tiles, with the sources from `low` to `high`, which may be beyond both ends."""
    n, n_tiles = axis.sources, (axis.sources - 1 >> shift) + 1
    low, high = -((axis.offset - low) // axis.stride), (high - axis.offset) // axis.stride
    if axis.is_open:
        low, high = np.maximum(low, 0), np.minimum(high, n - 1)
    nothing, everything = high < low, high - low + 1 >= n
    low, high = np.where(everything, 0, low % n), np.where(everything, n - 1, high % n)
    first = low >> shift
    around = np.where(high < low, n_tiles, 0)
    return first, np.where(nothing, 0, np.minimum((high >> shift) - first + 1 + around, n_tiles))


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
