"""Plasticity by three factors: spikes of both neurons make a synapse eligible, and reward changes its weight."""

from __future__ import annotations

from hpcsnn.models.base import Derived, Variable
from hpcsnn.models.parameters import Parameter
from hpcsnn.models.synapses.synapse import SpikeTrace, SynapseModel, from_0_to_w_max

# Eligibility and dopamine are exponentials from one event to the next, so that what the weight gains in between is
# their integral. A stretch of dopamine begins whenever more of it arrives, and every synapse of that target is brought
# up to there in the next step; until it is, it is in the stretch before. A synapse that formed since its stretch began
# has no eligibility yet.
_BROUGHT_UP_TO_DATE = """
const bool before = last_step < begun;
const int since = before ? begun_before : begun;
const int from = last_step > since ? last_step : since;
const float elapsed = (float)(seen - from);
const float at_hand = (before ? dopamine_before : dopamine) * exponential((float)(since - from) * dopamine_rate);
const float shrunk = elapsed * both_rate, faded = elapsed * eligibility_rate;
// 1 - exp(-x), to the last bits for small x too.
const float of_both = shrunk > 0.05f ? 1.0f - exponential(-shrunk)
    : shrunk * (1.0f - shrunk * (0.5f - shrunk * (0.16666667f - shrunk * 0.041666668f)));
const float of_one = faded > 0.05f ? 1.0f - exponential(-faded)
    : faded * (1.0f - faded * (0.5f - faded * (0.16666667f - faded * 0.041666668f)));
const float gained = eligibility
    * (at_hand * both_ms * of_both + (before ? level_before : level_now) * tau_eligibility_ms * of_one);
const float grown = weight + gained;
const float brought = grown < 0.0f ? 0.0f : grown > w_max ? w_max : grown;
"""
_NOW = """
weight = brought;
eligibility *= exponential((float)(last_step - seen) * eligibility_rate);
last_step = seen;
"""

DopamineSTDP = SynapseModel(
    "dopamine_stdp",
    "Reward-modulated STDP: pairs of spikes change an eligibility that decays, and the weight changes by eligibility "
    "times (dopamine + level) per ms. Weight in [0, w_max].",
    parameters={
        "tau_plus_ms": Parameter(20.0, "ms", "time constant of pairs, source first", above=0.0),
        "tau_minus_ms": Parameter(20.0, "ms", "time constant of pairs, target first", above=0.0),
        "a_plus": Parameter(0.01, "weight", "eligibility per pair, source first", minimum=0.0),
        "a_minus": Parameter(0.015, "weight", "eligibility that a pair takes, target first", minimum=0.0),
        "tau_eligibility_ms": Parameter(1000.0, "ms", "time constant of the eligibility", above=0.0),
        "tau_dopamine_ms": Parameter(200.0, "ms", "time constant of the dopamine that the modulator brings", above=0.0),
        "level": Parameter(0.0, "1/ms", "what adds to the dopamine everywhere; negative for a baseline"),
        "settle_ms": Parameter(
            1000.0, "ms", "every so long, weights as they are kept are those of now", above=0.0, in_steps=True
        ),
        "w_max": Parameter(1.0, "weight", "upper bound of the weight", above=0.0),
    },
    derived={
        "eligibility_rate": Derived("dt_ms / tau_eligibility_ms"),
        "dopamine_rate": Derived("dt_ms / tau_dopamine_ms"),
        "both_rate": Derived("dt_ms / tau_eligibility_ms + dt_ms / tau_dopamine_ms"),
        "both_ms": Derived("1 / (1 / tau_eligibility_ms + 1 / tau_dopamine_ms)"),
        "settle_steps": Derived("round(settle_ms / dt_ms)", "int"),
    },
    variables=(
        Variable("weight"),
        Variable("eligibility", 0.0, "weight", doc="at the synapse's last event"),
        Variable("last_step", 0, "steps", "int", "step of its last event"),
    ),
    pre_traces=(SpikeTrace("pre_trace", "tau_plus_ms"),),
    post_traces=(SpikeTrace("post_trace", "tau_minus_ms"),),
    target_variables=(
        Variable("dopamine", 0.0, "1/ms", doc="just after it arrived last"),
        Variable("level_now", 0.0, "1/ms", doc="the level since then"),
        Variable("begun", 0, "steps", "int", "step in which it arrived, or the level changed"),
        Variable("dopamine_before", 0.0, "1/ms", doc="just after it arrived the time before"),
        Variable("level_before", 0.0, "1/ms", doc="the level between these two"),
        Variable("begun_before", 0, "steps", "int", "step of the time before"),
    ),
    update_target="""
if (modulation != 0.0f || level != level_now) {
    dopamine_before = dopamine;
    level_before = level_now;
    begun_before = begun;
    dopamine = flushed(dopamine * exponential((float)(begun - seen) * dopamine_rate)) + modulation;
    level_now = level;
    begun = seen;
}
""",
    deliver=f"{_BROUGHT_UP_TO_DATE}return brought;",
    on_pre_spike=f"{_BROUGHT_UP_TO_DATE}{_NOW}eligibility -= a_minus * (coincident ? post_trace - 1.0f : post_trace);",
    on_post_spike=f"{_BROUGHT_UP_TO_DATE}{_NOW}eligibility += a_plus * (coincident ? pre_trace - 1.0f : pre_trace);",
    on_step_if="begun == seen || (seen + 2) % settle_steps == 0",
    on_step=f"{_BROUGHT_UP_TO_DATE}{_NOW}",
    bound="w_max",
    weight_range=from_0_to_w_max,
    source="Izhikevich 2007, Cereb. Cortex 17:2443; from event to event as in Potjans, Morrison & Diesmann 2010, "
    "Front. Comput. Neurosci. 4:141, NEST's stdp_dopamine_synapse",
)
