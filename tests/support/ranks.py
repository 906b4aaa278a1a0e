"""Real processes for tests: commands as users type them, on real MPI ranks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from support.processes import PROGRAMS, completed

TESTS = Path(__file__).parent.parent


def run_on_ranks(
    n_ranks: int, arguments: list[str], limit_s: float = 120, **environment: str
) -> subprocess.CompletedProcess[str]:
    """``mpiexec -n n_ranks python ARGUMENTS``, with the MPI that lies beside this Python; output as text.

    Scripts import what tests share as tests do.
    """
    command = [str(PROGRAMS / "mpiexec"), "-n", str(n_ranks), sys.executable, *arguments]
    path = [str(TESTS), str(TESTS.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    variables = {**os.environ, "COLUMNS": "200", "PYTHONPATH": os.pathsep.join(path), **environment}
    return completed(command, limit_s, env=variables)


def hpcsnn(
    *arguments: object, ranks: int = 1, cwd: Path | None = None, columns: int = 200, limit_s: float = 240
) -> subprocess.CompletedProcess[str]:
    """``hpcsnn ARGUMENTS``, under ``mpiexec`` if there is more than one rank; output as text, colourless."""
    variables = {**os.environ, "COLUMNS": str(columns)}
    return completed(hpcsnn_command(*arguments, ranks=ranks), limit_s, cwd=cwd, env=variables)


def hpcsnn_command(*arguments: object, ranks: int = 1) -> list[str]:
    """The command line of `hpcsnn`, for tests that need the process itself."""
    under = [str(PROGRAMS / "mpiexec"), "-n", str(ranks)] if ranks > 1 else []
    return [*under, str(PROGRAMS / "hpcsnn"), *map(str, arguments)]


def run_processes(pid: int) -> list[int]:
    """The hpcsnn processes that `pid` is or started: the ranks of a job. MPI's own processes are left out, and what a
    rank starts, which has the rank's own name until it is another program."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        arguments = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except FileNotFoundError:  # it has just ended
        return []
    if any(Path(part).name == "hpcsnn" for part in arguments[:2]):
        return [pid]
    return [rank for child in children for rank in run_processes(int(child))]
