"""Initial values of state variables: one number, or a distribution over neurons."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpcsnn.errors import ConfigurationError


@dataclass(frozen=True)
class Normal:
    """Normal distribution with ``mean`` and ``std`` in the variable's unit."""

    mean: float
    std: float

    def __post_init__(self) -> None:
        if not np.isfinite([self.mean, self.std]).all() or self.std < 0:
            raise ConfigurationError(
                f"normal: mean {self.mean!r}, std {self.std!r} is not allowed; std must be >= 0 and both finite"
            )

    def values(self, words: NDArray[np.uint32]) -> NDArray[np.float64]:
        """One value a 32-bit random word, by the inverse distribution function."""
        from scipy.special import ndtri  # takes longer to load than most commands take

        values: NDArray[np.float64] = self.mean + self.std * ndtri((words.astype(np.float64) + 0.5) / 2.0**32)
        return values


@dataclass(frozen=True)
class Uniform:
    """Uniform distribution on [low, high) in the variable's unit."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not np.isfinite([self.low, self.high]).all() or self.high < self.low:
            raise ConfigurationError(
                f"uniform: low {self.low!r}, high {self.high!r} is not allowed; high must be >= low and both finite"
            )

    def values(self, words: NDArray[np.uint32]) -> NDArray[np.float64]:
        """One value a 32-bit random word."""
        return self.low + (self.high - self.low) * (words.astype(np.float64) / 2.0**32)


Initial = float | Normal | Uniform
