"""Real MPI ranks for tests."""

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
