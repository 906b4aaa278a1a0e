"""MPI for compiled code: addresses of its functions, its handles, requests that are made once; and memory beside it.

On the host spikes are swapped from compiled code: at one step's delay an exchange takes less than a call through
Python. What stays on a node takes no call at all.
"""

from __future__ import annotations

import ctypes
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.errors import SimulationError
from hpcsnn.ranks.exchange.derived import of_its_own
from hpcsnn.ranks.exchange.node_memory import FOR_ALL, NodeMemory
from hpcsnn.ranks.exchange.plan import ExchangePlan

# Members of the struct, and what they are to point at.
_ANYHOW = {"barrier": "MPI_Barrier"}
_WITH_ALL = {"allgather": "MPI_Iallgather", "wait_all": "MPI_Waitall"}
_WITH_NEIGHBOURS = {
    "start_all": "MPI_Startall",
    "wait_all": "MPI_Waitall",
    "start_send": "MPI_Isend",
    "receive": "MPI_Recv",
}
_WORD = 4
# Looks at a box before a rank lets others have its processor: some tens of microseconds; few where ranks share one.
_PATIENCE, _PATIENCE_IN_A_CROWD = 1000, 20


def words_of_mpi() -> dict[str, int]:
    """Words of 32 bits in a request and in a status of this MPI library."""
    from mpi4py import MPI

    sizes = {"handle_words": MPI._sizeof(MPI.Request), "status_words": MPI._sizeof(MPI.Status)}
    return {name: -(-size // _WORD) for name, size in sizes.items()}


class MpiCalls:
    """What a rank's exchange calls and where its boxes are, bound to its struct. Keep it as long as the struct is used.

    Making it is a collective call.

    Attributes:
        boxes: fields of `exchange_fields` that say of each box where it is.

    Raises:
        SimulationError: the MPI library behind mpi4py has no such symbol.
    """

    def __init__(self, struct: Any, comm: Any, plan: ExchangePlan, arrays: dict[str, NDArray[np.uint32]]) -> None:
        from mpi4py import MPI

        self._library = MPI.__file__
        # With requests that stay, messages of one's own: nobody else's are to meet them.
        self._comm = of_its_own(comm)
        # As bits: where handles are whole numbers, those of communicators that were split off may be below zero.
        struct.communicator = ctypes.c_int64(MPI._handleof(self._comm)).value
        struct.datatype = ctypes.c_int64(MPI._handleof(MPI.UINT32_T)).value
        struct.handle_bytes = MPI._sizeof(MPI.Comm)
        for member, symbol in (_ANYHOW | (_WITH_ALL if plan.neighbours is None else _WITH_NEIGHBOURS)).items():
            setattr(struct, member, self._address(symbol))
        self._requests: list[Any] = []
        around = plan.neighbours
        words = {FOR_ALL: 1 + plan.room.most_spikes} if around is None else {FOR_ALL: 0}
        if around is not None:
            lengths = np.diff(plan.box_start, append=plan.room.boxes)[: plan.room.n_out].tolist()
            words |= dict(zip(around.ranks.tolist(), lengths, strict=True))
        self._memory = memory = NodeMemory(comm, words)
        struct.patience = _PATIENCE_IN_A_CROWD if memory.crowded else _PATIENCE
        of_all = [memory.own.get(FOR_ALL, (0, 0)), *(memory.for_all[rank] for rank in sorted(memory.ranks))]
        self.boxes: dict[str, NDArray[Any]] = {}
        one_node = comm.allreduce(len(of_all) == comm.Get_size(), MPI.LAND)
        if one_node:
            struct.n_together = len(of_all)
            self.boxes["together"] = _placed(of_all)["box_address"]
        if around is not None:
            self.boxes |= self._boxes_of_neighbours(plan, arrays)
            self._make_requests(struct, plan, arrays)
        elif one_node:
            struct.n_out, struct.n_in = 1, len(memory.ranks)
            self.boxes |= {"box_rank": np.array([struct.rank, *sorted(memory.ranks)], np.int32), **_placed(of_all)}

    def _address(self, symbol: str) -> int | None:
        try:
            function = getattr(ctypes.CDLL(self._library), symbol)
        except (OSError, AttributeError) as error:
            raise SimulationError(f"{symbol} is not to be found through {self._library}: {error}") from error
        return ctypes.cast(function, ctypes.c_void_p).value

    def _boxes_of_neighbours(self, plan: ExchangePlan, arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Those on this node in memory that is shared, the others where MPI takes and brings their words."""
        places, n_out = list(own_boxes(plan, arrays["boxes"].ctypes.data)), plan.room.n_out
        for at, rank in enumerate(plan.box_rank.tolist()):
            if rank in self._memory.ranks:
                places[at] = (self._memory.own if at < n_out else self._memory.others)[rank]
        return _placed(places)

    def _make_requests(self, struct: Any, plan: ExchangePlan, arrays: dict[str, NDArray[np.uint32]]) -> None:
        from mpi4py import MPI

        kind, n_out = MPI.UINT32_T, plan.room.n_out
        boxes = list(zip(plan.box_rank.tolist(), plan.box_block.tolist(), plan.box_start.tolist(), strict=True))
        numbers = []
        for make, some in ((self._comm.Recv_init, boxes[n_out:]), (self._comm.Send_init, boxes[:n_out])):
            sent = [one for one in some if one[0] not in self._memory.ranks]
            for rank, block, start in sent:
                box = arrays["boxes"][start : start + block + 1]
                self._requests.append(make([box, block + 1, kind], rank, 0))
            numbers.append(len(sent))
        struct.n_receives, struct.n_sends = numbers
        handles = np.array([MPI._handleof(one) for one in self._requests], dtype=np.uint64)
        words = handles.astype(np.uint32 if MPI._sizeof(MPI.Request) == _WORD else np.uint64).view(np.uint32)
        arrays["requests"][: len(words)] = words

    def __del__(self) -> None:
        with suppress(Exception):  # at the end of a process there may be no MPI any more
            from mpi4py import MPI

            if not MPI.Is_finalized():
                for request in self._requests:
                    request.Free()


def own_boxes(plan: ExchangePlan, address: int) -> list[tuple[int, int]]:
    """Where boxes are that this rank has for itself, one behind the other: addresses, and no twins."""
    return [(address + _WORD * start, 0) for start in plan.box_start.tolist()]


def _placed(places: list[tuple[int, int]]) -> dict[str, NDArray[Any]]:
    addresses, twins = np.array(places, dtype=np.int64).reshape(-1, 2).T
    return {"box_address": addresses.copy(), "box_twin": twins.copy()}
