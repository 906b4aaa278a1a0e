"""Where neurons are."""

from __future__ import annotations

from dataclasses import dataclass

from hpcsnn.checked_numbers import LARGEST_WHOLE, Limits, whole_number
from hpcsnn.errors import ConfigurationError


@dataclass(frozen=True)
class Grid:
    """A grid of nx x ny neurons, periodic in both directions; neuron id = y * nx + x; distances in grid units.

    Raises:
        ConfigurationError: a side that is no whole number from 1 on, or 2^31 neurons and more.
    """

    nx: int
    ny: int

    def __post_init__(self) -> None:
        for name in ("nx", "ny"):
            object.__setattr__(self, name, whole_number(f"grid.{name}", getattr(self, name), Limits(minimum=1)))
        if self.size > LARGEST_WHOLE:
            raise ConfigurationError(f"grid: {self.nx} x {self.ny} neurons are too many; at most 2^31 - 1 a population")

    @property
    def size(self) -> int:
        """Number of neurons."""
        return self.nx * self.ny
