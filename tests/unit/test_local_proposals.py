"""Proposals from the neighbourhood: as far as LOCAL draws, and no further."""

from __future__ import annotations

import numpy as np
import pytest

from hpcsnn.models.rewiring.local_proposals import LocalProposals
from hpcsnn.models.rewiring.selections import LOCAL, PLACE, local_profile


@pytest.mark.parametrize("sigma", [0.3, 1.0, 2.5])
def test_reach_and_profile_are_those_of_the_draw(sigma):
    values = LocalProposals(sigma=sigma).values
    dx, dy, chances = local_profile(sigma, 100, 100)
    squared = dx.astype(int) ** 2 + dy.astype(int) ** 2
    assert squared.max() <= LocalProposals.reach_squared(values)
    profile = LocalProposals.profile(values)
    assert len(profile) == LocalProposals.reach_squared(values) + 1
    np.testing.assert_allclose(profile[squared], chances, rtol=1e-12)


def test_the_source_is_drawn_near_and_the_synapse_by_place():
    assert (LocalProposals.select.draw, LocalProposals.select.pick) == (LOCAL.draw, PLACE.pick)
    assert LocalProposals.form == "p_form", "distance has had its say in the draw"
