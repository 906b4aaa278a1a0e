"""``hpcsnn sweep``: submit what is missing of a sweep, and show what there is."""

from __future__ import annotations

import time
from pathlib import Path

import matplotlib
import typer
import xarray as xr
from rich.console import Console
from rich.table import Table

from hpcsnn.analysis.figures import save
from hpcsnn.analysis.style import STYLE
from hpcsnn.cli.job_options import Asked, launch_setting, plan_of
from hpcsnn.configuration.schema import Configuration
from hpcsnn.jobs.executors import prepare, submit
from hpcsnn.jobs.job_files import JobFiles
from hpcsnn.jobs.run_index import RunEntry, read_run, without_forgotten
from hpcsnn.jobs.sweep_results import averaged, collect, sweep_figure
from hpcsnn.jobs.sweeps import Sweep, parse_vary, read_sweep

_LOOK_EVERY_S = 0.5


def submit_sweep(
    config: str, overrides: list[str], vary: list[str], folder: Path, max_parallel: int | None, asked: Asked
) -> None:
    """Submit every member that is neither finished nor under way."""
    sweep = Sweep(folder, config, overrides, dict(parse_vary(text) for text in vary))
    configurations = {run: sweep.configuration(settings) for run, settings in sweep.members()}
    entries = without_forgotten([read_run(run) for run in configurations])
    missing = [entry.path for entry in entries if _missing(entry)]
    cluster, profile, request = launch_setting(_largest(list(configurations.values())), asked)
    sweep.write()
    typer.echo(f"{folder}: {len(configurations)} runs, {len(configurations) - len(missing)} finished or under way")
    if not missing:
        return
    logs = (folder / "job" / "logs").resolve()

    def prepared(run: Path) -> Path:
        prepare(run, configurations[run], plan_of(asked, cluster, profile, request, logs))
        return run

    if cluster == "slurm":
        for run in missing:
            prepared(run)
        ids = submit(cluster, missing, request, profile, logs, name=folder.name, max_parallel=max_parallel)
        typer.echo(f"{ids[0].partition('_')[0]}  {len(missing)} runs as one array; hpcsnn jobs {folder}")
        return
    for started, run in enumerate(missing):
        while started - sum(_over(one) for one in missing[:started]) >= (max_parallel or 1):
            time.sleep(_LOOK_EVERY_S)
        (job,) = submit(cluster, [prepared(run)], request, profile, logs)
        typer.echo(f"{job}  {run}")


def _missing(entry: RunEntry) -> bool:
    """Whether a member has to be submitted: it is not finished, and no job is at it."""
    if entry.summary.get("completed"):
        return False
    return entry.status is None or entry.status.state.over or entry.state == "lost"


def _over(run: Path) -> bool:
    status = JobFiles(run).status()
    return status is not None and (status.state.over or status.lost)


def _largest(configurations: list[Configuration]) -> Configuration:
    """The member that needs most: a job array asks for one size."""
    return max(configurations, key=lambda one: sum(p.size for p in one.network().populations.values()))


def report_sweep(folder: Path, console: Console) -> None:
    """Print the results over the varied keys, and leave them as ``results.zarr`` and a figure."""
    sweep = read_sweep(folder)
    results = collect(sweep)
    states = [entry.state for entry in without_forgotten([read_run(run) for run, _ in sweep.members()])]
    counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
    seeds = f"; means over {results.sizes['seed']} seeds" if _over_seeds(results) else ""
    console.print(f"{folder}: {counts}{seeds}", highlight=False, soft_wrap=True)
    console.print(_table(results, sweep))
    if not results.data_vars:
        return
    results.to_zarr(folder / "results.zarr", mode="w", consolidated=False)
    with matplotlib.rc_context(STYLE):
        figure = sweep_figure(results)
        written = save(figure, folder / "figures", "results") if figure is not None else []
    for path in (folder / "results.zarr", *written):
        console.print(str(path), highlight=False, soft_wrap=True)


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _over_seeds(results: xr.Dataset) -> bool:
    return "seed" in results.dims and len(results.dims) > 1


def _table(results: xr.Dataset, sweep: Sweep) -> Table:
    """A row a combination of the varied keys, seeds averaged."""
    mean, _ = averaged(results)
    keys = [str(key) for key in sweep.vary if key in mean.dims]
    shown = [str(name) for name in results if str(name).endswith((".rate_hz", ".synapses", ".sigma_aff_weighted"))]
    table = Table(*keys, box=None, pad_edge=False, header_style="dim")
    for name in shown:
        table.add_column(name.replace(".", "\n"), overflow="fold", justify="right")
    rows = mean[shown].to_dataframe().reset_index().to_dict("records") if shown else []
    for row in rows:
        table.add_row(*(str(row[key]) for key in keys), *(_short(row[name]) for name in shown))
    return table
