"""What tests of the curve and of reach leave open: tiles and their neurons, and which sources each connector needs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn import ConfigurationError, Grid, Network, models
from hpcsnn.ranks.partition import TILE_SIDES, check_tile_side, place_network
from hpcsnn.ranks.tiles.ownership import split_evenly
from hpcsnn.ranks.tiles.tiling import Tiling

SIDES = st.integers(1, 40)
TILES = st.sampled_from([1, 2, 4, 8])
SQUARE = Grid(12, 12)


def known_on(network, population, side, n):
    """The ids of a population that each rank knows."""
    placements = [place_network(network, side, rank, n) for rank in range(n)]
    return placements, [set(placement[population].known_id.tolist()) for placement in placements]


def wired(connector, source=SQUARE, target=SQUARE, rewiring=None):
    network = Network(seed=1)
    network.add_population("a", source, models.Poisson(rate_hz=1))
    network.add_population("b", target, models.LIF())
    network.add_projection("ab", "a", "b", connector, models.ExponentialCurrent(), 0.1, rewiring=rewiring)
    return network


@settings(max_examples=30)
@given(st.integers(1, 20), st.integers(1, 20), TILES)
def test_tiles_cut_the_grid_into_rectangles(nx, ny, side):
    tiling = Tiling.of(Grid(nx, ny), side)
    seen = np.full((ny, nx), -1)
    for tile in range(tiling.tiles_x * tiling.tiles_y):
        ids = tiling.ids(tile)
        assert (np.diff(ids) > 0).all(), "row-major inside the tile"
        assert len(ids) == tiling.sizes(np.array([tile]))[0]
        assert (seen.ravel()[ids] == -1).all()
        seen.ravel()[ids] = tile
        y, x = np.nonzero(seen == tile)
        assert len(ids) == (np.ptp(x) + 1) * (np.ptp(y) + 1)
        assert np.ptp(x) < 1 << tiling.shift_x
        assert np.ptp(y) < 1 << tiling.shift_y
    assert (tiling.tiles_of(np.arange(nx * ny)) == seen.ravel()).all()
    assert (seen >= 0).all()


@given(st.integers(1, 300), TILES)
def test_a_row_of_neurons_is_cut_into_runs_as_long_as_tiles_are_large(n, side):
    tiling = Tiling.of(Grid(n, 1), side)
    sizes = tiling.sizes(np.arange(tiling.n_tiles))
    assert (sizes[:-1] == side * side).all()
    assert 0 < sizes[-1] <= side * side
    assert np.concatenate([tiling.ids(tile) for tile in range(len(sizes))]).tolist() == list(range(n))


@pytest.mark.parametrize("side", TILE_SIDES)
def test_a_power_of_two_is_a_side(side):
    assert check_tile_side(np.int8(side)) == side
    assert side & (side - 1) == 0


@pytest.mark.parametrize("side", [0, -1, 3, 128, 2.5, "8", None, True])
def test_another_side_is_refused_with_those_that_are_allowed(side):
    with pytest.raises(
        ConfigurationError, match=rf"^tile: {side!r} is not allowed; must be (one of 1, 2, 4, 8, 16|a whole number)"
    ):
        check_tile_side(side)
    with pytest.raises(ConfigurationError, match=r"^tile: "):
        place_network(wired(models.AllToAll()), side, 0, 1)


def test_one_tile_of_all_the_cost_leaves_one_for_each_rank():
    for heavy in range(6):
        cost = np.where(np.arange(6) == heavy, 1e6, 1.0)
        assert split_evenly(cost, 6).tolist() == [0, 1, 2, 3, 4, 5, 6]
        parts = np.diff(split_evenly(cost, 3))
        assert parts.min() >= 1
        assert parts.sum() == 6


@settings(max_examples=20)
@given(SIDES, SIDES, TILES, st.data())
def test_coordinates_are_those_of_the_own_neurons(nx, ny, side, data):
    network = wired(models.AllToAll(), Grid(nx, ny), Grid(nx, ny))
    tiles = Tiling.of(Grid(nx, ny), side).n_tiles
    n = data.draw(st.integers(1, min(4, tiles)))
    for rank in range(n):
        placement = place_network(network, side, rank, n)["b"]
        x, y = placement.coordinates()
        assert (x + nx * y).tolist() == placement.global_id.tolist()
        assert x.max() < nx
        assert (placement.n_own, placement.n_known) == (len(placement.global_id), len(placement.known_id))


def test_without_projections_a_rank_knows_its_own_neurons_only():
    network = Network(seed=1)
    network.add_population("a", Grid(9, 7), models.LIF())
    placements, known = known_on(network, "a", 2, 4)
    assert sorted(neuron for ids in known for neuron in ids) == list(range(63))
    for placement, ids in zip(placements, known, strict=True):
        assert ids == set(placement["a"].global_id.tolist())


def test_an_unbounded_connector_needs_all_sources_where_there_are_targets():
    for connector in (models.AllToAll(), models.FixedProbability(p=0.01)):
        placements, known = known_on(wired(connector, SQUARE, Grid(2, 2)), "a", 2, 3)
        for placement, ids in zip(placements, known, strict=True):
            own = placement["a"].global_id.tolist()
            assert ids == set(range(144) if placement["b"].n_own else own)
        assert [placement["b"].n_own for placement in placements] == [4, 0, 0], "a tile of targets is on one rank"


def tiles_with(grid, side, ids):
    """All neurons of the tiles that have one of `ids`."""
    tiling = Tiling.of(grid, side)
    tiles = np.unique(tiling.tiles_of(np.array(sorted(ids), dtype=np.int64))) if ids else []
    return {int(neuron) for tile in tiles for neuron in tiling.ids(tile)}


@pytest.mark.parametrize("n", [2, 5])
def test_one_to_one_needs_the_targets_own_numbers(n):
    source, target = Grid(10, 4), Grid(7, 9)
    placements, known = known_on(wired(models.OneToOne(), source, target), "a", 2, n)
    for placement, ids in zip(placements, known, strict=True):
        wanted = {neuron for neuron in placement["b"].global_id.tolist() if neuron < source.size}
        assert ids == tiles_with(source, 2, wanted) | set(placement["a"].global_id.tolist())


@settings(max_examples=20)
@given(st.sets(st.tuples(st.integers(0, 39), st.integers(0, 62)), max_size=40), st.sampled_from([1, 2, 3, 5]))
def test_a_list_needs_the_tiles_of_the_sources_listed(pairs, n):
    source, target = Grid(10, 4), Grid(7, 9)
    pre, post = [a for a, _ in pairs], [b for _, b in pairs]
    network = wired(models.ExplicitList(pre=pre, post=post, weight=[0.1] * len(pre)), source, target)
    placements, known = known_on(network, "a", 2, n)
    for placement, ids in zip(placements, known, strict=True):
        here = set(placement["b"].global_id.tolist())
        listed = {a for a, b in pairs if b in here}
        assert ids == tiles_with(source, 2, listed) | set(placement["a"].global_id.tolist())


def test_a_rule_of_rewiring_widens_what_a_narrow_wiring_knows():
    grid = Grid(32, 32)
    narrow = wired(models.OneToOne(), grid, grid)
    wide = wired(models.OneToOne(), grid, grid, models.Bamford(p_max=0.5, sigma=0.5))
    _, known = known_on(narrow, "a", 2, 4)
    placements, more = known_on(wide, "a", 2, 4)
    reach_squared = wide.projections["ab"].rewiring_reach_squared
    for placement, few, many in zip(placements, known, more, strict=True):
        assert few < many
        x, y = placement["b"].coordinates()
        ids = np.arange(grid.size)
        dx, dy = np.abs(ids[None] % 32 - x[:, None]), np.abs(ids[None] // 32 - y[:, None])
        squared = np.minimum(dx, 32 - dx) ** 2 + np.minimum(dy, 32 - dy) ** 2
        assert set(ids[(squared <= reach_squared).any(axis=0)].tolist()) <= many
        assert len(many) < grid.size


@pytest.mark.parametrize("borders", ["periodic", "open"])
def test_between_unequal_grids_sources_within_reach_are_known_and_not_many_more(borders):
    source, target = Grid(60, 40, borders), Grid(90, 60, borders)
    network = wired(models.Gaussian(p_max=0.5, sigma=0.8), source, target)
    reach_squared, lattice = network.projections["ab"].reach_squared, network.projections["ab"].lattice
    assert lattice.fineness == 4
    placements, known = known_on(network, "a", 4, 6)
    for placement, ids in zip(placements, known, strict=True):
        post, pre = (each.ravel() for each in np.meshgrid(placement["b"].global_id, np.arange(source.size)))
        dx, dy = lattice.displacements(pre, post)
        near = set(pre[dx**2 + dy**2 <= reach_squared].tolist())
        assert near <= ids
        assert len(ids) < 0.75 * source.size


def test_tiles_with_more_listed_synapses_weigh_more():
    """All synapses are onto a quarter of the grid, where the curve begins: whoever has it has fewer neurons."""
    grid = Grid(16, 16)
    quarter = np.arange(256).reshape(16, 16)[:8, :8].ravel()
    post = np.repeat(quarter, 40)
    pre = np.tile(np.arange(40), 64)
    listed = models.ExplicitList(pre=pre.tolist(), post=post.tolist(), weight=[0.1] * len(pre))
    costs = []
    for rank in range(2):
        own = place_network(wired(listed, grid, grid), 2, rank, 2)["b"].global_id
        costs.append(len(own) + 0.1 * np.isin(post, own).sum())
    tile = 4 + 0.1 * 4 * 40  # the costliest
    assert abs(costs[0] - costs[1]) <= 2 * tile
    assert sum(costs) == pytest.approx(256 + 0.1 * len(post))


def test_a_population_smaller_than_the_ranks_is_on_the_first_of_them():
    network = wired(models.AllToAll(), SQUARE, Grid(3, 2))
    placements = [place_network(network, 2, rank, 5)["b"] for rank in range(5)]
    assert [placement.n_own for placement in placements] == [4, 2, 0, 0, 0]
    assert sorted(neuron for placement in placements for neuron in placement.global_id.tolist()) == list(range(6))


@settings(max_examples=60)
@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from(TILE_SIDES[:5]), st.randoms(use_true_random=False))
def test_the_ids_of_many_tiles_are_those_of_each(nx, ny, side, random):
    """Each tile's row-major, by its corner; the tiles in the order asked for."""
    tiling = Tiling.of(Grid(nx, ny), side)
    tiles = list(range(tiling.tiles_x * tiling.tiles_y))
    random.shuffle(tiles)
    width, height = 1 << tiling.shift_x, 1 << tiling.shift_y
    expected = [
        y * nx + x
        for tile in tiles
        for y in range(tile // tiling.tiles_x * height, min((tile // tiling.tiles_x + 1) * height, ny))
        for x in range(tile % tiling.tiles_x * width, min((tile % tiling.tiles_x + 1) * width, nx))
    ]
    assert tiling.ids(np.array(tiles)).tolist() == expected


def of_size(nx, ny):
    network = Network(seed=1)
    network.add_population("many", Grid(nx, ny), models.LIF())
    return network


@pytest.mark.parametrize(
    ("nx", "ny", "side", "n_ranks", "said"),
    [
        (100_000, 10_000, 8, 3, "tile: 8 is not allowed; of populations.many of 100000 x 10000 neurons a rank would "
         "have a table of 5208333 tiles of this side, and has one of at most 4194304; must be 16 or 32 or 64"),
        (2, 10**9, 8, 1, "tile: 8 is not allowed; of populations.many of 2 x 1000000000 neurons a rank would have a "
         "table of 125000000 tiles of this side, and has one of at most 4194304; no side is large enough for a grid "
         "so long and thin"),
        (100_000, 10_000, 64, 1, "ranks: 1 is not allowed; a rank would keep 1000000000 neurons of populations.many, "
         "and "
         "keeps at most 67108864: use 15 ranks or more"),
    ],
)  # fmt: skip
def test_what_is_too_large_is_refused_before_anything_is_made_of_it(nx, ny, side, n_ranks, said):
    with pytest.raises(ConfigurationError) as error:
        place_network(of_size(nx, ny), side, 0, n_ranks)
    assert str(error.value) == said


def test_the_largest_population_is_sized_without_its_ids():
    """46150 x 46150 are nearly as many as a network may have; a rank of 64 has a 64th, give or take a tile."""
    placement = place_network(of_size(46_150, 46_150), 64, 0, 64)["many"]
    assert abs(placement.n_own - 46_150**2 / 64) <= 64**2
    assert placement.n_known == placement.n_own
    assert "known_id" not in vars(placement)
