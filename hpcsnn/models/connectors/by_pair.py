"""Connectors that decide about each pair of neurons by itself: by chance, by distance, all of them, one to one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.models.base import Derived
from hpcsnn.models.chance_tables import survival_table, thresholds
from hpcsnn.models.connectors.connector import SELF_CONNECTIONS, Connector
from hpcsnn.models.distance_profiles import displacements_within, gaussian_profile, gaussian_reach
from hpcsnn.models.parameters import Parameter, probability
from hpcsnn.models.tables import PlacementContext, Table


def _offsets_within_reach(context: PlacementContext) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]:
    """Of equal grids, where they are the same for all targets."""
    reach_squared = gaussian_reach(context.values) if context.equal_grids else -1
    return displacements_within(reach_squared, context.period_x, context.period_y)


def _offset_x(context: PlacementContext) -> NDArray[np.int32]:
    return _offsets_within_reach(context)[0]


def _offset_y(context: PlacementContext) -> NDArray[np.int32]:
    return _offsets_within_reach(context)[1]


def _profile(values: Mapping[str, Any]) -> NDArray[np.float64]:
    profile = gaussian_profile(values)
    if not values["self_connections"]:
        profile[:1] = 0.0
    return profile


def _offset_thresholds(context: PlacementContext) -> NDArray[np.uint64]:
    return thresholds(_profile(context.values))[_offsets_within_reach(context)[2]]


def _distance_thresholds(context: PlacementContext) -> NDArray[np.uint64]:
    """Of unequal grids and of positions, two of which may be one: by squared distance."""
    return np.empty(0, np.uint64) if context.equal_grids else thresholds(gaussian_profile(context.values))


Gaussian = Connector(
    "gaussian",
    "Every pair independently with p_max exp(-d^2 / (2 sigma^2)), d the distance on the grid; zero where below 2^-32.",
    parameters={
        "p_max": probability(None, "chance at distance 0"),
        "sigma": Parameter(None, "grid units", "width", above=0.0),
        "cut_off": Parameter(0.0, "grid units", "no synapse is longer; 0: as far as there is a chance", minimum=0.0),
        "self_connections": SELF_CONNECTIONS,
    },
    tables={
        "offset_x": Table("int", _offset_x),
        "offset_y": Table("int", _offset_y),
        "p_offset": Table("Probability", _offset_thresholds),
        "p_distance": Table("Probability", _distance_thresholds),
    },
    reach_squared=gaussian_reach,
    profile=_profile,
    connect="""
for (int k = 0; k < n_p_offset; ++k) {
    if (!chance(random.next(), p_offset[k])) continue;
    int source_x = x + offset_x[k], source_y = y + offset_y[k];
    source_x += source_x < 0 ? period_x : source_x >= nx ? -period_x : 0;
    source_y += source_y < 0 ? period_y : source_y >= ny ? -period_y : 0;
    if ((uint32)source_x < (uint32)nx && (uint32)source_y < (uint32)ny) connect.at(source_x, source_y);
}
connect.by_distance(random, p_distance, n_p_distance, self_connections);
""",
    source="Bamford, Murray & Willshaw 2010",
)


def _candidates(values: Mapping[str, Any], n_sources: int, _n_targets: int) -> int:
    return n_sources if values["self_connections"] else n_sources - 1


def _gaps(context: PlacementContext) -> NDArray[np.uint32]:
    return survival_table(np.array([min(context.values["p"], 1 - 2**-32)]), 256)


def _share_of_sources(values: Mapping[str, Any], n_sources: int, n_targets: int) -> float:
    return float(values["p"]) * _candidates(values, n_sources, n_targets)


FixedProbability = Connector(
    "fixed_probability",
    "Every pair independently with one probability; the gaps between sources are drawn, not the pairs.",
    parameters={"p": probability(None, "chance of a pair"), "self_connections": SELF_CONNECTIONS},
    derived={"gap_length": Derived("256", "int")},
    tables={
        "gap": Table("uint32", _gaps),
    },
    expected_in_degree=_share_of_sources,
    connect="""
for (int source_id = -1; source_id < n_sources;) {
    const int steps = waiting_steps(gap, gap_length, random.next());
    source_id += steps > gap_length ? gap_length : steps;
    if (steps > gap_length || source_id >= n_sources) continue;
    if (self_connections || source_id != id) connect(source_id);
}
""",
)


def _share_with_partner(_values: Mapping[str, Any], n_sources: int, n_targets: int) -> float:
    return min(n_sources, n_targets) / n_targets


def _one_at_most(_values: Mapping[str, Any], n_neurons: int) -> int:
    return min(1, n_neurons)


def _partners(_values: Mapping[str, Any], targets: NDArray[np.int64]) -> NDArray[np.int64]:
    return targets


OneToOne = Connector(
    "one_to_one",
    "Neuron i to neuron i.",
    expected_in_degree=_share_with_partner,
    most_sources=_one_at_most,
    most_targets=_one_at_most,
    explicit_sources=_partners,
    connect="if (id < n_sources) connect(id);",
)

AllToAll = Connector(
    "all_to_all",
    "Every source to every target.",
    parameters={"self_connections": SELF_CONNECTIONS},
    expected_in_degree=_candidates,
    connect="""
for (int source_id = 0; source_id < n_sources; ++source_id)
    if (self_connections || source_id != id) connect(source_id);
""",
)
