"""Rows of synapses without gaps between them: what leaves a device and goes to disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class SynapseRows:
    """The synapses of some target neurons, row after row.

    Attributes:
        in_degree: shape (rows,), int32.
        columns: ``source`` (global ids, int32, ascending within a row) and every variable of a synapse, each of
            shape (synapses,).
    """

    in_degree: NDArray[np.int32]
    columns: dict[str, NDArray[np.int32] | NDArray[np.float32]]

    @property
    def row(self) -> NDArray[np.int64]:
        """The row of each synapse."""
        return np.repeat(np.arange(len(self.in_degree)), self.in_degree)

    @property
    def place(self) -> NDArray[np.int64]:
        """The place of each synapse in its row, from 0."""
        return np.arange(int(self.in_degree.sum())) - np.repeat(self._starts, self.in_degree)

    def take(self, rows: NDArray[np.intp]) -> SynapseRows:
        """Some of the rows, in the order given."""
        in_degree = self.in_degree[rows]
        taken = SynapseRows(in_degree, {})
        index = np.arange(int(in_degree.sum())) + np.repeat(self._starts[rows] - taken._starts, in_degree)
        taken.columns.update({name: values[index] for name, values in self.columns.items()})
        return taken

    def between(self, first: int, last: int) -> SynapseRows:
        """Rows first .. last - 1, without a copy."""
        synapses = slice(int(self.in_degree[:first].sum()), int(self.in_degree[:last].sum()))
        columns = {name: values[synapses] for name, values in self.columns.items()}
        return SynapseRows(self.in_degree[first:last], columns)

    @cached_property
    def _starts(self) -> NDArray[np.int64]:
        return np.cumsum(self.in_degree, dtype=np.int64) - self.in_degree

    def ordered(self, known_id: NDArray[np.int32]) -> SynapseRows:
        """Rows as they should be from rows as a device copies them first: in any order, with sources as local indices.

        Args:
            known_id: the global id of each local index.
        """
        columns = {**self.columns, "source": known_id[self.columns["source"]]}
        order = np.lexsort((columns["source"], self.row))
        return SynapseRows(self.in_degree, {name: values[order] for name, values in columns.items()})

    def with_local_sources(self, known_id: NDArray[np.int32]) -> SynapseRows:
        """Rows as a device takes them: with sources as local indices.

        Args:
            known_id: the global id of each local index, among which all sources are.
        """
        by_id = np.argsort(known_id, kind="stable")
        local = by_id[np.searchsorted(known_id[by_id], self.columns["source"])].astype(np.int32)
        return SynapseRows(self.in_degree, {**self.columns, "source": local})

    @classmethod
    def joined(cls, parts: Sequence[SynapseRows]) -> SynapseRows:
        """The rows of all parts (at least one), one part after the other."""
        columns = {name: np.concatenate([part.columns[name] for part in parts]) for name in parts[0].columns}
        return cls(np.concatenate([part.in_degree for part in parts]), columns)

    @property
    def n_bytes(self) -> int:
        """Bytes of all arrays."""
        return self.in_degree.nbytes + sum(values.nbytes for values in self.columns.values())
