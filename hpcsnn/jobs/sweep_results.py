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

_MOST_TICKS, _LEAST_JOINED = 8, 3
_MARKERS = "os^Dvx"
# What numbers of summaries are called, and their units; and the units that end the names of keys.
_WORDS = {
    "rate_hz": ("firing rate", "Hz"),
    "synapses": ("synapses", ""),
    "sigma_aff_weighted": ("σ_aff, weighted", "grid units"),
    "weight_mean": ("mean weight", ""),
    "wall_per_model_s": ("wall time per model time", "s / s"),
    "test_accuracy": ("test accuracy", ""),
    "test_error": ("test error", ""),
    "best_validation_accuracy": ("best validation accuracy", ""),
    "seconds_per_sample": ("time per sample", "s"),
}
_UNITS = {"ms": "ms", "s": "s", "hz": "Hz", "mV": "mV", "nA": "nA", "pA": "pA", "pF": "pF", "nS": "nS"}
# Parts of keys that say nothing beside the others.
_KINDS = ("populations", "projections", "model", "connector", "receptor", "synapse", "rewiring", "stimulate")
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


def said(name: str) -> str:
    """What figures call a number of a summary, or a key that is varied: in words, with its unit."""
    owner, _, last = name.rpartition(".")
    kind, _, _ = owner.partition(".")
    stem, _, suffix = last.rpartition("_")
    words, unit = (stem, _UNITS[suffix]) if suffix in _UNITS and stem else (last, "")
    if kind not in _KINDS:  # a number of a summary, and no key
        words, unit = _WORDS.get(last, (words, unit))
    whose = ".".join(part for part in owner.split(".") if part not in _KINDS)
    return f"{whose and f'{whose}: '}{words}{unit and f' ({unit})'}"


def sweep_figure(results: xr.Dataset) -> Figure | None:
    """Rates, synapses, map quality and speed over the key with most values, a colour for each value of the next.

    Points are joined where their key is a number with three values or more: two, and words, are cases and no course.
    """
    shown = [name for name in results if str(name).rpartition(".")[2] in (*_SHOWN, *_OF_ALL)]
    mean, spread = averaged(results)
    if not shown or not mean.dims:
        return None
    axis, *others = sorted((str(dim) for dim in mean.dims), key=lambda dim: -mean.sizes[dim])
    rows = -(-len(shown) // 3)
    figure = Figure(figsize=(TWO_COLUMNS, 0.62 * ONE_COLUMN * rows), layout="constrained")
    panels = figure.subplots(rows, 3, squeeze=False).ravel()
    x = results[axis].values
    places = x if _numeric(x.tolist()) else np.arange(len(x))
    joined = "-" if places is x and len(x) >= _LEAST_JOINED else "none"
    for panel, name in zip(panels, shown, strict=False):
        for number, chosen in enumerate(_combinations(mean, others)):
            label = ", ".join(f"{said(key)} {value}" for key, value in chosen.items())
            line = mean[name].sel(chosen)
            error = spread[name].sel(chosen).values if spread is not None else None
            colour, marker = COLOURS[number % len(COLOURS)], _MARKERS[number % len(_MARKERS)]
            look = {"marker": marker, "markersize": 3, "color": colour, "linestyle": joined, "capsize": 1.5}
            panel.errorbar(places, line.values, error, label=label, **look)
        if places is not x or len(x) <= _MOST_TICKS:
            panel.set_xticks(places, x.tolist())
        if joined == "none":
            panel.margins(x=0.25)
        panel.set(xlabel=said(axis), ylabel=said(str(name)))
    for panel in panels[len(shown) :]:
        panel.set_axis_off()
    if others:
        panels[0].legend()
    return figure


def _combinations(results: xr.Dataset, keys: list[str]) -> list[dict[str, Any]]:
    values = (results[key].values.tolist() for key in keys)
    return [dict(zip(keys, chosen, strict=True)) for chosen in itertools.product(*values)]
