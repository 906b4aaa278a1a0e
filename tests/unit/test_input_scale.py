"""In how many bits input adds up: the smallest weight counts, no sum overflows, and what fits nowhere is refused."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hpcsnn import ConfigurationError, Network, models
from hpcsnn.models import Connector, SynapseModel
from hpcsnn.network.input_scale import can_outgrow, input_format, smallest_weight, whole_amount

MOST = {31: 2**31 - 1, 51: 2**51 - 1, 62: 2**62 - 1}


def declared(n_sources=5, weight=1.0, connector=None, synapse=None, rewiring=None, n_targets=1):
    network = Network()
    network.add_population("a", n_sources, models.Poisson())
    network.add_population("b", n_targets, models.LIF())
    connector = connector or models.AllToAll()
    return network.add_projection(
        "ab", "a", "b", connector, models.DeltaCurrent(), weight, synapse, rewiring=rewiring
    )  # fmt: skip


def listed(weights, **more):
    """One target, a source for each weight."""
    n = len(weights)
    connector = models.ExplicitList(pre=list(range(n)), post=[0] * n, weight=weights)
    return declared(n, connector=connector, **more)


MAGNITUDES = st.floats(-12, 12).map(lambda exponent: 10.0**exponent)
WEIGHTS = st.lists(st.builds(lambda size, sign: sign * size, MAGNITUDES, st.sampled_from([1, -1])), min_size=1)


@settings(max_examples=300)
@given(WEIGHTS)
@example([1000.0, 1e-4])
@example([1.0] + [4e-7] * 1000)
@example([1e12, 1e-12])
@example([-1e-12])
@example([1e12] * 50)
def test_sums_of_listed_weights_are_exact_to_the_resolution_or_refused(weights):
    exact = [Fraction(float(np.float32(weight))) for weight in weights]
    largest, smallest = sum(map(abs, exact)), min(map(abs, exact))
    try:
        given_format = listed(weights).input_format
    except ConfigurationError as error:
        assert largest / smallest > 2**40, "64 bits would do"
        assert f"{min(map(abs, weights)):g}" in str(error)
        return
    assert largest / smallest <= 2**42
    scale = Fraction(given_format.scale)
    bits = int(np.log2(given_format.scale))
    units = [whole_amount(weight, bits) for weight in weights]
    for weight, whole in zip(exact, units, strict=True):
        assert abs(whole - weight * scale) <= Fraction(1, 2)
        assert abs(whole / scale - weight) <= abs(weight) / 2**20
    assert sum(map(abs, units)) <= given_format.most, "no order of adding comes near the end"
    error = abs(sum(units) / scale - sum(exact))
    assert error <= largest / 2**20
    assert (given_format.ctype, given_format.most) in {("int", MOST[31]), ("int64", MOST[51]), ("int64", MOST[62])}


@settings(max_examples=200)
@given(MAGNITUDES, MAGNITUDES, st.integers(1, 5000))
def test_where_weights_move_the_first_and_the_bound_are_both_held(weight, w_max, n_sources):
    weight = min(weight, w_max)
    ratio = Fraction(n_sources) * Fraction(w_max) / Fraction(weight)
    try:
        given_format = declared(n_sources, weight, synapse=models.AdditiveSTDP(w_max=w_max)).input_format
    except ConfigurationError:
        assert ratio > 2**40
        return
    assert ratio <= 2**42
    assert given_format.scale * weight >= 2**20
    bits = int(np.log2(given_format.scale))
    assert n_sources * whole_amount(w_max, bits) <= given_format.most


def test_the_narrowest_sum_is_taken_that_does():
    def of(w_max):
        return declared(1000, 0.2, synapse=models.AdditiveSTDP(w_max=w_max)).input_format

    kinds = [(of(w_max).n_bits, of(w_max).most) for w_max in (0.2, 1e4, 1e6)]
    assert kinds == [(32, MOST[31]), (64, MOST[51]), (64, MOST[62])]
    assert [of(w_max).vectorised for w_max in (0.2, 1e4, 1e6)] == [True, True, False]


def test_what_64_bits_cannot_hold_is_refused_with_numbers():
    message = (
        r"^projections\.ab: the smallest weight 0\.2 is not allowed beside sums of up to 1e\+12 onto a neuron "
        r"\(1,000 synapses of up to 1e\+09 each\); input adds up in whole numbers of 64 bits, which hold 2\^42 times "
        r"the smallest weight: it must be at least 0\.227, or the bound lower \(synapse additive_stdp: w_max\)$"
    )
    with pytest.raises(ConfigurationError, match=message):
        declared(1000, 0.2, synapse=models.AdditiveSTDP(w_max=1e9))
    with pytest.raises(
        ConfigurationError, match=r"^projections\.ab: a weight of 1e-35 is not allowed; must be 0 or at"
    ):
        declared(weight=1e-35)
    with pytest.raises(ConfigurationError, match=r"^projections\.ab: a weight of 1e\+39 is not allowed; kernels hold"):
        declared(synapse=models.SynapseModel("heavy", "", bound="1e39")())


@pytest.mark.parametrize(
    ("bound", "message"),
    [
        ("w_mx", "'w_mx' is not allowed; name 'w_mx' is not defined, and it may use the synapse's parameters, initial"),
        ("1 / 0", "'1 / 0' is not allowed; division by zero"),
        ("-initial_weight", "'-initial_weight' is -1; must be a finite number >= 0"),
        ("1e400", "'1e400' is inf; must be a finite number >= 0"),
    ],
)
def test_a_bound_that_is_none_is_refused(bound, message):
    with pytest.raises(ConfigurationError) as refused:
        declared(synapse=SynapseModel("odd", "", bound=bound)())
    assert str(refused.value).startswith(f"projections.ab.synapse.odd.bound: {message}")


KEPT = SynapseModel("kept", "", bound="2", weight_range=lambda values: (-2.0, -0.01))


@pytest.mark.parametrize(
    ("smallest", "make"),
    [
        (0.5, lambda: declared(weight=-0.5)),
        (0.25, lambda: listed([0.5, -0.25, 0.0], weight=0.125)),
        (0.125, lambda: listed([0.5, 0.25], weight=0.125, rewiring=models.rewiring.DeepR())),
        (0.1, lambda: declared(weight=0.1, synapse=models.AdditiveSTDP(w_max=3))),
        (3.0, lambda: declared(weight=0.0, synapse=models.AdditiveSTDP(w_max=3))),
        (0.01, lambda: declared(weight=-1.0, synapse=KEPT())),
    ],
)
def test_the_smallest_weight(smallest, make):
    assert smallest_weight(make()) == smallest


def test_a_range_bounds_too():
    kept = SynapseModel("kept", "", on_pre_spike="weight = 5.0f;", weight_range=lambda values: (-5.0, 1.0))
    assert declared(weight=0.5, synapse=kept()).weight_bound == 5.0


GROWS = SynapseModel("grows", "", on_pre_spike="weight += 0.5f;")
GIVES = Connector("gives", "", connect="for (int k = 0; k < n_sources; ++k) connect(k, (float)k);")


@pytest.mark.parametrize(
    ("checked", "make"),
    [
        (False, lambda: declared()),
        (False, lambda: listed([0.5, 0.25])),
        (False, lambda: declared(connector=models.FixedProbability(p=0.5))),
        (False, lambda: declared(weight=0.1, synapse=models.TripletSTDP())),
        (True, lambda: declared(synapse=GROWS())),
        (True, lambda: declared(synapse=models.BCPNN())),
        (True, lambda: declared(connector=GIVES())),
        (True, lambda: declared(rewiring=models.rewiring.DeepR())),
        (
            True,
            lambda: declared(
                rewiring=models.RewiringRule("r", "", select=models.ALL_SYNAPSES, update="weight *= 2.0f;")()
            ),
        ),
        (
            False,
            lambda: declared(
                rewiring=models.RewiringRule("r", "", select=models.ALL_SYNAPSES, eliminate="weight > 2.0f")()
            ),
        ),
    ],
)
def test_what_can_outgrow_its_bound_is_checked(checked, make):
    projection = make()
    assert can_outgrow(projection) is checked
    assert projection.input_format.checked is checked


def test_a_checked_amount_may_be_off_by_rounding_and_still_fits():
    at_the_end = declared(2**9, 1.0, synapse=GROWS()).input_format
    assert 1.0 < at_the_end.limit < 1.00001
    assert 2**9 * whole_amount(at_the_end.limit, int(np.log2(at_the_end.scale))) <= at_the_end.most


def test_a_connector_that_bounds_the_in_degree_leaves_more_bits():
    one = declared(10_000, 1.0, connector=models.OneToOne(), n_targets=10_000)
    assert one.input_format.n_bits == 32
    rewired = dataclasses.replace(one, rewiring=models.rewiring.DeepR())
    assert input_format(rewired).n_bits == 64


@given(st.floats(-(2.0**23), 2.0**23, width=32))
def test_amounts_are_rounded_to_nearest_alike_on_both_sides(amount):
    whole = whole_amount(amount, 0)
    assert abs(Fraction(amount) - whole) <= Fraction(1, 2)
    assert whole_amount(-amount, 0) == -whole
