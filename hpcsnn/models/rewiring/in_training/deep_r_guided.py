"""DEEP R in training with growth where the gradient would have a new synapse grow with the sign of its pair."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hpcsnn.models.parameters import Parameter
from hpcsnn.models.rewiring.in_training.deep_r_by_gradient import SIGN, DeepRByGradient
from hpcsnn.models.rewiring.turnover import Guide, Update


def _candidates(values: Mapping[str, Any], update: Update) -> int:
    return round(values["candidates"] * update.n_synapses)


DeepRGuided = replace(
    DeepRByGradient,
    name="deep_r_guided",
    doc="As deep_r_by_gradient, but of pairs that are drawn before the batch those come whose gradient would have them "
    "grow fastest with the sign that they have.",
    parameters={
        **DeepRByGradient.parameters,
        "candidates": Parameter(0.2, "", "pairs that are drawn in a batch, for each synapse", above=0.0),
    },
    # Those that would leave their sign at once come last.
    guide=Guide(_candidates, most=f"-gradient * ({SIGN})"),
    source="DEEP R as deep_r_by_gradient has it, with the growth of RigL, Evci et al. 2020, arXiv 1911.11134",
)
