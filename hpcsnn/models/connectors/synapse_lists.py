"""Synapses that are known one by one before anything runs: what all ranks know of them, and those of some targets."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hpcsnn.errors import ConfigurationError

# Ids have 31 bits, so that a pair of them is one number.
_ID_BITS = np.uint64(32)


@dataclass(frozen=True, eq=False)
class Weights:
    """What is to be known of weights that are given one by one.

    Attributes:
        least, most: the lowest and the highest one, and `least_at`, `most_at` which of them these are.
        smallest: the smallest absolute one that is not 0; infinite if there is none.
        sums: of absolute weights as float32, by target id up to the largest, float64; None where it is not known how
            many each target has.
    """

    least: float
    least_at: int
    most: float
    most_at: int
    smallest: float
    sums: NDArray[np.float64] | None = None

    @property
    def largest(self) -> float:
        """The largest absolute one."""
        return max(abs(self.least), abs(self.most))

    def outside(self, low: float, high: float) -> tuple[float, int] | None:
        """One that is not in [low, high], and which of them it is."""
        if self.least < low:
            return self.least, self.least_at
        return (self.most, self.most_at) if self.most > high else None


def weights_of(values: NDArray[np.float64], sums: NDArray[np.float64] | None = None, first: int = 0) -> Weights | None:
    """What is to be known of these, shape (n,), whose numbers begin at `first`; None if there are none."""
    if not len(values):
        return None
    least, most = int(values.argmin()), int(values.argmax())
    sizes = np.abs(values)
    smallest = float(sizes[sizes > 0.0].min(initial=math.inf))
    return Weights(float(values[least]), first + least, float(values[most]), first + most, smallest, sums)


@dataclass(frozen=True, eq=False)
class ListedSynapses:
    """Synapses of some targets, by target, then source.

    Attributes:
        pre, post: ids, shape (n,), int64.
        weight, delay_ms: shape (n,), float64; None where the list has none.
        position: which synapse of the list each is, shape (n,), int64.
    """

    pre: NDArray[np.int64]
    post: NDArray[np.int64]
    weight: NDArray[np.float64] | None
    delay_ms: NDArray[np.float64] | None
    position: NDArray[np.int64]

    def places(self, pre: NDArray[np.int32], post: NDArray[np.int32]) -> NDArray[np.intp]:
        """Where each of these pairs, all of which are here, is among them."""
        return np.searchsorted(pair_keys(self.pre, self.post), pair_keys(pre, post))


class SynapseList(Protocol):
    """A list of synapses.

    Attributes:
        n_synapses: of all targets.
        in_degrees: by target id up to the largest one that is listed, int64.
        weights: None where the list gives none.
        delays_ms: all that there are, each once, ascending; None where the list gives none.
    """

    @property
    def n_synapses(self) -> int: ...
    @property
    def in_degrees(self) -> NDArray[np.int64]: ...
    @property
    def weights(self) -> Weights | None: ...
    @property
    def delays_ms(self) -> NDArray[np.float64] | None: ...

    def of_targets(self, targets: NDArray[np.int64]) -> ListedSynapses:
        """Those of some targets, whose ids are in ascending order."""


def pair_keys(pre: NDArray[np.integer], post: NDArray[np.integer]) -> NDArray[np.uint64]:
    """A number for each pair, ascending by target, then source."""
    return (post.astype(np.uint64) << _ID_BITS) | pre.astype(np.uint64)


def refuse_pairs_twice(
    where: str, pre: NDArray[np.integer], post: NDArray[np.integer], position: NDArray[np.int64] | None = None
) -> None:
    """Refuse a pair that is listed more than once.

    Args:
        position: which synapse of the list each is; None: they are the whole list.

    Raises:
        ConfigurationError: names `where`, the pair and two of its places.
    """
    keys = pair_keys(pre, post)
    in_order = np.sort(keys)  # of single numbers: a hundred times faster than unique rows
    twice = np.flatnonzero(in_order[1:] == in_order[:-1])
    if len(twice):
        places = np.flatnonzero(keys == in_order[twice[0]])
        first, second = (places if position is None else np.sort(position[places]))[:2]
        raise ConfigurationError(
            f"{where}: the synapse from {pre[places[0]]} to {post[places[0]]} is listed more than once (synapses "
            f"{first} and {second})"
        )


class ArrayList:
    """A list in arrays, shape (n,) each, that have been checked; see `SynapseList`."""

    delays_ms = None

    def __init__(self, pre: NDArray[np.int64], post: NDArray[np.int64], weight: NDArray[np.float64]) -> None:
        self._pre, self._post, self._weight = pre, post, weight
        self.n_synapses = len(post)

    @cached_property
    def in_degrees(self) -> NDArray[np.int64]:
        """By target id up to the largest one."""
        return np.bincount(self._post)

    @cached_property
    def weights(self) -> Weights | None:
        """What is to be known of the weights."""
        sizes = np.abs(self._weight.astype(np.float32)).astype(np.float64)
        return weights_of(self._weight, np.bincount(self._post, weights=sizes).astype(np.float64))

    def of_targets(self, targets: NDArray[np.int64]) -> ListedSynapses:
        """Those of some targets."""
        position = np.flatnonzero(np.isin(self._post, targets))
        position = position[np.lexsort((self._pre[position], self._post[position]))]
        return ListedSynapses(self._pre[position], self._post[position], self._weight[position], None, position)
