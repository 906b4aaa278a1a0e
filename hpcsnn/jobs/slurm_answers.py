"""What Slurm's commands say, where there are any and they answer."""

from __future__ import annotations

import subprocess


def said_by(*command: str, within_s: float = 30.0) -> str | None:
    """The output of a command; None where it is not there, fails, or does not answer in time."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=within_s).stdout
    except (OSError, subprocess.SubprocessError):
        return None
