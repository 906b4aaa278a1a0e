"""Homeostatic growth: elements stay at both ends of the curve and grow fastest in the middle, on either side."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn import ConfigurationError
from hpcsnn.models.rewiring.homeostatic import Homeostatic


def growth(constants, side, calcium):
    """Butz & van Ooyen 2013, eq. 5, as the snippet has it."""
    away = (calcium - constants[f"{side}_middle"]) / constants[f"{side}_width"]
    return constants[f"growth_step_{side}"] * (2 * math.exp(-(away**2)) - 1)


ETA = st.integers(0, 1000).map(lambda n: n * 1e-3)
PER_S = st.integers(0, 1000).map(lambda n: n * 1e-2)


@settings(max_examples=40)
@given(ETA, st.floats(0.01, 1), PER_S, st.floats(1, 100), st.sampled_from(["axon", "dendrite"]))
def test_growth_is_nothing_at_both_ends_and_most_between_them(eta, width, per_s, every_ms, side):
    target = eta + width
    values = {f"{side}_eta": eta, f"{side}_set_point": target, f"{side}_growth_per_s": per_s}
    constants = Homeostatic(every_ms=every_ms, **values).constants(0.1)
    step = per_s * every_ms * 1e-3
    assert growth(constants, side, eta) == pytest.approx(0, abs=1e-9)
    assert growth(constants, side, target) == pytest.approx(0, abs=1e-9)
    assert growth(constants, side, (eta + target) / 2) == pytest.approx(step)
    assert growth(constants, side, target + 10 * width) == pytest.approx(-step)


@pytest.mark.parametrize("side", ["axon", "dendrite"])
def test_the_lower_end_is_below_the_set_point(side):
    with pytest.raises(ConfigurationError, match=rf"{side}_eta: 0\.05 is not allowed; must be below {side}_set_point"):
        Homeostatic(**{f"{side}_eta": 0.05, f"{side}_set_point": 0.05})


def test_both_sides_follow_one_curve_by_other_names():
    renamed = Homeostatic.update_source.replace("axon", "dendrite")
    assert renamed == Homeostatic.update_target
    assert Homeostatic.pairing.after_source.replace("axon", "dendrite") == Homeostatic.pairing.after_target
    assert Homeostatic.reasons == ("dendrite", "axon"), "by target, then by source, as pairing has it"
