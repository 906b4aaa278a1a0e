"""The results of a sweep over what varies in it: numbers of every member's summary, their means, and a figure."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from hpcsnn.analysis.drawing.style import COLOURS, ONE_COLUMN, TWO_COLUMNS
from hpcsnn.jobs.run_index import read_run
from hpcsnn.jobs.sweeps import Sweep

_MOST_TICKS = 8
# What the figure shows of each population and projection.
_SHOWN = ("rate_hz", "synapses", "sigma_aff_weighted", "weight_mean")
# And of the whole: of a run, and of a training.
_OF_ALL = ("wall_per_model_s", "test_accuracy", "test_error", "best_validation_accuracy", "seconds_per_sample")


def collect(sweep: Sweep) -> xr.Dataset:
    """Numbers of every finished member's summary over the varied keys; NaN where there is none yet.

    Variables are ``target.rate_hz``, ``ff.synapses``, ``wall_per_model_s``, ``test_accuracy`` and so on.
    """
    shape = tuple(len(values) for values in sweep.vary.values())
    numbers: dict[str, np.ndarray[Any, np.dtype[np.float64]]] = {}
    for index, (folder, _) in zip(np.ndindex(shape), sweep.members(), strict=True):
        summary = read_run(folder).summary
        if not summary.get("completed"):
            continue
        for name, value in _flat(summary):
            numbers.setdefault(name, np.full(shape, np.nan))[index] = value
    coords = {key: np.array(values, dtype=None if _numeric(values) else object) for key, values in sweep.vary.items()}
    return xr.Dataset({name: (list(sweep.vary), values) for name, values in numbers.items()}, coords)


def _flat(summary: dict[str, Any]) -> Iterable[tuple[str, float]]:
    for kind in ("populations", "projections"):
        for owner, statistics in summary.get(kind, {}).items():
            for name, value in statistics.items():
                if isinstance(value, (int, float)):
                    yield f"{owner}.{name}", float(value)
    for name in ("wall_s", "ranks", *_OF_ALL):
        if isinstance(summary.get(name), (int, float)):
            yield name, float(summary[name])


def _numeric(values: list[Any]) -> bool:
    return all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values)


def averaged(results: xr.Dataset) -> tuple[xr.Dataset, xr.Dataset | None]:
    """Mean over seeds, and their standard deviation if seeds vary beside something else."""
    if "seed" not in results.dims or len(results.dims) == 1:
        return results, None
    return results.mean("seed"), results.std("seed", ddof=1) if results.sizes["seed"] > 1 else None


def sweep_figure(results: xr.Dataset) -> Figure | None:
    """Rates, synapses, map quality and speed over the key with most values, a line for each value of the next."""
    shown = [name for name in results if str(name).rpartition(".")[2] in (*_SHOWN, *_OF_ALL)]
    mean, spread = averaged(results)
    if not shown or not mean.dims:
        return None
    axis, *others = sorted((str(dim) for dim in mean.dims), key=lambda dim: -mean.sizes[dim])
    rows = -(-len(shown) // 3)
    figure = Figure(figsize=(TWO_COLUMNS, 0.62 * ONE_COLUMN * rows), layout="constrained")
    panels = figure.subplots(rows, 3, squeeze=False).ravel()
    for panel, name in zip(panels, shown, strict=False):
        for number, chosen in enumerate(_combinations(mean, others)):
            label = ", ".join(f"{key} {value}" for key, value in chosen.items())
            line = mean[name].sel(chosen)
            error = spread[name].sel(chosen).values if spread is not None else None
            x = results[axis].values
            places = x if _numeric(x.tolist()) else np.arange(len(x))
            panel.errorbar(
                places, line.values, error, marker="o", markersize=3, color=COLOURS[number % len(COLOURS)], label=label
            )
            if places is not x or len(x) <= _MOST_TICKS:
                panel.set_xticks(places, x.tolist())
        panel.set(xlabel=axis, ylabel=str(name))
    for panel in panels[len(shown) :]:
        panel.set_axis_off()
    if others:
        panels[0].legend()
    return figure


def _combinations(results: xr.Dataset, keys: list[str]) -> list[dict[str, Any]]:
    values = (results[key].values.tolist() for key in keys)
    return [dict(zip(keys, chosen, strict=True)) for chosen in itertools.product(*values)]
