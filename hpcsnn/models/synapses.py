"""Synapses: what a spike does at its target (receptors), and what spikes do to the synapse (plasticity)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from hpcsnn.errors import ConfigurationError
from hpcsnn.models.base import Derived, Model, Variable
from hpcsnn.models.learning.gradients import ReceptorGradient
from hpcsnn.models.parameters import Parameter

NEURONS_OF_A_SYNAPSE = "stored synapses have their neurons by pre, post and source"


@dataclass(frozen=True, repr=False)
class ReceptorModel(Model):
    """The postsynaptic side of a projection: one set of state variables per target neuron.

    ``update`` runs every step before the neuron's own update. It sees ``input`` (the weights delivered in this step),
    its own state and constants, and the neuron's state; it adds to ``input_current``. ``gradient`` says how that
    depends on what has arrived: with it, the projection can be trained.

    Raises:
        ConfigurationError: a ``gradient`` by a variable, or a constant, that the model does not have; and as any
            `Model`.
    """

    KIND: ClassVar[str] = "receptor"
    SEES: ClassVar[tuple[str, ...]] = ("input", "input_current", "dt_ms")

    state: tuple[Variable, ...] = ()
    update: str = ""
    gradient: ReceptorGradient | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.gradient is not None:
            state, constants = [one.name for one in self.state], (*self.parameters, *self.derived)
            self.gradient.check(f"{self.name}.gradient", state, constants)


@dataclass(frozen=True)
class SpikeTrace:
    """An exponential trace of a neuron's spikes: + 1 per spike, decaying with the parameter named ``tau``."""

    name: str
    tau: str


@dataclass(frozen=True, repr=False)
class SynapseModel(Model):
    """Variables of a synapse and what spikes do to them.

    ``deliver`` is the amount that a presynaptic spike brings; it sees the variables and ``seen``, the step whose end
    the synapse sees. ``on_pre_spike`` runs after it, when the spike arrives; it sees these too, the post traces and
    ``coincident`` (the target spiked in that step).
    ``on_post_spike`` runs for every incoming synapse of a neuron that spiked; it sees the pre traces, and
    ``coincident`` where the source did too. Then the traces hold the other side's spike: exactly 1. Each may also
    name the traces of its own side, which are then those just before the spike. ``bound`` is an
    expression over the parameters and ``initial_weight`` for the largest absolute amount one spike can bring;
    ``weight_range`` gives the weights that the rule keeps to, where it does.
    """

    KIND: ClassVar[str] = "synapse"
    SEES: ClassVar[tuple[str, ...]] = ("coincident", "seen")
    KEPT: ClassVar[Mapping[tuple[str, str], str]] = {
        ("parameter", "initial_weight"): "`bound` has the weight of a new synapse by it",
        **{("variable", name): NEURONS_OF_A_SYNAPSE for name in ("pre", "post", "source")},
    }

    variables: tuple[Variable, ...] = (Variable("weight"),)
    pre_traces: tuple[SpikeTrace, ...] = ()
    post_traces: tuple[SpikeTrace, ...] = ()
    deliver: str = "weight"
    on_pre_spike: str = ""
    on_post_spike: str = ""
    bound: str = "abs(initial_weight)"
    weight_range: Callable[[Mapping[str, Any]], tuple[float, float]] | None = None

    @property
    def on_spikes(self) -> bool:
        """Whether a spike may change a synapse."""
        return bool(self.on_pre_spike.strip() or self.on_post_spike.strip())

    @property
    def own_pre_traces(self) -> tuple[SpikeTrace, ...]:
        """Pre traces that ``on_pre_spike`` names."""
        return tuple(trace for trace in self.pre_traces if re.search(rf"\b{trace.name}\b", self.on_pre_spike))

    @property
    def own_post_traces(self) -> tuple[SpikeTrace, ...]:
        """Post traces that ``on_post_spike`` names."""
        return tuple(trace for trace in self.post_traces if re.search(rf"\b{trace.name}\b", self.on_post_spike))


# The mean over a step of exp(-t / tau), t from the step's start. What decays within the step brings its charge where
# the step sees this; held at its start, it would bring dt / (2 tau) too much.
_STEP_MEAN = Derived("-expm1(-dt_ms / tau_ms) * tau_ms / dt_ms")


ExponentialConductance = ReceptorModel(
    "exponential_conductance",
    "A conductance that jumps by the weight and decays exponentially. A step sees its value at the step's start, as "
    "with GeNN's ExpCond: a spike brings weight * tau times (dt / tau) / (1 - exp(-dt / tau)), which is 1.01 for "
    "dt 0.1 ms and tau 5 ms.",
    parameters={
        "tau_ms": Parameter(5.0, "ms", "decay time constant", above=0.0),
        "reversal_mV": Parameter(0.0, "mV", "reversal potential"),
    },
    derived={"decay": Derived("exp(-dt_ms / tau_ms)", vanishes=True)},
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
    "A current that jumps by the weight and decays exponentially; a step sees its mean, so that a spike brings the "
    "charge weight * tau at any step.",
    parameters={"tau_ms": Parameter(5.0, "ms", "decay time constant", above=0.0)},
    derived={"decay": Derived("exp(-dt_ms / tau_ms)", vanishes=True), "step_mean": _STEP_MEAN},
    state=(Variable("current", 0.0, "current", doc="synaptic current"),),
    update="""
current += input;
input_current += current * step_mean;
current = flushed(current * decay);
""",
    gradient=ReceptorGradient(
        input={"current": "1.0f"}, carry={("current", "current"): "decay"}, output={"current": "step_mean"}
    ),
    source="exact integration: Rotter & Diesmann 1999, Biol. Cybern. 81:381; GeNN's ExpCurr",
)

DeltaCurrent = ReceptorModel(
    "delta_current",
    "A current of the weight in the step of the spike's arrival, and in that step only: a charge of weight * dt.",
    update="input_current += input;",
    gradient=ReceptorGradient(direct="1.0f"),
)

AlphaCurrent = ReceptorModel(
    "alpha_current",
    "A current weight * (t / tau) * exp(1 - t / tau): it rises to the weight at tau_ms after the spike's arrival. A "
    "step sees its mean, so that a spike brings the charge e * weight * tau at any step.",
    parameters={"tau_ms": Parameter(2.0, "ms", "time to the peak", above=0.0)},
    derived={
        "decay": Derived("exp(-dt_ms / tau_ms)", vanishes=True),
        "jump": Derived("exp(1) / tau_ms"),
        "gain": Derived("dt_ms * exp(-dt_ms / tau_ms)", vanishes=True),
        "step_mean": _STEP_MEAN,
        # What a rise at the step's start adds to the current, as a mean over the step.
        "step_mean_of_rise": Derived("tau_ms * (step_mean - exp(-dt_ms / tau_ms))"),
    },
    state=(
        Variable("current", 0.0, "current", doc="synaptic current"),
        Variable("rise", 0.0, "current/ms", doc="exponential that drives the current"),
    ),
    # Both are carried over the step exactly.
    update="""
rise += input * jump;
input_current += current * step_mean + rise * step_mean_of_rise;
current = flushed(current * decay + rise * gain);
rise = flushed(rise * decay);
""",
    gradient=ReceptorGradient(
        input={"rise": "jump"},
        carry={("current", "current"): "decay", ("current", "rise"): "gain", ("rise", "rise"): "decay"},
        output={"current": "step_mean", "rise": "step_mean_of_rise"},
    ),
    source="Rall 1967; exact integration: Rotter & Diesmann 1999, Biol. Cybern. 81:381",
)

Static = SynapseModel("static", "A weight that does not change.")


def _from_0_to_w_max(values: Mapping[str, Any]) -> tuple[float, float]:
    return 0.0, values["w_max"]


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
    weight_range=_from_0_to_w_max,
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
    weight_range=_from_0_to_w_max,
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
    weight_range=_from_0_to_w_max,
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

# Both decays are exact from spike to spike. A spike first raises u, then takes u x of x; what is kept is as the spike
# leaves it, so that a synapse without a spike (u 0, x 1) needs no time to begin with.
TsodyksMarkram = SynapseModel(
    "tsodyks_markram",
    "Short-term depression and facilitation: a spike brings weight * u * x, of which weight is the most there can be.",
    parameters={
        "U": Parameter(0.5, "", "use of a first spike, and rise of u at each", minimum=0.0, maximum=1.0),
        "tau_rec_ms": Parameter(800.0, "ms", "recovery of x; 0: at once", minimum=0.0),
        "tau_facil_ms": Parameter(0.0, "ms", "decay of u; 0: u is U at each spike", minimum=0.0),
    },
    derived={
        # 128 time constants a step leave nothing in float32, as 0 ms would.
        "recovery": Derived("dt_ms / max(tau_rec_ms, dt_ms / 128)"),
        "decay": Derived("dt_ms / max(tau_facil_ms, dt_ms / 128)"),
    },
    variables=(
        Variable("weight"),
        Variable("use", 0.0, "", doc="u, just after the last spike"),
        Variable("resources", 1.0, "", doc="x, just after the last spike"),
        Variable("last_step", 0, "steps", "int", "step of the last spike, as the synapse saw it"),
    ),
    deliver="""
const float elapsed = (float)(seen - last_step);
const float left = use * exponential(-elapsed * decay);
return weight * ((left + U * (1.0f - left)) * (1.0f - (1.0f - resources) * exponential(-elapsed * recovery)));
""",
    on_pre_spike="""
const float elapsed = (float)(seen - last_step);
const float left = use * exponential(-elapsed * decay);
const float recovered = 1.0f - (1.0f - resources) * exponential(-elapsed * recovery);
use = left + U * (1.0f - left);
resources = recovered - use * recovered;
last_step = seen;
""",
    source="Tsodyks, Pawelzik & Markram 1998, Neural Comput. 10:821, with resources that are inactive "
    "at once; spike by spike as in Markram, Wang & Tsodyks 1998, PNAS 95:5323",
)


def _within_w_max(values: Mapping[str, Any]) -> tuple[float, float]:
    return -values["w_max"], values["w_max"]


Trained = SynapseModel(
    "trained",
    "A weight of either sign that a Trainer changes, and keeps within w_max; outside of training it does not change.",
    parameters={"w_max": Parameter(4.0, "weight", "largest absolute weight", above=0.0)},
    bound="w_max",
    weight_range=_within_w_max,
)
