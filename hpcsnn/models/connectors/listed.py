"""Connectors whose synapses are listed one by one: in the configuration, or in a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.errors import ConfigurationError
from hpcsnn.models.base import Configured
from hpcsnn.models.connectors.connector import Connector
from hpcsnn.models.connectors.rows import OwnTargets
from hpcsnn.models.connectors.synapse_files import FileOfSynapses, SynapseFile
from hpcsnn.models.connectors.synapse_lists import ArrayList, SynapseList, refuse_pairs_twice
from hpcsnn.models.parameters import Data
from hpcsnn.models.tables import PlacementContext, Table


def _list_of(values: Mapping[str, Any]) -> SynapseList:
    file: SynapseFile | None = values.get("file")
    return ArrayList(values["pre"], values["post"], values["weight"]) if file is None else file


def _own_rows(context: PlacementContext) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """The listed synapses by this rank's targets: first (n + 1,), pre and weight, none where the list gives none."""
    targets = OwnTargets(context.global_id)
    own = _list_of(context.values).of_targets(targets.ids)
    first, order = targets.by_row(targets.rows(own.post), own.pre)
    weight = np.empty(0) if own.weight is None else own.weight[order]
    return first.astype(np.int32), own.pre[order].astype(np.int32), weight.astype(np.float32)


def _first_of_own(context: PlacementContext) -> NDArray[Any]:
    return _own_rows(context)[0]


def _sources_of_own(context: PlacementContext) -> NDArray[Any]:
    return _own_rows(context)[1]


def _weights_of_own(context: PlacementContext) -> NDArray[Any]:
    return _own_rows(context)[2]


_TABLES = {
    "first": Table("int", _first_of_own),
    "listed_pre": Table("int", _sources_of_own),
    "listed_weight": Table("float", _weights_of_own),
}


def _listed_sources(values: Mapping[str, Any], targets: NDArray[np.int64]) -> NDArray[np.int64]:
    return _list_of(values).of_targets(np.sort(targets)).pre


def _mean_of_list(values: Mapping[str, Any], _n_sources: int, n_targets: int) -> float:
    return len(values["post"]) / n_targets


def _check_list(where: str, values: Mapping[str, Any]) -> None:
    refuse_pairs_twice(where, values["pre"], values["post"])


def _check_listed_ids(where: str, values: Mapping[str, Any], n_sources: int, n_targets: int) -> None:
    for end, size in (("pre", n_sources), ("post", n_targets)):
        largest = values[end].max(initial=0)
        if largest >= size:
            raise ConfigurationError(
                f"{where}.{end}: {largest} is not allowed; must be < {size}, the population's size"
            )


ExplicitList = Connector(
    "explicit_list",
    "The synapses given: pre, post and weight, one entry per synapse.",
    data={
        "pre": Data("a list of source ids", "synapse", ctype="int", minimum=0),
        "post": Data("a list of target ids", "synapse", ctype="int", minimum=0),
        "weight": Data("a list of weights", "synapse"),
    },
    tables=_TABLES,
    check=_check_list,
    explicit_sources=_listed_sources,
    listed=_list_of,
    expected_in_degree=_mean_of_list,
    check_sizes=_check_listed_ids,
    connect="for (int k = first[target]; k < first[target + 1]; ++k) connect(listed_pre[k], listed_weight[k]);",
)


def from_matrix(matrix: Any) -> Configured[Connector]:
    """An ``explicit_list`` of the entries of a ``scipy.sparse`` matrix or array, shape (sources, targets).

    Entries are weights; stored zeros are synapses too.

    Raises:
        ConfigurationError: no sparse matrix, an entry that is there twice, or no weight.
    """
    from scipy.sparse import issparse  # takes longer to load than most commands take

    if not issparse(matrix) or len(matrix.shape) != 2:
        raise ConfigurationError(f"matrix: {type(matrix).__name__} is not allowed; must be a scipy.sparse matrix")
    entries = matrix.tocoo()
    return ExplicitList(pre=entries.row, post=entries.col, weight=entries.data)


def _mean_of_file(values: Mapping[str, Any], _n_sources: int, n_targets: int) -> float:
    return float(values["file"].n_synapses / n_targets)


def _check_file_sizes(where: str, values: Mapping[str, Any], n_sources: int, n_targets: int) -> None:
    values["file"].check_sizes(f"{where}.file", n_sources, n_targets)


ListedInFile = Connector(
    "listed_in_file",
    "The synapses of an .npz file: arrays source, target, weight, delay_ms, or a matrix that scipy.sparse has saved.",
    data={"file": FileOfSynapses("the path of an .npz file", "file")},
    tables=_TABLES,
    explicit_sources=_listed_sources,
    listed=_list_of,
    expected_in_degree=_mean_of_file,
    check_sizes=_check_file_sizes,
    connect="""
for (int k = first[target]; k < first[target + 1]; ++k) {
    if (n_listed_weight > 0) connect(listed_pre[k], listed_weight[k]);
    else connect(listed_pre[k]);
}
""",
)
