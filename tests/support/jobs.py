"""Jobs that tests submit and wait for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

from hpcsnn.jobs.job_files import JobFiles, State
from hpcsnn.jobs.run_index import RunEntry, read_run
from support.processes import Found, until
from support.runs import PLAIN, newest_step, succeeds

# Long enough to be interrupted on a fast machine, with checkpoints that follow each other closely.
LONG = ["--set", "scale=4", "--set", "duration_ms=40000", "--set", "checkpoint_every=3s"]
SHORT = ["--set", "duration_ms=2000"]


def waits_for(condition: Callable[[], Found], run: Path) -> Found:
    """Wait for a condition of a run's job; what it gave. A job that does not come to it shows its logs."""

    def otherwise() -> str:
        logs = [path.read_text()[-3000:] for path in Path(JobFiles(run).plan().logs).glob("*_log.*")]
        return "\n".join([f"{run}: {read_run(run).status}", *logs])

    return until(condition, otherwise=otherwise)


def ends(run: Path, state: State = State.COMPLETED) -> RunEntry:
    """Wait until a run's job is over; how it then stands."""
    entry = waits_for(lambda: (entry := read_run(run)).status.state.over and entry, run)
    assert entry.status.state is state, entry.status.reason
    return entry


def has_checkpoint(run: Path) -> None:
    """Wait for the first checkpoint after the start."""
    waits_for(lambda: newest_step(run) > 0, run)


def rank_processes(run: Path) -> list[int]:
    """The ranks of a run: processes that were started for it and are no launcher."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_text().split("\0")
        except OSError:
            continue
        if str(run) in words and "-c" in words[:2] and Path(words[0]).name.startswith("python"):
            found.append(int(folder.name))
    return found


def lengths(folder: Path, wall_s: float, ranks: int = 1) -> Iterator[list[str]]:
    """Sizes of a map that takes so many seconds by what a short run says, then twice and four times as long.

    A machine that was busy a moment ago may be quicker now, and a run be over that should have been interrupted.
    """
    quick = folder / "quick"
    scale = ["--set", "scale=4", "--set"]
    succeeds("run", "topomap", *scale, "duration_ms=5000", *PLAIN, "--out", quick, ranks=ranks)
    speed = 1 / json.loads((quick / "summary.json").read_text())["wall_per_model_s"]
    for factor in (1, 2, 4):
        yield [*scale, f"duration_ms={round(factor * wall_s * speed) * 1000}"]
