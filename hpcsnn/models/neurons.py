"""Neuron models. A new one is one more `NeuronModel` in this file, or in a file of the user's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from hpcsnn.errors import ConfigurationError
from hpcsnn.models.base import Derived, Model, Parameter, Variable


@dataclass(frozen=True)
class NeuronModel(Model):
    """A model whose neurons are updated every step.

    Snippets see the parameters, the derived constants, the state by name, ``dt_ms`` and ``input_current`` (the sum of
    the receptors' currents). ``update`` advances the state, ``threshold`` is an expression, ``reset`` runs on a spike.
    A parameter may have one value a neuron; the snippets see their own neuron's.
    """

    of_neurons: ClassVar[bool] = True

    state: tuple[Variable, ...] = ()
    update: str = ""
    threshold: str = "false"
    reset: str = ""


def _threshold_above_reset(where: str, values: Mapping[str, Any]) -> None:
    if values["V_threshold_mV"] <= values["V_reset_mV"]:
        raise ConfigurationError(
            f"{where}.V_threshold_mV: {values['V_threshold_mV']} is not allowed; "
            f"must be above V_reset_mV ({values['V_reset_mV']})"
        )


LIF = NeuronModel(
    "lif",
    "Leaky integrate-and-fire, exact for a current that is constant over the step.",
    parameters={
        "tau_m_ms": Parameter(20.0, "ms", "membrane time constant", above=0.0),
        "V_rest_mV": Parameter(-70.0, "mV", "resting potential"),
        "V_reset_mV": Parameter(-70.0, "mV", "potential after a spike"),
        "V_threshold_mV": Parameter(-54.0, "mV", "spike threshold"),
        "resistance": Parameter(1.0, "mV per unit of current", "membrane resistance, tau_m / C", above=0.0),
        "refractory_ms": Parameter(5.0, "ms", "time without integration after a spike", minimum=0.0),
        "offset_current": Parameter(0.0, "units of current", "constant input"),
    },
    derived={
        "decay": Derived("exp(-dt_ms / tau_m_ms)"),
        # Integration begins again in the first step that starts after refractory_ms have passed since the end of the
        # spike's step: 51 frozen steps for 5 ms at 0.1 ms, as a timer that counts down in floating point gives.
        "refractory_steps": Derived("floor(refractory_ms / dt_ms + 1e-9) + 1 if refractory_ms > 0 else 0", "int"),
    },
    state=(
        Variable("V_mV", -70.0, "mV", doc="membrane potential"),
        Variable("frozen_steps", 0, "steps", "int", "steps left of the refractory period"),
    ),
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
