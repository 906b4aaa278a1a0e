"""Connectors: which sources each target neuron has at the start."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from hpcsnn.errors import ConfigurationError
from hpcsnn.models.base import Derived, Model, PlacementContext, Table
from hpcsnn.models.chance_tables import survival_table, thresholds
from hpcsnn.models.distance_profiles import displacements_within, gaussian_profile, gaussian_reach
from hpcsnn.models.parameters import Data, Parameter, probability


def _every_source(_values: Mapping[str, Any], n_sources: int, _n_targets: int) -> float:
    return n_sources


@dataclass(frozen=True)
class Connector(Model):
    """Names the sources of one target.

    The snippet ``connect`` calls ``connect(source_id)``, ``connect(source_id, weight)`` or ``connect.at(x, y)`` for
    each source. It sees ``id``, ``x``, ``y`` and ``target`` (the index of this rank's neuron), ``n_sources``, ``nx``,
    ``ny`` (the sources' grid) and ``random.next()``. ``reach_squared`` bounds the squared grid distance of what it
    connects (None: unbounded), ``profile`` is its chance by squared distance 0, 1, .. where that is all it depends on.
    ``expected_in_degree`` is the mean over targets, of (values, sources, targets), where it is not the sum of a profile
    over the grid; ``most_sources``, of (values, sources), bounds every target's in-degree and every source's out-degree
    where the mean says too little.

    A connector that knows its synapses beforehand says so: ``explicit_sources`` gives the global ids it may name for
    given targets, ``listed_targets`` one entry per synapse, ``listed_weights`` the weights it gives;
    ``check_sizes(where, values, n_sources, n_targets)`` may refuse what does not fit the populations.
    """

    KIND: ClassVar[str] = "connector"
    SEES: ClassVar[tuple[str, ...]] = (*("connect", "id", "x", "y", "target", "n_sources", "nx", "ny", "random"),)

    connect: str = ""
    needs_equal_grids: bool = False
    reach_squared: Callable[[Mapping[str, Any]], int] | None = None
    profile: Callable[[Mapping[str, Any]], NDArray[np.float64]] | None = None
    explicit_sources: Callable[[Mapping[str, Any], NDArray[np.int64]], NDArray[np.int64]] | None = None
    listed_targets: Callable[[Mapping[str, Any]], NDArray[np.int64]] | None = None
    listed_weights: Callable[[Mapping[str, Any]], NDArray[np.float64]] | None = None
    expected_in_degree: Callable[[Mapping[str, Any], int, int], float] = _every_source
    most_sources: Callable[[Mapping[str, Any], int], int] | None = None
    check_sizes: Callable[[str, Mapping[str, Any], int, int], None] | None = None


def _offsets_within_reach(context: PlacementContext) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]:
    return displacements_within(gaussian_reach(context.values), context.source_nx, context.source_ny)


def _offset_x(context: PlacementContext) -> NDArray[np.int32]:
    return _offsets_within_reach(context)[0]


def _offset_y(context: PlacementContext) -> NDArray[np.int32]:
    return _offsets_within_reach(context)[1]


def _offset_thresholds(context: PlacementContext) -> NDArray[np.uint64]:
    return thresholds(gaussian_profile(context.values))[_offsets_within_reach(context)[2]]


Gaussian = Connector(
    "gaussian",
    "Every pair independently with p_max exp(-d^2 / (2 sigma^2)), d the torus distance; zero where below 2^-32.",
    parameters={
        "p_max": probability(None, "chance at distance 0"),
        "sigma": Parameter(None, "grid units", "width", above=0.0),
    },
    tables={
        "offset_x": Table("int", _offset_x),
        "offset_y": Table("int", _offset_y),
        "p_offset": Table("Probability", _offset_thresholds),
    },
    needs_equal_grids=True,
    reach_squared=gaussian_reach,
    profile=gaussian_profile,
    connect="""
for (int k = 0; k < n_p_offset; ++k) {
    if (!chance(random.next(), p_offset[k])) continue;
    const int source_x = x + offset_x[k], source_y = y + offset_y[k];
    connect.at(source_x < 0 ? source_x + nx : source_x >= nx ? source_x - nx : source_x,
               source_y < 0 ? source_y + ny : source_y >= ny ? source_y - ny : source_y);
}
""",
    source="Bamford, Murray & Willshaw 2010",
)


def _gaps(context: PlacementContext) -> NDArray[np.uint32]:
    return survival_table(np.array([min(context.values["p"], 1 - 2**-32)]), 256)


def _share_of_sources(values: Mapping[str, Any], n_sources: int, _n_targets: int) -> float:
    return float(values["p"]) * n_sources


FixedProbability = Connector(
    "fixed_probability",
    "Every pair independently with one probability; the gaps between sources are drawn, not the pairs.",
    parameters={"p": probability(None, "chance of a pair")},
    derived={"gap_length": Derived("256", "int")},
    tables={
        "gap": Table("uint32", _gaps),
    },
    expected_in_degree=_share_of_sources,
    connect="""
for (int source_id = -1; source_id < n_sources;) {
    const int steps = waiting_steps(gap, gap_length, random.next());
    source_id += steps > gap_length ? gap_length : steps;
    if (steps <= gap_length && source_id < n_sources) connect(source_id);
}
""",
)


def _share_with_partner(_values: Mapping[str, Any], n_sources: int, n_targets: int) -> float:
    return min(n_sources, n_targets) / n_targets


def _one_source(_values: Mapping[str, Any], n_sources: int) -> int:
    return min(1, n_sources)


def _partners(_values: Mapping[str, Any], targets: NDArray[np.int64]) -> NDArray[np.int64]:
    return targets


OneToOne = Connector(
    "one_to_one",
    "Neuron i to neuron i.",
    expected_in_degree=_share_with_partner,
    most_sources=_one_source,
    explicit_sources=_partners,
    connect="if (id < n_sources) connect(id);",
)

AllToAll = Connector(
    "all_to_all",
    "Every source to every target.",
    connect="for (int source_id = 0; source_id < n_sources; ++source_id) connect(source_id);",
)


def _check_list(where: str, values: Mapping[str, Any]) -> None:
    unique, counts = np.unique(np.stack([values["post"], values["pre"]], axis=1), axis=0, return_counts=True)
    if (counts > 1).any():
        post_id, pre_id = unique[counts > 1][0]
        raise ConfigurationError(f"{where}: the synapse from {pre_id} to {post_id} is listed more than once")


def _check_listed_ids(where: str, values: Mapping[str, Any], n_sources: int, n_targets: int) -> None:
    for end, size in (("pre", n_sources), ("post", n_targets)):
        largest = values[end].max(initial=0)
        if largest >= size:
            raise ConfigurationError(
                f"{where}.{end}: {largest} is not allowed; must be < {size}, the population's size"
            )


def _own_synapses(context: PlacementContext) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """CSR of the listed synapses by this rank's targets: first (n + 1,), pre, weight."""
    post = context.values["post"]
    order = np.argsort(context.global_id, kind="stable")
    sorted_ids = context.global_id[order]
    own = np.isin(post, sorted_ids)
    row = order[np.searchsorted(sorted_ids, post[own])]
    pre = context.values["pre"].astype(np.int32)[own]
    weight = context.values["weight"].astype(np.float32)[own]
    by_row = np.lexsort((pre, row))
    first = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=len(order)))]).astype(np.int32)
    return first, pre[by_row], weight[by_row]


def _first_of_own(context: PlacementContext) -> NDArray[Any]:
    return _own_synapses(context)[0]


def _sources_of_own(context: PlacementContext) -> NDArray[Any]:
    return _own_synapses(context)[1]


def _weights_of_own(context: PlacementContext) -> NDArray[Any]:
    return _own_synapses(context)[2]


def _listed_sources(values: Mapping[str, Any], targets: NDArray[np.int64]) -> NDArray[np.int64]:
    sources: NDArray[np.int64] = values["pre"][np.isin(values["post"], targets)]
    return sources


def _listed_targets(values: Mapping[str, Any]) -> NDArray[np.int64]:
    targets: NDArray[np.int64] = values["post"]
    return targets


def _listed_weights(values: Mapping[str, Any]) -> NDArray[np.float64]:
    weights: NDArray[np.float64] = values["weight"]
    return weights


def _mean_of_list(values: Mapping[str, Any], _n_sources: int, n_targets: int) -> float:
    return len(values["post"]) / n_targets


ExplicitList = Connector(
    "explicit_list",
    "The synapses given: pre, post and weight, one entry per synapse.",
    data={
        "pre": Data("a list of source ids", "synapse", ctype="int", minimum=0),
        "post": Data("a list of target ids", "synapse", ctype="int", minimum=0),
        "weight": Data("a list of weights", "synapse"),
    },
    tables={
        "first": Table("int", _first_of_own),
        "listed_pre": Table("int", _sources_of_own),
        "listed_weight": Table("float", _weights_of_own),
    },
    check=_check_list,
    explicit_sources=_listed_sources,
    listed_targets=_listed_targets,
    listed_weights=_listed_weights,
    expected_in_degree=_mean_of_list,
    check_sizes=_check_listed_ids,
    connect="for (int k = first[target]; k < first[target + 1]; ++k) connect(listed_pre[k], listed_weight[k]);",
)
