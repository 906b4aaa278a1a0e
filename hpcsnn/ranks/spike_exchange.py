"""Spikes between ranks: who sends what to whom, and the MPI call behind it.

On the host the all-gather is called from compiled code, by the address of ``MPI_Allgather`` and the communicator's
handle: at one step's delay an exchange takes a few microseconds, less than a call through Python.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.errors import SimulationError
from hpcsnn.ranks.communicator import Communicator

# Messages per rank and round: 4 kB blocks cost twice a minimal one, and hold a busy step of 50,000 neurons per rank.
LARGEST_BLOCK = 1023
SMALLEST_BLOCK = 15


def block_size(n_own: int, interval: int, asked: int | None) -> int:
    """Spikes that a rank sends in the first round of an exchange: 1 % of its neurons per step, unless asked for."""
    if asked is not None:
        return asked
    return min(max(SMALLEST_BLOCK, n_own * interval // 100), LARGEST_BLOCK)


def bind_allgather(struct: Any, comm: Any) -> None:
    """Point the struct's exchange at MPI_Allgather on `comm`.

    Raises:
        SimulationError: the MPI library behind mpi4py has no such symbol.
    """
    from mpi4py import MPI

    try:
        function = ctypes.CDLL(MPI.__file__).MPI_Allgather
    except (OSError, AttributeError) as error:
        raise SimulationError(f"MPI_Allgather is not to be found through {MPI.__file__}: {error}") from error
    struct.allgather = ctypes.cast(function, ctypes.c_void_p).value
    # As bits: where handles are whole numbers, those of communicators that were split off may be below zero.
    struct.communicator = ctypes.c_int64(MPI._handleof(comm)).value
    struct.datatype = ctypes.c_int64(MPI._handleof(MPI.UINT32_T)).value
    struct.handle_bytes = MPI._sizeof(MPI.Comm)


class StagedAllgather:
    """The same exchange from host memory, for a device whose memory MPI is not given.

    The protocol is that of ``exchange_spikes`` in kernels/step/exchange_host.cpp: every rank sends [how many are left,
    spikes ...] in blocks of one size, and as many more rounds follow as the fullest rank needs.
    """

    def __init__(self, communicator: Communicator, block: int) -> None:
        self._ranks, self._block = communicator, block
        self._send_block = np.zeros(block + 1, dtype=np.uint32)
        self._receive_block = np.zeros((communicator.size, block + 1), dtype=np.uint32)

    @property
    def capacity(self) -> int:
        """Most messages that a round brings."""
        return self._block * self._ranks.size

    def rounds(self, messages: NDArray[np.uint32]) -> Iterator[NDArray[np.uint32]]:
        """Send `messages`; yield what the other ranks sent, round by round. A collective call."""
        sent, more = 0, True
        while more:
            part = messages[sent : sent + self._block]
            self._send_block[0] = len(messages) - sent
            self._send_block[1 : 1 + len(part)] = part
            self._ranks.gather_blocks(self._send_block, self._receive_block)
            sent += len(part)
            left = self._receive_block[:, 0].astype(np.int64)
            more = bool((left > self._block).any())
            left[self._ranks.rank] = 0
            yield self._receive_block[:, 1:][np.arange(self._block)[None, :] < left[:, None]]
