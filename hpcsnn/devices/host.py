"""One CPU core: kernels compiled by the system's C++ compiler, the schedule as one compiled function."""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from hpcsnn.codegen.diagnostics import explained
from hpcsnn.codegen.program import Program
from hpcsnn.codegen.schedule import PHASES, Phase
from hpcsnn.codegen.snippets import Snippet
from hpcsnn.devices.base import KernelState
from hpcsnn.errors import DeviceError

# Value-preserving only: no contraction to fused multiply-add, no reordering. The two -fno-* flags promise that nobody
# reads errno or the floating-point exception flags, which lets the compiler turn branches into vector selects.
VALUE_FLAGS = ("-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math")
DEFAULT_OPTIMISATION: tuple[str, ...] = ("-O3", "-march=native")
# Compilers shy away from the widest vectors, which slow the clock of some processors; a step of neurons gains by them.
if platform.machine() in ("x86_64", "AMD64"):
    DEFAULT_OPTIMISATION += ("-mprefer-vector-width=512",)
_ALIGNMENT = 64
# One step in so many is timed; a prime, so that it meets the steps of every trigger in turn.
_SAMPLED_EVERY = 17


def find_compiler() -> str:
    """The C++ compiler: ``$CXX``, else c++, g++ or clang++.

    Raises:
        DeviceError: none there; says what to install.
    """
    asked = os.environ.get("CXX")
    for name in [asked] if asked else ["c++", "g++", "clang++"]:
        path = shutil.which(name)
        if path:
            return path
    what = f"$CXX is {asked!r}, which is not an executable" if asked else "none of c++, g++, clang++ is on PATH"
    raise DeviceError(
        f"no C++ compiler: {what}. hpcsnn compiles its kernels on the machine it runs on: install one "
        "(Debian/Ubuntu: apt-get install g++; conda: conda install cxx-compiler; cluster: module load gcc) or set CXX"
    )


@cache
def processor() -> str:
    """Name of the CPU model."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


@cache
def _processor_features() -> str:
    """What -march=native depends on."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    return "\n".join(sorted({line for line in lines if line.startswith(("flags", "Features", "model name"))}))


@cache
def _compiler_version(compiler: str) -> str:
    return subprocess.run([compiler, "--version"], capture_output=True, text=True, check=False).stdout


def cache_folder() -> Path:
    """``$HPCSNN_CACHE``, else ``$XDG_CACHE_HOME/hpcsnn``, else ``~/.cache/hpcsnn``."""
    asked = os.environ.get("HPCSNN_CACHE")
    if asked:
        return Path(asked)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hpcsnn"


def compile_library(source: str, flags: tuple[str, ...], snippets: Sequence[Snippet] = ()) -> Path:
    """Compile `source` to a shared library, or find it compiled before.

    The cache key is the source, the flags, the compiler's version and the CPU; a lock makes ranks that start together
    compile once, and a rename makes a library whole from the moment it can be seen.

    Raises:
        DeviceError: no compiler, or an error of the compiler's: explained if it lies in one of `snippets`, else quoted.
    """
    compiler = find_compiler()
    extra = tuple(shlex.split(os.environ.get("CXXFLAGS", "")))
    command = [compiler, "-std=c++17", "-shared", "-fPIC", *flags, *VALUE_FLAGS, *extra]
    key = "\0".join([source, *command, _compiler_version(compiler), _processor_features()])
    name = hashlib.sha256(key.encode()).hexdigest()[:24]
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        library = folder / f"{name}.so"
        if library.exists():
            return library
        with (folder / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not library.exists():
                _compile(command, source, folder / f"{name}.cpp", library, snippets)
    except OSError as error:
        raise DeviceError(
            f"cannot use the kernel cache {folder}: {error}; set HPCSNN_CACHE to a folder you can write"
        ) from error
    return library


def _compile(command: list[str], source: str, text: Path, library: Path, snippets: Sequence[Snippet]) -> None:
    text.write_text(source)
    partial = library.with_suffix(f".{os.getpid()}.part")
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}  # errors in the language that `explained` reads
    done = subprocess.run(
        [*command, "-o", str(partial), str(text)], capture_output=True, text=True, check=False, env=environment
    )
    if done.returncode != 0:
        errors = explained(done.stderr, source, snippets)
        if errors is None:
            errors = (
                "\n".join([line for line in done.stderr.splitlines() if "error" in line][:10]) or done.stderr[:2000]
            )
        raise DeviceError(f"{command[0]} could not compile the kernels (source kept in {text}):\n{errors}")
    partial.replace(library)


class HostExecutable:
    """The compiled library of one rank, bound to its network struct."""

    defers = True

    def __init__(self, library: Path, struct: ctypes.Structure) -> None:
        self._struct = struct
        self._library = ctypes.CDLL(str(library))
        self._advance = self._library.advance
        self._advance.restype = ctypes.c_int
        self._advance.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p, ctypes.c_int]
        self._sampled = np.zeros(len(PHASES))
        self._advancing_s = 0.0

    @property
    def phase_seconds(self) -> dict[Phase, float]:
        """Seconds in each phase: the time in `advance`, shared out as in the steps that were timed."""
        total = self._sampled.sum()
        share = self._sampled / total if total > 0 else self._sampled
        return {phase: float(share[i] * self._advancing_s) for i, phase in enumerate(PHASES)}

    def run(self, kernel: str, items: int) -> None:
        """Run one set-up kernel; the whole loop runs here, whatever `items` is."""
        self._run(kernel, self._struct)

    def later(self, kernel: str, items: int) -> Callable[[], None]:
        """Run one set-up kernel when called; see `hpcsnn.devices.base.Executable`."""
        struct = type(self._struct).from_buffer_copy(self._struct)
        return lambda: self._run(kernel, struct)

    def _run(self, kernel: str, struct: ctypes.Structure) -> None:
        getattr(self._library, f"run_{kernel}")(ctypes.byref(struct))

    def advance(self, until_step: int) -> int:
        """Run the schedule; see `hpcsnn.devices.base.Executable`."""
        start = time.perf_counter()
        reason: int = self._advance(
            ctypes.addressof(self._struct), until_step, self._sampled.ctypes.data, _SAMPLED_EVERY
        )
        self._advancing_s += time.perf_counter() - start
        return reason


class HostDevice:
    """The CPU core that this process runs on.

    Args:
        optimisation: compiler flags that may change speed but never a bit of the answer.
    """

    xp: Any = np

    def __init__(self, optimisation: tuple[str, ...] = DEFAULT_OPTIMISATION) -> None:
        self.name = f"cpu ({processor()})"
        self._optimisation = optimisation

    def zeros(self, n: int, dtype: DTypeLike) -> NDArray[Any]:
        """A zeroed array, aligned to 64 bytes and never empty (an empty array has no address of its own)."""
        item = np.dtype(dtype).itemsize
        raw = np.zeros(max(n, 1) * item + _ALIGNMENT, dtype=np.uint8)
        start = -raw.ctypes.data % _ALIGNMENT
        return raw[start : start + n * item].view(dtype) if n else raw[start : start + item].view(dtype)[:0]

    def room(self, n: int, dtype: DTypeLike, spare: NDArray[Any] | None) -> NDArray[Any]:
        """An array of n entries of any content; pages that were in use before cost much less than new ones."""
        if spare is not None and spare.base is not None and spare.base.size >= n:
            return spare.base[:n]
        return np.empty(n + n // 8 + 1, dtype)[:n]  # some more, for the next time

    def upload(self, array: NDArray[Any]) -> NDArray[Any]:
        """An aligned copy."""
        copy = self.zeros(array.size, array.dtype)
        copy[...] = array.ravel()
        return copy

    def download(self, array: NDArray[Any], spare: NDArray[Any] | None = None) -> NDArray[Any]:
        """A copy."""
        if spare is None:
            return array.copy()
        np.copyto(spare, array)
        return spare

    def release(self, array: NDArray[Any]) -> NDArray[Any]:
        """The array itself."""
        return array

    def address(self, array: NDArray[Any]) -> int:
        """Address of the first entry."""
        return int(array.__array_interface__["data"][0])

    def load(self, program: Program, state: KernelState) -> HostExecutable:
        """Compile kernels and schedule into one library; the exchange is inside it."""
        return HostExecutable(
            compile_library(program.kernels + program.host_schedule, self._optimisation, program.snippets), state.struct
        )
