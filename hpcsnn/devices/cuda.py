"""One GPU, through CuPy: kernels compiled by NVRTC, the launches between two exchanges as one CUDA graph."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from hpcsnn.codegen.constants import GPU_LANES
from hpcsnn.codegen.diagnostics import explained
from hpcsnn.codegen.program import Program
from hpcsnn.codegen.schedule import Stage, side_by_side
from hpcsnn.codegen.snippets import Snippet
from hpcsnn.devices.base import KernelState
from hpcsnn.devices.gpus import first_line, load_nvrtc
from hpcsnn.devices.launching import Launching
from hpcsnn.errors import DeviceError
from hpcsnn.kernel_cache import cached, found

# Value-preserving only, as for the host: no fused multiply-add, exact division, denormals kept (the last two are
# NVRTC's defaults, written down because the answer depends on them). CuPy would add -ftz=true behind them, and the last
# one counts: NVRTC is called here, and CuPy loads what it makes. NVRTC 13.0 takes a lambda that a template is handed
# for a function of the host, unless it is told that there is no host.
NVRTC_FLAGS = (
    *("--std=c++17", "--fmad=false", "--prec-div=true", "--prec-sqrt=true", "--ftz=false"),
    *("--device-as-default-execution-space", "--disable-warnings"),
)
_THREADS_A_BLOCK = 128
_BLOCKS_A_MULTIPROCESSOR = 16
# Graphs kept; a network whose triggers meet in ever new ways must not fill the memory with them.
_MOST_GRAPHS = 64


def capability_here() -> int:
    """The compute capability of the GPU that is in use here, 90 for 9.0."""
    import cupy

    return int(cupy.cuda.Device().compute_capability)


def compile_for(compute_capability: int, source: str, snippets: Sequence[Snippet] = ()) -> Path:
    """Compile `source` for GPUs of a compute capability (90 for 9.0), or find it compiled before; needs no GPU.

    GPUs newer than NVRTC get code for the newest that it knows, which the driver compiles once more.

    Raises:
        DeviceError: no NVRTC, GPUs older than it knows, or an error of the compiler's, explained if it lies in one of
            `snippets`, else quoted.
    """
    nvrtc = _nvrtc()
    final, flags = _target(nvrtc, compute_capability)

    def make(text: Path, made: Path) -> None:
        text.write_text(source)
        program = nvrtc.createProgram(source, "kernels.cu", (), ())
        try:
            nvrtc.compileProgram(program, flags)
            code = nvrtc.getCUBIN(program) if final else nvrtc.getPTX(program)
        except nvrtc.NVRTCError:
            log = nvrtc.getProgramLog(program)
            errors = explained(log, source, snippets) or log
            raise DeviceError(f"NVRTC could not compile the kernels:\n{errors}") from None
        finally:
            nvrtc.destroyProgram(program)
        made.write_bytes(code)

    return cached(_key(nvrtc, source, flags), _suffix(final), make)


def find_for(compute_capability: int, source: str) -> Path | None:
    """What `compile_for` would give without compiling; None: it would compile.

    Raises:
        DeviceError: no NVRTC, or GPUs older than it knows.
    """
    nvrtc = _nvrtc()
    final, flags = _target(nvrtc, compute_capability)
    return found(_key(nvrtc, source, flags), _suffix(final))


def _suffix(final: bool) -> str:
    return ".cubin" if final else ".ptx"


def _nvrtc() -> Any:
    try:
        return load_nvrtc()
    except Exception as error:
        raise DeviceError(
            f"no compiler for GPUs: {error}; pip install 'hpcsnn[cuda13]', or cuda12, brings CuPy and NVRTC"
        ) from None


def _target(nvrtc: Any, compute_capability: int) -> tuple[bool, tuple[str, ...]]:
    """Whether NVRTC makes the GPU's own code, and the flags for it."""
    known = sorted(int(architecture) for architecture in nvrtc.getSupportedArchs())
    if compute_capability < known[0]:
        raise DeviceError(
            f"GPUs of compute capability {compute_capability} are not compiled for: NVRTC here knows those of "
            f"{known[0]} and newer ({', '.join(map(str, known))})"
        )
    final = compute_capability in known
    target = (
        f"sm_{compute_capability}" if final else f"compute_{max(one for one in known if one <= compute_capability)}"
    )
    return final, (*NVRTC_FLAGS, f"--gpu-architecture={target}")


def _key(nvrtc: Any, source: str, flags: Sequence[str]) -> list[str]:
    """All that the code for a GPU depends on."""
    return [source, *flags, ".".join(map(str, nvrtc.getVersion()))]


class CudaExecutable(Launching):
    """A program on one GPU."""

    def __init__(self, program: Program, state: KernelState, cupy: Any) -> None:
        super().__init__(program, state)
        self._cupy = cupy
        self._module = cupy.RawModule(path=str(compile_for(capability_here(), program.kernels, program.snippets)))
        self._kernels: dict[str, Any] = {}
        self._graphs: dict[tuple[str, ...], Any] = {}
        self._branches: list[Any] = []
        # Not the legacy default stream, which cannot be captured; but one that waits for it, where CuPy's arrays work.
        self._stream = cupy.cuda.Stream(non_blocking=False)
        self._epoch = cupy.cuda.Event()
        self._epoch.record(self._stream)
        self._struct = cupy.empty(ctypes.sizeof(state.struct), dtype=cupy.uint8)
        multiprocessors = int(cupy.cuda.Device().attributes["MultiProcessorCount"])
        self._most_blocks = multiprocessors * _BLOCKS_A_MULTIPROCESSOR

    def send_struct(self) -> None:
        """Copy the struct to where every kernel finds it; graphs hold this place, not the pointers inside."""
        self._struct.set(np.frombuffer(bytes(self._state.struct), dtype=np.uint8))

    def launch(self, kernel: str, items: int, team: bool) -> None:
        """Start one kernel."""
        self._launch(kernel, items, team, self._stream)

    def _launch(self, kernel: str, items: int, team: bool, stream: Any) -> None:
        if kernel not in self._kernels:
            self._kernels[kernel] = self._module.get_function(kernel)
        threads = max(items, 1) * (GPU_LANES if team else 1)
        blocks = min((threads + _THREADS_A_BLOCK - 1) // _THREADS_A_BLOCK, self._most_blocks)
        with stream:
            self._kernels[kernel]((blocks,), (_THREADS_A_BLOCK,), (np.uint64(self._struct.data.ptr),))

    def replay(self, stages: tuple[Stage, ...]) -> None:
        """Launch the graph of these stages, captured at the first time."""
        names = tuple(stage.kernel for stage in stages)
        if names not in self._graphs:
            if len(self._graphs) == _MOST_GRAPHS:
                self._graphs.pop(next(iter(self._graphs)))
            for stage in stages:  # a kernel's first use may load it, which a capture does not allow
                if stage.kernel not in self._kernels:
                    self._kernels[stage.kernel] = self._module.get_function(stage.kernel)
            with self._stream:
                self._stream.begin_capture()
            for lists in side_by_side(stages):
                self._capture(lists)
            with self._stream:
                self._graphs[names] = self._stream.end_capture()
        self._graphs[names].launch(self._stream)

    def _capture(self, lists: list[list[Stage]]) -> None:
        """Lists of stages as branches of the graph that is captured, each on a stream, which meet behind them."""
        while len(self._branches) < len(lists) - 1:
            self._branches.append(self._cupy.cuda.Stream(non_blocking=True))
        streams = [self._stream, *self._branches[: len(lists) - 1]]
        begin = self._passed(self._stream) if len(lists) > 1 else None
        for stream, stages in zip(streams, lists, strict=True):
            if stream is not self._stream:
                stream.wait_event(begin)
            for stage in stages:
                self._launch(stage.kernel, self.items(stage), stage.team, stream)
        for stream in streams[1:]:
            self._stream.wait_event(self._passed(stream))

    def _passed(self, stream: Any) -> Any:
        """An event that comes when all is done that the stream has been given."""
        event = self._cupy.cuda.Event(disable_timing=True)
        event.record(stream)
        return event

    def mark(self) -> Callable[[], float]:
        """An event on the stream."""
        event = self._cupy.cuda.Event()
        event.record(self._stream)
        return lambda: float(self._cupy.cuda.get_elapsed_time(self._epoch, event)) * 1e-3

    def wait(self) -> None:
        """Until the stream is empty."""
        self._stream.synchronize()


class CudaDevice:
    """One of the GPUs that `hpcsnn.devices.gpus.find_gpus` finds.

    Args:
        index: of it, in CUDA's order.

    Raises:
        DeviceError: CuPy's own kernels cannot be compiled for it.
    """

    def __init__(self, index: int = 0) -> None:
        import cupy

        self.xp: Any = cupy
        self.calls_mpi = False
        self._index = index
        cupy.cuda.Device(self._index).use()
        try:
            cupy.zeros(1, dtype=np.int32)[...] = 1
        except Exception as error:  # CuPy's own, of headers that it does not find and whatever else
            raise DeviceError(
                f"device: CuPy cannot compile for gpu {index}: {first_line(error)}; pip install "
                "'hpcsnn[cuda13]' (or cuda12) brings what it needs, without a toolkit"
            ) from None
        properties = cupy.cuda.runtime.getDeviceProperties(self._index)
        self.name = f"gpu {self._index} ({properties['name'].decode()})"

    @property
    def compiled_with(self) -> str:
        """The flags: there are no settings."""
        return f"NVRTC {' '.join(NVRTC_FLAGS)}"

    def zeros(self, n: int, dtype: DTypeLike) -> Any:
        """A zeroed array; CuPy aligns to 512 bytes."""
        return self.xp.zeros(max(n, 1), dtype=dtype)[:n]

    def room(self, n: int, dtype: DTypeLike, spare: NDArray[Any] | None) -> Any:
        """An array of n entries of any content."""
        return self.xp.empty(n, dtype)

    def upload(self, array: NDArray[Any]) -> Any:
        """A copy on the GPU."""
        copy = self.zeros(array.size, array.dtype)
        copy.set(np.ascontiguousarray(array).ravel())
        return copy

    def download(self, array: Any, spare: NDArray[Any] | None = None) -> NDArray[Any]:
        """A NumPy copy."""
        return np.asarray(self.xp.asnumpy(array, out=spare))

    def release(self, array: Any) -> NDArray[Any]:
        """A NumPy copy."""
        return self.download(array)

    def address(self, array: Any) -> int:
        """Device pointer to the first entry."""
        return int(array.data.ptr)

    def side_by_side(self, wanted: int, bytes_each: int) -> int:
        """As many as fit into half of the memory that is free."""
        free, _ = self.xp.cuda.runtime.memGetInfo()
        return max(1, min(wanted, int(free) // 2 // max(bytes_each, 1)))

    def load(self, program: Program, state: KernelState) -> CudaExecutable:
        """Compile the kernels with NVRTC for this GPU (the result is cached on disk)."""
        return CudaExecutable(program, state, self.xp)
