"""The neuron whose spikes last and leave something behind, so that plasticity by voltage has something to see."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hpcsnn.errors import ConfigurationError, shown
from hpcsnn.models.base import Derived, Variable
from hpcsnn.models.neurons import NeuronModel, check_adex
from hpcsnn.models.parameters import Parameter


def _check(where: str, values: Mapping[str, Any]) -> None:
    check_adex(where, values)
    if values["V_threshold_spike_mV"] < values["V_threshold_mV"]:
        raise ConfigurationError(
            f"{where}.V_threshold_spike_mV: {shown(values['V_threshold_spike_mV'])} is not allowed; must not be below "
            f"V_threshold_mV, {shown(values['V_threshold_mV'])}"
        )


AdExAfterpotential = NeuronModel(
    "adex_afterpotential",
    "The adex neuron with spikes that last, a depolarising current behind them and a threshold that they raise; "
    "currents in pA, so conductances of its receptors are in nS.",
    parameters={
        "C_pF": Parameter(281.0, "pF", "membrane capacitance", above=0.0),
        "g_leak_nS": Parameter(30.0, "nS", "leak conductance", above=0.0),
        "V_rest_mV": Parameter(-70.6, "mV", "leak reversal potential"),
        "V_threshold_mV": Parameter(-50.4, "mV", "potential at which the upstroke begins, at rest"),
        "V_threshold_spike_mV": Parameter(30.4, "mV", "the same, just after a spike"),
        "tau_threshold_ms": Parameter(50.0, "ms", "time constant of its way back", above=0.0),
        "slope_mV": Parameter(2.0, "mV", "slope factor of the upstroke", above=0.0),
        "tau_w_ms": Parameter(144.0, "ms", "time constant of the adaptation current", above=0.0),
        "a_nS": Parameter(4.0, "nS", "adaptation below threshold"),
        "b_pA": Parameter(80.5, "pA", "jump of the adaptation current at a spike"),
        "after_pA": Parameter(400.0, "pA", "depolarising current just after a spike"),
        "tau_after_ms": Parameter(40.0, "ms", "decay of this current", above=0.0),
        "V_peak_mV": Parameter(20.0, "mV", "potential at which a spike begins"),
        "V_spike_mV": Parameter(33.0, "mV", "potential during a spike"),
        "spike_ms": Parameter(2.0, "ms", "how long a spike lasts", minimum=0.0, in_steps=True),
        "V_reset_mV": Parameter(-60.0, "mV", "potential after a spike"),
        "offset_current": Parameter(0.0, "pA", "constant input"),
    },
    derived={
        "decay": Derived("exp(-dt_ms * g_leak_nS / C_pF)", vanishes=True),
        "decay_w": Derived("exp(-dt_ms / tau_w_ms)", vanishes=True),
        "decay_after": Derived("exp(-dt_ms / tau_after_ms)", vanishes=True),
        "decay_threshold": Derived("exp(-dt_ms / tau_threshold_ms)", vanishes=True),
        "resistance": Derived("1 / g_leak_nS"),
        "spike_steps": Derived("round(spike_ms / dt_ms)", "int"),
    },
    state=(
        Variable("V_mV", -70.6, "mV", doc="membrane potential"),
        Variable("w_pA", 0.0, "pA", doc="adaptation current"),
        Variable("z_pA", 0.0, "pA", doc="depolarising current behind a spike"),
        Variable("raised_mV", 0.0, "mV", doc="how far the threshold is above its rest"),
        Variable("spiking_steps", 0, "steps", "int", "steps until the spike is over"),
    ),
    check=_check,
    # Exponential Euler, as `adex`. Adaptation stands still during a spike.
    update="""
const bool spiking = spiking_steps > 0;
const float up_to_peak = V_mV < V_peak_mV ? V_mV : V_peak_mV;
const float upstroke = slope_mV * exponential((up_to_peak - V_threshold_mV - raised_mV) / slope_mV);
const float towards = (input_current + offset_current - w_pA + z_pA) * resistance + V_rest_mV + upstroke;
const float integrated = towards - decay * (towards - V_mV);
const float w_towards = a_nS * (V_mV - V_rest_mV);
w_pA = spiking ? w_pA : w_towards - decay_w * (w_towards - w_pA);
V_mV = !spiking ? integrated : spiking_steps > 1 ? V_mV : V_reset_mV;
z_pA = flushed(z_pA * decay_after);
raised_mV = flushed(raised_mV * decay_threshold);
spiking_steps = spiking ? spiking_steps - 1 : 0;
""",
    threshold="!spiking && V_mV >= V_peak_mV",
    reset="""
V_mV = spike_steps > 0 ? V_spike_mV : V_reset_mV;
w_pA += b_pA;
z_pA = after_pA;
raised_mV = V_threshold_spike_mV - V_threshold_mV;
spiking_steps = spike_steps;
""",
    source="Clopath, Buesing, Vasilaki & Gerstner 2010, Nat. Neurosci. 13:344, with V reset as in NEST's "
    "aeif_psc_delta_clopath",
)
