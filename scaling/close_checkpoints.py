"""What many checkpoints of a small network cost: ``[mpiexec -n 2] python -m scaling.close_checkpoints``.

The topographic map at scale 4 (4,096 neurons a layer) runs as ``hpcsnn run`` runs it, with a checkpoint every second of
model time and, in turn, with one at its end alone. A checkpoint's stall is what the steps have waited from one call of
`Checkpointer.begin` to the end of the next one, what is left of the checkpoint before included; its CPU time is what
the simulating thread has spent on it, which does not depend on what else the machine does.
"""

from __future__ import annotations

import datetime
import itertools
import json
import os
import platform
import statistics
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from hpcsnn.configuration.files import load_configuration
from hpcsnn.devices.host import processor
from hpcsnn.ranks.communicator import Communicator
from hpcsnn.ranks.world import find_world
from hpcsnn.runs import experiment
from hpcsnn.runs.checkpointing import Checkpointer
from hpcsnn.runs.experiment import Setting, run_experiment
from hpcsnn.storage.checkpoints import committed

RESULTS = Path(__file__).parent / "results" / "close_checkpoints.json"
_COLUMNS = {
    "files": "files",
    "stall_ms": "stall ms",
    "stall_most_ms": "most",
    "cpu_ms": "CPU ms of the simulating thread",
    "write_ms": "write ms",
    "wall_s": "wall_s",
    "without_s": "without checkpoints",
    "load": "load",
}


class Timed(Checkpointer):
    """A checkpointer that notes what the simulating thread spends on it."""

    made: list[Timed] = []  # noqa: RUF012 (a list of all)

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.stalls_s, self.cpu_s = [0.0], [0.0]  # so far, at the end of each `begin`
        self._cpu_s, self._depth = 0.0, 0
        self.made.append(self)

    def begin(self) -> None:
        """As of `Checkpointer`."""
        self._timed(super().begin)
        self.stalls_s.append(self.stall_s)
        self.cpu_s.append(self._cpu_s)

    def poll(self, wait: bool = False) -> None:
        """As of `Checkpointer`."""
        self._timed(lambda: super(Timed, self).poll(wait))

    def _timed(self, work: Any) -> None:
        start, self._depth = time.thread_time(), self._depth + 1
        work()
        self._depth -= 1
        if self._depth == 0:
            self._cpu_s += time.thread_time() - start


def measure(
    label: Annotated[str, typer.Option(help="Name of the row, which takes the place of one of this name.")] = "now",
    scale: Annotated[int, typer.Option(min=1, help="16 * scale neurons per side.")] = 4,
    seconds: Annotated[int, typer.Option(min=2, help="Model time: so many checkpoints and one.")] = 20,
    repeats: Annotated[int, typer.Option(min=1, help="Runs that count.")] = 3,
    save: Annotated[bool, typer.Option(help="Write the figures to scaling/results/.")] = True,
) -> None:
    """Stall, CPU time and files of checkpoints that are close to each other."""
    experiment.Checkpointer = Timed  # type: ignore[misc, attr-defined]
    ranks = find_world()
    console = Console(quiet=ranks.rank != 0)
    rows = []
    with tempfile.TemporaryDirectory() as name:
        parent = Path(ranks.broadcast(name))
        for turn in range(repeats + 1):
            row = once(scale, seconds, parent / str(turn), ranks)
            if turn > 0:  # the first may have compiled
                rows.append(row)
    mpiexec = f"mpiexec -n {ranks.size} " if ranks.size > 1 else ""
    figures = {key: statistics.median(row[key] for row in rows) for key in rows[0]} | {
        "stall_most_ms": max(row["stall_most_ms"] for row in rows),
        "scale": scale,
        "seconds": seconds,
        "ranks": ranks.size,
        "runs": repeats,
        "command": f"{mpiexec}python -m scaling.close_checkpoints --label '{label}' --repeats {repeats}",
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="minutes"),
        "machine": f"{processor()}, {os.cpu_count()} cores",
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("hpcsnn", "numpy", "zarr", "numcodecs")},
    }
    console.print_json(json.dumps(figures))
    if save and ranks.rank == 0:
        keep(label, figures)


def once(scale: int, seconds: int, folder: Path, ranks: Communicator) -> dict[str, float]:
    """Figures of one run with checkpoints and one without."""
    setting, settings = Setting(ranks, "cpu", figures=False), [f"scale={scale}", f"duration_ms={seconds * 1000}"]
    close = load_configuration("topomap", [*settings, "checkpoint_every=1s"])
    summary = run_experiment(close, folder / "close", setting)
    timed = Timed.made[-1]
    without = run_experiment(load_configuration("topomap", settings), folder / "without", setting)
    checkpoint = committed(folder / "close")[-1]
    written = [checkpoint.network_path, folder / "close" / "records" / checkpoint.manifest()["segments"][-1]]
    below = [path for start in written for path in (start, *start.rglob("*")) if path.is_file()]
    stalls, cpu = (
        [later - before for before, later in itertools.pairwise(sums)] for sums in (timed.stalls_s, timed.cpu_s)
    )
    return {
        "files": len(below) + 1,
        "stall_ms": 1e3 * statistics.median(stalls),
        "stall_most_ms": 1e3 * max(stalls),
        "cpu_ms": 1e3 * statistics.median(cpu),
        "write_ms": 1e3 * timed.write_s / timed.written,
        "wall_s": summary["wall_s"],
        "without_s": without["wall_s"],
    }


def keep(label: str, figures: dict[str, Any]) -> None:
    """Put a row into the table of results, as JSON and as Markdown."""
    rows = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    rows[label] = figures
    RESULTS.write_text(json.dumps(rows, indent=1) + "\n")
    lines = [
        "# Close checkpoints: topomap at scale 4, one every second of model time, 20 s",
        "",
        "Of one checkpoint: files (of all ranks, manifest and records included), medians and the longest stall.",
        "",
        f"| | ranks | {' | '.join(_COLUMNS.values())} |",
        f"|{' --- |' * (len(_COLUMNS) + 2)}",
        *(
            f"| {name} | {row['ranks']} | {' | '.join(f'{row[key]:.4g}' for key in _COLUMNS)} |"
            for name, row in rows.items()
        ),
        "",
        *(
            f"- {name}: `{row['command']}`; {row['machine']}; {row['date']}; Python {row['python']}, "
            + ", ".join(f"{package} {number}" for package, number in row["versions"].items())
            for name, row in rows.items()
        ),
    ]
    RESULTS.with_suffix(".md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    typer.run(measure)
