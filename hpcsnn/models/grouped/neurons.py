"""Neuron models that stand in groups: the winner of a group spikes, or its softmax does."""

from __future__ import annotations

from hpcsnn.models.base import Derived, Variable
from hpcsnn.models.grouped.operation import GROUP_SIZE, GroupOperation, group_size_parameter
from hpcsnn.models.neurons import LIF, NeuronModel
from hpcsnn.models.parameters import Parameter

WinnerLIF = NeuronModel(
    "winner_lif",
    "A LIF whose threshold rises by its spikes; of a group only the one furthest above its threshold spikes, and "
    "inhibits the others.",
    parameters={
        **LIF.parameters,
        GROUP_SIZE: group_size_parameter(100),
        "rise_mV": Parameter(0.05, "mV", "rise of the threshold per spike", minimum=0.0),
        "tau_rise_ms": Parameter(1e7, "ms", "decay of the threshold's rise", above=0.0),
        "inhibition_mV": Parameter(20.0, "mV", "what a spike takes from V of all others in its group", minimum=0.0),
        "V_lowest_mV": Parameter(-90.0, "mV", "potential below which no inhibition brings V"),
    },
    derived={**LIF.derived, "rise_decay": Derived("exp(-dt_ms / tau_rise_ms)", vanishes=True)},
    state=(*LIF.state, Variable("raised_mV", 0.0, "mV", doc="rise of the threshold by spikes of the past")),
    check=LIF.check,
    update=f"""
{LIF.update.strip()}
raised_mV = flushed(raised_mV * rise_decay);
""",
    # What is refractory competes behind all others: it is far below any threshold.
    group=GroupOperation(
        of="frozen_steps > 0 ? -1e30f : V_mV - V_threshold_mV - raised_mV",
        update="""
if (group_max >= 0.0f && !is_winner) {
    const float inhibited = V_mV - inhibition_mV;
    V_mV = inhibited > V_lowest_mV ? inhibited : V_mV < V_lowest_mV ? V_mV : V_lowest_mV;
}
""",
    ),
    threshold="is_winner && group_max >= 0.0f",
    reset="V_mV = V_reset_mV; frozen_steps = refractory_steps; raised_mV += rise_mV;",
    source="Diehl & Cook 2015, Front. Comput. Neurosci. 9:99, with the winner's inhibition in the step of its spike; "
    "Dong et al. 2022",
)

SoftmaxUnit = NeuronModel(
    "softmax_unit",
    "A leaky sum of its input whose softmax within its group is its activity, and its chance of a spike.",
    parameters={
        GROUP_SIZE: group_size_parameter(100),
        "tau_m_ms": Parameter(5.0, "ms", "time constant of the support", above=0.0),
        "gain": Parameter(1.0, "", "what the support is multiplied by before its softmax", minimum=0.0),
        "rate_hz": Parameter(100.0, "Hz", "rate of a unit whose activity is 1", minimum=0.0),
    },
    derived={
        "decay": Derived("exp(-dt_ms / tau_m_ms)", vanishes=True),
        "chance_of_spike": Derived("min(rate_hz * dt_ms * 1e-3, 1)"),
    },
    state=(
        Variable("support", 0.0, "", doc="leaky sum of the input"),
        Variable("bias", 0.0, "", doc="constant part of the support, such as the logarithm of a prior"),
        Variable("activity", 0.0, "", doc="softmax of support + bias within the group"),
    ),
    update="support = flushed(decay * support + input_current);",
    group=GroupOperation(of="gain * (support + bias)", update="activity = group_softmax;"),
    threshold="random.uniform() < activity * chance_of_spike",
    source="Ravichandran, Lansner & Herman 2025: a hypercolumn's units; spikes as of Poisson processes",
)
