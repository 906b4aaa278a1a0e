"""Runs in a terminal: a table of many, a live view of one, the results of a sweep."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from hpcsnn.jobs.job_files import State
from hpcsnn.jobs.run_index import RunEntry, followed
from hpcsnn.runs.progress import clock
from hpcsnn.runs.training_progress import training_line

_COLOURS = {
    State.RUNNING: "green",
    State.COMPLETED: "blue",
    State.QUEUED: "yellow",
    State.REQUEUED: "yellow",
    State.RESTARTING: "yellow",
    State.FAILED: "red",
    State.CANCELLED: "magenta",
    State.STOPPED: "magenta",
    "lost": "red",
}


def jobs_table(entries: list[RunEntry], root: Path) -> Table:
    """State, progress, speed, restarts, time left of limit and of work, last checkpoint of many runs."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name, options in {
        "run": {"overflow": "fold"},
        "job": {},
        "state": {},
        **{name: {"justify": "right"} for name in ("done", "speed", "starts", "limit", "left", "checkpoint")},
    }.items():
        table.add_column(name, **options)  # type: ignore[arg-type]
    for entry in entries:
        name = str(entry.path.relative_to(root)) if entry.path != root else str(root)
        table.add_row(name, entry.plan.job_id if entry.plan else "-", _state(entry), *_numbers(entry))
    return table


def _state(entry: RunEntry) -> Text:
    return Text(entry.state, style=_COLOURS.get(entry.state, ""))


def _numbers(entry: RunEntry) -> list[str]:
    done, left = _done(entry)
    speed = entry.progress.get("speed")
    if entry.state == State.COMPLETED and entry.summary.get("wall_per_model_s"):
        speed = 1 / entry.summary["wall_per_model_s"]
    running = entry.state == State.RUNNING
    starts = 1 + entry.status.restarts + entry.status.requeues if entry.status else 1
    limit = entry.limit_left_s
    return [
        f"{done:.0%}" if done is not None else "-",
        f"{speed:.3g} x" if speed else "-",
        str(starts),
        clock(max(limit, 0.0)) if limit is not None else "-",
        clock(left) if running and left is not None else "-",
        f"step {entry.checkpoint_step:,}" if entry.checkpoint_step is not None else "-",
    ]


def _done(entry: RunEntry) -> tuple[float | None, float | None]:
    """Share of the model time that is done, and seconds left."""
    if entry.state == State.COMPLETED:
        return 1.0, 0.0
    if not entry.progress:
        return None, None
    if "done" in entry.progress:  # of a training
        left = entry.progress["left_s"]
        return float(entry.progress["done"]), None if left is None else float(left)
    end, model_s = float(entry.progress["end_s"]), float(entry.progress["model_s"])
    return (min(max(model_s / end, 0.0), 1.0) if end else 1.0), float(entry.progress["left_s"])


def run_view(entry: RunEntry, width: int) -> RenderableType:
    """One run: its state, a bar, and what there is to know."""
    done, left = _done(entry)
    head = Text.assemble((str(entry.path), "bold"), "  ", _state(entry))
    if entry.status is not None and entry.status.reason:
        head.append(f"  {entry.status.reason}")
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="dim")
    for name, value in _facts(entry, left).items():
        rows.add_row(name, value)
    bar = Table.grid()  # a bar alone does not end its line
    bar.add_row(ProgressBar(total=1.0, completed=done or 0.0, width=max(10, min(width - 2, 76))))
    return Group(head, bar, rows)


def _facts(entry: RunEntry, left: float | None) -> dict[str, str]:
    facts: dict[str, str] = {}
    if "done" in entry.progress:
        facts["training"] = training_line(entry.progress)
        facts["seen"] = f"{clock(max(time.time() - entry.progress['updated'], 0.0))} ago"
    elif entry.progress:
        now = entry.progress
        facts["model time"] = f"{now['model_s']:.2f} of {now['end_s']:g} s at {now['speed']:.3g} x real time"
        if entry.state == State.RUNNING and left is not None:
            facts["left"] = clock(left)
        facts["synapses"] = f"{now['synapses']:,}"
        facts["rates"] = ", ".join(f"{name} {rate:.1f} Hz" for name, rate in now["rates_hz"].items())
        facts["seen"] = f"{clock(max(time.time() - now['updated'], 0.0))} ago"
    if entry.checkpoint_step is not None:
        facts["checkpoint"] = f"step {entry.checkpoint_step:,}"
    if entry.plan is not None:
        where = f"{entry.plan.ranks} ranks on {entry.plan.nodes} node{'s' if entry.plan.nodes > 1 else ''}"
        facts["job"] = f"{entry.plan.job_id or '-'} ({entry.plan.cluster}), {where}"
    if entry.status is not None:
        status = entry.status
        facts["restarts"] = f"{status.restarts} after a crash, {status.requeues} after a time limit or preemption"
    if (limit := entry.limit_left_s) is not None:
        facts["limit"] = f"{clock(max(limit, 0.0))} left"
    if entry.summary.get("digest"):
        facts["digest"] = str(entry.summary["digest"])[:16] + "…"
    return facts


def watch_run(path: Path, console: Console) -> RunEntry:
    """Show a run until its job is over (or, of a run without a job, until it is finished); how it then stands."""
    with Live(console=console, auto_refresh=False) as live:
        for entry in followed(path):
            live.update(run_view(entry, console.width), refresh=True)
    return entry


def print_sweep(told: Mapping[str, Any], console: Console) -> None:
    """Print the results of a sweep, as `hpcsnn.cli.facts.sweeps.results_of` has them."""
    counts = ", ".join(f"{n} {state}" for state, n in told["states"].items())
    seeds = f"; means over {told['seeds']} seeds ± standard deviations" if told["seeds"] else ""
    console.print(f"{told['folder']}: {counts}{seeds}", highlight=False, soft_wrap=True)
    console.print(_results_table(told["results"]))
    for path in told["files"]:
        console.print(path, highlight=False, soft_wrap=True)


def _short(value: float, spread: float = math.nan) -> str:
    if not math.isfinite(value):
        return "-"
    if math.isfinite(spread):
        return f"{_short(value)} ± {spread:.2g}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _results_table(results: Sequence[Mapping[str, Any]]) -> Table:
    """One row for each combination of the varied keys, with the spread over seeds where there are several."""
    keys, numbers = (list(results[0][part]) if results else [] for part in ("settings", "mean"))
    shown = [
        name
        for name in numbers
        if name.endswith((".rate_hz", ".synapses", ".sigma_aff_weighted", "_accuracy", "_error", "seconds_per_sample"))
    ]
    table = Table(*keys, box=None, pad_edge=False, header_style="dim")
    for name in shown:
        table.add_column(name.replace(".", "\n"), overflow="fold", justify="right")
    for one in results if shown else ():
        spread = one["standard_deviation"] or {}
        cells = [_short(one["mean"][name], spread.get(name, math.nan)) for name in shown]
        table.add_row(*(str(value) for value in one["settings"].values()), *cells)
    return table
