"""Synapses and receptors: which traces they read before a spike, what bounds their weights, constants by formula."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn.models.parameters import Parameter
from hpcsnn.models.synapses import (
    BCPNN,
    AdditiveSTDP,
    AlphaCurrent,
    ExponentialConductance,
    ExponentialCurrent,
    MultiplicativeSTDP,
    SpikeTrace,
    Static,
    SynapseModel,
    TripletSTDP,
)


def names(traces):
    return [trace.name for trace in traces]


def test_traces_of_ones_own_side_are_those_that_its_snippet_names():
    assert names(TripletSTDP.own_pre_traces) == ["r2"]
    assert names(TripletSTDP.own_post_traces) == ["o2"]
    for model in (Static, AdditiveSTDP, MultiplicativeSTDP, BCPNN):
        assert (model.own_pre_traces, model.own_post_traces) == ((), ())
    tau = {"tau": Parameter(1.0, "ms", "")}
    traces = (SpikeTrace("x", "tau"), SpikeTrace("xx", "tau"))
    model = SynapseModel("m", "", parameters=tau, pre_traces=traces, on_pre_spike="weight += xx * xxx;")
    assert names(model.own_pre_traces) == ["xx"], "whole words"


@settings(max_examples=40)
@given(st.floats(0.5, 50), st.floats(0.05, 2))
def test_currents_decay_and_peak_as_their_closed_forms(tau_ms, dt_ms):
    decay = math.exp(-dt_ms / tau_ms)
    for model in (ExponentialCurrent, ExponentialConductance):
        assert model(tau_ms=tau_ms).constants(dt_ms)["decay"] == decay
    mean = ExponentialCurrent(tau_ms=tau_ms).constants(dt_ms)["step_mean"]
    assert mean * dt_ms / (1 - decay) == pytest.approx(tau_ms, rel=1e-9), "the charge of all steps is tau"
    alpha = AlphaCurrent(tau_ms=tau_ms).constants(dt_ms)
    current, rise = 0.0, alpha["jump"]
    for n in range(1, 30):
        current, rise = current * alpha["decay"] + rise * alpha["gain"], rise * alpha["decay"]
        t = n * dt_ms
        assert current == pytest.approx(t / tau_ms * math.exp(1 - t / tau_ms), rel=1e-9)


@pytest.mark.parametrize("model", [AdditiveSTDP, MultiplicativeSTDP, TripletSTDP])
def test_weights_of_plastic_synapses_are_within_their_bound(model):
    values = model(w_max=0.7).values
    assert model.weight_range(values) == (0.0, 0.7)
    assert eval(model.bound, {}, dict(values)) == 0.7


@settings(max_examples=40)
@given(st.floats(1, 100), st.floats(100, 1e4), st.floats(10, 500), st.floats(0.1, 50), st.floats(0.1, 50))
def test_independent_neurons_coincide_as_the_product_of_their_probabilities(tau_z, tau_p, f_max, rate, other):
    """The mean of p_joint under Poisson spikes: it gains coincidence * z at each spike and decays with tau_p."""
    constants = BCPNN(tau_z_ms=tau_z, tau_p_ms=tau_p, f_max_hz=f_max).constants(0.1)
    mean_z = other * tau_z * 1e-3
    gain_per_s = 2 * rate * constants["coincidence"] * mean_z  # at spikes of either side
    mean = gain_per_s * tau_p * 1e-3
    assert mean == pytest.approx(rate / f_max * other / f_max, rel=1e-9)
    assert constants["spike_share"] * rate * tau_p * 1e-3 == pytest.approx(rate / f_max, rel=1e-9)
