"""``hpcsnn analyze``: the analysis of a run as one HTML page that needs no network, and its figures as files."""

from __future__ import annotations

import base64
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import xarray as xr
from numpy.typing import NDArray
from rich.console import Console

from hpcsnn._version import __version__
from hpcsnn.analysis.connectivity import JUDGED
from hpcsnn.analysis.drawing.processes import Drawing, drawn
from hpcsnn.analysis.evolution import Evolution, analyse
from hpcsnn.configuration.yaml_text import write_yaml
from hpcsnn.errors import StorageError
from hpcsnn.phases import doing
from hpcsnn.storage.run_directory import RunDirectory

# What a picture shows, and of which projection ("": of all).
_Shown = tuple[str, str]
_RATES: _Shown = ("rates", "")
# Loads matplotlib, which the process that writes the page does not need.
_FIGURES = "hpcsnn.analysis.drawing.evolution_figures"
# What each figure shows, as the page says below it.
_CAPTIONS = {
    "quality": "Spread of the receptive fields (σ_aff) and distance of their centres from the neurons' own places "
    "(AD), means over target neurons, by the method of Bamford, Murray & Willshaw 2010. Dashed: the same in-degrees "
    "with sources drawn from the formation profile, and the same synapses with weights shuffled within each neuron.",
    "map": "The map at the last checkpoint: lines join the weighted receptive-field centres of neighbouring targets; "
    "grey: a perfect map.",
    "displacement": "Probability of a connection and mean weight by displacement (postsynaptic minus presynaptic).",
    "growth": "Calcium, as a mean over source neurons (axonal side) and target neurons (dendritic side), beside its "
    "set-point, and their elements: all, and those that no synapse binds.",
    "degrees_and_weights": "Degrees and weights at the times in the legend.",
    "rewiring": "Formations and eliminations in each time bin, by reason and, where neurons have places, by distance.",
}
_QUANTITIES = {
    "sigma_aff": "σ_aff, connectivity",
    "sigma_aff_weighted": "σ_aff, weighted",
    "deviation": "AD, connectivity",
    "deviation_weighted": "AD, weighted",
}


def write_report(
    run: Path, console: Console, scheduler: str | None = None, trust: bool = False, file_format: str = "svg"
) -> Path:
    """Analyse a run and write ``analysis.zarr``, figures, and ``report.html``.

    Args:
        scheduler, trust: as of `analyse`.
        file_format: of figures' files, one of `FORMATS`; SVG, which the page holds, is there in any case.

    Returns:
        The page.

    Raises:
        HpcsnnError: what `analyse` raises.
    """
    directory = RunDirectory(run)
    with Drawing(_FIGURES) as drawing:  # begins to load what it draws with while this process analyses
        evolution = analyse(run, console, scheduler, trust)
        with doing("drawing figures"):
            pictures = _drawn(evolution, directory.figures, file_format, drawing)
    sections = [_section(evolution, name, pictures) for name in evolution.projections]
    page = _environment().get_template("report.html.jinja").render(
        title=evolution.configuration.description or run.name,
        facts=_facts(evolution, run),
        rates=pictures.get(_RATES),
        sections=sections,
        configuration=write_yaml(evolution.configuration.resolved()),
        version=__version__,
    )  # fmt: skip
    directory.write_report(page)
    return directory.report


def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("hpcsnn.analysis", "."), undefined=jinja2.StrictUndefined, autoescape=True
    )


def _facts(evolution: Evolution, run: Path) -> dict[str, str]:
    network, steps = evolution.network, evolution.steps
    seconds = [step * network.dt_ms * 1e-3 for step in steps]
    sizes = {
        name: f"{of.grid.nx} x {of.grid.ny}" if of.grid.has_places else f"{of.size:,}"
        for name, of in network.populations.items()
    }
    populations = (f"{name} ({size})" for name, size in sizes.items())
    checkpoints = f"{len(steps)} checkpoint{'s' if len(steps) > 1 else ''}"
    when = f"at {seconds[0]:g} s" if len(steps) == 1 else f"from {seconds[0]:g} to {seconds[-1]:g} s"
    return {
        "run": str(run.resolve()),
        "populations": ", ".join(populations),
        "analysed": f"{checkpoints}, {when} of model time",
        "seed": str(network.seed),
        **_outcome(RunDirectory(run), steps[-1]),
    }


def _outcome(directory: RunDirectory, last_step: int) -> dict[str, str]:
    """What the summary says, if it is of the last checkpoint."""
    try:
        if not directory.summary.is_file() or (summary := directory.read_summary())["steps"] != last_step:
            return {"state": "unfinished"}
        state = "completed" if summary["completed"] else f"stopped by {summary['stopped_by']}"
        return {
            "state": f"{state}, {summary['ranks']} rank{'s' if summary['ranks'] > 1 else ''}",
            "digest": summary["digest"],
        }
    except (StorageError, KeyError, TypeError):  # a file that anybody may have changed
        return {"state": "unfinished (no summary that can be read)"}


def _drawn(evolution: Evolution, folder: Path, file_format: str, drawing: Drawing) -> dict[_Shown, str]:
    """Addresses that hold pictures themselves, as SVG, of what each shows and of which projection; all files are left
    in the folder, with others of `file_format` beside them."""
    formats = ("svg",) if file_format == "svg" else ("svg", file_format)
    sizes = {name: evolution.network.projections[name].target.size for name in evolution.projections}
    tasks: dict[_Shown, Callable[[], list[Path]]] = {
        (what, name): partial(drawn, f"{_FIGURES}:draw_evolution", what, name, results, sizes[name], folder, formats)
        for name, results in evolution.projections.items()
        for what in _CAPTIONS
    }
    if rates := _rates(evolution.populations):
        tasks[_RATES] = partial(drawn, f"{_FIGURES}:draw_rates", rates, folder, formats)
    files = dict(zip(tasks, drawing.draw(list(tasks.values())), strict=True))
    return {what: _address(of_figure[0]) for what, of_figure in files.items() if of_figure}


def _address(picture: Path) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(picture.read_bytes()).decode()


def _section(evolution: Evolution, name: str, pictures: dict[_Shown, str]) -> dict[str, Any]:
    """What the page shows of one projection."""
    results, projection = evolution.projections[name], evolution.network.projections[name]
    notes = []
    if len(evolution.steps) == 1:
        notes.append("Only one checkpoint is kept: run with --checkpoint-every and --keep to see how the map forms.")
    if projection.lattice is not None:
        where = "positions" if projection.free_lattice is not None else "two grids of different sides"
        notes.append(
            f"Maps, receptive fields and nulls are of one grid, and left out between {where}; the summary has "
            "distances."
        )
    if projection.rewiring is not None and "events" not in results:
        notes.append(f"Rewiring events were not recorded: set projections.{name}.record_events to true.")
    return {
        "name": name,
        "ends": f"{projection.source.name} → {projection.target.name}",
        "models": ", ".join(
            part.model.name for part in (projection.connector, projection.synapse, projection.rewiring) if part
        ),
        "numbers": _numbers(results),
        "judged": _judged(results),
        "notes": notes,
        "figures": [
            {"image": pictures[what, name], "caption": caption, "name": what}
            for what, caption in _CAPTIONS.items()
            if (what, name) in pictures
        ],
    }


def _numbers(results: xr.Dataset) -> list[tuple[str, list[str]]]:
    """Rows of the table of first and last checkpoint."""

    def row(label: str, variable: str, form: str) -> tuple[str, list[str]]:
        values = results[variable].values
        return label, [_number(value, form) for value in (values[0], values[-1])]

    rows = [
        ("model time (s)", [f"{float(results.time[k]):g}" for k in (0, -1)]),
        row("synapses", "synapses", ",d"),
        row("in-degree, mean", "in_degree_mean", ".2f"),
        row("in-degree, SD", "in_degree_std", ".2f"),
        row("out-degree, SD", "out_degree_std", ".2f"),
        row("weight, mean", "weight_mean", ".4g"),
    ]
    if (results.weight_synapses.values > 0).sum(axis=1).max() > 1:  # where weights differ
        rows.append(row("weights below half of the largest, in size", "weight_below_half", ".1%"))
    return rows


def _judged(results: xr.Dataset) -> list[tuple[str, list[str]]]:
    """Rows of the table of the last checkpoint: quantity, then its mean, its null's and p."""
    rows = []
    for name in JUDGED:
        if f"{name}_mean" not in results:
            continue
        value, null, p = (
            float(results[f"{name}_{suffix}"].values[-1]) if f"{name}_{suffix}" in results else np.nan
            for suffix in ("mean", "null_mean", "p")
        )
        rows.append((_QUANTITIES[name], [_number(value, ".3f"), _number(null, ".3f"), _number(p, ".2g")]))
    return rows


def _number(value: float, form: str) -> str:
    return format(value, form) if np.isfinite(value) else "–"


def _rates(populations: xr.Dataset) -> dict[str, tuple[NDArray[np.float64], float]]:
    """Rates (Hz) of each population in bins, and the bins' length (ms); none where none were kept."""
    if populations.sizes["rate_time"] == 0:
        return {}
    bin_ms = float(populations.rate.attrs["bin_s"]) * 1e3
    return {str(p): (populations.rate.sel(population=p).values, bin_ms) for p in populations.population.values}
