"""Memory that the ranks of a node share, for spikes that stay on it: what one writes, the others read.

It costs a tenth of a message. The memory has no name in any file system and goes with the last process that has it;
where it is not to be had, or HPCSNN_NODE_MEMORY=off says so, ranks of a node send messages as all others do.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from hpcsnn.ranks.exchange.derived import of_node

# A box begins with a line of the cache in which its writer says what is in it.
HEADER_WORDS = 16
# Larger ones than these are better sent: writer and readers would push each other out of the cache.
MOST_BYTES = 2**26
_WORD_BYTES = 4
_VARIABLE = "HPCSNN_NODE_MEMORY"


class NodeMemory:
    """Boxes that this rank writes and those that others of its node wrote for it. Keep it as long as they are used.

    Attributes:
        ranks: that share it.
        own: of each box that it writes, by the rank that it is for: address of the first word behind its header, and
            words from there to its twin, which the next exchange uses.
        others: the same of the boxes for this rank, by the rank that writes them.
        crowded: whether the node has more ranks than this process may use processors.
    """

    def __init__(self, comm: Any, words: Mapping[int, int], key: int | None = None) -> None:
        """Make the memory; a collective call of all ranks of the communicator.

        Args:
            comm: an mpi4py communicator.
            words: of the boxes for other ranks, by their number there; those on other nodes are left out.
            key: for whom boxes are that all others read; None: each is for the rank that it is kept under.
        """
        node = of_node(comm)
        here: list[int] = node.allgather(comm.Get_rank())
        self.ranks = frozenset(here) - {comm.Get_rank()}
        self.crowded = len(here) > len(os.sched_getaffinity(0))
        self.own: dict[int, tuple[int, int]] = {}
        self.others: dict[int, tuple[int, int]] = {}
        self._kept: list[Any] = []
        places, n_words = {}, 0
        for rank, n in words.items():
            if rank in self.ranks or rank == key:
                whole = -(-(n + HEADER_WORDS) // HEADER_WORDS) * HEADER_WORDS
                places[rank] = (n_words + HEADER_WORDS, whole)
                n_words += 2 * whole
        wanted = os.environ.get(_VARIABLE, "").lower() != "off" and n_words * _WORD_BYTES <= MOST_BYTES
        descriptor, own = _made(n_words * _WORD_BYTES) if wanted and self.ranks else (-1, None)
        try:
            offered = node.allgather((comm.Get_rank(), os.getpid(), descriptor, places))
            mapped = {} if own is None else self._opened(offered, comm.Get_rank(), key)
            whole = own is not None and mapped is not None
            if node.allreduce(int(whole)) != len(here):
                self.ranks = frozenset()
                return
        finally:
            if descriptor >= 0:
                os.close(descriptor)
        assert own is not None and mapped is not None
        base = self._address(own)
        for rank, (start, stride) in places.items():
            self.own[rank] = base + start * _WORD_BYTES, stride
        for rank, (memory, start, stride) in mapped.items():
            self.others[rank] = self._address(memory) + start * _WORD_BYTES, stride

    def _opened(
        self, offered: list[tuple[int, int, int, dict[int, tuple[int, int]]]], me: int, key: int | None
    ) -> dict[int, tuple[mmap.mmap, int, int]] | None:
        """The memory of each rank that has a box for this one, and the box's place; None if one cannot be had."""
        found = {}
        for rank, process, descriptor, places in offered:
            mine = places.get(me if key is None else key)
            if rank == me or mine is None:
                continue
            try:
                opened = os.open(f"/proc/{process}/fd/{descriptor}", os.O_RDWR)
                try:
                    found[rank] = (mmap.mmap(opened, 0), *mine)
                finally:
                    os.close(opened)
            except (OSError, ValueError):
                return None
        return found

    def _address(self, memory: mmap.mmap) -> int:
        array = np.frombuffer(memory, dtype=np.uint32)
        self._kept.append(array)
        return int(array.ctypes.data)


def _made(n_bytes: int) -> tuple[int, mmap.mmap | None]:
    """So much memory without a name, and what opens it; (-1, None) where there is none."""
    descriptor = -1
    try:
        descriptor = os.memfd_create("hpcsnn", os.MFD_CLOEXEC)
        os.posix_fallocate(descriptor, 0, max(n_bytes, 1))
        return descriptor, mmap.mmap(descriptor, 0)
    except (OSError, ValueError, AttributeError):
        if descriptor >= 0:
            os.close(descriptor)
        return -1, None
