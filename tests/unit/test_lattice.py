"""Two grids over each other: places, distances and expected degrees against plain fractions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn import Grid
from hpcsnn.network.lattice import Lattice

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
