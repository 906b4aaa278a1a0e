"""Probability by distance on a grid, shared by connectors and rewiring rules."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Chances are compared with 32-bit random numbers, so smaller ones are zero.
SMALLEST_PROBABILITY = 2.0**-32
# The largest squared distance: a profile has an entry for each up to its reach, in a network of any size.
MOST_SQUARED = 2**25


def gaussian_reach_squared(p_max: float, sigma: float) -> int:
    """Largest squared distance at which p_max exp(-d^2 / (2 sigma^2)) is at least 2^-32; -1 if nowhere."""
    if p_max < SMALLEST_PROBABILITY:
        return -1
    return math.floor(2 * sigma**2 * math.log(p_max / SMALLEST_PROBABILITY))


def displacements_within(
    reach_squared: int, period_x: int, period_y: int
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]:
    """Displacements dx, dy up to a squared length for such periods, and these; nearest first, then by dy, dx."""
    reach = int(np.sqrt(max(reach_squared, 0)))
    spans = [np.arange(max(-reach, -((side - 1) // 2)), min(reach, side // 2) + 1) for side in (period_x, period_y)]
    dx, dy = (axis.ravel() for axis in np.meshgrid(*spans))
    squared = (dx**2 + dy**2).astype(np.int64)
    order = np.lexsort((dx, dy, squared))
    order = order[squared[order] <= reach_squared]
    return dx[order].astype(np.int32), dy[order].astype(np.int32), squared[order]


def expected_within(profile: NDArray[np.float64], nx: int, ny: int, borders_open: bool = False) -> float:
    """The sum of a profile (by squared distance 0, 1, ..) over all displacements from a place of a grid of nx x ny; the
    mean over all places, where it is open and they differ."""
    reach = math.isqrt(max(len(profile) - 1, 0))
    if borders_open:
        sides = [np.arange(-min(reach, side - 1), min(reach, side - 1) + 1, dtype=np.int64) for side in (nx, ny)]
        # Of all places along a side, the part from which one so far away is on the grid.
        parts = [1.0 - np.abs(ends) / side for ends, side in zip(sides, (nx, ny), strict=True)]
        total = []
        for dy, part in zip(sides[1], parts[1], strict=True):
            squared = sides[0] ** 2 + dy**2
            within = squared < len(profile)
            total.append(float((profile[squared[within]] * parts[0][within]).sum()) * float(part))
        return math.fsum(total)
    along, across = (
        np.arange(max(-reach, -((side - 1) // 2)), min(reach, side // 2) + 1, dtype=np.int64) ** 2 for side in (nx, ny)
    )
    rows = (along + one for one in across)  # row by row, as a wide profile is on a large grid
    return math.fsum(float(profile[row[row < len(profile)]].sum()) for row in rows)


def gaussian_by_squared_distance(p_max: float, sigma: float) -> NDArray[np.float64]:
    """The Gaussian profile at squared distances 0, 1, .. reach, shape (reach + 1,)."""
    squared = np.arange(gaussian_reach_squared(p_max, sigma) + 1, dtype=np.float64)
    profile: NDArray[np.float64] = p_max * np.exp(-squared / (2 * sigma**2))
    return profile


def gaussian_reach(values: Mapping[str, Any]) -> int:
    """`gaussian_reach_squared` of a model with parameters ``p_max`` and ``sigma``, and maybe a ``cut_off``."""
    reach_squared = gaussian_reach_squared(values["p_max"], values["sigma"])
    cut_off = values.get("cut_off", 0.0)
    # A distance that is the cut-off but for its last digit is one that is left.
    return min(reach_squared, math.floor(cut_off**2 * (1 + 2**-40))) if cut_off > 0 else reach_squared


def gaussian_profile(values: Mapping[str, Any]) -> NDArray[np.float64]:
    """`gaussian_by_squared_distance` of such a model, up to its cut-off."""
    squared = np.arange(gaussian_reach(values) + 1, dtype=np.float64)
    profile: NDArray[np.float64] = values["p_max"] * np.exp(-squared / (2 * values["sigma"] ** 2))
    return profile
