"""Neuron models: constants by their formulas, and values that do not go together."""

from __future__ import annotations

import math
import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn import ConfigurationError, Network
from hpcsnn.models import Uniform
from hpcsnn.models.neurons import ALIF, LIF, AdEx, Izhikevich, LIFBackground

DT = st.sampled_from([0.01, 0.1, 0.25, 1.0])


@settings(max_examples=60)
@given(DT, st.integers(0, 400))
def test_a_refractory_neuron_is_frozen_for_exactly_its_period(dt_ms, n_steps):
    """Also where n steps of dt are, in floating point, a little less or more."""
    for model in (LIF, ALIF, LIFBackground, AdEx):
        steps = model(refractory_ms=n_steps * dt_ms).constants(dt_ms)["refractory_steps"]
        assert steps == n_steps


@settings(max_examples=40)
@given(DT, st.floats(0.001, 100))
def test_a_period_between_two_steps_is_refused_and_one_that_is_drawn_is_rounded(dt_ms, refractory_ms):
    exact = Fraction(refractory_ms) / Fraction(dt_ms)
    if abs(exact - round(exact)) < Fraction(1, 10**6):
        return
    for given_ms in (refractory_ms, [2 * dt_ms, refractory_ms]):
        with pytest.raises(
            ConfigurationError, match=r"^populations\.a\.model\.lif\.refractory_ms: .* is not allowed; must"
        ):
            Network(dt_ms=dt_ms).add_population("a", 2, LIF(refractory_ms=given_ms))
    drawn = Network(dt_ms=dt_ms).add_population("a", 1, LIF(refractory_ms=Uniform(refractory_ms, refractory_ms))).model
    values = {"refractory_ms": np.array([refractory_ms])}
    constants = drawn.constants_of_neurons("a", dt_ms, np.zeros(1, dtype=np.int32), values, 1)
    assert abs(int(constants["refractory_steps"][0]) - exact) <= Fraction(1, 2) + Fraction(1, 10**6)


def test_a_period_that_steps_cannot_count_is_refused():
    with pytest.raises(
        ConfigurationError, match=r"refractory_ms: 220000000\.0 is 2200000000 steps of 0\.1 ms; at most 2\^31"
    ):
        Network().add_population("a", 1, LIF(refractory_ms=2.2e8))


@settings(max_examples=40)
@given(DT, st.floats(0.5, 200), st.floats(0.5, 200))
def test_decays_are_those_of_exact_integration(dt_ms, tau_ms, other_ms):
    assert LIF(tau_m_ms=tau_ms).constants(dt_ms)["decay"] == math.exp(-dt_ms / tau_ms)
    alif = ALIF(tau_m_ms=tau_ms, tau_adaptation_ms=other_ms).constants(dt_ms)
    assert (alif["decay"], alif["adaptation_decay"]) == (math.exp(-dt_ms / tau_ms), math.exp(-dt_ms / other_ms))
    background = LIFBackground(tau_m_ms=tau_ms, background_tau_ms=other_ms).constants(dt_ms)
    assert background["background_decay"] == math.exp(-dt_ms / other_ms)
    all_steps = background["background_mean"] * dt_ms / (1 - math.exp(-dt_ms / other_ms))
    assert all_steps == pytest.approx(other_ms, rel=1e-9), "the charge of a spike is weight * tau"
    adex = AdEx(C_pF=tau_ms * 30.0, tau_w_ms=other_ms).constants(dt_ms)
    assert adex["decay"] == pytest.approx(math.exp(-dt_ms / tau_ms), rel=1e-14), "tau is C / g"
    assert adex["decay_w"] == math.exp(-dt_ms / other_ms)
    assert adex["resistance"] == 1 / 30.0


def test_izhikevichs_resting_point_is_one():
    """Where dV/dt and du/dt vanish: the model starts at its resting state for the published a, b, c, d."""
    initial = {variable.name: variable.initial for variable in Izhikevich.state}
    V, b = initial["V_mV"], Izhikevich().values["b"]
    assert initial["u"] == pytest.approx(b * V)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: LIF(V_threshold_mV=-70),
            r"lif\.V_threshold_mV: -70\.0 is not allowed; must be above V_reset_mV \(-70",
        ),
        (lambda: ALIF(V_reset_mV=-50), r"alif\.V_threshold_mV: -54\.0 is not allowed; must be above V_reset_mV \(-50"),
        (lambda: Izhikevich(c=30), r"izhikevich\.V_peak_mV: 30\.0 is not allowed; must be above c \(30"),
        (lambda: AdEx(V_peak_mV=-50.4), r"adex\.V_peak_mV: -50\.4 is not allowed; must be above V_threshold_mV"),
        (lambda: AdEx(V_reset_mV=21), r"adex\.V_peak_mV: 20\.0 is not allowed; must be above V_reset_mV"),
        (lambda: AdEx(slope_mV=0.8), r"adex\.V_peak_mV: 20\.0 is not allowed; must be <= V_threshold_mV \+ 80 slope"),
    ],
)
def test_potentials_that_do_not_go_together(make, message):
    with pytest.raises(ConfigurationError, match=f"^{message}"):
        make()


def test_so_it_is_for_values_of_each_neuron():
    network = Network()
    with pytest.raises(ConfigurationError, match=r"so it is for neuron 1$"):
        network.add_population("a", 2, LIF(V_threshold_mV=[-54.0, -71.0], V_reset_mV=[-70.0, -70.0]))


@pytest.mark.parametrize("dt_ms", [0.1, 1.0])
def test_a_step_has_no_more_background_than_its_table(dt_ms):
    most = 128e3 / dt_ms
    Network(dt_ms=dt_ms).add_population("a", 1, LIFBackground(background_hz=most))
    with pytest.raises(ConfigurationError, match=re.escape(f"with dt_ms {dt_ms:g} it must be <= {most:g} Hz")):
        Network(dt_ms=dt_ms).add_population("a", 1, LIFBackground(background_hz=most * 1.01))
