"""Neurons that are on no grid: where they are, in two or three dimensions, as whole numbers."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hpcsnn.brief import Brief
from hpcsnn.checked_numbers import Limits, real_number
from hpcsnn.errors import ConfigurationError, shown

DEFAULT_RESOLUTION = 0.01
# Points that a place is from 0 at most, and that there are along a side of a lattice: differences have 32 bits.
MOST_POINTS = 2**30
# Pairs whose chances are looked at to tell an expected in-degree.
_MOST_PAIRS = 10**7


class Positions(Brief):
    """Where the neurons of a population are, in grid units, by id: shape (n, 2) or (n, 3).

    Args:
        values: numbers, or a file ``.npy`` of them.
        resolution: in grid units; each coordinate is rounded to a multiple of it, so that squared distances are whole
            numbers of points and every device has the same.

    Attributes:
        points: the coordinates in multiples of the resolution, shape (n, 2) or (n, 3), int32.
        file: what names the file they are from, for configurations.

    Raises:
        ConfigurationError: another shape, a number that is not finite, or more than 2^30 points away from 0.
    """

    def __init__(self, values: ArrayLike | str | Path, resolution: float = DEFAULT_RESOLUTION) -> None:
        self.resolution = real_number("positions.resolution", resolution, Limits(unit="grid units", above=0.0))
        self.file: dict[str, str] = {}
        array = _of_file(Path(values)) if isinstance(values, (str, Path)) else _as_array(values)
        if array.ndim != 2 or array.shape[1] not in (2, 3) or len(array) == 0:
            raise ConfigurationError(
                f"positions: shape {array.shape} is not allowed; must be two or three coordinates for each neuron"
            )
        with np.errstate(over="ignore", invalid="ignore"):
            points = np.rint(array / self.resolution)
            wrong = ~(np.abs(points) <= MOST_POINTS)
        for neuron in np.flatnonzero(wrong.any(axis=1))[:1].tolist():
            raise ConfigurationError(
                f"positions[{neuron}]: {array[neuron].tolist()} is not allowed; with a resolution of "
                f"{self.resolution:g} each must be a finite number of grid units between "
                f"{-MOST_POINTS * self.resolution:g} and {MOST_POINTS * self.resolution:g}"
            )
        self.points = np.ascontiguousarray(points, dtype=np.int32)
        self.points.setflags(write=False)

    @property
    def dimensions(self) -> int:
        """2 or 3."""
        return self.points.shape[1]

    @property
    def points_a_unit(self) -> float:
        """Points to a grid unit."""
        return 1.0 / self.resolution

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the points and the resolution, by which a stored network knows them again."""
        about = f"{self.points.shape} {self.resolution!r}".encode()
        return hashlib.sha256(about + self.points.astype("<i4").tobytes()).hexdigest()

    @property
    def values(self) -> NDArray[np.float64]:
        """The coordinates in grid units, as they are kept."""
        return np.multiply(self.points, self.resolution, dtype=np.float64)

    def _headline(self) -> str:
        return f"Positions of {len(self.points)} neurons in {self.dimensions} dimensions, to {self.resolution:g}"

    def _rows(self) -> list[tuple[str, ...]]:
        return []


def _as_array(values: Any) -> NDArray[np.float64]:
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "iuf":
            raise ValueError("no numbers")
        return array.astype(np.float64)
    except (TypeError, ValueError):
        raise ConfigurationError(
            f"positions: {shown(values)} is not allowed; must be two or three numbers for each neuron"
        ) from None


def _of_file(path: Path) -> NDArray[np.float64]:
    try:
        return _as_array(np.load(path, allow_pickle=False))
    except FileNotFoundError:
        raise ConfigurationError(f"positions: {str(path)!a}: no such file") from None
    except (OSError, ValueError, EOFError) as error:
        said = (str(error) or type(error).__name__).splitlines()[0]
        raise ConfigurationError(f"positions: {str(path)!a}: cannot be read: {said}") from None


@dataclass(frozen=True, eq=False)
class Cells:
    """Sources sorted by the cell of a box that they are in, x fastest, and by id in each.

    Attributes:
        side: of a cell, in points.
        origin, shape: the box's corner in points, and how many cells it has along x, y and z.
        first: where each cell begins among the members, shape (cells + 1,), int32.
        members: ids of sources, int32.
    """

    side: int
    origin: tuple[int, int, int]
    shape: tuple[int, int, int]
    first: NDArray[np.int32]
    members: NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class FreeLattice:
    """Two populations that are on no grid, on the points that both are rounded to."""

    source: Positions
    target: Positions

    @property
    def fineness(self) -> float:
        """Points to a grid unit."""
        return self.source.points_a_unit

    @property
    def dimensions(self) -> int:
        """2 or 3."""
        return self.source.dimensions

    @property
    def furthest_squared(self) -> int:
        """No source and target are further from each other."""
        both = [each.points.astype(np.int64) for each in (self.source, self.target)]
        low, high = (np.stack([end(each, axis=0) for each in both]) for end in (np.min, np.max))
        return sum(int(side) ** 2 for side in high.max(axis=0) - low.min(axis=0))

    def squared_distances(self, pre: NDArray[Any], post: NDArray[Any]) -> NDArray[np.int64]:
        """In points, of sources and targets by their ids, which are broadcast."""
        apart = self.target.points[post].astype(np.int64) - self.source.points[pre]
        return (apart**2).sum(axis=-1)

    def expected_within(self, profile: NDArray[np.float64]) -> float:
        """The sum of a profile (by squared distance 0, 1, .. of points) over all sources, the mean over targets; over
        so many of these, evenly by id, as are looked at quickly."""
        n_sources, n_targets = len(self.source.points), len(self.target.points)
        n = max(1, min(n_targets, _MOST_PAIRS // n_sources))
        sums = []
        for target in np.arange(n) * n_targets // n:
            squared = self.squared_distances(np.arange(n_sources), target.reshape(1))
            sums.append(float(profile[squared[squared < len(profile)]].sum()))
        return math.fsum(sums) / n

    def most_within(self, reach_squared: int) -> int:
        """An upper bound of the sources within a squared distance of any target: those in its cell and beside it."""
        cell = math.isqrt(max(reach_squared, 0)) + 1
        of = [np.unique(each.points // cell, axis=0, return_counts=True) for each in (self.source, self.target)]
        places, counts = of[0]
        most = np.zeros(len(of[1][0]), dtype=np.int64)
        keys = {tuple(place): count for place, count in zip(places.tolist(), counts.tolist(), strict=True)}
        for step in product((-1, 0, 1), repeat=self.dimensions):
            beside = (of[1][0] + np.array(step)).tolist()
            most += [keys.get(tuple(place), 0) for place in beside]
        return int(most.max())

    @cached_property
    def corner(self) -> NDArray[np.int64]:
        """The least coordinates of sources, in points."""
        return self.source.points.min(axis=0).astype(np.int64)

    def cells(self, reach: int) -> Cells:
        """The sources in cells that are as wide as the reach, and wider where there would be far more cells than
        sources."""
        points = self.source.points - self.corner
        extent, side = points.max(axis=0) + 1, reach + 1
        while math.prod((-(-extent // side)).tolist()) > max(64, 2 * len(points)):
            side *= 2
        shape = (*(-(-extent // side)).tolist(), 1)[:3]
        of = points // side
        number = of[:, 0] + shape[0] * (of[:, 1] + shape[1] * (of[:, 2] if self.dimensions == 3 else 0))
        members = np.argsort(number, kind="stable").astype(np.int32)
        first = np.concatenate([[0], np.cumsum(np.bincount(number, minlength=math.prod(shape)))]).astype(np.int32)
        x, y, z = (*self.corner.tolist(), 0)[:3]
        return Cells(side, (x, y, z), shape, first, members)
