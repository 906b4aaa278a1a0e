"""DEEP R in training: a gradient moves the weights, each with the sign of its pair; their number is constant."""

from dataclasses import replace

from hpcsnn.models.base import Derived, Variable
from hpcsnn.models.parameters import Parameter, probability
from hpcsnn.models.rewiring.rule import RewiringRule
from hpcsnn.models.rewiring.selections import ALL_SYNAPSES

# A pair has it for ever.
SIGN = "chance(pair_random(0), p_positive) ? 1.0f : -1.0f"

DeepRByGradient = RewiringRule(
    "deep_r_by_gradient",
    "A synapse goes where training would change its sign, which its pair has for ever, and one comes anywhere, at 0.",
    parameters={
        "l1": Parameter(0.01, "", "pull towards 0, for each sample of a batch", minimum=0.0),
        "noise": Parameter(0.0, "weight", "standard deviation of a random step for each batch", minimum=0.0),
        "p_positive": probability(0.5, "share of the potential synapses that are positive"),
    },
    # For the mean of a diffusion any noise of this variance does; a uniform one costs no tables.
    derived={"widest": Derived("noise * sqrt(3)")},
    select=ALL_SYNAPSES,
    trigger="call",
    synapse_variables=(Variable("sign", 0.0, "", doc="of the pair: 1 or -1; 0 before the first update"),),
    gradient="l1 * sign",
    update_if="sign == 0.0f || widest > 0.0f",
    # The first update gives the first wiring the signs of its pairs.
    update=f"""
if (sign == 0.0f) {{
    sign = {SIGN};
    weight = weight < 0.0f ? -sign * weight : sign * weight;
}} else {{
    weight += widest * (2.0f * random.uniform() - 1.0f);
}}
""",
    # A weight of 0 counts as positive.
    eliminate="sign > 0.0f ? weight < 0.0f : weight >= 0.0f",
    reasons=("sign",),
    initial={"weight": "0.0f", "sign": SIGN},
    replace="projection",
    source="Bellec, Kappel, Maass & Legenstein 2018, arXiv 1711.05136; as in mlGeNN 2.4, at the end of each batch",
)

DeepRSharedBudget = replace(
    DeepRByGradient,
    name="deep_r_shared_budget",
    doc="As deep_r_by_gradient, but what goes comes back anywhere in the projections that have this rule.",
    replace="projections",
    source="one budget over all layers: Bellec, Kappel, Maass & Legenstein 2018, arXiv 1711.05136, and their code",
)
