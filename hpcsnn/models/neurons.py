"""Neuron models. A new one is one more `NeuronModel` in this file, or in a file of the user's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from hpcsnn.errors import ConfigurationError, shown
from hpcsnn.models.base import Derived, PopulationModel, Variable
from hpcsnn.models.chance_tables import few_poisson_events, poisson_table
from hpcsnn.models.grouped.operation import GROUP_NAMES, GROUP_SIZE, GroupOperation
from hpcsnn.models.learning.gradients import Gradient
from hpcsnn.models.parameters import Parameter
from hpcsnn.models.snippet_text import mentioned
from hpcsnn.models.tables import PlacementContext, Table


@dataclass(frozen=True, repr=False)
class NeuronModel(PopulationModel):
    """A model whose neurons are updated every step.

    Snippets see the parameters, the derived constants, the state by name, ``dt_ms`` and ``input_current`` (the sum of
    the receptors' currents). ``update`` advances the state, ``threshold`` is an expression, ``reset`` runs on a spike.
    Where a snippet mentions ``random``, each ``random.next()`` is a fresh 32-bit number of this neuron and step.
    A parameter may have one value per neuron; the snippets see their own neuron's, the checks each neuron's.
    ``gradient`` says how a spike depends on the neuron's past: with it, the model can be trained.
    Neurons of a model without a threshold never spike: they take projections and send none. With a ``group``, as many
    neighbours in number as the parameter ``group_size`` says compare a value in each step; see `GroupOperation`.

    Raises:
        ConfigurationError: a ``reset`` without a ``threshold``; a ``gradient`` by a variable, or a constant, that the
            model does not have, or beside a ``group``; a ``group`` without ``group_size``; and as any `Model`.
    """

    KIND: ClassVar[str] = "neuron"
    SEES: ClassVar[tuple[str, ...]] = (*("input_current", "dt_ms", "step", "neuron", "random"), *GROUP_NAMES)
    OF_NEURONS: ClassVar[bool] = True

    update: str = ""
    threshold: str = "false"
    reset: str = ""
    gradient: Gradient | None = None
    group: GroupOperation | None = None

    def __post_init__(self) -> None:
        if self.reset.strip() and not self.spikes:
            raise ConfigurationError(
                f"{self.name}.reset: never runs, since the model has no threshold and its neurons never spike; give a "
                "threshold, the condition of a spike"
            )
        super().__post_init__()
        if self.group is not None:
            self._check_group()
        if self.gradient is not None:
            state, constants = [one.name for one in self.state], (*self.parameters, *self.derived)
            self.gradient.check(f"{self.name}.gradient", state, constants)

    def _check_group(self) -> None:
        if not isinstance(self.group, GroupOperation):
            raise ConfigurationError(f"{self.name}.group: {shown(self.group)} is not a GroupOperation")
        size = self.parameters.get(GROUP_SIZE)
        if size is None or size.ctype != "int" or size.minimum is None or size.minimum < 1:
            raise ConfigurationError(
                f"{self.name}.group: needs a parameter {GROUP_SIZE}, a whole number of at least 1, which says how many "
                "neurons are a group"
            )
        if self.gradient is not None:
            raise ConfigurationError(f"{self.name}.group: is not allowed beside a gradient, which goes by no group")

    @property
    def spikes(self) -> bool:
        """False for a model without a threshold: a readout, which takes input and never spikes."""
        return self.threshold.strip() not in ("", "false")

    def mentions(self, name: str) -> bool:
        """Whether a snippet of a step has this word in it, such as ``random``."""
        of_group = (self.group.of, self.group.update) if self.group else ()
        return mentioned(rf"\b{name}\b", (self.update, self.threshold, self.reset, *of_group))


def _must_be_above(where: str, values: Mapping[str, Any], upper: str, lower: str) -> None:
    if values[upper] <= values[lower]:
        raise ConfigurationError(
            f"{where}.{upper}: {values[upper]} is not allowed; must be above {lower} ({values[lower]})"
        )


def _threshold_above_reset(where: str, values: Mapping[str, Any]) -> None:
    _must_be_above(where, values, "V_threshold_mV", "V_reset_mV")


# Steps without integration behind the spike's own: exactly the period, as in NEST; the nearest to one that is drawn.
_REFRACTORY_STEPS = Derived("round(refractory_ms / dt_ms)", "int")
_FROZEN_STEPS = Variable("frozen_steps", 0, "steps", "int", "steps left of the refractory period")


LIF = NeuronModel(
    "lif",
    "Leaky integrate-and-fire, exact for a current that is constant over the step.",
    parameters={
        "tau_m_ms": Parameter(20.0, "ms", "membrane time constant", above=0.0),
        "V_rest_mV": Parameter(-70.0, "mV", "resting potential"),
        "V_reset_mV": Parameter(-70.0, "mV", "potential after a spike"),
        "V_threshold_mV": Parameter(-54.0, "mV", "spike threshold"),
        "resistance": Parameter(1.0, "mV per unit of current", "membrane resistance, tau_m / C", above=0.0),
        "refractory_ms": Parameter(5.0, "ms", "time without integration after a spike", minimum=0.0, in_steps=True),
        "offset_current": Parameter(0.0, "units of current", "constant input"),
    },
    derived={
        "decay": Derived("exp(-dt_ms / tau_m_ms)", vanishes=True),
        "refractory_steps": _REFRACTORY_STEPS,
    },
    state=(Variable("V_mV", -70.0, "mV", doc="membrane potential"), _FROZEN_STEPS),
    check=_threshold_above_reset,
    update="""
const bool frozen = frozen_steps > 0;
const float towards = (input_current + offset_current) * resistance + V_rest_mV;
const float integrated = towards - decay * (towards - V_mV);
V_mV = frozen ? V_mV : integrated;
frozen_steps = frozen ? frozen_steps - 1 : 0;
""",
    threshold="!frozen && V_mV >= V_threshold_mV",
    reset="V_mV = V_reset_mV; frozen_steps = refractory_steps;",
    source="Knight, Senk & Nowotny 2025, arXiv 2510.19764; GeNN's LIF",
)

ALIF = NeuronModel(
    "alif",
    "The LIF with a threshold of V_threshold_mV + beta_mV * adaptation, which each spike raises by one.",
    parameters={
        **LIF.parameters,
        "beta_mV": Parameter(2.0, "mV", "rise of the threshold per spike", minimum=0.0),
        "tau_adaptation_ms": Parameter(200.0, "ms", "decay of the threshold's rise", above=0.0),
    },
    derived={**LIF.derived, "adaptation_decay": Derived("exp(-dt_ms / tau_adaptation_ms)", vanishes=True)},
    state=(*LIF.state, Variable("adaptation", 0.0, "spikes", doc="recent spikes, each weighed by its age")),
    check=_threshold_above_reset,
    # As published, a(t + dt) = decay * a(t) + spike(t): a spike counts in full in the step after it.
    update=f"""
{LIF.update.strip()}
const float raised_mV = V_threshold_mV + beta_mV * adaptation;
adaptation = flushed(adaptation * adaptation_decay);
""",
    threshold="!frozen && V_mV >= raised_mV",
    reset=f"{LIF.reset} adaptation += 1.0f;",
    source="Bellec et al. 2018, arXiv 1803.09574; 2020, Nat. Commun. 11:3625; here V is set to V_reset_mV by a spike",
)


def _few_background_spikes(where: str, values: Mapping[str, Any], n_neurons: int, dt_ms: float) -> None:
    few_poisson_events(f"{where}.background_hz", values["background_hz"], dt_ms)


def _background_events(context: PlacementContext) -> NDArray[np.uint32]:
    return poisson_table(context.values["background_hz"] * context.dt_ms * 1e-3)


LIFBackground = NeuronModel(
    "lif_background",
    "The LIF with a Poisson input of its own for every neuron, through a current that jumps and decays.",
    parameters={
        **LIF.parameters,
        "background_hz": Parameter(8000.0, "Hz", "rate of a neuron's background spikes, all together", minimum=0.0),
        "background_weight": Parameter(0.5, "units of current", "jump of the current per background spike"),
        "background_tau_ms": Parameter(5.0, "ms", "decay time constant of the current", above=0.0),
    },
    derived={
        **LIF.derived,
        "background_decay": Derived("exp(-dt_ms / background_tau_ms)", vanishes=True),
        "background_mean": Derived("-expm1(-dt_ms / background_tau_ms) * background_tau_ms / dt_ms"),
    },
    tables={"events": Table("uint32", _background_events)},
    state=(*LIF.state, Variable("background_current", 0.0, "units of current", doc="current of the background")),
    check=_threshold_above_reset,
    check_population=_few_background_spikes,
    # The number of a step's spikes is Poisson distributed, each probability to 2^-32. They act as spikes that arrive in
    # this step at an `exponential_current` receptor: the current jumps at the step's start and decays, in a refractory
    # neuron too, and the step sees its mean.
    update=f"""
background_current += background_weight * (float)poisson_events(events, random.next());
input_current += background_current * background_mean;
background_current = flushed(background_current * background_decay);
{LIF.update.strip()}
""",
    threshold=LIF.threshold,
    reset=LIF.reset,
    source="the LIF's; the situation of NEST's iaf_psc_exp with a poisson_generator",
)


def _peak_above_reset(where: str, values: Mapping[str, Any]) -> None:
    _must_be_above(where, values, "V_peak_mV", "c")


Izhikevich = NeuronModel(
    "izhikevich",
    "Izhikevich's simple model: a quadratic potential and a recovery variable.",
    parameters={
        "a": Parameter(0.02, "1/ms", "rate of the recovery variable", minimum=0.0),
        "b": Parameter(0.2, "1/ms", "sensitivity of the recovery variable to V"),
        "c": Parameter(-65.0, "mV", "potential after a spike"),
        "d": Parameter(8.0, "mV/ms", "jump of the recovery variable at a spike"),
        "V_peak_mV": Parameter(30.0, "mV", "potential at which a spike is cut off"),
        "offset_current": Parameter(0.0, "mV/ms", "constant input"),
    },
    derived={"half_dt_ms": Derived("0.5 * dt_ms")},
    state=(
        Variable("V_mV", -65.0, "mV", doc="membrane potential"),
        Variable("u", -13.0, "mV/ms", doc="recovery variable"),
    ),
    check=_peak_above_reset,
    # As published: V in two Euler steps of half the length, then u in one, from the new V. The published program looks
    # for V >= 30 at the start of the next step, this one at the end of the step: the same trajectory.
    update="""
const float drive = input_current + offset_current;
V_mV += half_dt_ms * ((0.04f * V_mV + 5.0f) * V_mV + 140.0f - u + drive);
V_mV += half_dt_ms * ((0.04f * V_mV + 5.0f) * V_mV + 140.0f - u + drive);
u += dt_ms * (a * (b * V_mV - u));
""",
    threshold="V_mV >= V_peak_mV",
    reset="V_mV = c; u += d;",
    # Of V by the potential half a step earlier, of that by the one at the start; and whether the reset has left
    # anything of what V was: it has not where V starts from c.
    gradient=Gradient(
        distance="(V_mV - V_peak_mV) / (V_peak_mV - c)",
        width="V_peak_mV - c",
        recorded={
            "first_slope": "1.0f + half_dt_ms * (0.08f * V_mV + 5.0f)",
            "second_slope": "1.0f + half_dt_ms * (0.08f * (V_mV + half_dt_ms * ((0.04f * V_mV + 5.0f) * V_mV + 140.0f"
            " - u + input_current + offset_current)) + 5.0f)",
            "left": "V_mV == c ? 0.0f : 1.0f",
        },
        input={
            "V_mV": "half_dt_ms * (second_slope + 1.0f)",
            "u": "2.0f * half_dt_ms * a * b * half_dt_ms * (second_slope + 1.0f)",
        },
        spike={"V_mV": "1.0f"},
        carry={
            ("V_mV", "V_mV"): "left * first_slope * second_slope",
            ("V_mV", "u"): "-half_dt_ms * (second_slope + 1.0f)",
            ("u", "V_mV"): "2.0f * half_dt_ms * a * b * left * first_slope * second_slope",
            ("u", "u"): "1.0f - 2.0f * half_dt_ms * a * (1.0f + b * half_dt_ms * (second_slope + 1.0f))",
        },
        jump={"u": "d"},
    ),
    source="Izhikevich 2003, IEEE Trans. Neural Netw. 14:1569",
)

# e^80 times a slope and a step is still far from the largest float32.
_MOST_UPSTROKE = 80.0


def check_adex(where: str, values: Mapping[str, Any]) -> None:
    """Refuse a peak that is not above threshold and reset, or whose upstroke float32 does not hold."""
    _must_be_above(where, values, "V_peak_mV", "V_threshold_mV")
    _must_be_above(where, values, "V_peak_mV", "V_reset_mV")
    highest = values["V_threshold_mV"] + _MOST_UPSTROKE * values["slope_mV"]
    if values["V_peak_mV"] > highest:
        raise ConfigurationError(
            f"{where}.V_peak_mV: {values['V_peak_mV']} is not allowed; must be <= V_threshold_mV + "
            f"{_MOST_UPSTROKE:g} slope_mV ({values['V_threshold_mV']:g} + {_MOST_UPSTROKE:g} * "
            f"{values['slope_mV']:g} = {highest:g}), or the exponential overflows"
        )


AdEx = NeuronModel(
    "adex",
    "Adaptive exponential integrate-and-fire; currents in pA, so conductances of its receptors are in nS.",
    parameters={
        "C_pF": Parameter(281.0, "pF", "membrane capacitance", above=0.0),
        "g_leak_nS": Parameter(30.0, "nS", "leak conductance", above=0.0),
        "V_rest_mV": Parameter(-70.6, "mV", "leak reversal potential"),
        "V_threshold_mV": Parameter(-50.4, "mV", "potential at which the upstroke begins"),
        "slope_mV": Parameter(2.0, "mV", "slope factor of the upstroke", above=0.0),
        "tau_w_ms": Parameter(144.0, "ms", "time constant of the adaptation current", above=0.0),
        "a_nS": Parameter(4.0, "nS", "adaptation below threshold"),
        "b_pA": Parameter(80.5, "pA", "jump of the adaptation current at a spike"),
        "V_reset_mV": Parameter(-70.6, "mV", "potential after a spike"),
        "V_peak_mV": Parameter(20.0, "mV", "potential at which a spike is cut off"),
        "refractory_ms": Parameter(
            0.0, "ms", "time without integration of V after a spike", minimum=0.0, in_steps=True
        ),
        "offset_current": Parameter(0.0, "pA", "constant input"),
    },
    derived={
        "decay": Derived("exp(-dt_ms * g_leak_nS / C_pF)", vanishes=True),
        "decay_w": Derived("exp(-dt_ms / tau_w_ms)", vanishes=True),
        "resistance": Derived("1 / g_leak_nS"),
        "refractory_steps": _REFRACTORY_STEPS,
    },
    state=(
        Variable("V_mV", -70.6, "mV", doc="membrane potential"),
        Variable("w_pA", 0.0, "pA", doc="adaptation current"),
        _FROZEN_STEPS,
    ),
    check=check_adex,
    # Exponential Euler: exact for an upstroke, adaptation and input that are constant over the step, so that without
    # upstroke and adaptation this is the LIF. A step takes the upstroke from its start, so that spikes come about four
    # steps late at 0.1 ms (five at 0.01 ms). An initial V above the peak has the upstroke of the peak.
    update="""
const bool frozen = frozen_steps > 0;
const float up_to_peak = V_mV < V_peak_mV ? V_mV : V_peak_mV;
const float upstroke = slope_mV * exponential((up_to_peak - V_threshold_mV) / slope_mV);
const float towards = (input_current + offset_current - w_pA) * resistance + V_rest_mV + upstroke;
const float integrated = towards - decay * (towards - V_mV);
const float w_towards = a_nS * (V_mV - V_rest_mV);
w_pA = w_towards - decay_w * (w_towards - w_pA);
V_mV = frozen ? V_mV : integrated;
frozen_steps = frozen ? frozen_steps - 1 : 0;
""",
    threshold="!frozen && V_mV >= V_peak_mV",
    reset="V_mV = V_reset_mV; w_pA += b_pA; frozen_steps = refractory_steps;",
    source="Brette & Gerstner 2005, J. Neurophysiol. 94:3637",
)


# A potential that has no unit, input that is added as it is, and a reset that takes the threshold away: what
# classifiers are made of. The reset and the refractory period carry no gradient (Bellec et al. 2020, methods).
LIFSubtractive = NeuronModel(
    "lif_subtractive",
    "Leaky integrator without units; a spike takes the threshold away. It integrates while it is refractory.",
    parameters={
        "tau_m_ms": Parameter(20.0, "ms", "membrane time constant", above=0.0),
        "V_threshold": Parameter(0.61, "", "spike threshold", above=0.0),
        "refractory_ms": Parameter(5.0, "ms", "time without spikes after a spike", minimum=0.0, in_steps=True),
    },
    derived={
        "decay": Derived("exp(-dt_ms / tau_m_ms)", vanishes=True),
        "refractory_steps": _REFRACTORY_STEPS,
    },
    state=(
        Variable("V", 0.0, "", doc="membrane potential"),
        Variable("silent_steps", 0, "steps", "int", "steps left of the refractory period"),
    ),
    update="""
V = decay * V + input_current;
silent_steps = silent_steps > 0 ? silent_steps - 1 : 0;
""",
    threshold="silent_steps == 0 && V >= V_threshold",
    reset="V -= V_threshold; silent_steps = refractory_steps;",
    gradient=Gradient(
        distance="(V - V_threshold) / V_threshold",
        width="V_threshold",
        blocked="silent_steps > 0",
        input={"V": "1.0f"},
        spike={"V": "1.0f"},
        carry={("V", "V"): "decay"},
    ),
    source="mlGeNN's LeakyIntegrateFire with relative reset: Knight & Nowotny 2023, doi 10.1145/3584954.3585001",
)

ALIFSubtractive = NeuronModel(
    "alif_subtractive",
    "lif_subtractive with a threshold of V_threshold + beta * adaptation, which each spike raises by one.",
    parameters={
        **LIFSubtractive.parameters,
        "V_threshold": Parameter(0.6, "", "spike threshold at rest", above=0.0),
        "beta": Parameter(0.0174, "", "rise of the threshold per spike", minimum=0.0),
        "tau_adaptation_ms": Parameter(2000.0, "ms", "decay of the threshold's rise", above=0.0),
    },
    derived={**LIFSubtractive.derived, "adaptation_decay": Derived("exp(-dt_ms / tau_adaptation_ms)", vanishes=True)},
    state=(*LIFSubtractive.state, Variable("adaptation", 0.0, "spikes", doc="recent spikes, each weighed by its age")),
    update=f"""
{LIFSubtractive.update.strip()}
adaptation = flushed(adaptation * adaptation_decay);
""",
    threshold="silent_steps == 0 && V >= V_threshold + beta * adaptation",
    reset=f"{LIFSubtractive.reset} adaptation += 1.0f;",
    gradient=Gradient(
        distance="(V - (V_threshold + beta * adaptation)) / V_threshold",
        width="V_threshold",
        blocked="silent_steps > 0",
        input={"V": "1.0f"},
        spike={"V": "1.0f", "adaptation": "-beta"},
        carry={("V", "V"): "decay", ("adaptation", "adaptation"): "adaptation_decay"},
        jump={"adaptation": "1.0f"},
    ),
    source="Bellec et al. 2020, Nat. Commun. 11:3625; in the form of mlGeNN's AdaptiveLeakyIntegrateFire",
)

LeakyReadout = NeuronModel(
    "leaky_readout",
    "A leaky integrator that never spikes, with a bias that is added in every step: a network's answer is read off it.",
    parameters={"tau_m_ms": Parameter(20.0, "ms", "membrane time constant", above=0.0)},
    derived={"decay": Derived("exp(-dt_ms / tau_m_ms)", vanishes=True)},
    state=(
        Variable("V", 0.0, "", doc="membrane potential"),
        Variable("bias", 0.0, "", doc="constant input, which training changes"),
    ),
    update="V = decay * V + input_current + bias;",
    gradient=Gradient(
        output="V", input={"V": "1.0f"}, spike={"V": "1.0f"}, carry={("V", "V"): "decay"}, trained={"bias": "V"}
    ),
    source="Bellec et al. 2020, Nat. Commun. 11:3625",
)
