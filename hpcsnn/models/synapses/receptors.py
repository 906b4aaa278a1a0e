"""Receptors: what a spike does at its target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hpcsnn.models.base import Derived, Model, Variable
from hpcsnn.models.learning.gradients import ReceptorGradient
from hpcsnn.models.parameters import Parameter


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

Neuromodulator = ReceptorModel(
    "neuromodulator",
    "What arrives in a step, for other synapses to see as their third factor; no current.",
    state=(Variable("arrived", 0.0, "weight", doc="sum of the weights that arrived in the step"),),
    update="arrived = input;",
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
