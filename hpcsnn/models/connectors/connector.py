"""What a connector is: which sources each target neuron has at the start."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from hpcsnn.models.base import Model
from hpcsnn.models.connectors.synapse_lists import SynapseList
from hpcsnn.models.parameters import truth

# Of every connector that may or may not name a target itself.
SELF_CONNECTIONS = truth(True, "false: no neuron of a population that is connected to itself is its own source")


def _every_source(_values: Mapping[str, Any], n_sources: int, _n_targets: int) -> float:
    return n_sources


@dataclass(frozen=True, repr=False)
class Connector(Model):
    """Names the sources of one target.

    The snippet ``connect`` calls ``connect(source_id)``, ``connect(source_id, weight)`` or ``connect.at(x, y)`` for
    each source, or ``connect.by_distance(random, p, n_p, self_connections)`` for all by a table of chances at squared
    distances 0, 1, .. (the last argument is whether the target itself may be one, true if it is left out).
    It sees ``id``, ``x``, ``y`` and ``target`` (the index of this rank's neuron), ``n_sources``, ``nx``, ``ny`` (the
    sources' grid), ``period_x``, ``period_y`` (after which it goes on from the front) and ``random.next()``.
    ``reach_squared`` bounds the squared grid distance of what it connects (None: unbounded), ``profile`` is its chance
    by squared distance 0, 1, .. where that is all it depends on. Between unequal grids, which ``needs_equal_grids``
    refuses, all lengths and distances are in points of the lattice that both grids are on.
    ``expected_in_degree`` is the mean over targets, of (values, sources, targets), where it is not the sum of a profile
    over the grids; where the mean says too little, ``most_sources``, of (values, sources), bounds every target's
    in-degree, and ``most_targets``, of (values, targets), every source's out-degree.

    A connector that knows its synapses beforehand says so: ``explicit_sources`` gives the global ids it may name for
    given targets, ``listed`` the list of them, with the weights and delays that it gives;
    ``check_sizes(where, values, n_sources, n_targets)`` may refuse what does not fit the populations.
    """

    KIND: ClassVar[str] = "connector"
    SEES: ClassVar[tuple[str, ...]] = (
        *("connect", "id", "x", "y", "target", "n_sources", "nx", "ny", "period_x", "period_y", "random"),
    )

    connect: str = ""
    needs_equal_grids: bool = False
    reach_squared: Callable[[Mapping[str, Any]], int] | None = None
    profile: Callable[[Mapping[str, Any]], NDArray[np.float64]] | None = None
    explicit_sources: Callable[[Mapping[str, Any], NDArray[np.int64]], NDArray[np.int64]] | None = None
    listed: Callable[[Mapping[str, Any]], SynapseList] | None = None
    expected_in_degree: Callable[[Mapping[str, Any], int, int], float] = _every_source
    most_sources: Callable[[Mapping[str, Any], int], int] | None = None
    most_targets: Callable[[Mapping[str, Any], int], int] | None = None
    check_sizes: Callable[[str, Mapping[str, Any], int, int], None] | None = None

    @property
    def measures(self) -> bool:
        """Whether distances play a part."""
        return self.needs_equal_grids or self.reach_squared is not None or self.profile is not None
