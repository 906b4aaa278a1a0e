"""A stand-in for a GPU, for tests on machines without one: the launches of a GPU, each by racing CPU threads.

What is real: the kernel text with atomics and teams of lanes, the schedule as sequences of launches, the staged
exchange, growth and meetings between launches. What only a GPU can show: NVRTC's arithmetic and CUDA graphs.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from hpcsnn.codegen.program import Program
from hpcsnn.codegen.schedule import Stage, side_by_side
from hpcsnn.devices.base import KernelState
from hpcsnn.devices.host import HostDevice, compile_library, load_library
from hpcsnn.devices.launching import Launching

THREADS = 8
# Kernels at the same time.
_MOST_BESIDE = 4


class RacingExecutable(Launching):
    """A program whose kernels each run on several threads at once."""

    def __init__(self, program: Program, state: KernelState) -> None:
        super().__init__(program, state)
        flags = ("-O2", "-fopenmp", f"-DHPCSNN_EMULATED_THREADS={THREADS}")
        source = program.kernels + program.host_schedule
        self._library = load_library(compile_library(source, flags, program.snippets))
        self._struct = type(state.struct)()
        self.launched: list[str] = []
        self.replayed: set[tuple[str, ...]] = set()
        self._beside = ThreadPoolExecutor(_MOST_BESIDE)

    def send_struct(self) -> None:
        """Copy the struct to where every kernel finds it."""
        ctypes.memmove(ctypes.byref(self._struct), ctypes.byref(self._state.struct), ctypes.sizeof(self._struct))

    def launch(self, kernel: str, items: int, team: bool) -> None:
        """Run one kernel."""
        self.launched.append(kernel)
        getattr(self._library, f"run_{kernel}")(ctypes.byref(self._struct))

    def replay(self, stages: tuple[Stage, ...]) -> None:
        """Run the kernels of these stages, at the same time where a GPU would."""
        self.replayed.add(tuple(stage.kernel for stage in stages))
        for lists in side_by_side(stages):
            if len(lists) == 1:
                self._run(lists[0])
            else:
                list(self._beside.map(self._run, lists))

    def _run(self, stages: list[Stage]) -> None:
        for stage in stages:
            self.launch(stage.kernel, self.items(stage), stage.team)

    def mark(self) -> Callable[[], float]:
        """Now."""
        now = time.perf_counter()
        return lambda: now

    def wait(self) -> None:
        """Nothing: kernels are done when `launch` returns."""


class RacingThreads(HostDevice):
    """The host's memory with a GPU's way to run."""

    calls_mpi = False

    def load(self, program: Program, state: KernelState) -> RacingExecutable:  # type: ignore[override]
        """Compile for racing threads."""
        return RacingExecutable(program, state)
