"""Arrays over a grid on disk: cut into shards (files), each with one writer, and shards into chunks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.network import Grid
from hpcsnn.ranks.communicator import Communicator

# About so many shards per side: enough writers, and hundreds of files for a million neurons, not millions.
_SHARDS_A_SIDE = 4
# Zarr takes a fraction of a millisecond per chunk: the default tile is the smallest that is worth its own, and chunks
# are as large as is still light to read alone (256 kB per variable).
_SMALLEST_SIDE, _LARGEST_CHUNK_SIDE = 8, 256


@dataclass(frozen=True)
class ShardGrid:
    """Shards and chunks of arrays over `grid`, as (height, width) in neurons; they depend on the grid alone."""

    grid: Grid
    shard: tuple[int, int]
    chunk: tuple[int, int]

    @classmethod
    def of(cls, grid: Grid) -> ShardGrid:
        """Square shards; runs of neurons where there is one row."""
        if grid.ny == 1:
            width = _power_of_two(max(grid.nx // _SHARDS_A_SIDE**2, _SMALLEST_SIDE**2))
            return cls(grid, (1, width), (1, min(width, _LARGEST_CHUNK_SIDE**2)))
        side = _power_of_two(max(max(grid.nx, grid.ny) // _SHARDS_A_SIDE, _SMALLEST_SIDE))
        chunk = min(side, _LARGEST_CHUNK_SIDE)
        return cls(grid, (side, side), (chunk, chunk))

    @property
    def columns(self) -> int:
        """Shards in x."""
        return -(-self.grid.nx // self.shard[1])

    @property
    def n_shards(self) -> int:
        """Shards in all."""
        return self.columns * -(-self.grid.ny // self.shard[0])

    def of_ids(self, ids: NDArray[Any]) -> NDArray[np.int64]:
        """Shard of each neuron."""
        y, x = ids // self.grid.nx, ids % self.grid.nx
        return ((y // self.shard[0]) * self.columns + x // self.shard[1]).astype(np.int64)

    def box(self, shard: int) -> tuple[slice, slice]:
        """Rows and columns of the grid that a shard covers."""
        row, column = divmod(shard, self.columns)
        y, x = row * self.shard[0], column * self.shard[1]
        return slice(y, min(y + self.shard[0], self.grid.ny)), slice(x, min(x + self.shard[1], self.grid.nx))

    def first_ids(self) -> NDArray[np.int64]:
        """The first neuron of each shard: the rank that owns it writes the shard."""
        boxes = [self.box(shard) for shard in range(self.n_shards)]
        return np.array([rows.start * self.grid.nx + columns.start for rows, columns in boxes], dtype=np.int64)


def _power_of_two(n: int) -> int:
    return 1 << (n - 1).bit_length()


def writers(communicator: Communicator, shards: ShardGrid, ids: NDArray[np.int32]) -> NDArray[np.int64]:
    """The rank that writes each shard: the one that owns its first neuron. `ids` are this rank's; a collective call."""
    owned = np.isin(shards.first_ids(), ids)
    return np.argmax(np.stack(communicator.gather(owned)), axis=0)
