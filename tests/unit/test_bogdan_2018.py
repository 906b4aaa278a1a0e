"""The rule that offers places to who has just fired."""

from __future__ import annotations

from hpcsnn.models.rewiring.bamford_2010 import Bamford2010
from hpcsnn.models.rewiring.bogdan_2018 import LastToFire


def test_only_the_way_to_draw_a_partner_is_another():
    for slot in ("eliminate", "form", "reason", "reasons", "initial", "reach_squared", "profile"):
        assert getattr(LastToFire, slot) == getattr(Bamford2010, slot)
    assert LastToFire.select.pick == Bamford2010.select.pick
    assert LastToFire.select.draw != Bamford2010.select.draw
    assert set(LastToFire.parameters) - set(Bamford2010.parameters) == {"recent_ms"}
    assert LastToFire.select.looks_back_ms == "recent_ms"
    assert Bamford2010.select.looks_back_ms is None
