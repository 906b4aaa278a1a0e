"""Chances by distance on the torus: who is within reach, once each, and how likely."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn.models.distance_profiles import (
    SMALLEST_PROBABILITY,
    displacements_within,
    gaussian_by_squared_distance,
    gaussian_profile,
    gaussian_reach,
    gaussian_reach_squared,
)

SIDES = st.integers(1, 20)


@settings(max_examples=40)
@given(st.integers(-1, 220), SIDES, SIDES)
def test_each_place_within_reach_is_there_once_by_its_shortest_way(reach_squared, nx, ny):
    dx, dy, squared = displacements_within(reach_squared, nx, ny)
    np.testing.assert_array_equal(dx**2 + dy**2, squared)
    places = {(int(x) % nx, int(y) % ny) for x, y in zip(dx, dy, strict=True)}
    assert len(places) == len(dx), "no place twice"
    shortest = {(x, y): min(x, nx - x) ** 2 + min(y, ny - y) ** 2 for x in range(nx) for y in range(ny)}
    assert places == {place for place, distance in shortest.items() if distance <= reach_squared}
    for x, y, distance in zip(dx.tolist(), dy.tolist(), squared.tolist(), strict=True):
        assert distance == shortest[x % nx, y % ny]
    order = list(zip(squared.tolist(), dy.tolist(), dx.tolist(), strict=True))
    assert order == sorted(order), "nearest first: the order numbers the random numbers of a first wiring"


@settings(max_examples=40)
@given(st.floats(1e-12, 1), st.floats(0.05, 20))
def test_reach_is_where_chances_fall_below_the_smallest(p_max, sigma):
    reach = gaussian_reach_squared(p_max, sigma)

    def chance(squared):
        return p_max * math.exp(-squared / (2 * sigma**2))

    if p_max < SMALLEST_PROBABILITY:
        assert reach == -1
    else:
        assert chance(reach) >= SMALLEST_PROBABILITY * (1 - 1e-9)
    assert chance(reach + 1) < SMALLEST_PROBABILITY * (1 + 1e-9)
    profile = gaussian_by_squared_distance(p_max, sigma)
    assert len(profile) == reach + 1
    np.testing.assert_allclose(profile, [chance(squared) for squared in range(reach + 1)], rtol=1e-12)


@pytest.mark.parametrize("values", [{"p_max": 0.16, "sigma": 2.5}, {"p_max": 0.0, "sigma": 1.0}])
def test_a_models_own_parameters_are_read(values):
    assert gaussian_reach(values) == gaussian_reach_squared(**values)
    np.testing.assert_array_equal(gaussian_profile(values), gaussian_by_squared_distance(**values))
    assert len(gaussian_profile(values)) == gaussian_reach(values) + 1
