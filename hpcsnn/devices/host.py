"""One CPU core: kernels compiled by the system's C++ compiler, the schedule as one compiled function."""

from __future__ import annotations

import ctypes
import logging
import os
import platform
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import pairwise, takewhile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from hpcsnn.codegen.constants import StepTimes
from hpcsnn.codegen.diagnostics import explained
from hpcsnn.codegen.kernel_owners import trapped
from hpcsnn.codegen.program import Program
from hpcsnn.codegen.snippets import Snippet
from hpcsnn.devices.base import KernelState
from hpcsnn.devices.measures import Measures
from hpcsnn.devices.processors import description, library_from_elsewhere, needed, processor, write_needs
from hpcsnn.errors import DeviceError, SimulationError
from hpcsnn.kernel_cache import cached, found

# Last of all flags, so that nothing before them changes a value: no contraction to fused multiply-add, no reordering,
# no numbers that are none ruled out. The two at the end promise that nobody reads errno or the floating-point exception
# flags, which lets the compiler turn branches into vector selects. What these do not reach, check_values finds.
VALUE_FLAGS = (
    *("-fno-fast-math", "-fno-unsafe-math-optimizations", "-fno-associative-math", "-fno-reciprocal-math"),
    *("-fno-finite-math-only", "-fsigned-zeros", "-fno-rounding-math", "-ffp-contract=off"),
    *("-Werror=div-by-zero", "-fno-math-errno", "-fno-trapping-math"),
)

_log = logging.getLogger(__name__)
# The kernels are found by name in what is compiled, whatever the user hides.
_FOUND_BY_NAME = "-fvisibility=default"
# With these, compilers link code that has the processor take the smallest numbers for zero, whatever follows.
_LINKED = {"-ffast-math", "-funsafe-math-optimizations", "-mdaz-ftz"}
DEFAULT_OPTIMISATION: tuple[str, ...] = ("-O3", "-march=native")
# Compilers shy away from the widest vectors, which slow the clock of some processors; a step of neurons gains by them.
if platform.machine() in ("x86_64", "AMD64"):
    DEFAULT_OPTIMISATION += ("-mprefer-vector-width=512",)
_ALIGNMENT = 64


def find_compiler() -> str:
    """The C++ compiler: the first word of ``$CXX``, else c++, g++ or clang++.

    Raises:
        DeviceError: none there; says what to install.
    """
    asked = _words("CXX")
    for name in asked[:1] or ["c++", "g++", "clang++"]:
        path = shutil.which(name)
        if path:
            return path
    what = (
        f"$CXX is {' '.join(asked)!r}, which is not an executable" if asked else "none of c++, g++, clang++ is on PATH"
    )
    raise DeviceError(
        f"no C++ compiler: {what}. hpcsnn compiles its kernels on the machine it runs on: install one "
        "(Debian/Ubuntu: apt-get install g++; conda: conda install cxx-compiler; cluster: module load gcc), or set CXX"
    )


def _words(variable: str) -> list[str]:
    """The words of an environment variable, as a shell would cut them."""
    text = os.environ.get(variable, "")
    if shutil.which(text):
        return [text]  # a path may hold blanks
    try:
        return shlex.split(text)
    except ValueError as error:
        raise DeviceError(f"${variable} is {text!r}, which cannot be cut into words: {error}") from None


def _options(source: str, flags: tuple[str, ...]) -> list[str]:
    """What to compile `source` with: the user's flags behind ours, those that preserve values behind all.

    Raises:
        DeviceError: the user's flags define a macro of the name of something in `source`.
    """
    asked, extra = _words("CXX")[1 + len(_wrapped()) :], _words("CXXFLAGS")
    for variable, words in (("CXX", asked), ("CXXFLAGS", extra)):
        for name in _macros(words):
            if re.search(rf"\b{re.escape(name)}\b", source):
                raise DeviceError(
                    f"${variable} is {os.environ[variable]!r}, which is not allowed: it defines or undefines {name}, a "
                    "name that hpcsnn's kernels use; take it out"
                )
    asked, extra = (
        [{"-Ofast": "-O3"}.get(word, word) for word in words if word not in _LINKED] for words in (asked, extra)
    )
    return [*asked, "-std=c++17", "-shared", "-fPIC", *flags, *extra, *VALUE_FLAGS, _FOUND_BY_NAME]


def _wrapped() -> list[str]:
    """The compiler that the first word of ``$CXX`` calls, such as ccache; nothing where it is the compiler."""
    return list(takewhile(lambda word: not word.startswith("-"), _words("CXX")[1:]))


def _macros(words: list[str]) -> list[str]:
    """Names that -D and -U define and undefine."""
    texts = [word[2:] or following for word, following in pairwise([*words, ""]) if word[:2] in ("-D", "-U")]
    return [re.split(r"[=(]", text)[0] for text in texts if text]


@cache
def _compiler_version(command: tuple[str, ...]) -> str:
    return subprocess.run([*command, "--version"], capture_output=True, text=True, check=False).stdout


def compile_library(source: str, flags: tuple[str, ...], snippets: Sequence[Snippet] = ()) -> Path:
    """Compile `source` to a shared library, or find it compiled before.

    It is compiled anew for another source, other flags, another version of the compiler or another CPU. Where there is
    no compiler, one that was compiled elsewhere will do if this CPU can run it.

    Raises:
        DeviceError: no compiler, flags that are not allowed, or an error of the compiler's: explained if it lies in one
            of `snippets`, else quoted.
    """
    options = _options(source, flags)
    try:
        compiler = [find_compiler(), *_wrapped()]
    except DeviceError as error:
        return library_from_elsewhere([source, *options], str(error))
    command = [*compiler, *options]

    def make(text: Path, library: Path) -> None:
        _compile(command, source, text, library, snippets)
        write_needs(text, needed(options))

    return cached([source, *options], ".so", make, _how(compiler))


def find_library(source: str, flags: tuple[str, ...]) -> Path | None:
    """What `compile_library` would give without compiling; None: it would compile, or fail.

    Raises:
        DeviceError: no compiler, or flags that are not allowed.
    """
    return found([source, *_options(source, flags)], ".so", _how([find_compiler(), *_wrapped()]))


def _how(compiler: list[str]) -> list[str]:
    """All that a library depends on beside its source and the options."""
    return [*compiler, _compiler_version(tuple(compiler)), description()]


def _compile(command: list[str], source: str, text: Path, library: Path, snippets: Sequence[Snippet]) -> None:
    text.write_text(source)
    _log.debug("%s -o %s %s", " ".join(command), library, text)
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}  # errors in the language that `explained` reads
    done = subprocess.run(
        [*command, "-o", str(library), str(text)], capture_output=True, text=True, check=False, env=environment
    )
    if done.returncode != 0:
        errors = explained(done.stderr, source, snippets)
        if errors is None:
            errors = (
                "\n".join([line for line in done.stderr.splitlines() if "error" in line][:10])
                or done.stderr[:2000].strip()
                or f"it said nothing, and ended with {done.returncode}"
            )
        raise DeviceError(f"{command[0]} could not compile the kernels (source kept in {text}):\n{errors}")
    if not library.is_file():
        raise DeviceError(f"{command[0]} made no library of the kernels: set CXX to a C++ compiler")


def load_library(path: Path) -> ctypes.CDLL:
    """A compiled library in this process.

    Raises:
        DeviceError: it cannot be loaded.
    """
    try:
        return ctypes.CDLL(str(path))
    except OSError as error:
        raise DeviceError(
            f"the compiled kernels cannot be loaded: {error}; they were compiled with {_settings()}, and the folder "
            f"that holds them ({path.parent}) must be one that programs may be loaded from: HPCSNN_CACHE sets another"
        ) from None


def _settings() -> str:
    return ", ".join(f"{name}={os.environ.get(name, '')!r}" for name in ("CXX", "CXXFLAGS"))


class HostExecutable:
    """The compiled library of one rank, bound to its network struct; `owners` as in `Program`.

    A kernel that the processor stops raises SimulationError, which says whose snippets it runs, or halts `advance`.
    """

    defers = True
    steps_a_sequence = 1

    def __init__(self, library: Path, struct: ctypes.Structure, owners: Mapping[str, str]) -> None:
        self._struct, self._owners = struct, owners
        self._library = load_library(library)
        self._advance = self._library.advance
        self._advance.restype = ctypes.c_int
        self._advance.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p]
        self._time_exchanges = self._library.time_exchanges
        self._time_exchanges.restype = ctypes.c_double
        self._time_exchanges.argtypes = [ctypes.c_void_p, ctypes.c_int]
        self._times = StepTimes()
        self._advancing_s = 0.0

    @property
    def measures(self) -> Measures:
        """Where the time in `advance` went; how long each step took of those that were timed."""
        return Measures.of(self._times, self._advancing_s)

    def measure_anew(self) -> None:
        """Forget what was measured so far. Timed steps stand for all others since then: a warm-up that is only taken
        off in the end would have a say in the phases of what follows it.
        """
        self._times, self._advancing_s = StepTimes(), 0.0

    def run(self, kernel: str, items: int) -> None:
        """Run one set-up kernel; the whole loop runs here, whatever `items` is."""
        self._run(kernel, self._struct)

    def later(self, kernel: str, items: int) -> Callable[[], None]:
        """Run one set-up kernel when called; see `hpcsnn.devices.base.Executable`."""
        struct = type(self._struct).from_buffer_copy(self._struct)
        return lambda: self._run(kernel, struct)

    def _run(self, kernel: str, struct: ctypes.Structure) -> None:
        signal_number = getattr(self._library, f"run_{kernel}")(ctypes.byref(struct))
        if signal_number:
            raise SimulationError(trapped(self._owners, kernel, signal_number))

    def exchange_seconds(self, n: int) -> float:
        """Of an exchange of nothing; see `hpcsnn.devices.base.Executable`."""
        return float(self._time_exchanges(ctypes.addressof(self._struct), n))

    def advance(self, until_step: int) -> int:
        """Run the schedule; see `hpcsnn.devices.base.Executable`."""
        start = time.perf_counter()
        reason: int = self._advance(ctypes.addressof(self._struct), until_step, ctypes.addressof(self._times))
        self._advancing_s += time.perf_counter() - start
        return reason


class HostDevice:
    """The CPU core that this process runs on.

    Args:
        optimisation: compiler flags that may change speed but never a bit of the answer.
        no_gpu: why it is not a GPU of this machine, in words.
    """

    xp: Any = np
    calls_mpi = True

    def __init__(self, optimisation: tuple[str, ...] = DEFAULT_OPTIMISATION, no_gpu: str = "") -> None:
        self.name, self.no_gpu = f"cpu ({processor()})", no_gpu
        self._optimisation = optimisation

    @property
    def compiled_with(self) -> str:
        """The settings of the user's that the compiler sees."""
        return _settings()

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

    def side_by_side(self, wanted: int, bytes_each: int) -> int:
        """One: a sample's state then stays in the core's cache."""
        return 1

    def load(self, program: Program, state: KernelState) -> HostExecutable:
        """Compile kernels and schedule into one library; the exchange is inside it."""
        return HostExecutable(self.compile(program), state.struct, program.owners)

    def compile(self, program: Program) -> Path:
        """The library of a program, compiled now or before."""
        return compile_library(program.kernels + program.host_schedule, self._optimisation, program.snippets)

    def find(self, program: Program) -> Path | None:
        """The library of a program if it was compiled before."""
        return find_library(program.kernels + program.host_schedule, self._optimisation)
