"""Which tiles of sources are near enough to the tiles of targets that a rank owns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from hpcsnn.ranks.partition import Tiling

# Pairs of a run of own tiles and a row of sources that are looked at in one step: what that takes beside the answer is
# small.
_PAIRS_AT_ONCE = 2**20


def tiles_within_reach(source: Tiling, target: Tiling, own: NDArray[np.int64], reach_squared: int) -> NDArray[np.int64]:
    """Row-major numbers of the source tiles that have a neuron within reach of a neuron of the target tiles `own`.

    They are exactly these, in rising order, each once. Time and memory go with the tiles in `own` and in the answer:
    no table of all tiles is made. Along the rows, neighbours in `own` are one run; for each row of source tiles that is
    near enough to a run, the columns left to it are a stretch of neurons, which is a stretch of tile numbers.

    Args:
        source, target: two equal grids, cut into the same tiles.
        own: row-major numbers of target tiles, in any order, shape (n_own,).
        reach_squared: largest squared distance in grid units, below 2^52; nothing is within a negative one.
    """
    if len(own) == 0 or reach_squared < 0:
        return np.empty(0, dtype=np.int64)
    first, last = _runs(np.unique(own), target.tiles_x)
    grid, reach = target.grid, int(np.sqrt(reach_squared))
    rows = first // target.tiles_x
    low_y, high_y = _edges(rows, rows, target.shift_y, grid.ny)
    low_x, high_x = _edges(first % target.tiles_x, last % target.tiles_x, target.shift_x, grid.nx)
    first_row, n_rows = _tiles_between(low_y - reach, high_y + reach, source.grid.ny, source.shift_y, grid.is_open)
    starts, ends = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    for some in np.array_split(np.arange(len(first)), int(n_rows.sum()) // _PAIRS_AT_ONCE + 1):
        run = np.repeat(some, n_rows[some])
        row = (first_row[run] + _counted(n_rows[some])) % source.tiles_y
        row_low, row_high = _edges(row, row, source.shift_y, source.grid.ny)
        gap = _gap(low_y[run], high_y[run], row_low, row_high, grid.periods[1])
        near = gap**2 <= reach_squared
        run, row, gap = run[near], row[near], gap[near]
        left = np.sqrt(reach_squared - gap**2).astype(np.int64)
        column, n_columns = _tiles_between(
            low_x[run] - left, high_x[run] + left, source.grid.nx, source.shift_x, grid.is_open
        )
        # Those behind the last column go on from the first one.
        behind = np.maximum(column + n_columns - source.tiles_x, 0)
        row, column = row * source.tiles_x, column + row * source.tiles_x
        starts = np.concatenate([starts, column, row[behind > 0]])
        ends = np.concatenate([ends, column + n_columns - behind, (row + behind)[behind > 0]])
        starts, ends = _merged(starts, ends)
    return np.repeat(starts, ends - starts) + _counted(ends - starts)


def _runs(tiles: NDArray[np.int64], tiles_x: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and last of each run of neighbours in a row, of sorted tiles."""
    breaks = (np.diff(tiles) > 1) | (tiles[1:] % tiles_x == 0)
    return tiles[np.r_[True, breaks]], tiles[np.r_[breaks, True]]


def _edges(
    first: NDArray[np.int64], last: NDArray[np.int64], shift: int, n: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The first neuron of tile `first` and the last one of tile `last`, of n along an axis."""
    return first << shift, np.minimum((last + 1) << shift, n) - 1


def _gap(
    low: NDArray[np.int64], high: NDArray[np.int64], other_low: NDArray[np.int64], other_high: NDArray[np.int64], n: int
) -> NDArray[np.int64]:
    """Least distance along an axis, which goes on from the front after n, between two stretches of neurons."""
    apart = np.minimum((other_low - high) % n, (low - other_high) % n)
    return np.where((low <= other_high) & (other_low <= high), 0, apart)


def _tiles_between(
    low: NDArray[np.int64], high: NDArray[np.int64], n: int, shift: int, is_open: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First tile, and number of tiles, that have the neurons from `low` to `high`, which may be beyond both ends."""
    n_tiles = (n - 1 >> shift) + 1
    if is_open:
        low, high = np.maximum(low, 0), np.minimum(high, n - 1)
    everywhere = high - low + 1 >= n
    low, high = np.where(everywhere, 0, low % n), np.where(everywhere, n - 1, high % n)
    first = low >> shift
    around = np.where(high < low, n_tiles, 0)
    return first, np.minimum((high >> shift) - first + 1 + around, n_tiles)


def _counted(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """0, 1, ... up to each length, one after the other."""
    return np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)


def _merged(starts: NDArray[np.int64], ends: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Stretches of numbers, each up to but not with its end, as the fewest that hold the same numbers, in order."""
    order = np.argsort(starts, kind="stable")
    starts, reached = starts[order], np.maximum.accumulate(ends[order])
    new = starts[1:] > reached[:-1]
    return starts[np.r_[True, new]], reached[np.r_[new, True]]
