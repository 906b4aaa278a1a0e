"""The map that a projection makes: where each target neuron's receptive field lies, and how wide it is.

The method is that of Bamford, Murray & Willshaw 2010: on a torus there is no mean, so the centre of a receptive field
is searched, axis by axis: the place of least weighted spread, in steps of 1 and then of 0.1 grid units. On a grid with
open borders the same search finds the mean, to 0.1 grid units, since no distance is measured around the ends.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.network import Grid

# Steps of the fine search in a grid unit; the fine search goes one grid unit to both sides.
_FINE = 10
# Candidates looked at at a time, for all neurons at hand: some megabytes.
_CANDIDATES_AT_A_TIME = 1 << 20


@dataclass(frozen=True)
class ReceptiveFields:
    """Receptive fields of n target neurons; NaN for neurons without afferents of non-zero weight.

    Attributes:
        centre: shape (n, 2), float64: x and y of the centre minus the neuron's own, grid units, in (-side/2, side/2]
            where borders are periodic.
        spread: shape (n, 2), float64: root of the weighted mean squared distance from the centre in x and in y.
        axes: along which there are places: 1 where neurons are in one row.
    """

    centre: NDArray[np.float64]
    spread: NDArray[np.float64]
    axes: int = 2

    @property
    def sigma_aff(self) -> NDArray[np.float64]:
        """Spread of the afferents, shape (n,): the mean of the spreads in x and in y, or that along the one row."""
        return self.spread.sum(axis=1) / self.axes

    @property
    def deviation(self) -> NDArray[np.float64]:
        """Absolute deviation (AD), shape (n,): distance of the centre from the neuron's own place."""
        return np.hypot(self.centre[:, 0], self.centre[:, 1])


def grid_displacement(grid: Grid, pre: NDArray[Any], post: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """dx, dy = post - pre of two arrays of ids on one grid, the shorter way round where it is periodic."""
    pre, post = pre.astype(np.int64), post.astype(np.int64)
    period_x, period_y = grid.periods
    return (
        wrapped(post % grid.nx - pre % grid.nx, period_x),
        wrapped(post // grid.nx - pre // grid.nx, period_y),
    )


def axes_of(grid: Grid) -> int:
    """Along how many axes neurons have places: 1 if they are in one row or column."""
    return max(1, (grid.nx > 1) + (grid.ny > 1))


def wrapped(distance: NDArray[np.int64], side: int) -> NDArray[np.int64]:
    """Whole distances along a periodic axis of `side`, in (-side/2, side/2]."""
    return (distance + (side - 1) // 2) % side - (side - 1) // 2


def receptive_fields(
    grid: Grid,
    row: NDArray[Any],
    dx: NDArray[Any],
    dy: NDArray[Any],
    weight: NDArray[Any],
    n_rows: int,
) -> ReceptiveFields:
    """Receptive fields of `n_rows` target neurons.

    Args:
        grid: of both populations.
        row: the target of each synapse, ascending, in 0 .. n_rows - 1, shape (synapses,).
        dx, dy: its source's place minus its target's, as `grid_displacement` has them.
        weight: how much it counts; only the size matters, not the sign.
    """
    size = np.abs(np.asarray(weight, dtype=np.float64))
    sides = (math.inf, math.inf) if grid.is_open else (grid.nx, grid.ny)
    axes = [_axis(side, row, distance, size, n_rows) for side, distance in zip(sides, (dx, dy), strict=True)]
    centre, spread = (np.stack(values, axis=1) for values in zip(*axes, strict=True))
    return ReceptiveFields(centre, spread, axes_of(grid))


def _axis(
    side: float, row: NDArray[Any], distance: NDArray[Any], weight: NDArray[np.float64], n_rows: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centre and spread along one axis; an open `side` is infinite.

    How far each candidate is from each place is the same for all neurons, so the spreads around all candidates are one
    product: (weight by neuron and place) x (squared distance by place and candidate).
    """
    reach = int(np.abs(distance).max(initial=0))
    periodic = 4 * reach >= side  # else everything lies on one side of the torus, and the best place among it
    places = np.arange(-((int(side) - 1) // 2), int(side) // 2 + 1) if periodic else np.arange(-reach, reach + 1)
    fine = np.arange(places[0] * _FINE, (places[-1] + int(periodic)) * _FINE + int(not periodic)) / _FINE
    apart = np.abs(fine[None, :] - places[:, None])
    squared = np.minimum(apart, side - apart) ** 2
    centre, spread = np.full(n_rows, np.nan), np.full(n_rows, np.nan)
    at_a_time = max(1, _CANDIDATES_AT_A_TIME // len(fine))
    for first in range(0, n_rows, at_a_time):
        last = min(first + at_a_time, n_rows)
        here = slice(*np.searchsorted(row, (first, last)))
        cell = (row[here].astype(np.int64) - first) * len(places) + (distance[here] - places[0])
        n_cells = (last - first) * len(places)
        by_place = np.bincount(cell, weights=weight[here], minlength=n_cells).reshape(last - first, len(places))
        total = by_place.sum(axis=1)
        some = np.flatnonzero(total > 0)
        best, least = _searched(by_place[some] @ squared, periodic)
        centre[first + some] = fine[best]
        spread[first + some] = np.sqrt(np.maximum(least, 0.0) / total[some])
    return np.where(centre > side / 2, centre - side, centre), spread


def _searched(cost: NDArray[np.float64], periodic: bool) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """The candidate that each row of `cost` is least at, near its least whole one; and how much that is."""
    coarse = np.argmin(cost[:, ::_FINE], axis=1) * _FINE
    nearby = coarse[:, None] + np.arange(-_FINE, _FINE + 1)
    nearby = nearby % cost.shape[1] if periodic else np.clip(nearby, 0, cost.shape[1] - 1)
    costs = np.take_along_axis(cost, nearby, axis=1)
    at = np.argmin(costs, axis=1)
    rows = np.arange(len(cost))
    return nearby[rows, at], costs[rows, at]
