"""Arrays that the host makes for a model's snippets, and what they may depend on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.models.tables.lattice_axis import LatticeAxis


@dataclass(frozen=True)
class PlacementContext:
    """What a table may depend on: the constants, the step, and where this rank's neurons are.

    ``global_id``, ``x``, ``y`` (int32, one per neuron of this rank) own the table's rows, on a grid of ``nx``, ``ny``;
    of a connector, ``source_nx``, ``source_ny`` is the sources' grid, ``words`` draws (n,) uint64 by entity and step.
    The sources' grid goes on after ``period_x``, ``period_y`` places: its sides, unless it is open (then 2 n - 1).
    Without ``equal_grids`` lengths are in points, of a ``lattice``, by its axes, or of positions on no grid.
    """

    values: Mapping[str, Any]
    dt_ms: float
    global_id: NDArray[np.int32]
    x: NDArray[np.int32]
    y: NDArray[np.int32]
    nx: int
    ny: int
    source_nx: int = 0
    source_ny: int = 0
    words: Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.uint64]] | None = None
    periods: tuple[int, int] | None = None
    lattice: tuple[LatticeAxis, LatticeAxis] | None = None
    equal_grids: bool = True

    @property
    def period_x(self) -> int:
        """In x."""
        return self.source_nx if self.periods is None else self.periods[0]

    @property
    def period_y(self) -> int:
        """In y."""
        return self.source_ny if self.periods is None else self.periods[1]


@dataclass(frozen=True)
class Table:
    """An array made on the host and read by the snippets as ``name[index]``; its length is ``n_name``."""

    ctype: str
    make: Callable[[PlacementContext], NDArray[Any]]
