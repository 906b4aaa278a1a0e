"""Groups of neurons: what is refused, and that ranks never share one."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn import ConfigurationError, Grid, Network, models
from hpcsnn.models import GroupOperation, NeuronModel, Parameter, Variable
from hpcsnn.models.learning import Gradient
from hpcsnn.ranks.partition import place_network

SIZE = {"group_size": Parameter(4, "neurons", "of a group", ctype="int", minimum=1)}


def model(**others):
    return NeuronModel("m", "", **{"state": (Variable("V"),), "parameters": SIZE, **others})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GroupOperation(of=" "), "group.of: ' ' is not allowed; must be a C++ expression"),
        (lambda: GroupOperation(of="V", update=3), "group.update: 3 is not allowed; must be C++ statements, or empty"),
        (lambda: model(group="V"), "m.group: 'V' is not a GroupOperation"),
        (
            lambda: model(group=GroupOperation("V"), parameters={}),
            "m.group: needs a parameter group_size, a whole number of at least 1, which says how many neurons",
        ),
        (
            lambda: model(group=GroupOperation("V"), gradient=Gradient(output="V", input={"V": "1.0f"})),
            "m.group: is not allowed beside a gradient",
        ),
        (
            lambda: Network().add_population("a", 10, models.WinnerLIF(group_size=4)),
            "populations.a.model.winner_lif.group_size: 4 is not allowed; must be a divisor of 10, the number of",
        ),
        (
            lambda: Network().add_population("a", 2, models.WinnerLIF(group_size=[1, 2])),
            "populations.a.model.winner_lif.group_size: (1, 2) is not allowed; must be one number",
        ),
        (
            lambda: model(group=GroupOperation("V"), state=(Variable("group_max"),)),
            "m: the state variable 'group_max' is not allowed; what snippets of a neuron see by these names",
        ),
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises(ConfigurationError, match="^" + re.escape(message)):
        make()


@settings(max_examples=60)
@given(
    group=st.integers(1, 12), n_groups=st.integers(1, 40), rows=st.booleans(),
    tile=st.sampled_from([1, 2, 4]), n_ranks=st.integers(1, 3),
)  # fmt: skip
def test_each_group_is_one_ranks(group, n_groups, rows, tile, n_ranks):
    grid = Grid(group, n_groups) if rows else Grid(group * n_groups, 1)
    network = Network(seed=1)
    network.add_population("many", 4096, models.Poisson())  # so that there are tiles for all ranks
    network.add_population("grouped", grid, models.SoftmaxUnit(group_size=group))
    owner = np.full(grid.size, -1)
    for rank in range(n_ranks):
        own = place_network(network, tile, rank, n_ranks)["grouped"].global_id
        assert (owner[own] == -1).all()
        owner[own] = rank
    assert (owner >= 0).all()
    assert (owner.reshape(-1, group) == owner.reshape(-1, group)[:, :1]).all()


def test_ranks_share_out_groups_where_neurons_are_in_a_row():
    network = Network(seed=1)
    network.add_population("grouped", 3200, models.SoftmaxUnit(group_size=100))
    sizes = [place_network(network, 1, rank, 4)["grouped"].n_own for rank in range(4)]
    assert sizes == [800] * 4
