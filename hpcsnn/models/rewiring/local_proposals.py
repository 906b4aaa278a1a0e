"""Proposals from the neighbourhood: what a neuron gains and loses in a second is the same in any size of network."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.models.distance_profiles import gaussian_by_squared_distance, gaussian_reach_squared
from hpcsnn.models.parameters import Parameter, probability
from hpcsnn.models.rewiring.rule import RewiringRule
from hpcsnn.models.rewiring.selections import LOCAL, PLACE


def _reach(values: Mapping[str, Any]) -> int:
    return gaussian_reach_squared(1.0, values["sigma"])


def _profile(values: Mapping[str, Any]) -> NDArray[np.float64]:
    return gaussian_by_squared_distance(1.0, values["sigma"])


LocalProposals = RewiringRule(
    "local_proposals",
    "A place of the target is drawn: the synapse in it may go; into an empty one a source of the neighbourhood comes.",
    parameters={
        "p_form": probability(1.0, "chance that the source drawn comes"),
        "max_in_degree": Parameter(32, "", "places for synapses that a target has", ctype="int", minimum=1),
        "weak_below": Parameter(0.1, "weight", "synapses below this weight are weak"),
        "p_eliminate_weak": probability(1.0, "chance to remove a weak synapse"),
        "p_eliminate": probability(0.0068, "chance to remove another synapse"),
    },
    select=LOCAL.trying(PLACE),
    eliminate="weight < weak_below ? p_eliminate_weak : p_eliminate",
    reason="weight < weak_below ? 0 : 1",
    reasons=("weak", "other"),
    form="p_form",
    reach_squared=_reach,
    profile=_profile,
    source="Proposals as in Bamford, Murray & Willshaw 2010, drawn from the chance to form instead of tested by it",
)
