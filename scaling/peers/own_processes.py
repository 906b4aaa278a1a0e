"""Measurements in processes of their own, so that neither simulator has what the other left behind."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def measured(module: str, python: str, simulator: str, words: Sequence[str], cores: int) -> dict[str, Any]:
    """What ``python -m module --only simulator`` and `words` print last, one JSON object a line.

    hpcsnn has an MPI rank a core, started by the mpiexec beside this Python; NEST has a thread a core.
    """
    command = [python, "-m", module, "--only", simulator, *words, "--cores", str(cores)]
    if simulator == "hpcsnn" and cores > 1:
        command = [str(Path(sys.executable).parent / "mpiexec"), "-n", str(cores), *command]
    environment = {**os.environ, "OMP_NUM_THREADS": str(cores) if simulator == "nest" else "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode != 0 or not lines:
        sys.exit(f"{shlex.join(command)}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(lines[-1])
    return found
