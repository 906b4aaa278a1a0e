"""Blocks of ranks that are not there, for a rank that is looked at by itself where all ranks send to all."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.ranks.exchange.made_up import Spikes
from hpcsnn.ranks.exchange.plan import ExchangePlan
from hpcsnn.ranks.partition import Placement

# MPI_Allgather and MPI_Waitall, as a library whose handles are pointers has them.
_ALLGATHER = ctypes.CFUNCTYPE(ctypes.c_int, *[ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p] * 2, ctypes.c_void_p)
_WAIT_ALL = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)


@dataclass(frozen=True)
class Spent:
    """Seconds that went to making up what others send: by the clock, and of the processor."""

    wall_s: float = 0.0
    cpu_s: float = 0.0


class MadeUpBlocks:
    """What all other ranks send, in place of MPI; keep it as long as the rank runs.

    The others share the given spikes as evenly as neurons can be shared, in the order of their numbers. What does not
    fit into a block comes in further rounds, as from ranks that are there.

    Args:
        placements, plan, rank, n_ranks: of the rank.
        spikes: by population: steps from 0 on and global ids, shape (n,) each; those of own neurons are left out. All
            of a neuron are in the blocks of the same rank.
        n_steps: that there are spikes for; later ones have none.

    Attributes:
        spent: what all of it took so far.
    """

    def __init__(
        self,
        placements: Mapping[str, Placement],
        plan: ExchangePlan,
        rank: int,
        n_ranks: int,
        spikes: Mapping[str, Spikes],
        n_steps: int,
    ) -> None:
        self._n_ranks, self._rank, self._block = n_ranks, rank, plan.room.block
        first_id, size = 0, sum(one.tiling.grid.size for one in placements.values())
        steps, numbers = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        for name, placement in placements.items():
            step, ids = (np.asarray(one, dtype=np.int64) for one in spikes.get(name, ((), ())))
            others = (placement.local_of_own(ids) < 0) & (step >= 0) & (step < n_steps)
            steps.append(step[others])
            numbers.append(first_id + ids[others])
            first_id += placement.tiling.grid.size
        step, number = np.concatenate(steps), np.concatenate(numbers)
        sender = number * (n_ranks - 1) // size
        sender += sender >= rank
        exchange, offset = np.divmod(step, plan.interval)
        order = np.lexsort((number, step, sender, exchange))
        exchange, self._sender = exchange[order], sender[order]
        self._words = (offset << plan.number_bits | number)[order].astype(np.uint32)
        n_exchanges = -(-n_steps // plan.interval)
        self._start = np.concatenate([[0], np.cumsum(np.bincount(exchange, minlength=n_exchanges))])
        self._exchange, self._round = 0, 0
        self.spent = Spent()
        self._functions = {"allgather": _ALLGATHER(self._allgather), "wait_all": _WAIT_ALL(lambda *_: 0)}

    def bind(self, struct: Any) -> None:
        """Let a rank's exchange call this."""
        for name, function in self._functions.items():
            setattr(struct, name, ctypes.cast(function, ctypes.c_void_p).value)
        struct.handle_bytes = 8

    def _allgather(self, send: int, count: int, _: int, receive: int, *__: int) -> int:
        wall_s, cpu_s = time.perf_counter(), time.thread_time()
        blocks = np.ctypeslib.as_array((ctypes.c_uint32 * (self._n_ranks * count)).from_address(receive))
        own = ctypes.c_uint32.from_address(send).value
        left = self._fill(blocks.reshape(self._n_ranks, count), own)
        more = max(left, own) > self._block
        self._exchange, self._round = (self._exchange, self._round + 1) if more else (self._exchange + 1, 0)
        self.spent = Spent(
            self.spent.wall_s + time.perf_counter() - wall_s, self.spent.cpu_s + time.thread_time() - cpu_s
        )
        return 0

    def _fill(self, blocks: NDArray[np.uint32], own: int) -> int:
        """The blocks of this round; how many spikes are left at most to one of the others, with those in it."""
        first, end = self._start[np.minimum([self._exchange, self._exchange + 1], len(self._start) - 1)]
        sender, words = self._sender[first:end], self._words[first:end]
        counts = np.bincount(sender, minlength=self._n_ranks)
        before = self._round * self._block
        blocks[:, 0] = np.maximum(counts - before, 0)
        blocks[self._rank, 0] = own
        if len(words):
            place = np.arange(len(sender)) - (np.cumsum(counts) - counts)[sender] - before
            now = (place >= 0) & (place < self._block)
            blocks[sender[now], 1 + place[now]] = words[now]
        return int(np.delete(blocks[:, 0], self._rank).max(initial=0))
