"""How long messages between the ranks of this job take, by themselves: a second of measuring beside a measured run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from hpcsnn.ranks.communicator import Alone, Communicator

# Bytes of the messages that are tried, and how long each size is tried, in s.
SIZES = (64, 1024, 16 * 1024, 256 * 1024)
_EACH_S = 0.1
_MOST_REPEATS, _BATCHES = 2000, 10
# All-gathered at once, at most: of many ranks the largest messages are left out.
_MOST_GATHERED = 64 * 1024 * 1024


def ping(ranks: Communicator) -> list[dict[str, Any]]:
    """Median seconds of exchanges of blocks of some sizes; a collective call, below two seconds.

    ``allgather`` brings a block of each rank to every rank; in a ``shift`` each rank sends one block to the rank half
    way round and receives one, as between two neighbours on different nodes. What the same call takes of a rank with
    itself is taken off, since compiled code calls MPI without Python: a tenth stays at least.

    Returns:
        A mapping of ``kind``, ``ranks``, ``bytes`` (of a block) and ``seconds`` for each, on every rank; nothing where
        there is one rank, or no MPI.
    """
    if ranks.size == 1 or ranks.mpi is None:
        return []
    from mpi4py import MPI

    call_s = {
        kind: min(_batch_s(Alone(), work, 100) for _ in range(5)) for kind, work in _works(MPI.COMM_SELF, SIZES[0])
    }
    measured = []
    for n_bytes in SIZES:
        for kind, work in _works(ranks.mpi, n_bytes):
            seconds = median_s(ranks, partial(_batch_s, ranks, work))
            net_s = ranks.broadcast(max(seconds - call_s[kind], 0.1 * seconds))
            measured.append({"kind": kind, "ranks": ranks.size, "bytes": n_bytes, "seconds": net_s})
    return measured


def _works(comm: Any, n_bytes: int) -> Iterator[tuple[str, Callable[[], None]]]:
    """Both kinds of exchange of blocks of so many bytes between the ranks of an mpi4py communicator."""
    n_ranks, rank = comm.Get_size(), comm.Get_rank()
    to, origin = (rank + n_ranks // 2) % n_ranks, (rank - n_ranks // 2) % n_ranks
    block, received = np.zeros(n_bytes, dtype=np.uint8), np.zeros(n_bytes, dtype=np.uint8)
    yield "shift", lambda: comm.Sendrecv(block, to, 0, received, origin, 0)
    if n_bytes * n_ranks <= _MOST_GATHERED:
        gathered = np.zeros((n_ranks, n_bytes), dtype=np.uint8)
        yield "allgather", lambda: comm.Allgather(block, gathered)


def median_s(ranks: Communicator, batch_s: Callable[[int], float]) -> float:
    """Seconds of one of many, over batches of so many as `batch_s` is asked to take the time of one in; by the first
    rank's clock, and all ranks repeat as often: a collective call."""
    took = batch_s(5)
    repeats = ranks.broadcast(int(min(max(_EACH_S / _BATCHES / max(took, 1e-9), 1), _MOST_REPEATS)))
    return ranks.broadcast(statistics.median(batch_s(repeats) for _ in range(_BATCHES)))


def _batch_s(ranks: Communicator, work: Callable[[], None], repeats: int) -> float:
    ranks.barrier()
    start = time.perf_counter()
    for _ in range(repeats):
        work()
    return (time.perf_counter() - start) / repeats
