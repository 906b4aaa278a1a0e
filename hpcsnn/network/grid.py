"""Where neurons are."""

from __future__ import annotations

from dataclasses import dataclass, field

from hpcsnn.checked_numbers import LARGEST_WHOLE, Limits, truth_value, whole_number
from hpcsnn.errors import ConfigurationError, check_known, shown
from hpcsnn.network.places.positions import Positions

BORDERS = ("periodic", "open")


@dataclass(frozen=True)
class Grid:
    """A grid of nx x ny neurons; neuron id = y * nx + x; distances in grid units.

    With ``borders`` ``periodic`` it goes on behind each side at the other one; with ``open`` it ends there, in both
    directions. ``has_places`` is False for neurons that are numbered only: between them there are no distances, unless
    they have free ``positions``.

    Raises:
        ConfigurationError: a side that is no whole number from 1 on, 2^31 neurons and more, an open side of more than
            2^30, or borders of no known kind.
    """

    nx: int
    ny: int
    borders: str = "periodic"
    has_places: bool = field(default=True, compare=False, repr=False)
    positions: Positions | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("nx", "ny"):
            object.__setattr__(self, name, whole_number(f"grid.{name}", getattr(self, name), Limits(minimum=1)))
        check_known("grid.borders", self.borders, BORDERS)
        object.__setattr__(self, "has_places", truth_value("grid.has_places", self.has_places))
        self._check_positions()
        if self.size > LARGEST_WHOLE:
            raise ConfigurationError(f"grid: {self.nx} x {self.ny} neurons are too many; at most 2^31 - 1 a population")
        if max(self.periods) > LARGEST_WHOLE:
            raise ConfigurationError(f"grid: {self.nx} x {self.ny} is too long with open borders; at most 2^30 a side")

    def _check_positions(self) -> None:
        if self.positions is None:
            return
        if not isinstance(self.positions, Positions):
            raise ConfigurationError(
                f"grid.positions: {shown(self.positions)} is not allowed; must be Positions or None"
            )
        if (self.nx, self.ny) != (len(self.positions.points), 1):
            raise ConfigurationError(
                f"grid.positions: {len(self.positions.points)} positions are not allowed on a grid of {self.nx} x "
                f"{self.ny}; must be as many as there are neurons in one row"
            )
        object.__setattr__(self, "has_places", False)

    @classmethod
    def of_positions(cls, positions: Positions) -> Grid:
        """One row of numbers for neurons that are somewhere else."""
        return cls(len(positions.points), 1, positions=positions)

    @property
    def size(self) -> int:
        """Number of neurons."""
        return self.nx * self.ny

    @property
    def is_open(self) -> bool:
        """Whether it ends at its sides."""
        return self.borders == "open"

    @property
    def periods(self) -> tuple[int, int]:
        """After how many places it goes on from the front, in x and y: its sides; where it is open, so many that
        nothing is nearer that way round, and what is behind a side is on no grid."""
        return (2 * self.nx - 1, 2 * self.ny - 1) if self.is_open else (self.nx, self.ny)
