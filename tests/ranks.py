"""Real processes for tests: commands as users type them, on real MPI ranks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def run_on_ranks(
    n_ranks: int, arguments: list[str], timeout_s: float = 120, **environment: str
) -> subprocess.CompletedProcess[str]:
    """``mpiexec -n n_ranks python ARGUMENTS``, with the MPI that lies beside this Python; output as text."""
    mpiexec = Path(sys.executable).parent / "mpiexec"
    command = [str(mpiexec), "-n", str(n_ranks), sys.executable, *arguments]
    environment = {**os.environ, "COLUMNS": "200", **environment}
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, env=environment, check=False)


def hpcsnn(
    *arguments: object, ranks: int = 1, cwd: Path | None = None, columns: int = 200, timeout_s: float = 240
) -> subprocess.CompletedProcess[str]:
    """``hpcsnn ARGUMENTS``, under ``mpiexec`` if there is more than one rank; output as text, colourless."""
    environment = {**os.environ, "COLUMNS": str(columns)}
    command = hpcsnn_command(*arguments, ranks=ranks)
    return subprocess.run(
        command, capture_output=True, text=True, timeout=timeout_s, cwd=cwd, env=environment, check=False
    )


def hpcsnn_command(*arguments: object, ranks: int = 1) -> list[str]:
    """The command line of `hpcsnn`, for tests that need the process itself."""
    folder = Path(sys.executable).parent
    under = [str(folder / "mpiexec"), "-n", str(ranks)] if ranks > 1 else []
    return [*under, str(folder / "hpcsnn"), *map(str, arguments)]


def run_processes(pid: int) -> list[int]:
    """The hpcsnn processes among `pid` and all that it started: the ranks of a job, MPI's own processes left out."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        arguments = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except FileNotFoundError:  # it has just ended
        return []
    own = [pid] if any(Path(part).name == "hpcsnn" for part in arguments[:2]) else []
    return own + [rank for child in children for rank in run_processes(int(child))]
