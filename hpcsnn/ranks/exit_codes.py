"""How ranks tell whoever supervises them the exit code that they end with, beside what they say.

A launcher has one code for all ranks. srun gives the largest, which is that of the ranks it killed once one had failed.
"""

from __future__ import annotations

import os
import re
import sys

# Set for ranks by a supervisor, which reads their standard error.
SUPERVISED = "HPCSNN_SUPERVISED"
_LINE = re.compile(r"exit code (\d{1,3})", re.ASCII)


def tell_exit_code(code: int) -> None:
    """Write a line to standard error, if a supervisor reads it."""
    if SUPERVISED in os.environ:
        sys.stderr.write(f"exit code {code}\n")


def told_exit_code(line: str) -> int | None:
    """The code that such a line tells; None: it is another line."""
    found = _LINE.fullmatch(line)
    return None if found is None else int(found[1])
