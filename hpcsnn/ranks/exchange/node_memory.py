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
# Under which a rank keeps the box that all others of its node read.
FOR_ALL = -1
_WORD_BYTES = 4
_VARIABLE = "HPCSNN_NODE_MEMORY"


# For a rank: where in its memory each of its boxes begins, and how far behind it the twin, by whom the box is for.
_Places = dict[int, tuple[int, int]]


class NodeMemory:
    """Boxes that this rank writes and those that others of its node write. Keep it as long as they are used.

    A place is the address of a box's first word, behind its header, and the words from there to its twin, which the
    next exchange uses.

    Attributes:
        ranks: the others that share it.
        own: the place of each box that this rank writes, by the rank that it is for; `FOR_ALL`: for all of them.
        others: of those that others write for this rank alone, by the rank that writes it.
        for_all: of those that others write for all.
        crowded: whether the node has more ranks than this process may use processors.
    """

    def __init__(self, comm: Any, words: Mapping[int, int]) -> None:
        """Make the memory; a collective call of all ranks of the communicator.

        Args:
            comm: an mpi4py communicator.
            words: of the boxes for other ranks, by their number there, and for all; those for ranks on other nodes are
                left out.
        """
        node, me = of_node(comm), comm.Get_rank()
        here: list[int] = node.allgather(me)
        self.ranks = frozenset(here) - {me}
        self.crowded = len(here) > len(os.sched_getaffinity(0))
        self.own: _Places = {}
        self.others: _Places = {}
        self.for_all: _Places = {}
        self._kept: list[Any] = []
        places, n_words = _places({rank: n for rank, n in words.items() if rank in self.ranks or rank == FOR_ALL})
        wanted = os.environ.get(_VARIABLE, "").lower() != "off" and n_words * _WORD_BYTES <= MOST_BYTES
        descriptor, own = _made(n_words * _WORD_BYTES) if wanted and self.ranks else (-1, None)
        try:
            offered = node.allgather((me, os.getpid(), descriptor, places))
            opened = None if own is None else _opened({one[0]: one[1:3] for one in offered if one[0] != me})
            if node.allreduce(int(opened is not None)) != len(here):  # nobody has it, or all have it from all
                self.ranks = frozenset()
                return
        finally:
            if descriptor >= 0:
                os.close(descriptor)
        assert own is not None and opened is not None
        base = self._address(own)
        self.own = {rank: (base + start * _WORD_BYTES, twin) for rank, (start, twin) in places.items()}
        for rank, _, _, theirs in offered:
            if rank == me:
                continue
            base = self._address(opened[rank])
            for whose, found in ((me, self.others), (FOR_ALL, self.for_all)):
                if whose in theirs:
                    start, twin = theirs[whose]
                    found[rank] = base + start * _WORD_BYTES, twin

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


def _places(words: Mapping[int, int]) -> tuple[_Places, int]:
    """Where boxes of so many words are, each with its header and its twin, and the words of all."""
    places, n_words = {}, 0
    for whose, n in words.items():
        whole = -(-(n + HEADER_WORDS) // HEADER_WORDS) * HEADER_WORDS
        places[whose] = (n_words + HEADER_WORDS, whole)
        n_words += 2 * whole
    return places, n_words


def _opened(offered: Mapping[int, tuple[int, int]]) -> dict[int, mmap.mmap] | None:
    """What processes offer by their descriptors, by rank; None if one cannot be had."""
    found = {}
    for rank, (process, descriptor) in offered.items():
        try:
            opened = os.open(f"/proc/{process}/fd/{descriptor}", os.O_RDWR)
            try:
                found[rank] = mmap.mmap(opened, 0)
            finally:
                os.close(opened)
        except (OSError, ValueError):
            return None
    return found
