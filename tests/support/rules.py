"""Rules of rewiring that several tests declare, as a user would."""

from __future__ import annotations

from typing import Any

from hpcsnn import Grid, Network, models
from hpcsnn.models import Configured, Parameter, RewiringRule, Variable
from hpcsnn.models.distance_profiles import gaussian_reach
from hpcsnn.models.parameters import probability
from hpcsnn.models.rewiring import ALL_SYNAPSES, UNIFORM, WEAKEST
from hpcsnn.models.rewiring.bamford import P_FORM

GAUSSIAN = {
    "p_max": probability(0.9, "chance to form at distance 0"),
    "sigma": Parameter(1.5, "grid units", "width of the chance to form", above=0.0),
}

Swap = RewiringRule(
    "swap",
    "The weakest synapse of a target makes room for one that comes near.",
    parameters={**GAUSSIAN, "p_swap": probability(0.5, "chance that the weakest goes")},
    tables={"p_form": P_FORM},
    select=UNIFORM.trying(WEAKEST),
    eliminate="distance_squared > 4 ? 1.0f : p_swap",
    reason="distance_squared > 4",
    reasons=("weakest", "far"),
    form="distance_squared < n_p_form ? p_form[distance_squared] : false",
    initial="0.0625f + 0.03125f * random.uniform()",
    reach_squared=gaussian_reach,
)

# Each pair has its own speed of decay; what goes comes back at the same target.
Wanderer = RewiringRule(
    "wanderer",
    "Weights decay at a pace of their own and are replaced when they are small or old.",
    parameters={"most_age": Parameter(6, "updates", "age at which a synapse may go", ctype="int")},
    synapse_variables=(Variable("age", 0, "updates", "int"),),
    select=ALL_SYNAPSES,
    update="""
age += 1;
weight = weight * ((pair_random(3) & 1u) ? 0.5f : 0.75f) + 0.015625f * random.uniform();
""",
    eliminate="age > most_age ? 0.5f : weight < 0.03125f",
    reason="return age > most_age ? 1 : 0;",
    reasons=("small", "old"),
    initial={"weight": "0.125f + 0.0625f * random.uniform()", "age": "-(int)(random() >> 31)"},
    bound="0.1875",
    replace="target",
)

# Neurons' own variables on both sides, a sum over all targets, and a hook that takes and gives.
Tended = RewiringRule(
    "tended",
    "Targets drop what is old and ask for what they want; sources' drive decides how strong a new synapse is.",
    parameters={"most_age": Parameter(5, "updates", "age at which a synapse goes", ctype="int")},
    synapse_variables=(Variable("age", 0, "updates", "int"),),
    source_variables=(Variable("drive", 0.25),),
    target_variables=(Variable("want", 2, "synapses", "int"),),
    sums={"total": "in_degree + post.want"},
    update_source="drive = 0.5f * drive + 0.25f * random.uniform();",
    update_target="want = 1 + (int)(random() >> 29) + (in_degree < 2 ? 1 : 0);",
    update="age += 1; weight = 0.5f * weight + 0.25f * pre.drive;",
    per_target="""
for (int place = row.size() - 1; place >= 0; --place)
    if (row.age(place) > most_age) row.remove(place);
    else if (row.source_id(place) == step % n_sources) row.remove(place, 1);
for (int n = row.size(); n < post.want; ++n) row.propose((int)(((uint64)random() * (uint32)n_sources) >> 32));
""",
    proposals=4,
    reasons=("old", "turn"),
    initial={"weight": "0.125f * pre.drive + 0.0625f * (float)(total & 3)", "age": "post.want & 1"},
    bound="1",
)


def network(rule: Configured[Any] | None = None, neuron: Configured[Any] | None = None, side: int = 16) -> Network:
    """A projection ``ab`` that `rule` rewires, onto neurons of the model `neuron`."""
    network = Network(seed=1)
    network.add_population("a", Grid(side, side), models.Poisson(rate_hz=1))
    network.add_population("b", Grid(side, side), neuron or models.LIF())
    network.add_projection(
        "ab", "a", "b", models.OneToOne(), models.ExponentialCurrent(), 0.1, models.AdditiveSTDP(), rewiring=rule
    )
    return network


def rule(**texts: Any) -> Configured[Any]:
    """A rule ``mine`` of these slots, with a chance ``p_swap`` and a whole number ``most``."""
    parameters = {"p_swap": Parameter(0.1, "", "a chance", ctype="probability"), "most": Parameter(3, "", "", "int")}
    return RewiringRule("mine", "", parameters=parameters, **texts)()


# A user's file that is right.
GOOD = """
from hpcsnn.models import RewiringRule, rewiring
from hpcsnn.testing.conformance import RuleConformance

Mine = RewiringRule(
    "mine", "Synapses go by chance and come back at their target.", select=rewiring.ALL_SYNAPSES,
    eliminate="0.2f", replace="target", initial="0.1f",
)

class TestMine(RuleConformance):
    rule = Mine()
    duration_ms = 20.0
    ranks = (2,)
"""
