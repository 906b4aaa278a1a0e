"""What arrays on disk are called and measured in: every one, with names that no array beside it has."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcsnn import Grid, Network, models
from hpcsnn.network.neuron_arrays import neuron_arrays
from hpcsnn.storage.descriptions import descriptions, dimensions_of, free_name
from support.networks import everything, newer_models


@pytest.mark.parametrize(
    ("path", "dimensions"),
    [
        ("populations/cells/state/V_mV", ("y", "x")),
        ("populations/cells/next_spike", ("y", "x")),
        ("populations/cells/spikes_per_bin", ("bin",)),
        ("populations/cells/in_flight", ("spike", "column")),
        ("projections/ff/in_degree", ("target_y", "target_x")),
        ("projections/ff/receptor/g", ("target_y", "target_x")),
        ("projections/ff/input_in_flight/3", ("target_y", "target_x")),
        ("projections/ff/post/trace.value", ("target_y", "target_x")),
        ("projections/ff/pre/trace.last", ("source_y", "source_x")),
        ("projections/ff/rule/source/elements", ("source_y", "source_x")),
        ("projections/ff/rule/target/elements", ("target_y", "target_x")),
        ("projections/ff/synapse/weight", ("shard", "place")),
    ],
)
def test_dimensions_say_whose_they_are(path, dimensions):
    assert dimensions_of(path) == dimensions


def test_a_variable_may_be_called_like_a_dimension():
    assert dimensions_of("populations/cells/state/V", ("x", "x_", "V")) == ("y", "x__")


@given(st.sets(st.text("xy_", max_size=4)), st.text("xy_", max_size=3))
def test_a_free_name_is_free_and_is_the_name_where_it_can_be(taken, name):
    found = free_name(name, taken)
    assert found not in taken
    assert found.rstrip("_") == name.rstrip("_")
    assert (found == name) == (name not in taken)


@pytest.mark.parametrize("make", [everything, newer_models])
def test_every_array_of_neurons_has_a_meaning_and_those_of_models_their_unit(make):
    network = make()
    found = descriptions(network)
    assert all(about.attributes["long_name"] for about in found.values())
    paths = {array.path for one in network.populations.values() for array in neuron_arrays(network, one) if array.path}
    for path in paths:
        assert any(described == path or described.startswith((f"{path}.", f"{path}/")) for described in found), path


def test_units_and_meanings_are_the_models():
    network = Network(seed=1)
    network.add_population("noise", Grid(4, 4), models.Poisson(rate_hz=10))
    network.add_population("cells", Grid(4, 4), models.LIF())
    network.add_projection(
        "ff", "noise", "cells", models.OneToOne(), models.ExponentialCurrent(), 0.1, models.AdditiveSTDP(),
        delay_ms=models.Uniform(0.5, 2),
    )  # fmt: skip
    found = {path: dict(about.attributes) for path, about in descriptions(network).items()}
    assert found["populations/cells/state/V_mV"] == {"units": "mV", "long_name": "membrane potential"}
    assert found["projections/ff/synapse/weight"] == {"long_name": "weight"}
    assert found["projections/ff/synapse/delay_steps"]["units"] == "steps"
    assert found["projections/ff/pre/pre_trace.last"]["units"] == "steps"
    assert [path for path in found if "input_in_flight" in path] == [
        f"projections/ff/input_in_flight/{k}" for k in range(15)
    ]
