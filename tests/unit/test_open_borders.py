"""Grids that end at their sides, and neurons in one row: distances, degrees, fields and nulls by plain formulas."""

from __future__ import annotations

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from hpcsnn import ConfigurationError, Grid, Network, models
from hpcsnn.analysis.displacement import DisplacementMap, has_places
from hpcsnn.analysis.nulls import drawn_sources
from hpcsnn.analysis.topography import grid_displacement, receptive_fields
from hpcsnn.configuration.files import parse_configuration
from hpcsnn.models.distance_profiles import displacements_within, gaussian_by_squared_distance
from hpcsnn.ranks.partition import place_network

SIDES = st.integers(1, 9)


def wired(grid, other=None, connector=None, rewiring=None):
    network = Network(seed=1)
    network.add_population("a", grid, models.Poisson(rate_hz=1))
    network.add_population("b", other or grid, models.LIF())
    connector = connector or models.Gaussian(p_max=0.5, sigma=0.6)
    network.add_projection("ab", "a", "b", connector, models.DeltaCurrent(), 0.1, rewiring=rewiring)
    return network


@given(SIDES, SIDES)
def test_distances_are_those_of_the_plane(nx, ny):
    grid, ids = Grid(nx, ny, "open"), np.arange(nx * ny)
    pre, post = (axis.ravel() for axis in np.meshgrid(ids, ids))
    dx, dy = grid_displacement(grid, pre, post)
    np.testing.assert_array_equal(dx, post % nx - pre % nx)
    np.testing.assert_array_equal(dy, post // nx - pre // nx)
    offsets = displacements_within(10**6, *grid.periods)
    assert sorted(zip(*(axis.tolist() for axis in offsets[:2]), strict=True)) == [
        (x, y) for x in range(1 - nx, nx) for y in range(1 - ny, ny)
    ]


@given(SIDES, SIDES, st.floats(0.3, 3.0))
def test_the_expected_in_degree_is_the_mean_over_all_places(nx, ny, sigma):
    grid, ids = Grid(nx, ny, "open"), np.arange(nx * ny)
    (projection,) = wired(grid, connector=models.Gaussian(p_max=0.5, sigma=sigma)).projections.values()
    squared = np.subtract.outer(ids % nx, ids % nx) ** 2 + np.subtract.outer(ids // nx, ids // nx) ** 2
    chance = 0.5 * np.exp(-squared / (2 * sigma**2)) * (squared <= projection.reach_squared)
    assert projection.expected_in_degree == pytest.approx(chance.sum() / grid.size, rel=1e-9)
    assert projection.largest_in_degree >= np.count_nonzero(chance, axis=1).max()


@pytest.mark.parametrize("n_ranks", [2, 5])
def test_a_rank_knows_all_within_reach_and_nothing_around_the_ends(n_ranks):
    open_grid, torus, n_known = Grid(48, 40, "open"), Grid(48, 40), []
    for rank in range(n_ranks):
        known, around = (
            set(place_network(wired(grid), 2, rank, n_ranks)["a"].known_id.tolist()) for grid in (open_grid, torus)
        )
        own = place_network(wired(open_grid), 2, rank, n_ranks)["b"].global_id
        ids = np.arange(open_grid.size)
        squared = np.subtract.outer(own % 48, ids % 48) ** 2 + np.subtract.outer(own // 48, ids // 48) ** 2
        within = wired(open_grid).projections["ab"].reach_squared
        assert set(ids[(squared <= within).any(axis=0)].tolist()) <= known <= around
        n_known.append((len(known), len(around)))
    of_open, of_torus = (sum(column) for column in zip(*n_known, strict=True))
    assert of_open < of_torus


@given(st.integers(2, 7), st.integers(1, 7), st.integers(0, 2**32))
def test_centres_are_means_where_borders_are_open(nx, ny, seed):
    grid, random = Grid(nx, ny, "open"), np.random.default_rng(seed)
    row = np.sort(random.integers(0, grid.size, 60))
    pre, weight = random.integers(0, grid.size, 60), random.random(60) + 0.1
    fields = receptive_fields(grid, row, *grid_displacement(grid, row, pre), weight, grid.size)
    for target in np.unique(row):
        here = row == target
        places = np.stack([pre[here] % nx - target % nx, pre[here] // nx - target // nx])
        mean = (weight[here] * places).sum(axis=1) / weight[here].sum()
        np.testing.assert_allclose(fields.centre[target], mean, atol=0.0501)
        spread = np.sqrt((weight[here] * (places - mean[:, None]) ** 2).sum(axis=1) / weight[here].sum())
        np.testing.assert_allclose(fields.spread[target] ** 2, spread**2, atol=0.0026)
        of_axes = spread[0] if ny == 1 else spread.mean()
        assert fields.sigma_aff[target] == pytest.approx(of_axes, abs=0.06)


def test_nulls_have_their_sources_on_the_grid():
    """Of a corner a quarter of the places; as often as their chances say."""
    grid, profile = Grid(5, 4, "open"), gaussian_by_squared_distance(0.9, 1.2)
    targets = np.repeat(np.arange(20), 2000)
    row, dx, dy = drawn_sources(grid, np.ones(len(targets), int), profile, np.random.default_rng(2), targets)
    x, y = targets[row] % 5 + dx, targets[row] // 5 + dy
    assert ((x >= 0) & (x < 5) & (y >= 0) & (y < 4)).all()
    found = np.zeros((20, 20))
    np.add.at(found, (targets[row], y * 5 + x), 1 / 2000)
    ids = np.arange(20)
    squared = np.subtract.outer(ids % 5, ids % 5) ** 2 + np.subtract.outer(ids // 5, ids // 5) ** 2
    expected = np.exp(-squared / (2 * 1.2**2))
    np.testing.assert_allclose(found, expected / expected.sum(axis=1, keepdims=True), atol=0.05)
    row, *_ = drawn_sources(grid, np.array([50, 50]), np.ones(3), np.random.default_rng(2), np.array([0, 6]))
    assert np.bincount(row).tolist() == [4, 9]  # up to sqrt(2) away


def test_a_row_of_places_is_analysed_and_numbers_are_not():
    line, numbers = Grid(20, 1), Network().add_population("x", 20, models.LIF()).grid
    assert has_places(line, line)
    assert line == numbers
    assert not has_places(line, numbers)
    pre, post = np.array([0, 19, 3]), np.array([1, 1, 1])
    for borders, dx in (("periodic", [1, 2, -2]), ("open", [1, -18, -2])):
        grid = Grid(20, 1, borders)
        assert grid_displacement(grid, pre, post)[0].tolist() == dx
        found = DisplacementMap.of(grid, {"pre": pre, "post": post, "weight": np.ones(3)})
        assert found.count.shape[0] == 1
        assert found.count.sum() == sum(abs(one) <= 16 for one in dx)


CONFIGURATION = """
duration_ms: 10
populations:
  a: {grid: [8, 4], borders: open, model: {poisson: {rate_hz: 5}}}
  b: {grid: [8, 4], borders: open, model: lif}
projections:
  ab: {source: a, target: b, weight: 1, connector: {gaussian: {p_max: 0.5, sigma: 1}}, receptor: delta_current}
"""


def test_borders_in_a_configuration():
    configuration = parse_configuration(yaml.safe_load(CONFIGURATION))
    resolved = configuration.resolved()
    assert parse_configuration(resolved).resolved() == resolved
    assert resolved["populations"]["a"]["borders"] == "open"
    assert configuration.network().populations["a"].grid == Grid(8, 4, "open")
    where = "populations.a"
    for before, after, message in (
        (
            "borders: open, model: lif",
            "model: lif",
            r"projections\.ab: source grid with open borders does not",
        ),
        (
            "a: {grid: [8, 4], borders: open",
            "a: {size: 9, borders: open",
            rf"{where}\.borders: 'open' is not allowed",
        ),
        (
            "borders: open",
            "borders: closed",
            rf"{where}\.grid\.borders: unknown name 'closed'; allowed: open",
        ),
    ):
        with pytest.raises(ConfigurationError, match=f"^{message}"):
            parse_configuration(yaml.safe_load(CONFIGURATION.replace(before, after)))
    with pytest.raises(ConfigurationError, match=r"^grid: 1073741825 x 1 is too long with open borders; at most"):
        Grid(2**30 + 1, 1, "open")
