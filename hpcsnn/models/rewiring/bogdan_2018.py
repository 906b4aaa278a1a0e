"""Bogdan's rule: the partner that is tried is one that has just fired."""

from hpcsnn.models.base import Parameter, probability
from hpcsnn.models.profiles import gaussian_profile, gaussian_reach
from hpcsnn.models.rewiring.bamford import P_FORM
from hpcsnn.models.rewiring.bamford_2010 import P_ELIMINATE, P_ELIMINATE_WEAK
from hpcsnn.models.rewiring.rule import RewiringRule
from hpcsnn.models.rewiring.selections import BY_SPIKE, PLACE

LastToFire = RewiringRule(
    "last_to_fire",
    "As bamford_2010, but an empty place is offered to a source within reach that has just fired.",
    parameters={
        "p_max": probability(None, "chance to form at distance 0"),
        "sigma": Parameter(None, "grid units", "width of the chance to form", above=0.0),
        "max_in_degree": Parameter(16, "", "places for synapses that a target has", ctype="int", minimum=1),
        "weak_below": Parameter(0.1, "weight", "synapses below this weight are weak"),
        "p_eliminate_weak": probability(P_ELIMINATE_WEAK, "chance to remove a weak synapse"),
        "p_eliminate": probability(P_ELIMINATE, "chance to remove another synapse"),
    },
    tables={"p_form": P_FORM},
    select=BY_SPIKE.trying(PLACE),
    eliminate="weight < weak_below ? p_eliminate_weak : p_eliminate",
    reason="weight < weak_below ? 0 : 1",
    reasons=("weak", "other"),
    form="distance_squared < n_p_form ? p_form[distance_squared] : false",
    reach_squared=gaussian_reach,
    profile=gaussian_profile,
    source="Bogdan, Rowley, Rhodes & Furber 2018, doi 10.3389/fnins.2018.00434",
)
