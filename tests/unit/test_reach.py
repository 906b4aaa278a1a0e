"""Which tiles of sources a rank must know: against the distances of all pairs of neurons."""

from __future__ import annotations

import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn import Grid
from hpcsnn.network.places.lattice import Lattice
from hpcsnn.ranks.tiles.reach import targets_within_reach, tiles_within_reach
from hpcsnn.ranks.tiles.tiling import Tiling

grids = st.builds(Grid, st.integers(1, 30), st.integers(1, 30), st.sampled_from(["periodic", "open"]))
lines = st.builds(Grid, st.integers(1, 200), st.just(1), st.sampled_from(["periodic", "open"]))


def squared_distances(grid):
    """Of all pairs of neurons, by the shorter way round where the borders are periodic, shape (size, size)."""
    y, x = np.divmod(np.arange(grid.size), grid.nx)
    squared = np.zeros((grid.size, grid.size), dtype=int)
    for places, side in ((x, grid.nx), (y, grid.ny)):
        apart = np.abs(places[:, None] - places)
        squared += (apart if grid.borders == "open" else np.minimum(apart, side - apart)) ** 2
    return squared


def squared_between(source, target):
    """Of all pairs of neurons of two grids over each other, in points of their lattice, shape (targets, sources)."""
    lattice = Lattice(source, target)
    post, pre = (ids.ravel() for ids in np.indices((target.size, source.size)))
    dx, dy = lattice.displacements(pre, post)
    return (dx**2 + dy**2).reshape(target.size, source.size)


@settings(max_examples=300)
@given(st.one_of(grids, lines), st.sampled_from([1, 2, 4, 8]), st.data())
def test_the_tiles_are_those_that_have_a_neuron_within_reach(grid, side, data):
    tiling = Tiling.of(grid, side)
    n_tiles = tiling.tiles_x * tiling.tiles_y
    own = data.draw(st.lists(st.integers(0, n_tiles - 1), max_size=6))
    reach_squared = data.draw(st.one_of(st.integers(-1, 40), st.integers(0, 2000)))
    tile = tiling.tiles_of(np.arange(grid.size))
    near = (squared_distances(grid)[np.isin(tile, own)] <= reach_squared).any(axis=0)
    answer = tiles_within_reach(tiling, tiling, np.array(own, dtype=np.int64), reach_squared)
    assert answer.dtype == np.int64
    assert answer.tolist() == np.unique(tile[near]).tolist()


@settings(max_examples=300)
@given(
    st.tuples(*[st.integers(1, 20)] * 4), st.sampled_from(["periodic", "open"]), st.sampled_from([1, 2, 4]), st.data()
)
def test_of_unequal_grids_tiles_are_those_whose_boxes_are_near_whoever_asks(sides, borders, side, data):
    """A rank that owns sources finds the same pairs of tiles as one that owns targets, one by one or all at once."""
    source, target = Grid(*sides[:2], borders), Grid(*sides[2:], borders)
    of, to, lattice = Tiling.of(source, side), Tiling.of(target, side), Lattice(source, target)
    reach_squared = data.draw(st.one_of(st.integers(-1, 40), st.integers(0, 3000)))
    near = np.zeros((to.n_tiles, of.n_tiles), dtype=bool)
    for tile in range(to.n_tiles):
        near[tile, tiles_within_reach(of, to, np.array([tile]), reach_squared)] = True
    for tile in range(of.n_tiles):
        answer = targets_within_reach(of, to, np.array([tile]), reach_squared)
        assert answer.tolist() == np.flatnonzero(near[:, tile]).tolist()
    own = data.draw(st.lists(st.integers(0, to.n_tiles - 1), max_size=6))
    answer = tiles_within_reach(of, to, np.array(own, dtype=np.int64), reach_squared)
    assert answer.tolist() == np.flatnonzero(near[own].any(axis=0)).tolist()
    squared, tile_of, tile_to = (
        squared_between(source, target),
        *(tiling.tiles_of(np.arange(tiling.grid.size)) for tiling in (of, to)),
    )
    cell = max(lattice.fineness, *(axis.stride for axis in lattice.axes))
    furthest = (np.sqrt(max(reach_squared, 0)) + 2**0.5 * cell) ** 2
    for within, holds in ((reach_squared, False), (furthest, True)):
        pairs = np.zeros_like(near)
        np.logical_or.at(pairs, np.ix_(tile_to, tile_of), squared <= within)
        assert (near <= pairs).all() if holds else (pairs <= near).all()


def test_a_neighbourhood_is_round_and_has_no_ring_too_many():
    """A tile of 8 x 8, reach 8: the four beside it and, as a corner's neighbour is sqrt(2) away, the four beyond."""
    tiling = Tiling.of(Grid(80, 80), 8)
    assert tiles_within_reach(tiling, tiling, np.array([44]), 64).tolist() == [33, 34, 35, 43, 44, 45, 53, 54, 55]
    assert tiles_within_reach(tiling, tiling, np.array([44]), 81).tolist() == (
        [24, 33, 34, 35, 42, 43, 44, 45, 46, 53, 54, 55, 64]
    )


@pytest.mark.parametrize(
    ("grid", "side"), [(Grid(25_600, 25_600), 8), (Grid(2**30, 1, "open"), 8)], ids=["plane", "line"]
)
def test_what_it_takes_goes_with_the_tiles_near_not_with_all(grid, side):
    """Of more than ten million tiles, a thousand are owned: a table of all would take ten times what is allowed."""
    tiling = Tiling.of(grid, side)
    assert tiling.tiles_x * tiling.tiles_y > 10**7
    own = np.arange(5000, 6000)
    tracemalloc.start()
    began = time.process_time()
    answer = tiles_within_reach(tiling, tiling, own, 400)
    seconds = time.process_time() - began
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(own) < len(answer) < 10 * len(own)
    assert most < 10**6
    assert seconds < 1
