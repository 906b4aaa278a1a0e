"""Synapses: what a spike does at its target (receptors), and what spikes do to the synapse (plasticity)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from hpcsnn.models.base import Derived, Model, Parameter, Variable


@dataclass(frozen=True)
class ReceptorModel(Model):
    """The postsynaptic side of a projection: one set of state variables a target neuron.

    ``update`` runs every step before the neuron's own update. It sees ``input`` (the weights delivered in this step),
    its own state and constants, and the neuron's state; it adds to ``input_current``.
    """

    KIND: ClassVar[str] = "receptor"
    SEES: ClassVar[tuple[str, ...]] = ("input", "input_current", "dt_ms", "flushed")

    state: tuple[Variable, ...] = ()
    update: str = ""


@dataclass(frozen=True)
class SpikeTrace:
    """An exponential trace of a neuron's spikes: + 1 a spike, decaying with the parameter named ``tau``."""

    name: str
    tau: str


@dataclass(frozen=True)
class SynapseModel(Model):
    """Variables of a synapse and what spikes do to them.

    ``deliver`` is the amount that a presynaptic spike brings. ``on_pre_spike`` runs after it, when the spike arrives;
    it sees the variables, the post traces and ``coincident`` (the target spiked in the step that the synapse sees).
    ``on_post_spike`` runs for every incoming synapse of a neuron that spiked; it sees the pre traces. ``bound`` is an
    expression over the parameters and ``initial_weight`` for the largest absolute amount one spike can bring;
    ``weight_range`` gives the weights that the rule keeps to, where it does.
    """

    KIND: ClassVar[str] = "synapse"
    SEES: ClassVar[tuple[str, ...]] = ("coincident", "seen")

    variables: tuple[Variable, ...] = (Variable("weight"),)
    pre_traces: tuple[SpikeTrace, ...] = ()
    post_traces: tuple[SpikeTrace, ...] = ()
    deliver: str = "weight"
    on_pre_spike: str = ""
    on_post_spike: str = ""
    bound: str = "abs(initial_weight)"
    weight_range: Callable[[Mapping[str, Any]], tuple[float, float]] | None = None


ExponentialConductance = ReceptorModel(
    "exponential_conductance",
    "A conductance that jumps by the weight and decays exponentially.",
    parameters={
        "tau_ms": Parameter(5.0, "ms", "decay time constant", above=0.0),
        "reversal_mV": Parameter(0.0, "mV", "reversal potential"),
    },
    derived={"decay": Derived("exp(-dt_ms / tau_ms)")},
    state=(Variable("g", 0.0, "conductance", doc="conductance"),),
    update="""
g += input;
input_current += g * (reversal_mV - V_mV);
g = flushed(g * decay);
""",
    source="Knight, Senk & Nowotny 2025, arXiv 2510.19764",
)

ExponentialCurrent = ReceptorModel(
    "exponential_current",
    "A current that jumps by the weight and decays exponentially.",
    parameters={"tau_ms": Parameter(5.0, "ms", "decay time constant", above=0.0)},
    derived={"decay": Derived("exp(-dt_ms / tau_ms)")},
    state=(Variable("current", 0.0, "current", doc="synaptic current"),),
    update="""
current += input;
input_current += current;
current = flushed(current * decay);
""",
)

Static = SynapseModel("static", "A weight that does not change.")


AdditiveSTDP = SynapseModel(
    "additive_stdp",
    "Additive pair-based STDP, all-to-all pairs, weight in [0, w_max].",
    parameters={
        "tau_plus_ms": Parameter(20.0, "ms", "time constant of potentiation", above=0.0),
        "tau_minus_ms": Parameter(64.0, "ms", "time constant of depression", above=0.0),
        "a_plus": Parameter(0.02, "weight", "potentiation a pair", minimum=0.0),
        "a_minus": Parameter(0.0075, "weight", "depression a pair", minimum=0.0),
        "w_max": Parameter(0.2, "weight", "upper bound of the weight", above=0.0),
    },
    pre_traces=(SpikeTrace("pre_trace", "tau_plus_ms"),),
    post_traces=(SpikeTrace("post_trace", "tau_minus_ms"),),
    on_pre_spike="""
const float depressed = weight - a_minus * post_trace;
weight = coincident ? weight : (depressed < 0.0f ? 0.0f : depressed);
""",
    on_post_spike="""
const float potentiated = weight + a_plus * pre_trace;
weight = coincident ? weight : (potentiated > w_max ? w_max : potentiated);
""",
    bound="w_max",
    weight_range=lambda values: (0.0, values["w_max"]),
    source="Song, Miller & Abbott 2000; Bamford, Murray & Willshaw 2010; coincident pairs as in GeNN 5",
)
