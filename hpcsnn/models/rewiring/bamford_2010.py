"""Bamford's rule as published: synapses compete for a fixed number of places at each target."""

from dataclasses import replace

from hpcsnn.models.parameters import Parameter, probability
from hpcsnn.models.rewiring.bamford import Bamford
from hpcsnn.models.rewiring.selections import PLACE, UNIFORM

Bamford2010 = replace(
    Bamford,
    name="bamford_2010",
    doc="A target's place is drawn: the synapse in it may go, a weak one more easily; an empty one may be filled.",
    parameters={
        **Bamford.parameters,
        "max_in_degree": Parameter(16, "", "places for synapses that a target has", ctype="int", minimum=1),
        "p_eliminate_weak": probability(0.0245, "chance to remove a weak synapse"),
        "p_eliminate": probability(0.000136, "chance to remove another synapse"),
    },
    select=UNIFORM.trying(PLACE),
    source="Bamford, Murray & Willshaw 2010, doi 10.1109/TNN.2009.2036912; places are a projection's, not a neuron's",
)
