"""Growth where gradients are, as in RigL, among pairs that are drawn: their gradients alone are added up."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hpcsnn.models.parameters import Parameter
from hpcsnn.models.rewiring.rule import RewiringRule
from hpcsnn.models.rewiring.turnover import SCHEDULE, Guide, Turnover, Update, check_schedule, numbers_of_schedule


def _candidates(values: Mapping[str, Any], update: Update) -> int:
    return int(values["candidates"]) * numbers_of_schedule(values, update)[1]


RigL = RewiringRule(
    "rig_l",
    "Every few batches a fraction of the synapses goes, those with the smallest weights, and as many come, at 0, where "
    "the batch's gradient is largest among pairs that were drawn.",
    parameters={
        **SCHEDULE,
        "candidates": Parameter(4, "", "pairs that are drawn for each synapse that comes", "int", minimum=1),
    },
    check=check_schedule,
    trigger="call",
    turnover=Turnover(numbers_of_schedule),
    guide=Guide(_candidates),
    initial="0.0f",
    reasons=("weight",),
    replace="projection",
    source="RigL, Evci et al. 2020, arXiv 1911.11134, of candidates in place of all pairs; of spiking networks Shen et "
    "al. 2023, ESL-SNNs",
)

RigLSharedBudget = replace(
    RigL,
    name="rig_l_shared_budget",
    doc="As rig_l, but what went comes back where gradients are largest in all projections that have this rule.",
    replace="projections",
    source="one budget over all layers as in Bellec, Kappel, Maass & Legenstein 2018, shared out by rig_l's gradients",
)
