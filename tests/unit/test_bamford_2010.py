"""Bamford's rule as published: the same chances, but of a fixed number of places."""

from __future__ import annotations

from hpcsnn.models.rewiring.bamford import Bamford
from hpcsnn.models.rewiring.bamford_2010 import Bamford2010


def test_it_differs_from_the_later_variant_in_places_and_rates_alone():
    values = {"p_max": 0.5, "sigma": 1.5}
    assert Bamford2010.profile(values).tolist() == Bamford.profile(values).tolist()
    assert Bamford2010.reach_squared(values) == Bamford.reach_squared(values)
    for slot in ("eliminate", "form", "reason", "reasons"):
        assert getattr(Bamford2010, slot) == getattr(Bamford, slot)
    assert set(Bamford2010.parameters) - set(Bamford.parameters) == {"max_in_degree"}
    assert (Bamford.thins, Bamford2010.thins) == (True, False), "a place may be tried whatever the distance"


def test_rates_are_those_of_the_paper():
    """Weak synapses go 180 times as often as others; 16 places."""
    values = Bamford2010(p_max=1, sigma=1).values
    assert round(values["p_eliminate_weak"] / values["p_eliminate"]) == 180
    assert values["max_in_degree"] == 16
