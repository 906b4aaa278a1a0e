"""Ways to select: tables that draw with the chances meant, and one's way to draw with another's way to pick."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn.models.rewiring.selections import (
    ALL_SYNAPSES,
    BY_SPIKE,
    LOCAL,
    PER_TARGET,
    PLACE,
    UNIFORM,
    WEAKEST,
    local_profile,
)
from hpcsnn.models.tables import PlacementContext


def local_tables(sigma, nx, ny):
    empty = np.zeros(0, np.int32)
    context = PlacementContext({"sigma": sigma}, 0.1, empty, empty, empty, nx, ny, nx, ny)
    return {name: table.make(context) for name, table in LOCAL.tables.items()}


@settings(max_examples=40)
@given(st.floats(0.1, 3), st.integers(1, 12), st.integers(1, 12))
def test_a_neighbour_is_drawn_with_the_chance_of_its_distance(sigma, nx, ny):
    """The alias table, read as the snippet reads it: place k, or the other one where the rest is not below keep."""
    made = local_tables(sigma, nx, ny)
    n = len(made["local_dx"])
    drawn = [Fraction(0)] * n
    for k, (other, keep) in enumerate(zip(made["local_other"].tolist(), made["local_keep"].tolist(), strict=True)):
        drawn[k] += Fraction(keep, n * 2**32)
        drawn[other] += Fraction(2**32 - keep, n * 2**32)
    squared = made["local_dx"].astype(int) ** 2 + made["local_dy"].astype(int) ** 2
    chance = np.exp(-squared / (2 * sigma**2))
    np.testing.assert_allclose([float(one) for one in drawn], chance / chance.sum(), atol=4e-10)
    dx, dy, profile = local_profile(sigma, nx, ny)
    np.testing.assert_array_equal((made["local_dx"], made["local_dy"]), (dx, dy))
    np.testing.assert_allclose(profile, chance, rtol=1e-12)


@pytest.mark.parametrize("drawing", [UNIFORM, LOCAL, BY_SPIKE])
@pytest.mark.parametrize("picking", [PLACE, WEAKEST])
def test_one_draws_and_the_other_picks(drawing, picking):
    both = drawing.trying(picking)
    assert (both.draw, both.pick, both.looks_back_ms) == (drawing.draw, picking.pick, drawing.looks_back_ms)
    assert dict(both.parameters) == {**drawing.parameters, **picking.parameters}
    assert dict(both.tables) == dict(drawing.tables)
    assert both.name == f"{drawing.name}, {picking.name}"
    assert not both.every_pair_alike, "a place that is picked is none that was drawn"


def test_who_makes_no_attempts_draws_nobody():
    for selection in (ALL_SYNAPSES, PER_TARGET):
        assert (selection.draw, selection.pick, dict(selection.parameters)) == ("", "", {})
    assert ALL_SYNAPSES.every_synapse
    assert not PER_TARGET.every_synapse
    assert BY_SPIKE.looks_back_ms in BY_SPIKE.parameters
