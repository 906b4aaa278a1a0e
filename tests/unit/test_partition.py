"""Which rank keeps what: properties over random grids, tiles and numbers of ranks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn import ConfigurationError, Grid, Network, models
from hpcsnn.models.distance_profiles import gaussian_reach_squared
from hpcsnn.ranks.partition import place_network
from hpcsnn.ranks.tiles.ownership import split_evenly
from hpcsnn.ranks.tiles.tiling import Tiling
from support.networks import topographic_map

sides = st.integers(1, 40)


def two_layers(grid, p_max=0.2, sigma=1.0):
    network = Network(seed=1)
    network.add_population("a", grid, models.Poisson(rate_hz=1))
    network.add_population("b", grid, models.LIF())
    connector = models.Gaussian(p_max=p_max, sigma=sigma)
    network.add_projection("ab", "a", "b", connector, models.ExponentialCurrent(), 1.0)
    return network


@given(st.lists(st.floats(0.1, 10), min_size=1, max_size=60), st.data())
def test_shares_are_contiguous_nonempty_and_nearly_equal(cost, data):
    n_parts = data.draw(st.integers(1, len(cost)))
    bounds = split_evenly(np.array(cost), n_parts)
    assert bounds[0] == 0
    assert bounds[-1] == len(cost)
    assert (np.diff(bounds) >= 1).all()
    if n_parts <= len(cost) // 4:
        shares = np.add.reduceat(cost, bounds[:-1])
        assert shares.max() <= sum(cost) / n_parts + 2 * max(cost)


@settings(max_examples=60)
@given(sides, sides, st.sampled_from([1, 2, 4, 8]), st.data())
def test_every_neuron_has_one_owner_and_every_reachable_source_is_known(nx, ny, side, data):
    grid = Grid(nx, ny)
    tiling = Tiling.of(grid, side)
    n_ranks = data.draw(st.integers(1, min(5, tiling.tiles_x * tiling.tiles_y)))
    sigma = data.draw(st.floats(0.2, 3.0))
    network = two_layers(grid, 0.3, sigma)
    reach_squared = gaussian_reach_squared(0.3, sigma)
    owners = np.zeros(grid.size, dtype=int)
    for rank in range(n_ranks):
        placements = place_network(network, side, rank, n_ranks)
        source, target = placements["a"], placements["b"]
        owners[target.global_id] += 1
        for placement in (source, target):
            assert placement.known_id[: placement.n_own].tolist() == placement.global_id.tolist()
            # The kernels' way from (x, y) to the local index, written out again.
            for index, neuron in enumerate(placement.known_id):
                y, x = divmod(int(neuron), nx)
                tile_y, tile_x = y >> tiling.shift_y, x >> tiling.shift_x
                width = min(nx - (tile_x << tiling.shift_x), 1 << tiling.shift_x)
                inside = (y - (tile_y << tiling.shift_y)) * width + x - (tile_x << tiling.shift_x)
                window = placement.window
                row, column = (tile_y - window.y) % tiling.tiles_y, (tile_x - window.x) % tiling.tiles_x
                assert placement.tile_base[row * window.width + column] + inside == index
        known = np.zeros(grid.size, dtype=bool)
        known[source.known_id] = True
        tx, ty = target.coordinates()
        ids = np.arange(grid.size)
        dx, dy = np.abs(ids[None] % nx - tx[:, None]), np.abs(ids[None] // nx - ty[:, None])
        squared = np.minimum(dx, nx - dx) ** 2 + np.minimum(dy, ny - dy) ** 2
        assert known[(squared <= reach_squared).any(axis=0)].all(), "a source within reach is not known"
    assert (owners == 1).all()


def test_ranks_get_equal_shares_and_know_a_border_only():
    network = topographic_map(scale=16)
    placements = [place_network(network, 8, rank, 8) for rank in range(8)]
    sizes = [placement["target"].n_own for placement in placements]
    assert max(sizes) <= 1.05 * min(sizes)
    # 6.66 sigma of 2.5 is 16 grid units around a share of 64 x 128: no rank knows half of the 65,536 sources.
    assert max(placement["source"].n_known for placement in placements) < 65_536 / 2


def test_more_ranks_than_tiles_is_refused_with_a_way_out():
    with pytest.raises(ConfigurationError, match=r"ranks: 5 is not allowed.*4 tiles of side 8.*smaller tile"):
        place_network(topographic_map(), 8, 0, 5)
    assert place_network(topographic_map(), 4, 0, 5)["target"].n_own > 0
