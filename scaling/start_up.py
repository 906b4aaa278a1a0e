"""What a command costs before and beside what it does, by ``import numpy``: ``python -m scaling.start_up``.

CPU seconds (user and system) of whole fresh processes, medians over rounds in which every command runs once, so that
whatever else the machine does meets all of them alike; and wall seconds, which want a quiet machine.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import resource
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from hpcsnn.devices.processors import processor

RESULTS = Path(__file__).parent / "results"
_MEASURE = "import numpy"
# Commands, and how many times the measure each may cost at most; FOLDER holds runs.
COMMANDS: dict[str, float | None] = {
    _MEASURE: None,
    "import hpcsnn": 1.0,
    "hpcsnn --version": 2.0,
    "hpcsnn --help": 2.0,
    "hpcsnn run --help": None,
    "hpcsnn jobs FOLDER --json": 3.0,
    "hpcsnn check topomap": None,
    "hpcsnn run topomap --device cpu --overwrite --out FOLDER/whole": None,
    "hpcsnn run topomap --device cpu --overwrite --no-figures --out FOLDER/plain": None,
    "hpcsnn analyze FOLDER/whole": None,
}


def table(
    rounds: Annotated[int, typer.Option(min=1, help="How often each command runs.")] = 9,
    runs: Annotated[int, typer.Option(min=1, help="Runs in FOLDER.")] = 3,
    save: Annotated[bool, typer.Option(help="Write the table to scaling/results/.")] = True,
) -> None:
    """CPU time of commands that do next to nothing, by the CPU time of ``import numpy``."""
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        with console.status("runs to list"):
            for seed in range(1, runs + 1):
                small = ["--set", f"seed={seed}", "--set", "duration_ms=100", "--device", "cpu", "--no-figures"]
                _started(["hpcsnn", "run", "topomap", *small, "--out", f"{folder}/seed{seed}"])
        seconds: dict[str, list[tuple[float, float]]] = {command: [] for command in COMMANDS}
        for turn in range(rounds + 1):
            with console.status(f"round {turn} of {rounds}"):
                for command, measured in seconds.items():
                    words = ["python", "-c", command] if command.startswith("import ") else command.split()
                    cost = _started([word.replace("FOLDER", folder) for word in words])
                    if turn > 0:  # the first may have compiled to bytecode, and read from a cold disk
                        measured.append(cost)
    measure_s = statistics.median(cpu_s for cpu_s, _ in seconds[_MEASURE])
    rows = [row(command, seconds[command], measure_s) for command in COMMANDS]
    console.print(rendered(rows))
    if save:
        for path in kept(rows, rounds, runs):
            console.print(str(path))


def _started(words: list[str]) -> tuple[float, float]:
    """CPU and wall seconds of a process, started beside this Python; what it needs compiled to bytecode stays so."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable if words[0] == "python" else str(Path(sys.executable).parent / words[0]), *words[1:]]
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    wall_s = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)} failed:\n{done.stderr}")
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime, wall_s


def row(command: str, seconds: list[tuple[float, float]], measure_s: float) -> dict[str, Any]:
    """One command's figures, from its CPU and wall seconds in each round and the median of the measure."""
    cpu_s, wall_s = zip(*seconds, strict=True)
    return {
        "command": command,
        "cpu_s": statistics.median(cpu_s),
        "least_s": min(cpu_s),
        "most_s": max(cpu_s),
        "wall_s": statistics.median(wall_s),
        "ratio": statistics.median(cpu_s) / measure_s,
        "allowed": COMMANDS[command],
    }


_SHOWN = {
    "command": lambda row: row["command"],
    "CPU ms": lambda row: f"{1e3 * row['cpu_s']:.0f}",
    "least - most": lambda row: f"{1e3 * row['least_s']:.0f} - {1e3 * row['most_s']:.0f}",
    "wall ms": lambda row: f"{1e3 * row['wall_s']:.0f}",
    f"by {_MEASURE}": lambda row: f"{row['ratio']:.2f}",
    "allowed": lambda row: f"{row['allowed']:.0f}" if row["allowed"] else "",
}


def rendered(rows: list[dict[str, Any]]) -> Table:
    """The table for a terminal."""
    shown = Table(*_SHOWN, box=None, pad_edge=False)
    for row in rows:
        shown.add_row(*(column(row) for column in _SHOWN.values()))
    return shown


def kept(rows: list[dict[str, Any]], rounds: int, runs: int) -> Iterator[Path]:
    """Write JSON and Markdown with what a reader needs to judge them; yields the paths."""
    about = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="minutes"),
        "command": shlex.join(["python", "-m", "scaling.start_up", *sys.argv[1:]]),
        "machine": f"{processor()}, {os.cpu_count()} cores",
        "load": round(os.getloadavg()[1], 1),
        "rounds": rounds,
        "runs": runs,
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("hpcsnn", "numpy", "typer", "rich", "pydantic")},
    }
    RESULTS.mkdir(exist_ok=True)
    json_path, text_path = RESULTS / "start_up.json", RESULTS / "start_up.md"
    json_path.write_text(json.dumps({**about, "rows": rows}, indent=1) + "\n")
    header = ["| " + " | ".join(_SHOWN) + " |", "|" + " --- |" * len(_SHOWN)]
    body = ["| " + " | ".join(column(row) for column in _SHOWN.values()) + " |" for row in rows]
    lines = ["# Start-up: CPU time of commands", "", *(f"- {name}: {value}" for name, value in about.items()), ""]
    text_path.write_text("\n".join([*lines, *header, *body, ""]))
    yield from (json_path, text_path)


if __name__ == "__main__":
    typer.run(table)
