"""Several ranks in one process: a `Communicator` whose ranks are threads, so that what ranks do together needs no MPI.

What it keeps of MPI: every rank has its own copy of what the others send, and all ranks must make the same calls in the
same order. What MPI would answer with a deadlock or with garbage is an error here, on every rank: calls that differ,
a rank that ends while others wait for it, blocks or sums of different shapes.
"""

from __future__ import annotations

import ctypes
import pickle
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

# MPI_Iallgather, MPI_Waitall and MPI_Barrier, as a library whose handles are pointers has them.
_BLOCK = (ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
_ALLGATHER = ctypes.CFUNCTYPE(ctypes.c_int, *_BLOCK, *_BLOCK, ctypes.c_void_p, ctypes.c_void_p)
_WAIT_ALL = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
_BARRIER = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)

Value = TypeVar("Value")
Result = TypeVar("Result")


class CallsDifferError(AssertionError):
    """Ranks that should have made the same collective call made different ones."""


class AbortedError(Exception):
    """A rank ended all ranks; ``code`` is what it said."""

    def __init__(self, code: int) -> None:
        super().__init__(f"a rank ended all ranks with code {code}")
        self.code = code


class OtherRankError(Exception):
    """This rank waited for one that has failed; never what `on_ranks` raises."""


class _Meeting:
    """Where the ranks of one group wait for each other and leave what they have for each other."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._barrier = threading.Barrier(size)
        self._left: list[tuple[str, Any]] = [("", None)] * size
        self._lock = threading.Lock()
        self.posted: dict[tuple[int, int], queue.Queue[bytes]] = {
            (giver, taker): queue.Queue() for giver in range(size) for taker in range(size)
        }
        self.error: BaseException | None = None
        self._parts: list[_Meeting] = []

    def part(self, size: int) -> _Meeting:
        """Where so many of these ranks meet; an error here ends them there too."""
        made = _Meeting(size)
        with self._lock:
            self._parts.append(made)
        return made

    def together(self, rank: int, call: str, value: Any) -> list[Any]:
        """Leave a value; what all ranks have left, in the order of ranks, once all have made the same call."""
        self._left[rank] = (call, value)
        self._wait()
        left = list(self._left)
        self._wait()  # nobody leaves the next value before all have taken this one
        calls = [name for name, _ in left]
        if len(set(calls)) > 1:
            raise CallsDifferError("calls differ: " + ", ".join(f"rank {r}: {name}" for r, name in enumerate(calls)))
        return [value for _, value in left]

    def fail(self, error: BaseException) -> None:
        """Keep the first error, and let nobody wait any more."""
        with self._lock:
            if self.error is None and not isinstance(error, OtherRankError):
                self.error = error
            parts = list(self._parts)
        self._barrier.abort()
        for part in parts:
            part.fail(error)

    def _wait(self) -> None:
        try:
            self._barrier.wait()
        except threading.BrokenBarrierError:
            raise OtherRankError from self.error


class ThreadRank:
    """One rank of several that are threads; see `hpcsnn.ranks.communicator.Communicator`."""

    mpi = None

    def __init__(self, meeting: _Meeting, rank: int) -> None:
        self._meeting = meeting
        self.rank, self.size = rank, meeting.size

    def _swapped(self, call: str, value: Any) -> list[Any]:
        """What all ranks have for all, as copies of this rank's own."""
        return [pickle.loads(sent) for sent in self._meeting.together(self.rank, call, pickle.dumps(value))]

    def barrier(self) -> None:
        """Wait for all."""
        self._meeting.together(self.rank, "barrier", None)

    def broadcast(self, value: Value) -> Value:
        """Rank 0's value; what the others give is not looked at."""
        sent = self._meeting.together(self.rank, "broadcast", pickle.dumps(value) if self.rank == 0 else None)
        received: Value = pickle.loads(sent[0])
        return received

    def gather(self, value: Value) -> list[Value]:
        """Every rank's value."""
        return self._swapped("gather", value)

    def swap(self, messages: Sequence[Value]) -> list[Value]:
        """The message for this rank of each."""
        if len(messages) != self.size:
            raise ValueError(f"swap: {len(messages)} messages for {self.size} ranks")
        sent = self._meeting.together(self.rank, "swap", [pickle.dumps(message) for message in messages])
        return [pickle.loads(of_rank[self.rank]) for of_rank in sent]

    def pass_on(self, messages: Mapping[int, Value], sources: Sequence[int]) -> list[Value]:
        """Each message to its rank; those that nobody expects, or that are expected and not sent, are an error."""
        sent = {to: pickle.dumps(message) for to, message in messages.items()}
        everyone = self._meeting.together(self.rank, "pass_on", sent)
        mine = {source: of_rank[self.rank] for source, of_rank in enumerate(everyone) if self.rank in of_rank}
        if sorted(mine) != sorted(sources):
            raise ValueError(f"pass_on: rank {self.rank} expects {sorted(sources)} and is sent by {sorted(mine)}")
        return [pickle.loads(mine[source]) for source in sources]

    def send(self, message: Any, rank: int) -> None:
        """Leave a message for a rank, which takes those of each other one in the order in which they were left."""
        self._meeting.posted[self.rank, rank].put(pickle.dumps(message))

    def receive(self, source: int) -> Any:
        """The next message of a rank.

        Raises:
            OtherRankError: none has come for a minute.
        """
        try:
            return pickle.loads(self._meeting.posted[source, self.rank].get(timeout=60))
        except queue.Empty:
            raise OtherRankError from None

    def most(self, value: int) -> int:
        """The largest."""
        return max(self._swapped("most", value))

    def total(self, values: NDArray[Any]) -> NDArray[Any]:
        """The sum, of arrays of one shape and type."""
        everyone = self._swapped("total", values)
        if len({(one.shape, one.dtype) for one in everyone}) > 1:
            raise ValueError(f"total: shapes and types {[(one.shape, str(one.dtype)) for one in everyone]}")
        return np.sum(everyone, axis=0, dtype=values.dtype)

    def add_up(self, values: NDArray[Any]) -> None:
        """The sum in place."""
        values[...] = self.total(values)

    def gather_blocks(self, block: NDArray[Any], into: NDArray[Any]) -> None:
        """Each block into its row, all of one length and type."""
        blocks = self._swapped("gather_blocks", block)
        if any(one.shape != into.shape[1:] or one.dtype != into.dtype for one in blocks) or len(into) != self.size:
            raise ValueError(f"gather_blocks: {[(one.shape, str(one.dtype)) for one in blocks]} into {into.shape}")
        into[...] = blocks

    def split(self, colour: int) -> ThreadRank:
        """The ranks of one colour."""
        colours = self._meeting.together(self.rank, "split", colour)
        mine = [rank for rank, one in enumerate(colours) if one == colour]
        made = self._meeting.part(len(mine)) if self.rank == mine[0] else None
        parts = self._meeting.together(self.rank, "split into", made)
        return ThreadRank(parts[mine[0]], mine.index(self.rank))

    def exchange(self, simulation: Any) -> None:
        """Let a simulation on the host, which swaps spikes from compiled code, do it by these threads when it sends."""

        def allgather(send: int, count: int, _: int, receive: int, *__: int) -> int:
            block, blocks = ctypes.c_uint32 * count, ctypes.c_uint32 * (self.size * count)
            into = np.frombuffer(blocks.from_address(receive), dtype=np.uint32).reshape(self.size, count)
            try:
                self.gather_blocks(np.frombuffer(block.from_address(send), dtype=np.uint32), into)
            except (ValueError, CallsDifferError, OtherRankError):
                return 1
            return 0

        def barrier(_: int) -> int:
            try:
                self.barrier()
            except (CallsDifferError, OtherRankError):
                return 1
            return 0

        part = simulation.state.struct.exchange
        functions = {
            "allgather": _ALLGATHER(allgather),
            "wait_all": _WAIT_ALL(lambda *_: 0),
            "barrier": _BARRIER(barrier),
        }
        for name, function in functions.items():
            setattr(part, name, ctypes.cast(function, ctypes.c_void_p).value)
        self._called = functions  # for as long as this rank
        part.handle_bytes = 8

    def abort(self, code: int) -> None:
        """End all ranks: `on_ranks` raises `AbortedError`.

        Raises:
            AbortedError: here too, for the caller would not go on either.
        """
        raise AbortedError(code)


def on_ranks(n: int, work: Callable[[ThreadRank], Result]) -> list[Result]:
    """Run ``work(communicator)`` on n ranks; the results in the order of ranks.

    Raises:
        BaseException: the first error of any rank; the others stop at their next collective call.
        CallsDifferError: ranks made different collective calls, or some made more than others.
    """
    meeting = _Meeting(n)
    results: list[Any] = [None] * n

    def run(rank: int) -> None:
        try:
            results[rank] = work(ThreadRank(meeting, rank))
            meeting.together(rank, "end", None)
        except BaseException as error:
            meeting.fail(error)

    threads = [threading.Thread(target=run, args=(rank,), daemon=True, name=f"rank {rank}") for rank in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if meeting.error is not None:
        raise meeting.error
    return results
