"""The curve through the tiles, part by part, against the whole one drawn cell by cell; and who owns what."""

from __future__ import annotations

import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn import Grid, Network, models
from hpcsnn.ranks.tiles.curve import TileCurve
from hpcsnn.ranks.tiles.ownership import share_out
from hpcsnn.ranks.tiles.tiling import Tiling

tilings = st.builds(Tiling.of, st.builds(Grid, st.integers(1, 60), st.integers(1, 60)), st.sampled_from([1, 2, 4, 8]))


def whole_curve(width, height):
    """Row-major numbers of the cells of a grid along the curve through the square of 2^n cells around it.

    By the textbook's way from a cell to its place: bit by bit, with turns and reflections of the rest.
    """
    side = 2
    while side < max(width, height):
        side *= 2
    places = {}
    for number in range(width * height):
        y, x = divmod(number, width)
        place, half = 0, side // 2
        while half:
            right, upper = bool(x & half), bool(y & half)
            place += half * half * ((3 * right) ^ upper)
            if not upper:
                if right:
                    x, y = side - 1 - x, side - 1 - y
                x, y = y, x
            half //= 2
        places[place] = number
    return [places[place] for place in sorted(places)]


@settings(max_examples=60)
@given(tilings, st.booleans(), st.data())
def test_any_part_of_the_curve_is_that_of_the_whole(tiling, by_neurons, data):
    curve = TileCurve(tiling, by_neurons)
    order = whole_curve(tiling.tiles_x, tiling.tiles_y)
    assert curve.order().tolist() == order
    measure = [len(tiling.ids(tile)) if by_neurons else 1 for tile in order]
    starts = np.cumsum(measure) - measure
    assert curve.length == sum(measure)
    asked = data.draw(st.lists(st.sampled_from(range(len(order))), max_size=20))
    assert curve.starts(np.array([order[at] for at in asked], dtype=np.int64)).tolist() == starts[asked].tolist()
    first, last = sorted(data.draw(st.tuples(*[st.integers(0, curve.length)] * 2)))
    assert curve.between(first, last).tolist() == [
        tile for tile, start in zip(order, starts, strict=True) if first <= start < last
    ]


@pytest.mark.parametrize("side", [2, 4, 16])
def test_the_curve_goes_from_neighbour_to_neighbour(side):
    order = TileCurve(Tiling.of(Grid(side, side), 1)).order()
    x, y = order % side, order // side
    assert (np.abs(np.diff(x)) + np.abs(np.diff(y)) == 1).all()


def one_population(grid):
    network = Network(seed=1)
    network.add_population("cells", grid, models.LIF())
    return network


@settings(max_examples=60)
@given(tilings, st.integers(1, 12))
def test_each_tile_has_one_owner_whom_all_ranks_name(tiling, n_ranks):
    network = one_population(tiling.grid)
    shared = share_out(network, network.populations["cells"], tiling, n_ranks)
    parts = [shared.tiles(rank).tolist() for rank in range(n_ranks)]
    assert [tile for tiles in parts for tile in tiles] == whole_curve(tiling.tiles_x, tiling.tiles_y)
    for rank, tiles in enumerate(parts):
        assert shared.owners(np.array(tiles, dtype=np.int64)).tolist() == [rank] * len(tiles)
    n_tiles = tiling.n_tiles
    assert sum(bool(tiles) for tiles in parts) == min(n_ranks, n_tiles), "nobody is left out"
    if n_tiles >= n_ranks:
        largest = max(sum(len(tiling.ids(tile)) for tile in tiles) for tiles in parts)
        assert largest < tiling.grid.size / n_ranks + 2 * tiling.largest


def test_a_rank_of_a_hundred_thousand_works_out_its_own_part_alone():
    """4,096 neurons a rank on 102,400 ranks are 6.5 million tiles, of which this makes 64 and asks for a few more."""
    tiling = Tiling.of(Grid(20_480, 20_480), 8)
    network = one_population(tiling.grid)
    tracemalloc.start()
    before = time.process_time()
    shared = share_out(network, network.populations["cells"], tiling, 102_400)
    tiles = shared.tiles(54_321)
    assert len(tiles) == 64
    assert shared.owners(tiles).tolist() == [54_321] * 64
    assert time.process_time() - before < 2.0
    assert tracemalloc.get_traced_memory()[1] < 8e6
    tracemalloc.stop()
