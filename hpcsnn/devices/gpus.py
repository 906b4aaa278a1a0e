"""The GPUs that a process can use, or why it can use none; and which ranks take which of them."""

from __future__ import annotations

import os
import platform
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_EXTRAS = "pip install 'hpcsnn[cuda13]', or 'hpcsnn[cuda12]' for drivers before 580"
# Of CUDA's runtime: what it answers without a driver too, and without a GPU that it may see.
_NO_DRIVER, _NO_GPU = 35, 100
_NVIDIA = "0x10de"
# Of a driver, of boards whose GPU is on no bus, and of Windows below.
_SIGNS = ("dev/nvidiactl", "proc/driver/nvidia", "dev/nvmap", "dev/dxg")


@dataclass(frozen=True)
class Gpus:
    """What a process sees: GPUs in CUDA's order, by UUID and bus; if there are none, why."""

    identities: tuple[str, ...] = ()
    none_because: str = ""


def find_gpus() -> Gpus:
    """The GPUs that CuPy can use here; imports CuPy."""
    try:
        import cupy
    except ImportError as error:
        if isinstance(error, ModuleNotFoundError) and error.name == "cupy":
            return Gpus(none_because=f"CuPy is not installed: {_EXTRAS}")
        return Gpus(none_because=f"CuPy cannot be loaded: {first_line(error)}")
    runtime = cupy.cuda.runtime
    try:
        count = int(runtime.getDeviceCount())
    except runtime.CUDARuntimeError as error:
        return Gpus(none_because=_words(error, runtime))
    except Exception as error:  # the loader's own, where a library of CUDA's is missing
        return Gpus(none_because=f"CUDA cannot be loaded: {first_line(error)}; {_EXTRAS}")
    if count == 0:
        return Gpus(none_because=_hidden())
    try:
        load_nvrtc()
    except Exception as error:  # as above
        return Gpus(none_because=f"NVRTC, which compiles for GPUs, cannot be loaded: {first_line(error)}; {_EXTRAS}")
    return Gpus(tuple(_identity(runtime, index) for index in range(count)))


def load_nvrtc() -> Any:
    """NVRTC, as CuPy hands it on; needs no GPU.

    Raises:
        Exception: CuPy's own, where the library is not there.
    """
    from cupy_backends.cuda.libs import nvrtc

    nvrtc.getVersion()
    return nvrtc


def _identity(runtime: Any, index: int) -> str:
    """Of a GPU, whoever sees it by whatever number. CuPy ends UUIDs at their first zero; its bus says the rest."""
    uuid = bytes(runtime.getDeviceProperties(index).get("uuid", b"")).hex()
    return f"{uuid or platform.node()} at {runtime.deviceGetPCIBusId(index)}"


def _words(error: Any, runtime: Any) -> str:
    if error.status == _NO_GPU:
        return _hidden()
    if error.status == _NO_DRIVER:
        driver = int(runtime.driverGetVersion())
        if driver == 0:
            return "there is no NVIDIA driver (nvidia-smi shows it)"
        needed = int(runtime.runtimeGetVersion())
        return f"the driver is for CUDA {_version(driver)}, CuPy for CUDA {_version(needed)}: {_EXTRAS}"
    return f"CUDA says {first_line(error)}"


def _hidden() -> str:
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return "the driver shows none (nvidia-smi)"
    return f"CUDA_VISIBLE_DEVICES is {visible!r}, which leaves none"


def _version(number: int) -> str:
    """13.0 of 13000."""
    return f"{number // 1000}.{number % 1000 // 10}"


def first_line(error: BaseException) -> str:
    """Of what an error says, which may be nothing: then its kind."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def has_card(root: Path = Path("/")) -> bool:
    """Whether the machine has something of NVIDIA's that might compute: without, nobody expects a GPU to be used."""
    if any((root / sign).exists() for sign in _SIGNS):
        return True
    for device in (root / "sys/bus/pci/devices").glob("*"):
        try:
            vendor, kind = ((device / name).read_text().strip() for name in ("vendor", "class"))
        except OSError:
            continue
        if vendor == _NVIDIA and kind.startswith("0x03"):  # displays and what only computes
            return True
    return False


def taken(seen: Sequence[Sequence[str]]) -> list[tuple[int, int]]:
    """Which of the GPUs that it sees each rank takes: one that fewest ranks before it have.

    Args:
        seen: by rank the identities of at least one GPU. Ranks of a node may all see the same, or one each.

    Returns:
        By rank the number of its GPU, and how many ranks have that one.
    """
    users: Counter[str] = Counter()
    chosen = []
    for gpus in seen:
        index = min(range(len(gpus)), key=lambda at: users[gpus[at]])
        users[gpus[index]] += 1
        chosen.append(index)
    return [(index, users[gpus[index]]) for index, gpus in zip(chosen, seen, strict=True)]
