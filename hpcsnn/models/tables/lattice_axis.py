"""One axis of two grids that lie over each other: the lattice of whole numbers that the neurons of both are on."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class LatticeAxis:
    """``sources`` over ``targets``, end on end, each in the middle of its cell; a target's cell has the side 1.

    ``fineness`` points are such a unit. Target i is at ``fineness * i``, source j at ``offset + stride * j``.
    """

    sources: int
    targets: int
    fineness: int
    is_open: bool

    @staticmethod
    def least_fineness(sources: int, targets: int) -> int:
        """The fewest points to a unit on which all of them are: half a cell of one is whole from half of the other."""
        common = math.gcd(sources, targets)
        sources, targets = sources // common, targets // common
        return sources if (sources - targets) % 2 == 0 else 2 * sources

    @property
    def stride(self) -> int:
        """From one source to the next."""
        return self.fineness * self.targets // self.sources

    @property
    def offset(self) -> int:
        """Of the first source from the first target: negative where there are more sources."""
        return (self.stride - self.fineness) // 2

    @property
    def period(self) -> int:
        """After how many points it goes on from the front; where it is open, so many that nothing is nearer so."""
        return 2 * self.fineness * self.targets - 1 if self.is_open else self.fineness * self.targets

    @property
    def repeats(self) -> tuple[int, int]:
        """After how many targets, and sources, the same displacements come again."""
        common = math.gcd(self.stride, self.fineness)
        return self.stride // common, self.fineness // common

    def displacements(self, pre: NDArray[np.int64], post: NDArray[np.int64]) -> NDArray[np.int64]:
        """Target's place minus source's in points, by the shorter way round: -(period - 1) // 2 .. period // 2."""
        half = (self.period - 1) // 2
        return (self.fineness * post - self.offset - self.stride * pre + half) % self.period - half

    def near(self, target: int, reach: int, beyond: bool = False) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Sources within reach of a target, each once, and their places minus its own, in points; a source before the
        front, or behind the end, is the one that comes there where the axis goes on. With `beyond`, places that
        sources would have behind the sides of an open axis are among them."""
        place = self.fineness * target - self.offset
        low = max(place - reach, place - (self.period - 1) // 2)
        high = min(place + reach, place + self.period // 2)
        sources = np.arange(-(-low // self.stride), high // self.stride + 1, dtype=np.int64)
        if self.is_open and not beyond:
            sources = sources[(sources >= 0) & (sources < self.sources)]
        return sources, self.stride * sources - place

    def pairs_by_distance(self, reach: int) -> NDArray[np.float64]:
        """Sources at distance 0, 1, .. reach, the mean over targets; the work goes with the reach."""
        reach = min(reach, self.period // 2)
        # Target i has a source at a displacement if fineness i = offset - displacement modulo the stride.
        displacement = np.arange(-reach, reach + 1, dtype=np.int64)
        every, common = self.repeats[0], math.gcd(self.stride, self.fineness)
        parts, rest = np.divmod(self.offset - displacement, common)
        start = parts % every * pow(self.fineness // common, -1, every) % every
        low, high = np.zeros_like(displacement), np.full_like(displacement, self.targets - 1)
        if self.is_open:
            furthest = self.stride * (self.sources - 1)
            low = np.maximum(low, -((displacement - self.offset) // self.fineness))
            high = np.minimum(high, (furthest + self.offset - displacement) // self.fineness)
        count = np.maximum((high - start) // every - (low - start - 1) // every, 0)
        count[rest != 0] = 0
        if self.period == 2 * reach:
            count[0] = 0  # the point opposite is one, whichever way round
        counts = np.zeros(reach + 1)
        np.add.at(counts, np.abs(displacement), count / self.targets)
        return counts
