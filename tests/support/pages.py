"""The pages of the guide: their blocks, and commands as a reader types them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from support.processes import completed

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)


def blocks(page: str) -> list[tuple[str, str]]:
    """(language, text) of each block of a page, in order."""
    return _BLOCK.findall((DOCS / f"{page}.md").read_text())


def commands(text: str) -> list[tuple[str, str]]:
    """(command, what is shown to come of it) of a block of console."""
    parts = re.split(r"^\$ ", text, flags=re.MULTILINE)
    assert parts[0] == "", f"a block of console does not begin with a command:\n{text}"
    return [(command, shown) for command, _, shown in (part.partition("\n") for part in parts[1:])]


def of_reader() -> dict[str, str]:
    """The environment of whoever types what the guide says."""
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "COLUMNS": "160",  # lines whose length depends on the machine are not broken
        "NO_COLOR": "1",
        "LC_ALL": "C.UTF-8",
    }


def says_what_is_shown(command: str, shown: str, folder: Path, environment: dict[str, str]) -> None:
    """A command says what is shown, where anything is, and fails if that is an error."""
    done = completed(command, shell=True, cwd=folder, env=environment, stderr=subprocess.STDOUT)
    output = _plain(done.stdout)
    assert (done.returncode != 0) == bool(re.search("error: |FAILED ", shown)), output
    if shown.strip():
        assert re.fullmatch(_pattern(_plain(shown)), output), f"{command} says\n{output}"


def _pattern(shown: str) -> str:
    """What is shown as a regular expression: … is anything in a line, ... alone any lines."""
    lines = []
    for line in shown.rstrip("\n").split("\n"):
        lines.append("(?:.*\n)*?" if line == "..." else re.escape(line.rstrip()).replace("…", ".*") + "\n")
    return "".join(lines)


def _plain(output: str) -> str:
    """Output with plain quotes, and without blanks at line ends."""
    output = re.sub("[\u2018\u2019]", "'", output)
    return "\n".join(line.rstrip() for line in output.rstrip("\n").split("\n")) + "\n"
