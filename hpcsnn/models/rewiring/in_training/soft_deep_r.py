"""Soft DEEP R in training: connections without a synapse walk at random too, and come back by themselves.

In the paper the strength of a dormant connection takes the same random steps as that of a synapse, without a gradient,
between a floor (``-depth``) and 0, where it becomes a synapse. Its strength there is uniform in the long run: a step,
uniform up to ``widest``, brings it above 0 with the chance q = ``widest / (4 depth)``, and by as much as
``widest (1 - sqrt(u))``, u uniform. Each pair's chance to have a synapse follows from these two, so that nothing need
be kept of pairs that have none: each comes back with the same chance in each update, whatever it did before. What is
left out is that one that has just gone comes back sooner than others. Here it may come back in the update in which it
went, there not before the next; with the chance q / (1 + q) both are dormant for equally long.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hpcsnn.errors import ConfigurationError
from hpcsnn.models.base import Derived
from hpcsnn.models.parameters import Parameter
from hpcsnn.models.rewiring.in_training.deep_r_by_gradient import SIGN, DeepRByGradient


def _depth_above_step(where: str, values: Mapping[str, Any]) -> None:
    widest = values["noise"] * 3**0.5
    if values["depth"] < widest:
        raise ConfigurationError(
            f"{where}.depth: {values['depth']} is not allowed; must be at least the largest step of the walk, "
            f"{widest:.3g}, which is noise ({values['noise']}) times the root of 3"
        )


SoftDeepR = replace(
    DeepRByGradient,
    name="soft_deep_r",
    doc="As deep_r_by_gradient, but what goes comes back by a random walk of its own: the number of synapses is not "
    "fixed.",
    parameters={
        "l1": DeepRByGradient.parameters["l1"],
        "noise": Parameter(0.005, "weight", "standard deviation of a random step for each batch", above=0.0),
        "depth": Parameter(0.1, "weight", "how far below 0 strengths without a synapse walk", above=0.0),
        "p_positive": DeepRByGradient.parameters["p_positive"],
    },
    derived={**DeepRByGradient.derived, "comes": Derived("widest / (4 * depth + widest)")},
    check=_depth_above_step,
    update_if="true",  # there always is a step
    initial={"weight": f"({SIGN}) * widest * (1.0f - square_root(random.uniform()))", "sign": SIGN},
    replace="",
    arrivals="comes",
    source="soft-DEEP R, Bellec, Kappel, Maass & Legenstein 2018, arXiv 1711.05136, without memory of dormant pairs",
)
