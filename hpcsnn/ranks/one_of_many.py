"""A rank of many in a process without the others, for what can be told of it alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from hpcsnn.errors import SimulationError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Value = TypeVar("Value")


class OneOfMany:
    """Rank `rank` of `size`; see `hpcsnn.ranks.communicator.Communicator`.

    It takes the others to say what it says itself: their most and least are its own, their sums its own times as many.
    What ranks would give to this one alone nobody can say.

    Attributes:
        in_place_of_mpi: what compiled code calls in its place, kept for as long.
    """

    mpi = None

    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size = rank, size
        self.in_place_of_mpi: Any = None

    def barrier(self) -> None:
        """Nobody to wait for."""

    def broadcast(self, value: Value) -> Value:
        """The value."""
        return value

    def gather(self, value: Value) -> list[Value]:
        """The value of each."""
        return [value] * self.size

    def swap(self, messages: Sequence[Value]) -> list[Value]:  # noqa: ARG002
        """Raise: it needs the others."""
        raise SimulationError("a rank by itself cannot swap values with ranks that are not there")

    def pass_on(self, messages: Mapping[int, Value], sources: Sequence[int]) -> list[Value]:  # noqa: ARG002
        """Raise: it needs the others."""
        raise SimulationError("a rank by itself cannot swap values with ranks that are not there")

    def most(self, value: int) -> int:
        """The value."""
        return value

    def total(self, values: NDArray[Any]) -> NDArray[Any]:
        """As if all had these values."""
        return values * self.size

    def add_up(self, values: NDArray[Any]) -> None:
        """The same in place."""
        values *= self.size

    def gather_blocks(self, block: NDArray[Any], into: NDArray[Any]) -> None:
        """The block of each."""
        into[...] = block

    def split(self, colour: int) -> OneOfMany:  # noqa: ARG002
        """All say the same colour."""
        return self

    def abort(self, code: int) -> None:
        """Nobody to end; who calls ends itself."""
