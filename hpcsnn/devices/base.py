"""The interface behind which hosts and GPUs look alike."""

from __future__ import annotations

import ctypes
from typing import Any, Protocol

from numpy.typing import DTypeLike, NDArray

from hpcsnn.codegen import Program

# Why an executable stopped before the step it was asked to reach; HaltReason of kernels/network.cuh.
RUNNING, ROWS_FULL, OUTGOING_FULL, NOT_FINITE, EXCHANGE_FAILED = range(5)


class Executable(Protocol):
    """A compiled program of one rank."""

    phase_seconds: dict[str, float]

    def run(self, kernel: str, struct: ctypes.Structure, items: int) -> None:
        """Run one set-up kernel over `items` items and wait for it."""

    def advance(self, struct: ctypes.Structure, control: Any, until_step: int) -> int:
        """Run the schedule up to `until_step`; RUNNING, or the reason why it halted before.

        ``control`` is the device array behind ``struct.control``; after a halt whose cause was mended, and its
        ``halt`` cleared, the next call goes on at the very stage.
        """


class Device(Protocol):
    """Memory and a compiler. ``xp`` is the array module (NumPy, CuPy) that its arrays belong to."""

    name: str
    xp: Any

    def zeros(self, n: int, dtype: DTypeLike) -> Any:
        """A zeroed array of n entries, aligned for the widest vector loads."""

    def upload(self, array: NDArray[Any]) -> Any:
        """A copy of a NumPy array on the device."""

    def download(self, array: Any) -> NDArray[Any]:
        """A NumPy copy of a device array."""

    def address(self, array: Any) -> int:
        """Where kernels find it."""

    def load(self, program: Program, exchange: Any) -> Executable:
        """Compile (or find compiled) and load; `exchange` hands over spikes where the schedule does not itself."""


