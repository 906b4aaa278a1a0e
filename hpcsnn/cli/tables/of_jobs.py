"""Runs in a terminal: a table of many, a live view of one, the results of a sweep."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from hpcsnn.atomic_files import refuse_link
from hpcsnn.jobs.job_files import State
from hpcsnn.jobs.run_index import RunEntry, followed, read_run, without_forgotten
from hpcsnn.runs.progress import clock
from hpcsnn.runs.training_progress import training_line

if TYPE_CHECKING:
    import xarray as xr

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


def report_sweep(folder: Path, console: Console) -> None:
    """Print the results over the varied keys, and leave them as ``results.zarr`` and a figure.

    Raises:
        StorageError: no sweep there.
    """
    import matplotlib  # which no other view of a run needs, nor xarray

    from hpcsnn.analysis.drawing.figures import save
    from hpcsnn.analysis.drawing.style import STYLE
    from hpcsnn.jobs.sweep_results import averaged, collect, sweep_figure
    from hpcsnn.jobs.sweeps import read_sweep

    sweep = read_sweep(folder)
    results = collect(sweep)
    states = [entry.state for entry in without_forgotten([read_run(run) for run, _ in sweep.members()])]
    counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
    over_seeds = "seed" in results.dims and len(results.dims) > 1
    seeds = f"; means over {results.sizes['seed']} seeds ± standard deviations" if over_seeds else ""
    console.print(f"{folder}: {counts}{seeds}", highlight=False, soft_wrap=True)
    mean, spread = averaged(results)
    console.print(_results_table(mean, spread, [str(key) for key in sweep.vary if key in mean.dims]))
    if not results.data_vars:
        return
    refuse_link(folder / "results.zarr")
    results.to_zarr(folder / "results.zarr", mode="w", consolidated=False)
    with matplotlib.rc_context(STYLE):
        figure = sweep_figure(results)
        written = [save(figure, folder / "figures", "results")] if figure is not None else []
    for path in (folder / "results.zarr", *written):
        console.print(str(path), highlight=False, soft_wrap=True)


def _short(value: float, spread: float = math.nan) -> str:
    if not math.isfinite(value):
        return "-"
    if math.isfinite(spread):
        return f"{_short(value)} ± {spread:.2g}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _results_table(mean: xr.Dataset, spread: xr.Dataset | None, keys: list[str]) -> Table:
    """One row for each combination of the varied keys, with the spread over seeds where there are several."""
    shown = [
        str(name)
        for name in mean
        if str(name).endswith(
            (".rate_hz", ".synapses", ".sigma_aff_weighted", "_accuracy", "_error", "seconds_per_sample")
        )
    ]
    table = Table(*keys, box=None, pad_edge=False, header_style="dim")
    for name in shown:
        table.add_column(name.replace(".", "\n"), overflow="fold", justify="right")
    rows, spreads = (
        of[shown].to_dataframe().reset_index().to_dict("records") if shown and of is not None else []
        for of in (mean, spread)
    )
    for number, row in enumerate(rows):
        cells = [_short(row[name], spreads[number][name] if spreads else math.nan) for name in shown]
        table.add_row(*(str(row[key]) for key in keys), *cells)
    return table
