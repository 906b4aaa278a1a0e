"""DEEP R: a random walk of the strengths of a constant number of synapses, each with the sign of its pair."""

from collections.abc import Mapping
from typing import Any

from hpcsnn.errors import ConfigurationError
from hpcsnn.models.base import Derived
from hpcsnn.models.parameters import Parameter, probability
from hpcsnn.models.rewiring.rule import RewiringRule
from hpcsnn.models.rewiring.selections import ALL_SYNAPSES


def _strength_above_step(where: str, values: Mapping[str, Any]) -> None:
    step = (6e-3 * values["temperature"] * values["every_ms"]) ** 0.5
    if step > values["w_max"]:
        raise ConfigurationError(
            f"{where}.temperature: {values['temperature']} is not allowed; its steps of up to {step:.3g} in "
            f"every_ms {values['every_ms']:g} must stay below w_max ({values['w_max']})"
        )


DeepR = RewiringRule(
    "deep_r",
    "Strengths walk at random and towards 0; where one would change its sign, another synapse comes anywhere, at 0.",
    parameters={
        "temperature": Parameter(1e-4, "weight^2 / s", "temperature T of the walk", minimum=0.0),
        "decay": Parameter(0.01, "weight / s", "pull towards 0 (L1)", minimum=0.0),
        "w_max": Parameter(1.0, "weight", "upper bound of the strength", above=0.0),
        "p_positive": probability(0.5, "share of the potential synapses that are positive"),
    },
    derived={
        # For the mean of a diffusion any noise of this variance does; a uniform one costs no tables.
        "noise": Derived("sqrt(6 * temperature * every_ms * 1e-3)"),
        "fall": Derived("decay * every_ms * 1e-3"),
    },
    check=_strength_above_step,
    select=ALL_SYNAPSES,
    update="""
const float sign = chance(pair_random(0), p_positive) ? 1.0f : -1.0f;
const float strength = sign * weight - fall + noise * (2.0f * random.uniform() - 1.0f);
weight = sign * (strength > w_max ? w_max : strength);
""",
    eliminate="(chance(pair_random(0), p_positive) ? weight : -weight) < 0.0f",
    reasons=("sign",),
    initial="0.0f",
    replace="projection",
    bound="w_max",
    source="Bellec, Kappel, Maass & Legenstein 2018, arXiv 1711.05136",
)
