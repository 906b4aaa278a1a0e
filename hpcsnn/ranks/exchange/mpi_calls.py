"""MPI's functions for compiled code: their addresses, handles, and requests that are made once.

On the host spikes are swapped from compiled code: at one step's delay an exchange takes a few microseconds, less than a
call through Python.
"""

from __future__ import annotations

import ctypes
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.errors import SimulationError
from hpcsnn.ranks.exchange.plan import ExchangePlan

# Members of the struct, and what they are to point at.
_ANYHOW = {"barrier": "MPI_Barrier"}
_WITH_ALL = {"allgather": "MPI_Allgather"}
_WITH_NEIGHBOURS = {
    "start_all": "MPI_Startall",
    "wait_all": "MPI_Waitall",
    "start_send": "MPI_Isend",
    "receive": "MPI_Recv",
}
_WORD = 4


def words_of_mpi() -> dict[str, int]:
    """Words of 32 bits in a request and in a status of this MPI library."""
    from mpi4py import MPI

    sizes = {"handle_words": MPI._sizeof(MPI.Request), "status_words": MPI._sizeof(MPI.Status)}
    return {name: -(-size // _WORD) for name, size in sizes.items()}


class MpiCalls:
    """The functions that a rank's exchange calls, bound to its struct. Keep it as long as the struct is used.

    Raises:
        SimulationError: the MPI library behind mpi4py has no such symbol.
    """

    def __init__(self, struct: Any, comm: Any, plan: ExchangePlan, arrays: dict[str, NDArray[np.uint32]]) -> None:
        from mpi4py import MPI

        self._library = MPI.__file__
        # Messages of one's own: with requests that stay, nobody else's are to meet them.
        self._comm = comm if plan.neighbours is None else comm.Dup()
        # As bits: where handles are whole numbers, those of communicators that were split off may be below zero.
        struct.communicator = ctypes.c_int64(MPI._handleof(self._comm)).value
        struct.datatype = ctypes.c_int64(MPI._handleof(MPI.UINT32_T)).value
        struct.handle_bytes = MPI._sizeof(MPI.Comm)
        for member, symbol in (_ANYHOW | (_WITH_ALL if plan.neighbours is None else _WITH_NEIGHBOURS)).items():
            setattr(struct, member, self._address(symbol))
        self._requests: list[Any] = []
        if plan.neighbours is not None:
            self._make_requests(plan, arrays)

    def _address(self, symbol: str) -> int | None:
        try:
            function = getattr(ctypes.CDLL(self._library), symbol)
        except (OSError, AttributeError) as error:
            raise SimulationError(f"{symbol} is not to be found through {self._library}: {error}") from error
        return ctypes.cast(function, ctypes.c_void_p).value

    def _make_requests(self, plan: ExchangePlan, arrays: dict[str, NDArray[np.uint32]]) -> None:
        from mpi4py import MPI

        kind, n_out = MPI.UINT32_T, plan.room.n_out
        boxes = list(zip(plan.box_rank.tolist(), plan.box_block.tolist(), plan.box_start.tolist(), strict=True))
        for make, some in ((self._comm.Recv_init, boxes[n_out:]), (self._comm.Send_init, boxes[:n_out])):
            for rank, block, start in some:
                box = arrays["boxes"][start : start + block + 1]
                self._requests.append(make([box, block + 1, kind], rank, 0))
        handles = np.array([MPI._handleof(one) for one in self._requests], dtype=np.uint64)
        words = handles.astype(np.uint32 if MPI._sizeof(MPI.Request) == _WORD else np.uint64).view(np.uint32)
        arrays["requests"][: len(words)] = words

    def __del__(self) -> None:
        with suppress(Exception):  # at the end of a process there may be no MPI any more
            from mpi4py import MPI

            if not MPI.Is_finalized():
                for request in self._requests:
                    request.Free()
