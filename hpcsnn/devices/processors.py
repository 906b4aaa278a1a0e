"""The processor of this machine, and which compiled libraries it can run."""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from hpcsnn.atomic_files import read_own
from hpcsnn.errors import DeviceError
from hpcsnn.kernel_cache import made_elsewhere

# What compilers make use of in kernels, as Linux names it on x86; the rest is for systems and for cryptography.
_USED = re.compile(r"sse|ssse|pni$|avx|amx|fma|f16c|bmi|abm$|popcnt|movbe|adx|xop|tbm|gfni|cx16|lahf_lm|3dnow")
# What -march of these names takes for granted.
_LEVELS = {"x86-64": ""}
_LEVELS["x86-64-v2"] = "cx16 lahf_lm pni popcnt sse4_1 sse4_2 ssse3"
_LEVELS["x86-64-v3"] = f"{_LEVELS['x86-64-v2']} abm avx avx2 bmi1 bmi2 f16c fma movbe"
_LEVELS["x86-64-v4"] = f"{_LEVELS['x86-64-v3']} avx512f avx512bw avx512cd avx512dq avx512vl"
# Flags of the processor's that name no instructions.
_TUNING = re.compile(r"-m(64|tune=.*|prefer-vector-width=.*|arch=.*)")


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
def description() -> str:
    """What -march=native depends on."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    return "\n".join(sorted({line for line in lines if line.startswith(("flags", "Features", "model name"))}))


def features() -> frozenset[str]:
    """What this processor can do beyond others of its kind, as Linux names it; with the kind."""
    lines = [line.partition(":") for line in description().splitlines()]
    words = {word for key, _, said in lines if key.strip() != "model name" for word in said.split()}
    if platform.machine() in ("x86_64", "AMD64"):
        words = {word for word in words if _USED.match(word)}
    return frozenset({platform.machine(), *words})


def needed(options: Iterable[str]) -> frozenset[str]:
    """What a processor must be able to do to run what is compiled here with these options: no more than this one can,
    unless they say for which processors they compile."""
    of_processor = [option for option in options if option.startswith("-m")]
    named = [option.partition("=")[2] for option in of_processor if option.startswith("-march=")]
    if named and named[-1] in _LEVELS and all(_TUNING.fullmatch(option) for option in of_processor):
        return frozenset({platform.machine(), *_LEVELS[named[-1]].split()})
    return features()


def write_needs(library: Path, needs: Iterable[str]) -> None:
    """Note beside a library what a processor must be able to do to run it."""
    beside = _beside(library)
    beside.write_text(json.dumps(sorted(needs)))
    beside.chmod(0o600)


def library_from_elsewhere(key: Sequence[str], why: str) -> Path:
    """A library that was compiled elsewhere, or by a compiler that has gone, and that this processor can run.

    Args:
        key: as of `hpcsnn.kernel_cache.cached`.
        why: it cannot be compiled here, in words.

    Raises:
        DeviceError: there is none; says why, and what to do.
    """
    here, lacking = features(), set[str]()
    for library in made_elsewhere(list(key), ".so"):
        try:
            needs = set(json.loads(read_own(_beside(library))))
        except (OSError, ValueError, TypeError):
            continue
        if needs <= here:
            return library
        lacking = needs - here
    if not lacking:
        raise DeviceError(
            f"{why}; or compile where there is a compiler (`hpcsnn compile CONFIG`), with this version of hpcsnn, this "
            "HPCSNN_CACHE and this CXXFLAGS"
        )
    words = sorted(lacking)
    more = f" and {len(words) - 6} more" if len(words) > 6 else ""
    level = ", or compile with CXXFLAGS=-march=x86-64-v3 and set that here too" if "x86_64" in here else ""
    raise DeviceError(
        f"{why}. The kernels were compiled for another processor than this one ({processor()}), which lacks "
        f"{', '.join(words[:6])}{more}: run `hpcsnn compile CONFIG` on a node of this kind that has a compiler{level}"
    )


def _beside(library: Path) -> Path:
    return library.with_suffix(".needs")
