"""Proposals from the neighbourhood: as far as LOCAL draws, and no further."""

from __future__ import annotations

import numpy as np
import pytest

from hpcsnn import ConfigurationError, Grid
from hpcsnn.models.distance_profiles import gaussian_reach_squared
from hpcsnn.models.rewiring.local_proposals import LocalProposals
from hpcsnn.models.rewiring.selections import LOCAL, PLACE, local_profile, unequal_local_tables
from hpcsnn.network.places.lattice import Lattice
from support.unequal_networks import squared_distances


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


@pytest.mark.parametrize(
    ("of", "to"), [((8, 8), (16, 16)), ((24, 16), (16, 12)), ((15, 4), (16, 8)), ((50, 1), (20, 1)), ((3, 3), (9, 9))],
    ids=lambda sides: "x".join(map(str, sides)),
)  # fmt: skip
@pytest.mark.parametrize("borders", ["periodic", "open"])
def test_between_unequal_grids_each_source_has_its_share_of_the_gaussian(of, to, borders):
    """What alias tables give, entry by entry, beside chances by distances; beyond open sides nobody comes."""
    source, target, sigma = Grid(*of, borders), Grid(*to, borders), 1.3
    lattice = Lattice(source, target)
    dx, dy, other, keep, first, (px, qx, py, qy) = unequal_local_tables(sigma * lattice.fineness, *lattice.axes)
    reach = gaussian_reach_squared(1.0, sigma * lattice.fineness)
    squared = squared_distances(source, target)
    within = np.where(np.rint(squared * lattice.fineness**2) <= reach, np.exp(-squared / (2 * sigma**2)), 0.0)
    for neuron in range(target.size):
        y, x = divmod(neuron, target.nx)
        kind = (y % py) * px + x % px
        n, here = first[kind + 1] - first[kind], slice(first[kind], first[kind + 1])
        kept = keep[here] / 2.0**32
        chance = (kept + np.bincount(other[here], weights=1 - kept, minlength=n)) / n
        of_x, of_y = x // px * qx + dx[here], y // py * qy + dy[here]
        if borders == "periodic":
            of_x, of_y = of_x % source.nx, of_y % source.ny
        on_grid = (of_x >= 0) & (of_x < source.nx) & (of_y >= 0) & (of_y < source.ny)
        found = np.zeros(source.size)
        np.add.at(found, (of_y * source.nx + of_x)[on_grid], chance[on_grid])
        assert borders == "open" or found.sum() == pytest.approx(1)
        np.testing.assert_allclose(found / found.sum(), within[neuron] / within[neuron].sum(), atol=1e-7)


def test_grids_with_too_many_kinds_of_targets_are_refused():
    lattice = Lattice(Grid(1021, 1021), Grid(1024, 1024))
    said = (
        r"sigma: 20 grid units are not allowed between these grids, of 1021 x 1021 and 1024 x 1024: about 5\.8e\+10 "
        r"different displacements are within reach, at most 4194304; sides with a larger common divisor have fewer"
    )
    with pytest.raises(ConfigurationError, match=said):
        unequal_local_tables(20.0 * lattice.fineness, *lattice.axes)
