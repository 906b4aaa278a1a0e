"""Rules of structural plasticity."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.models.base import Model, Parameter, Table, probability, thresholds
from hpcsnn.models.profiles import gaussian_profile, gaussian_reach


@dataclass(frozen=True)
class RewiringRule(Model):
    """Attempts on (source, target) slots drawn at random.

    Every ``every_ms`` each block of ``block_side`` x ``block_side`` targets makes ``attempts`` attempts (parameters
    that every rule has). ``eliminate`` is the threshold of the chance to remove the synapse that is there (it sees the
    synapse's variables), ``form`` that to make one where there is none; both see ``distance_squared`` and the
    constants. ``initial`` is a new synapse's weight; its other variables start at their initial values.
    ``reason`` numbers why a synapse goes, as an index into ``reasons``, for the log of events.
    ``reach_squared`` is the largest squared distance at which ``form`` is not zero; ``profile`` the chance to form by
    squared distance 0, 1, .. where that is all it depends on: what analysis compares a map with.
    """

    eliminate: str = "0"
    form: str = "0"
    initial: str = "projection.initial_weight"
    reason: str = "0"
    reasons: tuple[str, ...] = ("eliminated",)
    reach_squared: Callable[[Mapping[str, Any]], int] | None = None
    profile: Callable[[Mapping[str, Any]], NDArray[np.float64]] | None = None


SCHEDULE = {
    "every_ms": Parameter(1.0, "ms", "time between updates", above=0.0),
    "attempts": Parameter(10, "", "attempts a block and update", ctype="int", minimum=1),
    "block_side": Parameter(16, "grid units", "side of a block of targets", ctype="int", minimum=1),
}

Bamford = RewiringRule(
    "bamford",
    "Weak synapses are removed, others rarely; new ones form with a Gaussian chance of the distance.",
    parameters={
        **SCHEDULE,
        "p_max": probability(None, "chance to form at distance 0"),
        "sigma": Parameter(None, "grid units", "width of the chance to form", above=0.0),
        "weak_below": Parameter(0.1, "weight", "synapses below this weight are weak"),
        "p_eliminate_weak": probability(1.0, "chance to remove a weak synapse"),
        "p_eliminate": probability(0.0068, "chance to remove another synapse"),
    },
    tables={
        "p_form": Table("uint64", lambda context: thresholds(gaussian_profile(context.values))),
    },
    eliminate="weight < weak_below ? p_eliminate_weak : p_eliminate",
    reason="weight < weak_below ? 0 : 1",
    reasons=("weak", "other"),
    form="distance_squared < n_p_form ? p_form[distance_squared] : 0",
    reach_squared=gaussian_reach,
    profile=gaussian_profile,
    source="Bamford, Murray & Willshaw 2010; the variant of Knight, Senk & Nowotny 2025, arXiv 2510.19764",
)
