"""Where neurons are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hpcsnn.errors import ConfigurationError


@dataclass(frozen=True)
class Grid:
    """A grid of nx x ny neurons, periodic in both directions; neuron id = y * nx + x; distances in grid units."""

    nx: int
    ny: int

    def __post_init__(self) -> None:
        for name, side in (("nx", self.nx), ("ny", self.ny)):
            if isinstance(side, bool) or not isinstance(side, (int, np.integer)) or side < 1:
                raise ConfigurationError(f"grid.{name}: {side!r} is not allowed; must be a whole number >= 1")
            object.__setattr__(self, name, int(side))  # NumPy's whole numbers overflow where Python's do not
        if self.nx * self.ny >= 2**31:
            raise ConfigurationError(f"grid: {self.nx} x {self.ny} neurons are too many; at most 2^31 - 1 a population")

    @property
    def size(self) -> int:
        """Number of neurons."""
        return self.nx * self.ny
