"""Bamford's rule as Knight, Senk & Nowotny 2025 run it: any pair is tried, whatever the target's in-degree."""

import numpy as np
from numpy.typing import NDArray

from hpcsnn.models.chance_tables import thresholds
from hpcsnn.models.distance_profiles import gaussian_profile, gaussian_reach
from hpcsnn.models.parameters import Parameter, probability
from hpcsnn.models.rewiring.rule import RewiringRule
from hpcsnn.models.rewiring.selections import UNIFORM
from hpcsnn.models.tables import PlacementContext, Table


def _form_thresholds(context: PlacementContext) -> NDArray[np.uint64]:
    return thresholds(gaussian_profile(context.values))


P_FORM = Table("Probability", _form_thresholds)

Bamford = RewiringRule(
    "bamford",
    "Weak synapses are removed, others rarely; new ones form with a Gaussian chance of the distance.",
    parameters={
        "p_max": probability(None, "chance to form at distance 0"),
        "sigma": Parameter(None, "grid units", "width of the chance to form", above=0.0),
        "weak_below": Parameter(0.1, "weight", "synapses below this weight are weak"),
        "p_eliminate_weak": probability(1.0, "chance to remove a weak synapse"),
        "p_eliminate": probability(0.0068, "chance to remove another synapse"),
    },
    tables={"p_form": P_FORM},
    select=UNIFORM,
    eliminate="weight < weak_below ? p_eliminate_weak : p_eliminate",
    reason="weight < weak_below ? 0 : 1",
    reasons=("weak", "other"),
    form="distance_squared < n_p_form ? p_form[distance_squared] : false",
    reach_squared=gaussian_reach,
    profile=gaussian_profile,
    source="Bamford, Murray & Willshaw 2010; the variant of Knight, Senk & Nowotny 2025, arXiv 2510.19764",
)
