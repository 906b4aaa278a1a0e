"""Receptive fields by Bamford's method, and the chance maps beside them, against slow formulas and published values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn import Grid
from hpcsnn.analysis.nulls import drawn_sources, shuffled_within_rows
from hpcsnn.analysis.topography import grid_displacement, receptive_fields
from hpcsnn.models.distance_profiles import gaussian_by_squared_distance


def slow_axis(side, places, weights):
    """Bamford et al. 2010, one neuron and axis: the least weighted spread in steps of 1, then of 0.1 around it.

    The cost of a centre, and the least costs found: several where whole places tie.
    """

    def cost(centre):
        apart = [abs(centre - place) % side for place in places]
        return sum(w * min(d, side - d) ** 2 for d, w in zip(apart, weights, strict=True))

    least = min(map(cost, range(side)))
    coarse = [centre for centre in range(side) if cost(centre) < least + 1e-9]
    return cost, [min(cost(centre + step / 10) for step in range(-10, 11)) for centre in coarse]


@settings(max_examples=60)
@given(st.integers(1, 2**32), st.integers(2, 30), st.integers(2, 30), st.integers(1, 12))
def test_fields_agree_with_a_search_neuron_by_neuron(seed, nx, ny, most):
    random = np.random.default_rng(seed)
    grid = Grid(nx, ny)
    in_degree = random.integers(0, most, 5)
    target = random.integers(0, grid.size, 5)
    row = np.repeat(np.arange(5), in_degree)
    pre, weight = random.integers(0, grid.size, len(row)), random.uniform(-1, 1, len(row)).round(2)
    dx, dy = grid_displacement(grid, target[row], pre)
    fields = receptive_fields(grid, row, dx, dy, weight, 5)
    for neuron in range(5):
        mine = row == neuron
        if np.abs(weight[mine]).sum() == 0:
            assert np.isnan(fields.sigma_aff[neuron])
            assert np.isnan(fields.deviation[neuron])
            continue
        spreads = []
        for axis, (side, places, own) in enumerate(
            ((nx, pre % nx, target[neuron] % nx), (ny, pre // nx, target[neuron] // nx))
        ):
            cost, least = slow_axis(side, places[mine].tolist(), np.abs(weight[mine]).tolist())
            centre = fields.centre[neuron, axis]
            assert -side / 2 < centre <= side / 2
            found = cost(own + centre)
            assert any(found == pytest.approx(one, rel=1e-9, abs=1e-9) for one in least)
            spreads.append(np.sqrt(found / np.abs(weight[mine]).sum()))
        assert fields.sigma_aff[neuron] == pytest.approx(np.mean(spreads), rel=1e-6, abs=1e-6)


def test_centres_on_the_torus():
    grid = Grid(8, 4)
    pre = np.array([7, 1, 8 + 3, 2 * 8 + 3, 3 * 8 + 6])
    target = np.array([0, 8 + 3, 2 * 8 + 5, 9])
    row, weight = np.array([0, 0, 1, 1, 2]), np.array([0.5, 0.5, 0.3, 0.1, -0.2])
    fields = receptive_fields(grid, row, *grid_displacement(grid, target[row], pre), weight, 4)
    # One to the left, across the edge, and one to the right: the centre is the neuron's own place, both are 1 away.
    np.testing.assert_allclose(fields.centre[0], [0, 0], atol=1e-12)
    np.testing.assert_allclose(fields.spread[0], [1, 0], atol=1e-12)
    # In its own place with weight 0.3 and one above with 0.1: a quarter of the way, on the fine grid.
    assert fields.centre[1, 1] in (0.2, 0.3)
    np.testing.assert_allclose(fields.centre[2], [1, 1])
    assert fields.deviation[2] == pytest.approx(np.sqrt(2))
    assert np.isnan(fields.centre[3]).all(), "no afferents, no centre"


@pytest.mark.parametrize(("in_degree", "sigma_aff", "deviation"), [(16, 2.37, 0.79), (6, 2.15, 1.34)])
def test_chance_maps_have_the_published_spread_and_deviation(in_degree, sigma_aff, deviation):
    """Bamford et al. 2010: maps of Gaussian draws, sigma 2.5 on 16 x 16, where a pair may have several synapses."""
    grid, random = Grid(16, 16), np.random.default_rng(1)
    places = np.arange(-7, 9)
    dx, dy = (axis.ravel() for axis in np.meshgrid(places, places))
    chance = gaussian_by_squared_distance(1.0, 2.5)
    p = np.append(chance, np.zeros(256))[dx**2 + dy**2]
    n = 64 * 256
    drawn = random.choice(256, size=n * in_degree, p=p / p.sum())
    row = np.repeat(np.arange(n), in_degree)
    fields = receptive_fields(grid, row, dx[drawn], dy[drawn], np.ones(len(row)), n)
    assert fields.sigma_aff.mean() == pytest.approx(sigma_aff, abs=0.015)
    assert fields.deviation.mean() == pytest.approx(deviation, abs=0.015)


def test_drawn_sources_follow_the_profile_and_never_repeat():
    grid, random = Grid(16, 16), np.random.default_rng(3)
    profile = gaussian_by_squared_distance(0.16, 2.5)
    in_degree = np.tile([0, 1, 5, 24], 5000)
    row, dx, dy = drawn_sources(grid, in_degree, profile, random)
    np.testing.assert_array_equal(np.bincount(row, minlength=len(in_degree)), in_degree)
    cell = (row * 16 + dx + 7) * 16 + dy + 7
    assert len(np.unique(cell)) == len(cell)
    # The single draws are draws from the profile.
    single = in_degree[row] == 1
    squared = np.add.outer(np.arange(-7, 9) ** 2, np.arange(-7, 9) ** 2)
    p = np.exp(-squared / (2 * 2.5**2))
    expected = 5000 * p / p.sum()
    counts = np.zeros((16, 16))
    np.add.at(counts, (dx[single] + 7, dy[single] + 7), 1)
    frequent = expected > 5
    z = ((counts - expected) / np.sqrt(expected))[frequent]
    assert (z**2).mean() < 1 + 4 * np.sqrt(2 / z.size)
    # Without repetition, near places fill up and later draws go further out.
    distance = dx**2 + dy**2
    assert distance[in_degree[row] == 24].mean() > 1.05 * distance[single].mean()


def test_drawn_sources_stop_where_the_profile_ends():
    profile = np.array([1.0, 0.5])
    row, dx, dy = drawn_sources(Grid(8, 8), np.array([9, 2]), profile, np.random.default_rng(1))
    assert (row == 0).sum() == 5
    assert set(zip(dx[row == 0].tolist(), dy[row == 0].tolist(), strict=True)) == {
        *((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1))
    }
    assert (row == 1).sum() == 2
    empty = drawn_sources(Grid(8, 8), np.array([3]), np.zeros(0), np.random.default_rng(1))
    assert [len(column) for column in empty] == [0, 0, 0]


@given(st.lists(st.integers(0, 6), min_size=1, max_size=8), st.integers(0, 2**32))
def test_weights_are_shuffled_within_their_rows_only(in_degree, seed):
    row = np.repeat(np.arange(len(in_degree)), in_degree)
    values = np.arange(len(row), dtype=np.float32)
    shuffled = shuffled_within_rows(values, row, np.random.default_rng(seed))
    for neuron in range(len(in_degree)):
        assert set(shuffled[row == neuron]) == set(values[row == neuron])


def test_every_order_of_a_row_is_as_likely():
    row = np.repeat(np.arange(6000), 3)
    shuffled = shuffled_within_rows(np.tile(np.float32([0, 1, 2]), 6000), row, np.random.default_rng(5))
    orders = np.bincount((shuffled.reshape(-1, 3) @ [9, 3, 1]).astype(int))
    counts = orders[orders > 0]
    assert len(counts) == 6
    assert ((counts - 1000) ** 2 / 1000).sum() < 25, "chi squared of 5 degrees of freedom"
