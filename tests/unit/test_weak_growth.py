"""Networks that grow with ranks: which grid is chosen, and which networks are refused and why."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn import ConfigurationError
from hpcsnn.configuration.files import load_configuration, parse_configuration
from hpcsnn.planning.weak_growth import grown_networks


def sides(name, per_rank, *ranks):
    """Sides of each population, by ranks."""
    return [dict(one.sides) for one in grown_networks(load_configuration(name), per_rank, ranks)]


def test_a_map_grows_by_whole_fields_and_as_square_as_can_be():
    grown = sides("topomap", 4096, 1, 2, 3, 4, 8)
    assert [one["target"] for one in grown] == [(64, 64), (64, 128), (96, 128), (128, 128), (128, 256)]
    assert all(one["source"] == one["target"] for one in grown)


def test_the_scale_that_is_configured_is_no_part_of_it():
    configuration = load_configuration("topomap", ["scale=3"])
    (one,) = grown_networks(configuration, 1024, [1])
    applied = one.applied(configuration)
    assert (applied.scale, applied.network().populations["target"].size) == (1, 1024)
    again = load_configuration("topomap", ["scale=3", *one.overrides()])
    assert again.network().populations["target"].grid == applied.network().populations["target"].grid


def test_sizes_without_places_keep_their_proportions():
    grown = sides("brunel", 5000, 1, 2, 3)
    assert [(one["E"], one["I"]) for one in grown] == [((5000,), (1250,)), ((10000,), (2500,)), ((15000,), (3750,))]


@settings(max_examples=40)
@given(st.integers(1, 40), st.integers(1, 300))
def test_what_is_chosen_is_near_whole_and_of_constant_density(units, ranks):
    per_rank = 256 * units
    configuration = load_configuration("topomap")
    (one,) = grown_networks(configuration, per_rank, [ranks])
    nx, ny = one.sides["target"]
    assert nx % 16 == ny % 16 == 0, "the stimulus repeats every 16 neurons"
    assert one.neurons_a_rank == nx * ny / ranks
    assert abs(one.neurons_a_rank - per_rank) <= 0.1 * per_rank
    assert max(nx / ny, ny / nx) <= 4


def test_a_number_that_no_grid_is_near_is_refused_with_those_that_are_near():
    with pytest.raises(
        ConfigurationError, match=r"--per-rank: 300 is not allowed; on 1 rank .* have 256 or 512 neurons"
    ):
        sides("topomap", 300, 1)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("deep_r", "projections.sparse.connector.fixed_probability: would make 409.6 synapses a target on 4 ranks"),
        ("patch_swaps", "projections.listens.connector.all_to_all: would make 256 synapses a target on 4 ranks"),
    ],
)
def test_a_network_whose_in_degrees_would_grow_is_refused(name, why):
    per_rank = {"deep_r": 1024, "patch_swaps": 64}[name]
    with pytest.raises(ConfigurationError, match=re.escape(why)):
        sides(name, per_rank, 1, 4)


def network(model=None, stimulate=(), connector=None, initial=None):
    populations = {
        "input": {"size": 16, "model": model or {"poisson": {"rate_hz": 20}}},
        "cells": {"size": 16, "model": "lif", "stimulate": list(stimulate), "initial": initial or {}},
    }
    projection = {
        "source": "input", "target": "cells", "weight": 0.1, "receptor": "exponential_current",
        "connector": connector or {"fixed_in_degree": {"in_degree": 4}},
    }  # fmt: skip
    return parse_configuration({"populations": populations, "projections": {"ff": projection}})


@pytest.mark.parametrize(
    ("changed", "where"),
    [
        ({"model": {"spike_array": {"neurons": [0, 1], "times_ms": [1, 2]}}}, "populations.input.model.spike_array"),
        (
            {"model": {"inhomogeneous_poisson": {"times_ms": [1], "rates_hz": [[1.0] * 16]}}},
            "populations.input.model.inhomogeneous_poisson: has a list for each neuron",
        ),
        (
            {"stimulate": [{"step_current": {"amplitude": 1, "neurons": "0..3"}}]},
            "populations.cells.stimulate[0].neurons: is onto certain neurons",
        ),
        (
            {"connector": {"explicit_list": {"pre": [0, 1], "post": [2, 3], "weight": [1, 1]}}},
            "projections.ff.connector.explicit_list: lists certain synapses",
        ),
        ({"initial": {"V_mV": [-60.0] * 16}}, "the network cannot grow: "),
    ],
)
def test_what_is_of_certain_neurons_is_refused_by_name(changed, where):
    assert grown_networks(network(), 16, [1, 2])[1].sides["cells"] == (32,)
    with pytest.raises(ConfigurationError, match=re.escape(where)):
        grown_networks(network(**changed), 16, [1, 2])
