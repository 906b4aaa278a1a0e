"""Parameters and constants of models: a number is right or refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn import ConfigurationError, Network, models
from hpcsnn.checked_numbers import LARGEST_NUMBER, SMALLEST_NUMBER
from hpcsnn.models.base import Derived, Model
from hpcsnn.models.parameters import Data, Parameter, probability
from support.messages import as_pattern

# Products of two of them are numbers that float32 holds.
FACTOR = st.floats(-100, 100).map(lambda number: round(number, 6))
WHOLE = Parameter(3, "", "", ctype="int", minimum=-5)


@settings(max_examples=40)
@given(
    st.floats(width=32, allow_nan=False, allow_subnormal=False), st.floats(-10, 10), st.floats(-10, 10), st.booleans()
)
def test_a_number_within_its_bounds_stays_what_it_is(value, one, other, inclusive):
    low, high = sorted((one, other))
    parameter = Parameter(0.0, "ms", "", maximum=high, **{"minimum" if inclusive else "above": low})
    inside = low <= value <= high if inclusive else low < value <= high
    if inside:
        assert parameter.checked("here", value) == value
        return
    with pytest.raises(ConfigurationError) as error:
        parameter.checked("here", value)
    assert str(error.value) == (
        f"here: {value!r} is not allowed; must be a number in ms {'>=' if inclusive else '>'} {low:g} and <= {high:g}"
    )


@pytest.mark.parametrize("value", [True, "3", None, [3], math.nan, math.inf, -math.inf, 2.5, np.float64("inf")])
def test_what_is_no_whole_number_is_refused(value):
    with pytest.raises(ConfigurationError, match=r"^here: .* is not allowed; must be a whole number >= -5$"):
        WHOLE.checked("here", value)


def test_whole_numbers_are_32_bits_wide_in_kernels():
    for value in (2**31 - 1, np.int64(7), 4.0, -5):
        checked = WHOLE.checked("here", value)
        assert (type(checked), checked) == (int, value)
    for value in (2**31, 5e9, 2**32 + 1, 1e300, 10**400):
        with pytest.raises(ConfigurationError, match=r"is not allowed; kernels hold numbers up to 2\^31 - 1$"):
            WHOLE.checked("here", value)


@pytest.mark.parametrize("sign", [1, -1])
def test_numbers_are_float32_in_kernels(sign):
    parameter = Parameter(0.0, "", "")
    assert parameter.checked("here", sign * LARGEST_NUMBER) == sign * LARGEST_NUMBER
    with pytest.raises(ConfigurationError, match=r"e\+38 of neuron 7 is not allowed; kernels hold numbers .* to 3\.4"):
        parameter.checked_of_neuron("here", sign * LARGEST_NUMBER * 1.001, 7)
    assert parameter.checked("here", sign * SMALLEST_NUMBER) == sign * SMALLEST_NUMBER
    with pytest.raises(ConfigurationError, match=r"e-39 is not allowed; kernels hold numbers from 1\.17549e-38 to"):
        parameter.checked("here", sign * SMALLEST_NUMBER / 2)
    assert probability(0.5, "").checked("here", 1e-300) == 1e-300, "a chance is held as a threshold"


Derivative = Model(
    "derivative",
    "",
    parameters={"a": Parameter(2.0, "", ""), "b": Parameter(None, "", "what it is for"), "p": probability(0.5, "")},
    derived={
        "ab": Derived("a * b"),
        "steps": Derived("round(ab / dt_ms)", "int"),
        "half": Derived("p / 2", "probability"),
    },
)


@settings(max_examples=40)
@given(FACTOR, FACTOR, st.floats(0, 1), st.floats(0.1, 10))
def test_constants_follow_from_parameters_and_from_each_other(a, b, p, dt_ms):
    constants = Derivative(a=a, b=b, p=p).constants(dt_ms)
    assert constants == {
        "a": a, "b": b, "p": round(p * 2**32), "ab": a * b, "steps": round(a * b / dt_ms), "half": round(p / 2 * 2**32)
    }  # fmt: skip
    assert isinstance(constants["steps"], int)


def test_a_derived_whole_number_that_kernels_cannot_hold_is_refused():
    with pytest.raises(
        ConfigurationError,
        match=r"^derivative\.b: 1000000000\.0 is not allowed; steps, which is round\(ab / dt_ms\), comes to "
        r"20000000000 with a 2\.0, dt_ms 0\.1; kernels hold",
    ):
        Derivative(b=1e9).constants(0.1)
    assert Derivative(b=1e8).constants(0.1)["steps"] == 2_000_000_000
    with pytest.raises(
        ConfigurationError, match=r"^lif\.refractory_ms: 300000000\.0 is not allowed; refractory_steps, which is "
    ):
        models.LIF(refractory_ms=3e8).constants(0.1)


@pytest.mark.parametrize(
    ("expression", "value", "message"),
    [
        (
            "a * a",
            1e30,
            "squared.a: 1e+30 is not allowed; c, which is a * a, "
            "comes to 1.0000000000000001e+60; kernels hold numbers from 1.17549e-38 to",
        ),
        (
            "a * a",
            1e-30,
            "squared.a: 1e-30 is not allowed; c, which is a * a, "
            "comes to 1.0000000000000001e-60; kernels hold numbers from 1.17549e-38 to",
        ),
        ("exp(a)", 1e3, "squared.a: 1000.0 is not allowed; c, which is exp(a), comes to no number: math range error"),
        ("1 / a", 0.0, "squared.a: 0.0 is not allowed; c, which is 1 / a, comes to no number: "),
        (
            "a - a * 1e300 * 1e10",
            1.0,
            "squared.a: 1.0 is not allowed; c, which is a - a * 1e300 * 1e10, comes to -inf; must be a finite number",
        ),
    ],
)
def test_a_derived_number_that_kernels_cannot_hold_is_refused(expression, value, message):
    model = Model("squared", "", parameters={"a": Parameter(1.0, "", "")}, derived={"c": Derived(expression)})
    with pytest.raises(ConfigurationError) as error:
        model(a=value).constants(0.1)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize("f_max_hz", [1e30, 1e-30])
def test_a_derived_number_names_what_was_given_first_and_what_else_it_follows_from(f_max_hz):
    network = Network()
    network.add_population("a", 4, models.LIF())
    begins = f"projections.p.synapse.bcpnn.f_max_hz: {f_max_hz} is not allowed; coincidence, which is 1e6 / (2 * tau_z_"
    with pytest.raises(ConfigurationError, match=as_pattern(begins)) as error:
        network.add_projection(
            "p", "a", "a", models.OneToOne(), models.ExponentialCurrent(), 1.0, models.BCPNN(f_max_hz=f_max_hz)
        )
    assert " with tau_z_ms 20.0, tau_p_ms 5000.0; kernels hold numbers from " in str(error.value)


def test_a_derived_number_of_one_neuron_names_its_own_value():
    lif = models.LIF(refractory_ms=[5.0, 3e8])
    with pytest.raises(
        ConfigurationError, match=r"^here\.refractory_ms: 300000000\.0 is not .* so it is for neuron 1$"
    ):
        lif.constants_of_neurons("here", 0.1, np.arange(2, dtype=np.int32), {"refractory_ms": np.array([5.0, 3e8])}, 2)


@pytest.mark.parametrize("tau_ms", [0.1 / 90, 0.1 / 1e4])
def test_a_decay_over_a_step_much_longer_than_its_time_constant_is_nothing(tau_ms):
    """exp(-90) is no normal float32; exp(-1e4) is nothing in float64 either."""
    assert models.LIF(tau_m_ms=tau_ms).constants(0.1)["decay"] == 0.0


def test_a_derived_value_that_is_no_chance_or_no_whole_number_is_refused():
    for ctype, words in (("probability", "a number >= 0 and <= 1"), ("int", "a whole number")):
        model, told = Model("odd", "", derived={"c": Derived("3 * dt_ms", ctype)}), r"3 \* dt_ms, comes to 1\.5"
        with pytest.raises(ConfigurationError, match=rf"^odd: c, which is {told} with dt_ms 0\.5; must be {words}$"):
            model().constants(0.5)


def test_lists_of_the_same_things_are_equally_long_and_nobody_changes_them():
    lists = {name: Data("", "pair") for name in ("a", "b")} | {"other": Data("", "other", ctype="int")}
    model = Model("listed", "", data=lists)
    given_a = np.array([1.0, 2.0])
    listed = model(a=given_a, b=[0, 1], other=[7])
    given_a[0] = 5.0
    assert listed.values["a"].tolist() == [1.0, 2.0]
    assert listed.described() == {"listed": {"a": [1.0, 2.0], "b": [0.0, 1.0], "other": [7]}}
    with pytest.raises(ValueError, match="read-only"):
        listed.values["a"][0] = 3.0
    with pytest.raises(
        ConfigurationError, match=r"^listed: a has 2, b has 1 entries; must be equally many, one per pair"
    ):
        model(a=[1, 2], b=[0], other=[7])
    words = Model("worded", "", data={"a": "a list"})
    with pytest.raises(ConfigurationError, match=r"^worded\.data\.a: 'a list' is not allowed; must be a Data"):
        words(a=[1])
    with pytest.raises(ConfigurationError, match=r"^listed\.other: missing; give "):
        model(a=[], b=[], other=None)


def test_what_must_be_given_and_what_is_not_known():
    with pytest.raises(ConfigurationError, match=r"^derivative\.b: missing; give a number \(what it is for\)$"):
        Derivative()
    with pytest.raises(ConfigurationError, match=r"^derivative: unknown name 'c'; allowed: a, b, p"):
        Derivative(b=1, c=2)
    with pytest.raises(ConfigurationError, match=r"^derivative\.b: .* is not allowed; a parameter of this kind of m"):
        Derivative(b=[1, 2])


def test_of_neurons_are_parameters_that_differ_and_all_that_is_derived_from_them():
    lif = models.LIF(tau_m_ms=[1.0, 2.0], V_rest_mV=models.Normal(-70, 1))
    assert lif.of_neurons == ["tau_m_ms", "V_rest_mV"]
    assert lif.arrays == ["tau_m_ms", "V_rest_mV", "decay"]
    kinds = dict(lif.array_types()) | dict(lif.constant_types())
    assert kinds == dict(models.LIF.constant_types())
    assert set(lif.constants(0.1)).isdisjoint(lif.arrays)
    assert lif.described()["lif"]["tau_m_ms"] == [1.0, 2.0]
    assert lif.described()["lif"]["V_rest_mV"] == {"normal": {"mean": -70.0, "std": 1.0}}


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("exp(-dt_ms / tau_m)", "mine.derived.c: 'exp(-dt_ms / tau_m)': unknown name 'tau_m'; allowed: "),
        ("d * 2", "mine.derived.c: 'd * 2': unknown name 'd'; allowed: "),
        ("exp(-dt_ms", "mine.derived.c: 'exp(-dt_ms' is not a Python expression: "),
        ("c = 1", "mine.derived.c: 'c = 1' is not a Python expression: "),
        ("", "mine.derived.c: '' is not a Python expression: "),
        (0.5, "mine.derived.c: 0.5 is not allowed; must be a Python expression as a text"),
    ],
)
def test_a_mistake_in_a_derived_constant_names_model_and_constant(expression, message):
    with pytest.raises(ConfigurationError, match=as_pattern(message)):
        Model(
            "mine", "", parameters={"tau_ms": Parameter(1.0, "", "")},
            derived={"c": Derived(expression), "d": Derived("1")},
        )  # fmt: skip


@pytest.mark.parametrize("expression", ["tau_ms()", "min(tau_ms)", "'a' + tau_ms", "(1, 2)[3]"])
def test_an_expression_that_fails_names_model_and_constant(expression):
    model = Model("mine", "", parameters={"tau_ms": Parameter(1.0, "", "")}, derived={"c": Derived(expression)})
    begins = "mine.tau_ms: 1.0 is not allowed; " if "tau_ms" in expression else "mine: "
    with pytest.raises(ConfigurationError, match=as_pattern(f"{begins}c, which is {expression}, comes to no number")):
        model().constants(0.1)


@pytest.mark.parametrize("threshold", [{}, {"threshold": "false"}, {"threshold": " "}])
def test_a_reset_without_a_threshold_is_refused(threshold):
    with pytest.raises(
        ConfigurationError, match=as_pattern("mine.reset: never runs, since the model has no threshold")
    ):
        models.NeuronModel("mine", "", reset="V = 0.0f;", **threshold)
