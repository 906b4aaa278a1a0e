"""The norm of a batch's gradient, exact: whole numbers squared and added up in any order give the same bits."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

_HALF, _MASK = np.uint64(32), np.uint64(2**32 - 1)


def squares(arrays: Iterable[NDArray[np.int64]]) -> int:
    """The sum of the squares of all their numbers, of at most 2^32 an array."""
    return sum(map(_squares, arrays))


def _squares(values: NDArray[np.int64]) -> int:
    """The sum of squares: of (high, low) halves, whose products have 64 bits."""
    magnitude = np.abs(values).view(np.uint64)
    high, low = magnitude >> _HALF, magnitude & _MASK
    return _total(low * low) + (_total(high * low) << 33) + (_total(high * high) << 64)


def _total(values: NDArray[Any]) -> int:
    return (int((values >> _HALF).sum()) << 32) + int((values & _MASK).sum())
