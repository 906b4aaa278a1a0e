"""Bamford's rule as published: synapses compete for a fixed number of places at each target."""

from hpcsnn.models.base import Parameter, probability
from hpcsnn.models.profiles import gaussian_profile, gaussian_reach
from hpcsnn.models.rewiring.bamford import P_FORM
from hpcsnn.models.rewiring.rule import RewiringRule
from hpcsnn.models.rewiring.selections import PLACE, UNIFORM

Bamford2010 = RewiringRule(
    "bamford_2010",
    "A target's place is drawn: the synapse in it may go, a weak one more easily; an empty one may be filled.",
    parameters={
        "p_max": probability(None, "chance to form at distance 0"),
        "sigma": Parameter(None, "grid units", "width of the chance to form", above=0.0),
        "max_in_degree": Parameter(16, "", "places for synapses that a target has", ctype="int", minimum=1),
        "weak_below": Parameter(0.1, "weight", "synapses below this weight are weak"),
        "p_eliminate_weak": probability(0.0245, "chance to remove a weak synapse"),
        "p_eliminate": probability(0.000136, "chance to remove another synapse"),
    },
    tables={"p_form": P_FORM},
    select=UNIFORM.trying(PLACE),
    eliminate="weight < weak_below ? p_eliminate_weak : p_eliminate",
    reason="weight < weak_below ? 0 : 1",
    reasons=("weak", "other"),
    form="distance_squared < n_p_form ? p_form[distance_squared] : false",
    reach_squared=gaussian_reach,
    profile=gaussian_profile,
    source="Bamford, Murray & Willshaw 2010, doi 10.1109/TNN.2009.2036912; places are a projection's, not a neuron's",
)
