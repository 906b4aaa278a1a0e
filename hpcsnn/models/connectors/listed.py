"""The connector whose synapses are listed one by one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.errors import ConfigurationError
from hpcsnn.models.base import PlacementContext, Table
from hpcsnn.models.connectors.connector import Connector
from hpcsnn.models.connectors.rows import OwnTargets
from hpcsnn.models.parameters import Data


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
    post, targets = context.values["post"], OwnTargets(context.global_id)
    own = np.isin(post, targets.ids)
    pre = context.values["pre"].astype(np.int32)[own]
    weight = context.values["weight"].astype(np.float32)[own]
    first, order = targets.by_row(targets.rows(post[own]), pre)
    return first.astype(np.int32), pre[order], weight[order]


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
