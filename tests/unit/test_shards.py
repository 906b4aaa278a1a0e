"""How arrays over a grid are cut on disk: every neuron in one shard, every shard with one writer."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn import Grid
from hpcsnn.ranks.communicator import Alone
from hpcsnn.storage.shards import ShardGrid, writers

GRIDS = st.builds(Grid, st.integers(1, 90), st.integers(1, 90)) | st.builds(Grid, st.integers(1, 4000), st.just(1))


@settings(max_examples=30)
@given(GRIDS)
def test_boxes_tile_the_grid_and_say_the_same_as_ids(grid):
    shards = ShardGrid.of(grid)
    of_place = np.full((grid.ny, grid.nx), -1)
    for shard in range(shards.n_shards):
        rows, columns = shards.box(shard)
        assert rows.start < rows.stop <= grid.ny
        assert columns.start < columns.stop <= grid.nx
        assert (of_place[rows, columns] == -1).all(), "a neuron in two shards"
        of_place[rows, columns] = shard
    np.testing.assert_array_equal(shards.of_ids(np.arange(grid.size, dtype=np.int32)), of_place.ravel())
    first = [np.flatnonzero(of_place.ravel() == shard)[0] for shard in range(shards.n_shards)]
    assert shards.first_ids().tolist() == first


@settings(max_examples=30)
@given(GRIDS)
def test_chunks_fill_shards_and_are_few_enough(grid):
    shards = ShardGrid.of(grid)
    for side, chunk in zip(shards.shard, shards.chunk, strict=True):
        assert side & (side - 1) == 0, "a power of two"
        assert side % chunk == 0
    assert shards.n_shards <= 32
    assert shards.chunk[0] * shards.chunk[1] <= 256**2


@pytest.mark.parametrize(("grid", "shard"), [(Grid(16, 16), (8, 8)), (Grid(4096, 4096), (1024, 1024))])
def test_large_grids_have_large_shards_in_light_chunks(grid, shard):
    shards = ShardGrid.of(grid)
    assert shards.shard == shard
    assert max(shards.chunk) <= 256


class Meeting(Alone):
    """One of several ranks, each in a thread of its own: all that `writers` asks of a communicator."""

    def __init__(self, rank, said, all_here):
        self.rank, self.size, self._said, self._all_here = rank, len(said), said, all_here

    def gather(self, value):
        self._said[self.rank] = value
        self._all_here.wait(timeout=60)
        return list(self._said)


@settings(max_examples=30)
@given(GRIDS, st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_the_owner_of_a_shards_first_neuron_writes_it_and_all_ranks_know(grid, n_ranks, seed):
    shards = ShardGrid.of(grid)
    owner = np.random.default_rng(seed).integers(0, n_ranks, grid.size)
    said, all_here = [None] * n_ranks, threading.Barrier(n_ranks)

    def on_rank(rank):
        return writers(Meeting(rank, said, all_here), shards, np.flatnonzero(owner == rank).astype(np.int32))

    with ThreadPoolExecutor(n_ranks) as threads:
        answers = list(threads.map(on_rank, range(n_ranks)))
    for answer in answers:
        np.testing.assert_array_equal(answer, owner[shards.first_ids()])
