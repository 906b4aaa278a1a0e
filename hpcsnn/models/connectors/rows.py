"""Synapses that are known before a snippet runs, by the rows of a rank's own targets."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


class OwnTargets:
    """A rank's targets by their ids, ascending.

    Attributes:
        ids: shape (n,), int64.
    """

    def __init__(self, global_id: NDArray[np.int32]) -> None:
        self._order = np.argsort(global_id, kind="stable")
        self.ids = global_id[self._order].astype(np.int64)

    def rows(self, targets: NDArray[Any]) -> NDArray[np.intp]:
        """Where the rank keeps these, all of which are its own."""
        return self._order[np.searchsorted(self.ids, targets)]

    def by_row(self, row: NDArray[np.intp], source: NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Where each row begins among synapses in this order, and the last one ends, shape (n + 1,); and the order: by
        row, then source."""
        ends = np.cumsum(np.bincount(row, minlength=len(self.ids)))
        return np.concatenate([[0], ends]), np.lexsort((source, row))
