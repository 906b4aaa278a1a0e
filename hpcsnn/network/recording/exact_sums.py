"""What kernels/base/exact_sums.cuh has added up, as numbers: means without any rounding but their own."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# Of 32 bits each, from the smallest power of two that a float32 can have up to beyond the largest sum.
WINDOWS = 9
_WINDOW_BITS, _SMALLEST = 32, 149


def means_of(sums: NDArray[np.int64], n_values: int) -> NDArray[np.float64]:
    """The float64 nearest to the exact mean of so many values, shape (n,).

    Args:
        sums: windows of n sums, shape (n, WINDOWS); those of parts may be added up before.
    """
    totals = (
        sum(window << (_WINDOW_BITS * number) for number, window in enumerate(windows)) for windows in sums.tolist()
    )
    divisor = n_values << _SMALLEST
    return np.array([total / divisor for total in totals], np.float64)  # of whole numbers, division rounds once


def values_of(order: NDArray[np.int32], dtype: np.dtype[Any]) -> NDArray[np.generic]:
    """The values, whole numbers or float32, of which these are the places in their order."""
    if dtype.kind != "f":
        return order.astype(dtype)
    return np.where(order < 0, order ^ np.int32(0x7FFFFFFF), order).astype(np.int32).view(np.float32)
