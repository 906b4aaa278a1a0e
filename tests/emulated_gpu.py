"""A stand-in for a GPU, for machines without one: the same launches of the same kernels, each by racing CPU threads.

What is real: the kernel text with atomics and teams of lanes, the schedule as sequences of launches, the staged
exchange, growth between launches. What only a GPU can show: NVRTC's arithmetic and CUDA graphs.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable

from hpcsnn.codegen import Program, Stage
from hpcsnn.devices.host import HostDevice, compile_library
from hpcsnn.devices.stepping import Launching
from hpcsnn.rank_state import RankState

THREADS = 8


class EmulatedExecutable(Launching):
    def __init__(self, program: Program, state: RankState) -> None:
        super().__init__(program, state)
        flags = ("-O2", "-fopenmp", f"-DHPCSNN_EMULATED_THREADS={THREADS}")
        self._library = ctypes.CDLL(str(compile_library(program.kernels + program.host_schedule, flags)))
        self._struct = type(state.struct)()
        self.launched: list[str] = []
        self.replayed: set[tuple[str, ...]] = set()

    def send_struct(self) -> None:
        ctypes.memmove(ctypes.byref(self._struct), ctypes.byref(self._state.struct), ctypes.sizeof(self._struct))

    def launch(self, kernel: str, items: int, team: bool) -> None:
        self.launched.append(kernel)
        getattr(self._library, f"run_{kernel}")(ctypes.byref(self._struct))

    def replay(self, stages: tuple[Stage, ...]) -> None:
        self.replayed.add(tuple(stage.kernel for stage in stages))
        for stage in stages:
            self.launch(stage.kernel, self.items(stage), stage.team)

    def mark(self) -> Callable[[], float]:
        now = time.perf_counter()
        return lambda: now

    def wait(self) -> None:
        pass


class EmulatedGpu(HostDevice):
    """The host's memory with a GPU's way to run."""

    def load(self, program: Program, state: RankState) -> EmulatedExecutable:  # type: ignore[override]
        return EmulatedExecutable(program, state)
