"""Rules that scale the weights of a target together, and leave the wiring as it is."""

from __future__ import annotations

from hpcsnn.models.base import Derived, Variable
from hpcsnn.models.parameters import Parameter
from hpcsnn.models.rewiring.rule import RewiringRule
from hpcsnn.models.rewiring.selections import PER_TARGET
from hpcsnn.models.synapses.synapse import SpikeTrace

SynapticScaling = RewiringRule(
    "synaptic_scaling",
    "A target that spikes less than its goal scales all its weights up, one that spikes more scales them down; none "
    "comes or goes.",
    parameters={
        "every_ms": Parameter(1000.0, "ms", "time between updates", above=0.0, in_steps=True),
        "goal_hz": Parameter(5.0, "Hz", "rate that a target comes to", minimum=0.0),
        "tau_activity_ms": Parameter(100_000.0, "ms", "time over which a target's rate is taken", above=0.0),
        "beta": Parameter(4e-5, "1/(s Hz)", "growth of a weight, as a part of it, by what the rate lacks", minimum=0.0),
        "gamma": Parameter(1e-7, "1/(s^2 Hz)", "the same by the integral of what it lacks", minimum=0.0),
        "w_max": Parameter(1.0, "weight", "upper bound of a weight's size", above=0.0),
    },
    derived={"every_s": Derived("every_ms * 1e-3"), "hz": Derived("1e3 / tau_activity_ms")},
    target_traces=(SpikeTrace("activity", "tau_activity_ms"),),
    target_variables=(Variable("lack", 0.0, "Hz s", doc="integral of what the rate lacks"),),
    update_target="lack += every_s * (goal_hz - activity * hz);",
    update="""
const float factor = 1.0f + every_s * (beta * (goal_hz - activity * hz) + gamma * post.lack);
const float scaled = weight * (factor < 0.0f ? 0.0f : factor);
weight = scaled > w_max ? w_max : scaled < -w_max ? -w_max : scaled;
""",
    bound="w_max",
    source="van Rossum, Bi & Turrigiano 2000, J. Neurosci. 20:8812, eq. 3; Turrigiano et al. 1998, Nature 391:892",
)

# Whole numbers add up alike in any order; 2^40 of them for the largest weight leave room for 2^23 synapses.
WeightNormalisation = RewiringRule(
    "weight_normalisation",
    "The sizes of a target's weights are scaled to one sum, again and again; none comes or goes.",
    parameters={
        "every_ms": Parameter(1000.0, "ms", "time between updates", above=0.0, in_steps=True),
        "total": Parameter(10.0, "weight", "sum of the sizes of a target's weights", minimum=0.0),
        "w_max": Parameter(1.0, "weight", "upper bound of a weight's size", above=0.0),
    },
    derived={"units": Derived("2.0 ** 40 / w_max")},
    select=PER_TARGET,
    per_target="""
int64 sum = 0;
for (int place = 0; place < row.size(); ++place) {
    const float weight = row.weight(place);
    sum += (int64)((weight < 0.0f ? -weight : weight) * units);
}
const float factor = sum > 0 ? total / ((float)sum / units) : 1.0f;
for (int place = 0; place < row.size(); ++place) {
    const float scaled = row.weight(place) * factor;
    row.weight(place) = scaled > w_max ? w_max : scaled < -w_max ? -w_max : scaled;
}
""",
    bound="w_max",
    source="multiplicative normalisation: Miller & MacKay 1994, Neural Comput. 6:100; as Lazar, Pipa & Triesch 2009, "
    "Front. Comput. Neurosci. 3:23",
)
