"""How long messages between the ranks of this job take, by themselves: a second of measuring beside a measured run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from hpcsnn.ranks.communicator import Communicator

# Bytes of the messages that are tried, and how long each size is tried, in s.
SIZES = (64, 1024, 16 * 1024, 256 * 1024)
_EACH_S = 0.1
_MOST_REPEATS, _BATCHES = 2000, 10
# All-gathered at once, at most: of many ranks the largest messages are left out.
_MOST_GATHERED = 64 * 1024 * 1024


def ping(ranks: Communicator) -> list[dict[str, Any]]:
    """Median seconds of exchanges of blocks of some sizes; a collective call, below two seconds.

    ``allgather`` brings a block of each rank to every rank; in a ``shift`` each rank sends one block to the rank half
    way round and receives one, as between two neighbours on different nodes.

    Returns:
        A mapping of ``kind``, ``ranks``, ``bytes`` (of a block) and ``seconds`` for each, on every rank; nothing where
        there is one rank, or no MPI.
    """
    if ranks.size == 1 or ranks.mpi is None:
        return []
    comm, n_ranks = ranks.mpi, ranks.size
    to, origin = (ranks.rank + n_ranks // 2) % n_ranks, (ranks.rank - n_ranks // 2) % n_ranks
    measured = []
    for n_bytes in SIZES:
        block, received = np.zeros(n_bytes, dtype=np.uint8), np.zeros(n_bytes, dtype=np.uint8)

        def shift(block: Any = block, received: Any = received) -> None:
            comm.Sendrecv(block, to, 0, received, origin, 0)

        works: dict[str, Callable[[], None]] = {"shift": shift}
        if n_bytes * n_ranks <= _MOST_GATHERED:
            gathered = np.zeros((n_ranks, n_bytes), dtype=np.uint8)

            def allgather(block: Any = block, gathered: Any = gathered) -> None:
                comm.Allgather(block, gathered)

            works["allgather"] = allgather
        for kind, work in works.items():
            measured.append({"kind": kind, "ranks": n_ranks, "bytes": n_bytes, "seconds": _median_s(ranks, work)})
    return measured


def _median_s(ranks: Communicator, work: Callable[[], None]) -> float:
    """Over batches, by the first rank's clock; all ranks repeat as often."""
    took = _batch_s(ranks, work, 5)
    repeats = ranks.broadcast(int(min(max(_EACH_S / _BATCHES / max(took, 1e-9), 1), _MOST_REPEATS)))
    return ranks.broadcast(statistics.median(_batch_s(ranks, work, repeats) for _ in range(_BATCHES)))


def _batch_s(ranks: Communicator, work: Callable[[], None], repeats: int) -> float:
    ranks.barrier()
    start = time.perf_counter()
    for _ in range(repeats):
        work()
    return (time.perf_counter() - start) / repeats
