"""Two grids over each other: places, distances and expected degrees against plain fractions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn import ConfigurationError, Grid, Network, models
from hpcsnn.models import Connector, Parameter, RewiringRule, rewiring
from hpcsnn.network.places.lattice import Lattice

SIDES = st.integers(1, 9)
BORDERS = st.sampled_from(["periodic", "open"])


def places(grid, over):
    """In units of the grid `over`, whose neurons are at whole numbers; in the middle of cells, by the definition."""
    y, x = np.divmod(np.arange(grid.size), grid.nx)
    half = Fraction(1, 2)
    return (
        [(int(i) + half) * Fraction(over.nx, grid.nx) - half for i in x],
        [(int(i) + half) * Fraction(over.ny, grid.ny) - half for i in y],
    )


def squared_distances(source, target):
    """Of all pairs, in the target's unit, as fractions, shape (n_targets, n_sources)."""
    squared = np.zeros((target.size, source.size), dtype=object)
    for of, to, side in zip(places(source, target), places(target, target), (target.nx, target.ny), strict=True):
        apart = abs(np.subtract.outer(np.array(to, dtype=object), np.array(of, dtype=object)))
        squared += (apart if target.is_open else np.minimum(apart, side - apart)) ** 2
    return squared


@given(SIDES, SIDES, SIDES, SIDES, BORDERS)
def test_squared_distances_are_whole_in_points_and_right_in_units(a, b, c, d, borders):
    lattice = Lattice(Grid(a, b, borders), Grid(c, d, borders))
    post, pre = (ids.ravel() for ids in np.indices((c * d, a * b)))
    dx, dy = lattice.displacements(pre, post)
    squared = (dx**2 + dy**2).reshape(c * d, a * b)
    expected = squared_distances(lattice.source, lattice.target) * lattice.fineness**2
    assert squared.tolist() == expected.tolist()
    assert squared.max() <= lattice.furthest_squared


@given(SIDES, SIDES, BORDERS)
def test_equal_grids_have_one_point_to_a_unit(nx, ny, borders):
    grid = Grid(nx, ny, borders)
    lattice = Lattice(grid, grid)
    assert [(axis.fineness, axis.stride, axis.offset) for axis in lattice.axes] == [(1, 1, 0)] * 2


@pytest.mark.parametrize(
    ("source", "target", "fineness"),
    [
        ((16, 16), (32, 32), 2),
        ((32, 32), (16, 16), 4),
        ((10, 1), (30, 1), 1),
        ((30, 4), (32, 4), 30),
        ((2, 3), (4, 9), 2),
    ],
)
def test_the_lattice_is_no_finer_than_need_be(source, target, fineness):
    assert Lattice(Grid(*source), Grid(*target)).fineness == fineness


@settings(max_examples=200)
@given(SIDES, SIDES, SIDES, SIDES, BORDERS, st.integers(0, 400))
def test_what_is_expected_within_reach_is_the_mean_over_targets(a, b, c, d, borders, reach_squared):
    lattice = Lattice(Grid(a, b, borders), Grid(c, d, borders))
    squared = (squared_distances(lattice.source, lattice.target) * lattice.fineness**2).astype(int)
    profile = 1.0 / (1.0 + np.arange(reach_squared + 1))
    chances = np.where(squared <= reach_squared, 1.0 / (1.0 + squared), 0.0)
    assert lattice.expected_within(profile) == pytest.approx(chances.sum() / (c * d), rel=1e-12)
    assert lattice.most_within(reach_squared) >= np.count_nonzero(chances, axis=1).max()
    in_the_middle = chances[d // 2 * c + c // 2]
    found = lattice.chances_in_the_middle(profile)
    assert sorted(found.tolist()) == pytest.approx(sorted(in_the_middle[in_the_middle > 0].tolist()), rel=1e-12)


def test_expected_degrees_of_long_lines_take_no_time():
    """Each source is half a unit from two targets: five on each side are up to 9 points of half a unit away."""
    lattice = Lattice(Grid(3, 1), Grid(3 * 2**27, 1))
    assert lattice.expected_within(np.ones(101)) * 2**27 == pytest.approx(10)


BLIND = Connector("blind", "", parameters={"r": Parameter(1, "grid units", "")}, needs_equal_grids=True)
NO_LENGTH = Connector("no_length", "", reach_squared=lambda values: 4)
IN_ROW = RewiringRule(
    "in_row", "", select=rewiring.Selection("", "", parameters=models.UNIFORM.parameters, draw="source_x = x;")
)
ANY = models.FixedProbability(p=0.1)
NEAR = {"p_max": 0.5, "sigma": 1.0, "block_side": 1}
UNFIT = "source grid 8 x 8 does not fit target grid 12 x 12"


@pytest.mark.parametrize(
    ("source", "target", "connector", "rule", "said"),
    [
        (8, Grid(12, 1), models.Gaussian(p_max=1, sigma=1), None,
         r"source grid 8 x 1 does not fit target grid 12 x 1: the neurons of a have numbers and no places; distances"),
        (Grid(8, 8, "open"), Grid(12, 12), ANY, models.Bamford(**NEAR),
         "source grid with open borders does not fit target grid with periodic ones; distances need equal borders"),
        (Grid(8, 8), Grid(12, 12), BLIND(), None,
         rf"connector\.blind: is not allowed between unequal grids, as it finds sources by .*; {UNFIT}"),
        (Grid(8, 8), Grid(12, 12), NO_LENGTH(), None,
         rf"connector\.no_length: is not allowed between unequal grids; it has distances but no parameter .*; {UNFIT}"),
        (Grid(8, 8), Grid(12, 12), ANY, IN_ROW(block_side=4),
         r"rewiring\.in_row: is not allowed between unequal grids, as it finds"),
        (Grid(8, 8), Grid(12, 12), ANY, RewiringRule("far", "", update="weight *= distance_squared;")(),
         r"rewiring\.far: is not allowed between unequal grids; it has distances but no parameter in grid units"),
        (Grid(1021, 1), Grid(2**22, 1), models.Gaussian(p_max=1, sigma=1), None,
         "the lattice that both are on has 2042 points to a grid unit and 8564768768 along a side, .* at most 2"),
        (Grid(1021, 8), Grid(1024, 8), models.Gaussian(p_max=1, sigma=5), None,
         r"connector\.gaussian: squared distances up to 4.6\d*e\+09 in points of which 2042 are a grid unit"),
        (Grid(1021, 1), Grid(1024, 1), ANY, models.Bamford(p_max=1, sigma=0.1, block_side=1),
         r"rewiring\.bamford: the grid 1024 x 1 is too wide for a rule .* 1093\d* in points of which 2042"),
    ],
)  # fmt: skip
def test_what_does_not_lie_over_each_other_is_refused(source, target, connector, rule, said):
    network = Network()
    network.add_population("a", source, models.Poisson())
    network.add_population("b", target, models.LIF())
    with pytest.raises(ConfigurationError, match=rf"^projections\.ab[.:].*{said}"):
        network.add_projection("ab", "a", "b", connector, models.DeltaCurrent(), 0.1, rewiring=rule)
    network.add_projection("ab", "a", "b", ANY, models.DeltaCurrent(), 0.1)


@pytest.mark.parametrize("source", [Grid(8, 8), Grid(12, 12), Grid(18, 18)], ids=lambda grid: str(grid.nx))
def test_a_reach_is_the_same_distance_whatever_the_lattice(source):
    network = Network()
    network.add_population("a", source, models.Poisson())
    network.add_population("b", Grid(12, 12), models.LIF())
    near = models.Gaussian(p_max=0.5, sigma=1.0)
    projection = network.add_projection("ab", "a", "b", near, models.DeltaCurrent(), 0.1)
    assert projection.reach == pytest.approx(np.sqrt(2 * np.log(0.5 * 2.0**32)), rel=0.02)
    cut_off = models.Gaussian(p_max=1, sigma=9, cut_off=2.5)
    cut = network.add_projection("cut", "a", "b", cut_off, models.DeltaCurrent(), 1)
    assert cut.reach == pytest.approx(2.5, abs=0.1)
    assert network.add_projection("any", "a", "b", ANY, models.DeltaCurrent(), 1).reach is None
