"""Plasticity by the times of spikes: of pairs, of triplets, of inhibition."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hpcsnn.errors import ConfigurationError
from hpcsnn.models.base import Derived
from hpcsnn.models.parameters import Parameter
from hpcsnn.models.synapses.synapse import SpikeTrace, SynapseModel, from_0_to_w_max

# Two spikes that coincide are no pair: neither came first. All older pairs of both count, so a rule reads the trace of
# the other side without the coincident spike, which has added exactly 1 to it.

AdditiveSTDP = SynapseModel(
    "additive_stdp",
    "Additive pair-based STDP, all-to-all pairs, weight in [0, w_max].",
    parameters={
        "tau_plus_ms": Parameter(20.0, "ms", "time constant of potentiation", above=0.0),
        "tau_minus_ms": Parameter(64.0, "ms", "time constant of depression", above=0.0),
        "a_plus": Parameter(0.02, "weight", "potentiation per pair", minimum=0.0),
        "a_minus": Parameter(0.0075, "weight", "depression per pair", minimum=0.0),
        "w_max": Parameter(0.2, "weight", "upper bound of the weight", above=0.0),
        "drop_older_pairs": Parameter(
            0, "", "1: a coincident pair takes its spikes' older pairs with it, as GeNN 5 does", "int", 0, maximum=1
        ),
    },
    pre_traces=(SpikeTrace("pre_trace", "tau_plus_ms"),),
    post_traces=(SpikeTrace("post_trace", "tau_minus_ms"),),
    on_pre_spike="""
const float depressed = weight - a_minus * (coincident ? post_trace - 1.0f : post_trace);
weight = coincident && drop_older_pairs == 1 ? weight : (depressed < 0.0f ? 0.0f : depressed);
""",
    on_post_spike="""
const float potentiated = weight + a_plus * (coincident ? pre_trace - 1.0f : pre_trace);
weight = coincident && drop_older_pairs == 1 ? weight : (potentiated > w_max ? w_max : potentiated);
""",
    bound="w_max",
    weight_range=from_0_to_w_max,
    source="Song, Miller & Abbott 2000; Bamford, Murray & Willshaw 2010",
)

MultiplicativeSTDP = SynapseModel(
    "multiplicative_stdp",
    "Pair-based STDP with soft bounds, all-to-all pairs: depression goes with w, potentiation with w_max - w.",
    parameters={
        "tau_plus_ms": Parameter(20.0, "ms", "time constant of potentiation", above=0.0),
        "tau_minus_ms": Parameter(20.0, "ms", "time constant of depression", above=0.0),
        "a_plus": Parameter(0.005, "", "potentiation per pair, as a part of w_max - w", minimum=0.0, maximum=1.0),
        "a_minus": Parameter(0.00525, "", "depression per pair, as a part of w", minimum=0.0, maximum=1.0),
        "w_max": Parameter(0.2, "weight", "upper bound of the weight", above=0.0),
    },
    pre_traces=(SpikeTrace("pre_trace", "tau_plus_ms"),),
    post_traces=(SpikeTrace("post_trace", "tau_minus_ms"),),
    # Guetig's exponent mu is 1 here and 0 in `additive_stdp`; powers in between are no float32 + - * /. Traces of many
    # spikes may exceed 1 / a, hence the bounds.
    on_pre_spike="""
const float depressed = weight - a_minus * weight * (coincident ? post_trace - 1.0f : post_trace);
weight = depressed < 0.0f ? 0.0f : depressed;
""",
    on_post_spike="""
const float potentiated = weight + a_plus * (w_max - weight) * (coincident ? pre_trace - 1.0f : pre_trace);
weight = potentiated > w_max ? w_max : potentiated;
""",
    bound="w_max",
    weight_range=from_0_to_w_max,
    source="Guetig, Aharonov, Rotter & Sompolinsky 2003 with mu = 1; depression as in van Rossum, Bi & Turrigiano "
    "2000, whose potentiation does not depend on w",
)

TripletSTDP = SynapseModel(
    "triplet_stdp",
    "Triplet STDP, all-to-all, weight in [0, w_max].",
    parameters={
        "tau_plus_ms": Parameter(16.8, "ms", "time constant of r1, potentiation of pairs", above=0.0),
        "tau_x_ms": Parameter(101.0, "ms", "time constant of r2, depression of triplets", above=0.0),
        "tau_minus_ms": Parameter(33.7, "ms", "time constant of o1, depression of pairs", above=0.0),
        "tau_y_ms": Parameter(125.0, "ms", "time constant of o2, potentiation of triplets", above=0.0),
        "a2_plus": Parameter(5e-10, "weight", "potentiation per pair", minimum=0.0),
        "a3_plus": Parameter(6.2e-3, "weight", "potentiation per triplet", minimum=0.0),
        "a2_minus": Parameter(7e-3, "weight", "depression per pair", minimum=0.0),
        "a3_minus": Parameter(2.3e-4, "weight", "depression per triplet", minimum=0.0),
        "w_max": Parameter(1.0, "weight", "upper bound of the weight", above=0.0),
    },
    pre_traces=(SpikeTrace("r1", "tau_plus_ms"), SpikeTrace("r2", "tau_x_ms")),
    post_traces=(SpikeTrace("o1", "tau_minus_ms"), SpikeTrace("o2", "tau_y_ms")),
    on_pre_spike="""
const float depressed = weight - (coincident ? o1 - 1.0f : o1) * (a2_minus + a3_minus * r2);
weight = depressed < 0.0f ? 0.0f : depressed;
""",
    on_post_spike="""
const float potentiated = weight + (coincident ? r1 - 1.0f : r1) * (a2_plus + a3_plus * o2);
weight = potentiated > w_max ? w_max : potentiated;
""",
    bound="w_max",
    weight_range=from_0_to_w_max,
    source="Pfister & Gerstner 2006, J. Neurosci. 26:9673; the full all-to-all model's fit to visual cortex (Table 4)",
)


# Two spikes of one time are a pair here, and one: the window has its peak at no lag, from either side. It is counted at
# the source's spike, whose trace of the target holds it; the trace of the source then does without it.


def _towards_w_max(values: Mapping[str, Any]) -> tuple[float, float]:
    return min(values["w_max"], 0.0), max(values["w_max"], 0.0)


def _check_sign(where: str, values: Mapping[str, Any]) -> None:
    if values["w_max"] == 0.0:
        raise ConfigurationError(
            f"{where}.w_max: 0 is not allowed; must be a number other than 0, of the weights' sign"
        )


InhibitorySTDP = SynapseModel(
    "inhibitory_stdp",
    "Symmetric STDP of inhibition, all-to-all pairs, by which the target comes to spike at a rate of its own choice; "
    "weight between 0 and w_max, which may be negative.",
    parameters={
        "tau_ms": Parameter(20.0, "ms", "time constant of the window, before and after", above=0.0),
        "eta": Parameter(0.005, "weight", "growth of the weight's size per pair", minimum=0.0),
        "rho0_hz": Parameter(5.0, "Hz", "rate of the target at which the weight stays", minimum=0.0),
        "w_max": Parameter(1.0, "weight", "the largest weight; negative where currents inhibit by negative weights"),
    },
    derived={
        "alpha": Derived("2e-3 * rho0_hz * tau_ms"),
        "growth": Derived("eta if w_max > 0 else -eta"),
        "lowest": Derived("min(w_max, 0.0)"),
        "highest": Derived("max(w_max, 0.0)"),
    },
    pre_traces=(SpikeTrace("pre_trace", "tau_ms"),),
    post_traces=(SpikeTrace("post_trace", "tau_ms"),),
    on_pre_spike="""
const float changed = weight + growth * (post_trace - alpha);
weight = changed < lowest ? lowest : changed > highest ? highest : changed;
""",
    on_post_spike="""
const float grown = weight + growth * (coincident ? pre_trace - 1.0f : pre_trace);
weight = grown < lowest ? lowest : grown > highest ? highest : grown;
""",
    bound="abs(w_max)",
    weight_range=_towards_w_max,
    check=_check_sign,
    source="Vogels, Sprekeler, Zenke, Clopath & Gerstner 2011, Science 334:1569",
)
