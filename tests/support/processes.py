"""Processes that tests start, and how long they may take: limits grow with how slowly this machine starts a run now."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

Found = TypeVar("Found")

PROGRAMS = Path(sys.executable).parent
# From ``hpcsnn run`` to the end of one millisecond of the topographic map, where nothing else runs.
QUIET_START_UP_S = 2.0


def patience(limit_s: float) -> float:
    """The limit of a quiet machine, as long as it is on this one now; never less.

    Asking takes a start-up: ask only when the quiet machine's limit is over.
    """
    return limit_s * max(1.0, start_up_s() / QUIET_START_UP_S)


def soon(took_s: float, limit_s: float) -> bool:
    """Whether what took so long was within a quiet machine's limit, or within this one's."""
    return took_s < limit_s or took_s < patience(limit_s)


def start_up_s() -> float:
    """Wall seconds that a run of one millisecond takes, its kernels compiled before the clock starts."""
    _compiled()
    start = time.monotonic()
    _shortest_run()
    return time.monotonic() - start


@cache
def _compiled() -> None:
    _shortest_run()


def _shortest_run() -> None:
    with tempfile.TemporaryDirectory() as folder:
        words = ["--set", "duration_ms=1", "--device", "cpu", "--no-figures", "--out", f"{folder}/run"]
        subprocess.run([PROGRAMS / "hpcsnn", "run", "topomap", *words], capture_output=True, check=True)


def until(
    condition: Callable[[], Found], limit_s: float = 240, otherwise: Callable[[], str] = str, every_s: float = 0.02
) -> Found:
    """Wait for a condition; what it gave. If it never holds, the test fails with what `otherwise` says."""
    start, extended = time.monotonic(), False
    while not (found := condition()):
        if time.monotonic() - start > limit_s:
            if extended:
                raise AssertionError(f"{condition} did not hold in {limit_s:.0f} s: {otherwise()}")
            limit_s, extended = patience(limit_s), True
        time.sleep(every_s)
    return found


def outcome(process: subprocess.Popen[str], limit_s: float = 60) -> tuple[str, str]:
    """Output and errors of a process once it has ended; past its limit it is killed, and the test fails."""
    try:
        return process.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired:
        pass
    try:
        return process.communicate(timeout=patience(limit_s) - limit_s)
    except subprocess.TimeoutExpired:
        process.kill()
        raise


def completed(
    command: Sequence[str | Path] | str, limit_s: float = 120, stderr: int = subprocess.PIPE, **options: Any
) -> subprocess.CompletedProcess[str]:
    """As ``subprocess.run`` with output as text, past whose limit a busy machine has more time."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True, **options) as process:
        try:
            said, complained = outcome(process, limit_s)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(command, process.returncode, said, complained)
