"""Plasticity by the voltage of the target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hpcsnn.errors import ConfigurationError, shown
from hpcsnn.models.base import Derived, Variable
from hpcsnn.models.parameters import Parameter, truth
from hpcsnn.models.synapses.synapse import SpikeTrace, SynapseModel, from_0_to_w_max


def _check_thresholds(where: str, values: Mapping[str, Any]) -> None:
    if values["theta_plus_mV"] <= values["theta_minus_mV"]:
        raise ConfigurationError(
            f"{where}.theta_plus_mV: {shown(values['theta_plus_mV'])} is not allowed; must be above theta_minus_mV, "
            f"{shown(values['theta_minus_mV'])}"
        )


# What a step brings to a synapse is `rise` times the trace of its source, so that only targets whose potential is above
# theta_plus have anything to do: those that spike just now.
Clopath = SynapseModel(
    "clopath",
    "Voltage-based STDP: a spike of the source depresses by how far the target has been depolarised; a target above "
    "theta_plus potentiates its synapses step by step, with the trace of their sources. Weight in [0, w_max].",
    parameters={
        "tau_x_ms": Parameter(15.0, "ms", "time constant of the trace of the source's spikes", above=0.0),
        "tau_minus_ms": Parameter(10.0, "ms", "time constant of u_minus, for depression", above=0.0),
        "tau_plus_ms": Parameter(7.0, "ms", "time constant of u_plus, for potentiation", above=0.0),
        "theta_minus_mV": Parameter(-70.6, "mV", "threshold of u_minus and u_plus"),
        "theta_plus_mV": Parameter(-45.3, "mV", "threshold of the potential, for potentiation"),
        "a_ltd_per_mV": Parameter(14e-5, "weight/mV", "depression per spike of the source", minimum=0.0),
        "a_ltp_per_mV2": Parameter(8e-5, "weight/mV^2", "potentiation; the trace rises by 1/tau_x_ms", minimum=0.0),
        "before_upstroke": truth(
            True,
            "u_plus counts as it was when the potential last rose above theta_plus, so that a spike is not potentiated "
            "by its own upstroke; false: as it is",
        ),
        "w_max": Parameter(1.0, "weight", "upper bound of the weight", above=0.0),
    },
    derived={
        # The mean over a step of a trace that decays within it.
        "ltp_step": Derived("-a_ltp_per_mV2 * expm1(-dt_ms / tau_x_ms)"),
        "share_minus": Derived("-expm1(-dt_ms / tau_minus_ms)"),
        "share_plus": Derived("-expm1(-dt_ms / tau_plus_ms)"),
    },
    pre_traces=(SpikeTrace("x_bar", "tau_x_ms"),),
    target_variables=(
        Variable("u_minus", 0.0, "mV", doc="potential, filtered with tau_minus"),
        Variable("u_plus", 0.0, "mV", doc="potential, filtered with tau_plus"),
        Variable("u_held", 0.0, "mV", doc="u_plus, as potentiation counts it"),
        Variable("rise", 0.0, "weight", doc="potentiation in a step for a trace of 1"),
    ),
    needs_of_target=("V_mV",),
    # A filter begins with the potential that it first sees.
    update_target="""
u_minus = seen == 0 ? V_mV : u_minus + share_minus * (V_mV - u_minus);
u_plus = seen == 0 ? V_mV : u_plus + share_plus * (V_mV - u_plus);
const float above = V_mV - theta_plus_mV;
if (above <= 0.0f || !before_upstroke) u_held = u_plus;
const float past = u_held - theta_minus_mV;
rise = above > 0.0f && past > 0.0f ? ltp_step * above * past : 0.0f;
""",
    on_pre_spike="""
const float past = u_minus - theta_minus_mV;
const float depressed = past > 0.0f ? weight - a_ltd_per_mV * past : weight;
weight = depressed < 0.0f ? 0.0f : depressed;
""",
    on_step_if="rise > 0.0f",
    on_step="""
const float potentiated = weight + rise * x_bar;
weight = potentiated > w_max ? w_max : potentiated;
""",
    bound="w_max",
    weight_range=from_0_to_w_max,
    check=_check_thresholds,
    source="Clopath, Buesing, Vasilaki & Gerstner 2010, Nat. Neurosci. 13:344, eq. 3; visual cortex, without the "
    "homeostasis of A_LTD",
)
