"""Two grids of different sides on one lattice of whole numbers, so that squared distances between them are whole."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.models.tables import LatticeAxis
from hpcsnn.network.grid import Grid


@dataclass(frozen=True)
class Lattice:
    """Where the neurons of two grids are that lie over each other, side on side.

    Each neuron is in the middle of its cell, and the targets' cells have the side 1, so that distances are in the
    targets' grid unit. The lattice has `fineness` points to such a unit, the fewest on which all neurons are.
    """

    source: Grid
    target: Grid

    @cached_property
    def fineness(self) -> int:
        """Points of the lattice to a unit of the targets' grid."""
        return math.lcm(*(LatticeAxis.least_fineness(*sides) for sides in self._sides))

    @cached_property
    def axes(self) -> tuple[LatticeAxis, LatticeAxis]:
        """x and y."""
        x, y = (LatticeAxis(*sides, self.fineness, self.target.is_open) for sides in self._sides)
        return x, y

    @property
    def _sides(self) -> tuple[tuple[int, int], tuple[int, int]]:
        return (self.source.nx, self.target.nx), (self.source.ny, self.target.ny)

    @property
    def furthest_squared(self) -> int:
        """No two of its points are further from each other."""
        return sum((axis.period // 2) ** 2 for axis in self.axes)

    def displacements(self, pre: NDArray[Any], post: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Target's place minus source's, in points of the lattice, in x and y, by the shorter way round."""
        (pre_y, pre_x), (post_y, post_x) = (
            np.divmod(ids.astype(np.int64), grid.nx) for ids, grid in ((pre, self.source), (post, self.target))
        )
        return self.axes[0].displacements(pre_x, post_x), self.axes[1].displacements(pre_y, post_y)

    @property
    def dimensions(self) -> int:
        """Along how many axes neurons have places: 1 if they are in one row or column."""
        return max(1, (self.target.nx > 1) + (self.target.ny > 1))

    def squared_distances(self, pre: NDArray[Any], post: NDArray[Any]) -> NDArray[np.int64]:
        """In points, of sources and targets by their ids, which are broadcast."""
        dx, dy = self.displacements(pre, post)
        return dx**2 + dy**2

    def expected_within(self, profile: NDArray[np.float64]) -> float:
        """The sum of a profile (by squared distance 0, 1, .. of points) over all sources, the mean over targets."""
        along, across = (axis.pairs_by_distance(math.isqrt(max(len(profile) - 1, 0))) for axis in self.axes)
        squared = np.arange(len(along), dtype=np.int64) ** 2
        rows = []
        for distance in np.flatnonzero(across).tolist():
            within = squared + distance**2 < len(profile)
            rows.append(float(across[distance]) * float((along[within] * profile[squared[within] + distance**2]).sum()))
        return math.fsum(rows)

    def chances_in_the_middle(self, profile: NDArray[np.float64]) -> NDArray[np.float64]:
        """The chances of the sources of the target in the middle, of those that have one."""
        reach = math.isqrt(max(len(profile) - 1, 0))
        columns, rows = (axis.near(axis.targets // 2, reach)[1] ** 2 for axis in self.axes)
        squared = np.add.outer(rows, columns).ravel()
        return profile[squared[squared < len(profile)]]

    def most_within(self, reach_squared: int) -> int:
        """An upper bound of the sources within a squared distance of any target."""
        reach = math.isqrt(max(reach_squared, 0))
        return math.prod(min(axis.sources, 2 * reach // axis.stride + 1) for axis in self.axes)
