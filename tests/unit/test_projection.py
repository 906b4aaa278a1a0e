"""Synapses between two populations: reach, degrees, and fixed-point input that neither overflows nor loses a spike."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hpcsnn import Grid, Network, models
from hpcsnn.models import Connector
from hpcsnn.network.input_scale import INPUT_RESOLUTION_BITS

F = np.float32


def declared(source=5, target=5, weight=1.0, connector=None, synapse=None, **more):
    network = Network()
    network.add_population("a", source, models.Poisson())
    network.add_population("b", target, models.LIF())
    connector = connector or models.AllToAll()
    return network.add_projection("ab", "a", "b", connector, models.DeltaCurrent(), weight, synapse, **more)


def amount(weight, scale):
    """What one spike adds to the input: the nearest whole number, halves away from zero."""
    scaled = float(F(weight) * F(scale))
    return int(math.copysign(math.floor(abs(scaled) + 0.5), scaled))


WEIGHTS = st.floats(1e-28, 1e28).flatmap(lambda size: st.sampled_from([size, -size]))
# Amounts that end in a half are rounded up: thousands of them are more than their sum.
HALVES = st.builds(lambda k, bits: (k + 0.5) * 2.0**-bits, st.integers(2**20, 2**23 - 1), st.integers(0, 30))


@settings(max_examples=60)
@given(st.integers(1, 2_000_000), WEIGHTS | HALVES)
@example(1000, 2147483.5 * 2.0**-21)
@example(3, 0.1)
@example(2_000_000, 1e-28)
def test_input_cannot_overflow_and_is_as_fine_as_it_can_be(n_sources, weight):
    kind, scale = declared(n_sources, 1, weight).input_scale()
    assert math.frexp(scale)[0] == 0.5, "a power of two: scaling loses no bit"
    assert F(scale) == scale
    assert F(1 / scale) == 1 / scale
    largest = abs(amount(weight, scale))
    assert n_sources * largest <= (2**31 - 1 if kind == "int" else 2**63 - 1)
    assert scale * abs(weight) >= 2.0**INPUT_RESOLUTION_BITS
    if kind == "int64":  # it is twice as wide only where it must be
        finer = 2.0 ** math.ceil(INPUT_RESOLUTION_BITS - math.log2(abs(weight)))
        assert n_sources * (abs(amount(weight, finer)) + 1) > 2**31 - 1


@settings(max_examples=60)
@given(st.integers(1, 10_000), st.floats(1e-6, 1e6))
def test_a_sum_of_whole_amounts_is_the_weights_sum_to_the_resolution(n_sources, weight):
    _, scale = declared(n_sources, 1, weight).input_scale()
    total = n_sources * amount(weight, scale)
    exact = n_sources * float(F(weight))
    assert total / scale == pytest.approx(exact, rel=2.0**-INPUT_RESOLUTION_BITS)


@pytest.mark.parametrize(
    ("bound", "make"),
    [
        (0.5, lambda: declared(weight=-0.5)),
        (0.75, lambda: declared(weight=0.5, synapse=models.AdditiveSTDP(w_max=0.75))),
        (
            2.0,
            lambda: declared(
                connector=models.ExplicitList(pre=[0, 1], post=[0, 0], weight=[0.5, -2.0]), weight=0.25
            ),
        ),
        (3.0, lambda: declared(weight=0.5, rewiring=models.rewiring.DeepR(w_max=3.0))),
        (1e-30, lambda: declared(weight=0.0)),
    ],
)  # fmt: skip
def test_the_bound_is_of_all_that_a_spike_can_bring(bound, make):
    assert make().weight_bound == bound


# -- reach -----------------------------------------------------------------------------------------------------------


def within(reach_squared, grid):
    """Neurons within reach of one, by looking at all."""
    n = 0
    for neuron in range(grid.size):
        dx, dy = neuron % grid.nx, neuron // grid.nx
        n += min(dx, grid.nx - dx) ** 2 + min(dy, grid.ny - dy) ** 2 <= reach_squared
    return n


@settings(max_examples=60)
@given(st.integers(1, 24), st.integers(2, 24), st.floats(0.01, 1), st.floats(0.1, 4))
def test_the_largest_in_degree_bounds_what_is_within_reach(nx, ny, p_max, sigma):
    grid = Grid(nx, ny)
    projection = declared(grid, grid, connector=models.Gaussian(p_max=p_max, sigma=sigma))
    most = within(projection.reach_squared, grid)
    assert most <= projection.largest_in_degree <= grid.size
    assert projection.largest_in_degree <= max(1, 4 * (math.sqrt(projection.reach_squared) + 1) ** 2), (
        "not all there are"
    )


@pytest.mark.parametrize(
    ("connector", "rewiring", "reach", "formed_within"),
    [
        (models.Gaussian(p_max=0.5, sigma=1), None, 42, -1),
        (models.Gaussian(p_max=0.5, sigma=1), models.Bamford(p_max=0.5, sigma=2, block_side=4), 171, 171),
        (models.Gaussian(p_max=0.5, sigma=2), models.Bamford(p_max=0.5, sigma=1, block_side=4), 171, 42),
        (models.FixedProbability(p=0.5), models.Bamford(p_max=0.5, sigma=1, block_side=4), None, 42),
        (models.Gaussian(p_max=0.5, sigma=1), models.rewiring.DeepR(), None, None),
        (models.OneToOne(), None, None, -1),
    ],
)
def test_reach_is_that_of_first_wiring_and_rule_together(connector, rewiring, reach, formed_within):
    """2 sigma^2 ln(p 2^32) is 42.98 at p = 0.5, sigma = 1, and 4 times as much at 2."""
    projection = declared(Grid(40, 40), Grid(40, 40), connector=connector, rewiring=rewiring)
    assert projection.reach_squared == reach
    assert projection.rewiring_reach_squared == formed_within
    assert projection.largest_in_degree <= 1600
    if reach is None:
        assert projection.largest_in_degree == 1600


@settings(max_examples=60)
@given(st.integers(1, 30), st.floats(0, 1), st.integers(1, 30))
def test_the_expected_in_degree_is_the_mean_of_the_first_wiring(n_sources, p, n_targets):
    assert declared(n_sources, n_targets).expected_in_degree == n_sources
    by_chance = declared(n_sources, n_targets, connector=models.FixedProbability(p=p))
    assert by_chance.expected_in_degree == pytest.approx(n_sources * p)
    one = declared(n_sources, n_targets, connector=models.OneToOne())
    assert one.expected_in_degree * n_targets == pytest.approx(min(n_sources, n_targets))


@settings(max_examples=60)
@given(
    st.floats(0.0, 1),
    st.floats(0.05, 40),
    st.sampled_from([Grid(1, 300), Grid(300, 1), Grid(3, 7), Grid(16, 16), Grid(1, 1), Grid(2, 5), Grid(48, 48)]),
)
@example(0.9, 2.5, Grid(1, 300))
def test_so_it_is_for_a_gaussian_of_any_width_on_any_grid(p_max, sigma, grid):
    """A narrow one reaches the neuron itself and hardly any other; a wide one each neuron of the torus once."""
    apart_x, apart_y = (np.minimum(np.arange(side), side - np.arange(side)) ** 2 for side in (grid.nx, grid.ny))
    chance = p_max * np.exp(-(apart_x[:, None] + apart_y[None, :]) / (2 * sigma**2))
    projection = declared(grid, grid, connector=models.Gaussian(p_max=p_max, sigma=sigma))
    # Chances below 2^-32 are zero; on the edge rounding decides.
    low, high = (chance[chance >= edge * 2.0**-32].sum() for edge in (1 + 1e-9, 1 - 1e-9))
    assert low * (1 - 1e-9) <= projection.expected_in_degree <= high * (1 + 1e-9)


# -- what is carried -------------------------------------------------------------------------------------------------


def test_a_projection_carries_what_its_synapse_and_its_rule_do():
    plain = declared(synapse=models.TripletSTDP())
    assert [one.name for one in plain.pre_traces] == ["r1", "r2"]
    assert [one.name for one in plain.post_traces] == ["o1", "o2"]
    assert [one.name for one in plain.synapse_columns] == ["weight"]
    assert (plain.source_variables, plain.target_variables, plain.shared_variables) == ((), (), ())
    grown = declared(synapse=models.AdditiveSTDP(w_max=9), rewiring=models.rewiring.Homeostatic())
    assert [one.name for one in grown.pre_traces] == ["pre_trace", "axon_calcium"]
    assert [one.name for one in grown.post_traces] == ["post_trace", "dendrite_calcium"]
    assert [one.name for one in grown.source_variables] == ["axon_elements"]
    assert [one.name for one in grown.target_variables] == ["dendrite_elements"]
    owing = declared(rewiring=models.rewiring.DeepR(), delay_ms=models.Uniform(1, 2))
    assert [one.name for one in owing.target_variables] == ["owed"]
    assert [one.name for one in owing.synapse_variables] == ["weight"]
    assert [one.name for one in owing.synapse_columns] == ["weight", "delay_steps"]


def test_variables_of_sources_are_shared_where_a_rule_names_them_for_a_pair():
    age, noise = models.Variable("age"), models.Variable("noise")

    def shared(**slots):
        rule = models.RewiringRule(
            "r", "", select=models.ALL_SYNAPSES, source_variables=(age, noise), **{"eliminate": "false", **slots}
        )
        return [one.name for one in declared(rewiring=rule()).shared_variables]

    assert shared() == []
    assert shared(eliminate="pre.age > 1.0f") == ["age"]
    assert shared(eliminate="pre . age > 1.0f", update="weight += pre.noise;") == ["age", "noise"]
    assert shared(eliminate="true  // pre.age\n") == [], "a comment names nothing"
    assert shared(update_source="age += pre.noise;") == [], "sources see themselves"


def test_a_connector_that_reaches_nobody_is_none_the_worse():
    nobody = Connector("nobody", "", reach_squared=lambda values: -1, connect="")
    projection = declared(Grid(9, 9), Grid(9, 9), connector=nobody())
    assert (projection.reach_squared, projection.largest_in_degree) == (-1, 1)
    assert projection.input_scale()[0] == "int"
