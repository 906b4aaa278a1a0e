"""How ranks talk to each other: one interface for a process alone and for MPI, and for whoever stands in for ranks.

All methods are collective calls: every rank makes the same calls in the same order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from hpcsnn.errors import ConfigurationError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Value = TypeVar("Value")
# Of messages from rank to rank, whose order MPI keeps.
_PASSED_ON = 1


class Communicator(Protocol):
    """The ranks of one run.

    Attributes:
        rank, size: this rank's number, and how many there are.
        mpi: the mpi4py communicator behind it, for compiled code that calls MPI by its handle; None if there is none.
    """

    rank: int
    size: int
    mpi: Any

    def barrier(self) -> None:
        """Wait until every rank has come here."""

    def broadcast(self, value: Value) -> Value:
        """Rank 0's value, on every rank."""

    def gather(self, value: Value) -> list[Value]:
        """Every rank's value, in the order of ranks, on every rank."""

    def swap(self, messages: Sequence[Value]) -> list[Value]:
        """Give ``messages[r]`` to each rank r; what each rank had for this one, in the order of ranks."""

    def pass_on(self, messages: Mapping[int, Value], sources: Sequence[int]) -> list[Value]:
        """Give each rank its message; what each of `sources`, which have one for this rank, had, in their order.

        Every rank calls it, but only those wait for each other of which one has a message for the other.
        """

    def most(self, value: int) -> int:
        """The largest value of all ranks, on every rank."""

    def total(self, values: NDArray[Any]) -> NDArray[Any]:
        """Sum over ranks, entry by entry, on every rank."""

    def add_up(self, values: NDArray[Any]) -> None:
        """The same in place of `values`, which are contiguous."""

    def gather_blocks(self, block: NDArray[Any], into: NDArray[Any]) -> None:
        """Every rank's block, all of one size, into the rows of `into`, shape (size, len(block))."""

    def split(self, colour: int) -> Communicator:
        """The ranks that say the same colour, a number from 0, among themselves, in the order that they have."""

    def abort(self, code: int) -> None:
        """End all ranks at once."""


class Alone:
    """One process without others."""

    rank, size, mpi = 0, 1, None

    def barrier(self) -> None:
        """Nobody to wait for."""

    def broadcast(self, value: Value) -> Value:
        """The value."""
        return value

    def gather(self, value: Value) -> list[Value]:
        """The one value."""
        return [value]

    def swap(self, messages: Sequence[Value]) -> list[Value]:
        """The message to itself."""
        return list(messages)

    def pass_on(self, messages: Mapping[int, Value], sources: Sequence[int]) -> list[Value]:
        """The message to itself, if there is one."""
        return [messages[rank] for rank in sources]

    def most(self, value: int) -> int:
        """The one value."""
        return value

    def total(self, values: NDArray[Any]) -> NDArray[Any]:
        """The values."""
        return values

    def add_up(self, values: NDArray[Any]) -> None:
        """The sum is there."""

    def gather_blocks(self, block: NDArray[Any], into: NDArray[Any]) -> None:
        """The one block."""
        into[0] = block

    def split(self, colour: int) -> Communicator:  # noqa: ARG002 (there is nobody to part from)
        """Alone still."""
        return self

    def abort(self, code: int) -> None:
        """Nobody to end; who calls ends itself."""


class Mpi:
    """The ranks of an mpi4py communicator."""

    def __init__(self, comm: Any) -> None:
        self.mpi = comm
        self.rank, self.size = int(comm.Get_rank()), int(comm.Get_size())

    def barrier(self) -> None:
        """MPI_Barrier."""
        self.mpi.Barrier()

    def broadcast(self, value: Value) -> Value:
        """As a pickle."""
        received: Value = self.mpi.bcast(value)
        return received

    def gather(self, value: Value) -> list[Value]:
        """As pickles."""
        return list(self.mpi.allgather(value))

    def swap(self, messages: Sequence[Value]) -> list[Value]:
        """As pickles."""
        return list(self.mpi.alltoall(list(messages)))

    def pass_on(self, messages: Mapping[int, Value], sources: Sequence[int]) -> list[Value]:
        """As pickles, from rank to rank."""
        started = [self.mpi.isend(message, rank, _PASSED_ON) for rank, message in messages.items()]
        received = [self.mpi.recv(source=rank, tag=_PASSED_ON) for rank in sources]
        for request in started:
            request.wait()
        return received

    def most(self, value: int) -> int:
        """MPI_Allreduce."""
        import numpy as np
        from mpi4py import MPI

        largest = np.array([value], dtype=np.int64)
        self.mpi.Allreduce(MPI.IN_PLACE, largest, MPI.MAX)
        return int(largest[0])

    def total(self, values: NDArray[Any]) -> NDArray[Any]:
        """MPI_Allreduce."""
        import numpy as np  # which a command of one process may not need

        total = np.empty_like(values)
        self.mpi.Allreduce(np.ascontiguousarray(values), total)
        return total

    def add_up(self, values: NDArray[Any]) -> None:
        """MPI_Allreduce without a copy."""
        from mpi4py import MPI

        self.mpi.Allreduce(MPI.IN_PLACE, values)

    def gather_blocks(self, block: NDArray[Any], into: NDArray[Any]) -> None:
        """MPI_Allgather."""
        self.mpi.Allgather(block, into)

    def split(self, colour: int) -> Communicator:
        """MPI_Comm_split."""
        return communicator(self.mpi.Split(colour, self.rank))

    def abort(self, code: int) -> None:
        """MPI_Abort."""
        self.mpi.Abort(code)


def communicator(comm: Any = None) -> Communicator:
    """What users pass as `comm`: None (alone), an mpi4py communicator, or a `Communicator` as it is.

    Raises:
        ConfigurationError: none of these.
    """
    if comm is None:
        return Alone()
    if not hasattr(comm, "Get_rank"):
        if not (hasattr(comm, "gather_blocks") and hasattr(comm, "rank")):
            raise ConfigurationError(
                f"comm: {comm!r} is not allowed; must be None, an mpi4py communicator, or one of "
                "hpcsnn.ranks.communicator"
            )
        own: Communicator = comm
        return own
    return Alone() if comm.Get_size() == 1 else Mpi(comm)
