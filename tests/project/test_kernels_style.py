"""How kernels are written: width and white space of all of them, and the layout of those that clang-format can read."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.processes import completed

pytestmark = pytest.mark.quick

ROOT = Path(__file__).parents[2]
WIDTH = 120
FILES = sorted(path for path in (ROOT / "kernels").rglob("*") if path.is_file())


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def holds_jinja(path: Path) -> bool:
    """Whether clang-format would take statements and expressions of jinja for C++; ``//%`` begins a line statement."""
    return any(mark in path.read_text() for mark in ("{{", "{%", "{#", "//%"))


PLAIN = [path for path in FILES if not holds_jinja(path)]


def clang_format() -> str | None:
    """The program beside this Python, where its wheel puts it, or on PATH."""
    return shutil.which("clang-format", path=str(Path(sys.executable).parent)) or shutil.which("clang-format")


def test_kernels_are_where_they_are_looked_for():
    assert {path.suffix for path in FILES} == {".cu", ".cuh", ".cpp"}
    assert {name(path) for path in PLAIN} >= {"kernels/base/device.cuh", "kernels/base/random.cuh"}
    assert len(PLAIN) < len(FILES)


@pytest.mark.parametrize("path", FILES, ids=name)
def test_lines_are_narrow_and_clean(path):
    text = path.read_text()
    lines = text.split("\n")
    wide = {number: len(line) for number, line in enumerate(lines, start=1) if len(line) > WIDTH}
    assert not wide, f"lines of {name(path)} over {WIDTH} columns, and how wide"
    assert not [number for number, line in enumerate(lines, start=1) if "\t" in line], "lines with tabs"
    assert not [number for number, line in enumerate(lines, start=1) if line != line.rstrip()], "lines that end blank"
    assert text.endswith("\n") and not text.endswith("\n\n"), "ends with one line break"


def test_clang_format_would_change_nothing():
    program = clang_format()
    if program is None:
        pytest.skip("needs clang-format (pip install clang-format)")
    command = [program, "--style=file", "--dry-run", "-Werror", *map(str, PLAIN)]
    done = completed(command, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_clang_format_finds_what_is_out_of_style():
    """A star that belongs to its type, and blanks inside braces."""
    program = clang_format()
    if program is None:
        pytest.skip("needs clang-format (pip install clang-format)")
    style = f"--style=file:{ROOT / '.clang-format'}"
    source = "DEVICE int first(const int *of) { return of[0]; }\nDEVICE int second(const int* of) {return of[1];}\n"
    done = subprocess.run([program, style], input=source, capture_output=True, text=True, check=True)
    assert done.stdout == source.replace("int *of", "int* of").replace("{return of[1];}", "{ return of[1]; }")
