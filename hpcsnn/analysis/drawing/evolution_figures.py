"""Figures of an analysed run: how good the map is, degrees, weights, reach and rewiring, over time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from hpcsnn.analysis.displacement import DisplacementMap
from hpcsnn.analysis.drawing.figures import displacement_figure, map_figure, rates_figure, save
from hpcsnn.analysis.drawing.style import COLOUR_MAP, COLOURS, STYLE, TWO_COLUMNS, with_unit

# So many checkpoints are drawn side by side or over each other.
_MOST_SHOWN = 5
_SECONDS = "model time (s)"
_DISTANCE = "distance (grid units)"
_EVENTS = "events per target neuron and s"
_FORMED = "formed"
# Tell lines apart where there is no colour.
_DASHES = ("-", "--", ":", "-.")


def draw_evolution(
    what: str, name: str, results: xr.Dataset, n_targets: int, folder: Path, file_formats: Sequence[str]
) -> list[Path]:
    """Draw one figure of an analysed projection: files in several formats; none if its data do not serve it."""
    with matplotlib.rc_context(STYLE):
        figure = evolution_figure(what, name, results, n_targets)
        if figure is None:
            return []
        return [save(figure, folder, f"evolution_{what}_{name}", one) for one in file_formats]


def draw_rates(rates: dict[str, tuple[NDArray[np.float64], float]], folder: Path, formats: Sequence[str]) -> list[Path]:
    """Draw rates as `rates_figure` does: files in several formats."""
    with matplotlib.rc_context(STYLE):
        figure = rates_figure(rates)
        return [save(figure, folder, "evolution_rates", one) for one in formats]


def evolution_figure(what: str, name: str, results: xr.Dataset, n_targets: int) -> Figure | None:
    """A figure of one projection's dataset, by what it shows; None if its data do not serve it."""
    match what:
        case "quality":
            return quality_figure(results) if "sigma_aff" in results else None
        case "map" if "centre_x" in results and results.sizes["y"] > 1:
            centres = results[["centre_x", "centre_y"]].isel(time=-1)
            return map_figure(name, np.stack([centres.centre_x.values, centres.centre_y.values], axis=-1))
        case "displacement" if "displacement_count" in results:
            maps = {f"{float(results.time[k]):g} s": _displacement(results, k) for k in shown(results.sizes["time"])}
            return displacement_figure(name, maps, n_targets, results.weight_bin.attrs.get("units", ""))
        case "growth":
            return growth_figure(name, results) if "axon_calcium" in results else None
        case "degrees_and_weights":
            return degrees_and_weights_figure(results)
        case "rewiring":
            return rewiring_figure(results, n_targets) if "events" in results else None
    return None


def shown(n: int) -> list[int]:
    """At most 5 of n checkpoints, evenly spaced, the first and the last among them."""
    return sorted(set(np.rint(np.linspace(0, n - 1, min(n, _MOST_SHOWN))).astype(int).tolist()))


def _displacement(results: xr.Dataset, time: int) -> DisplacementMap:
    at = results.isel(time=time)
    axes = (results.dx.values, results.dy.values)
    return DisplacementMap(*axes, at.displacement_count.values, at.displacement_weight_sum.values)


def quality_figure(results: xr.Dataset) -> Figure:
    """Mean sigma_aff and AD over time, of synapses counted alike and weighted, each beside its null (dashed)."""
    figure = Figure(figsize=(TWO_COLUMNS, 2.3), layout="constrained")
    panels = figure.subplots(1, 2)
    time = results.time.values
    for axes, (measure, label) in zip(
        panels, {"sigma_aff": "σ_aff (grid units)", "deviation": "AD (grid units)"}.items(), strict=True
    ):
        for kind, suffix, null, colour in (
            ("connectivity", "", "drawn from the profile", COLOURS[0]),
            ("weighted", "_weighted", "weights shuffled", COLOURS[1]),
        ):
            axes.plot(time, results[f"{measure}{suffix}_mean"].values, "o-", color=colour, markersize=2.5, label=kind)
            if f"{measure}{suffix}_null_mean" in results:
                values = results[f"{measure}{suffix}_null_mean"].values
                axes.plot(time, values, "o--", color=colour, alpha=0.6, markersize=2, linewidth=0.9, label=null)
        axes.set(xlabel=_SECONDS, ylabel=label)
        axes.set_ylim(bottom=0)
    panels[1].legend(loc="lower left")
    return figure


def growth_figure(name: str, results: xr.Dataset) -> Figure:
    """Calcium over time beside its set-point (dashed), and elements with those of them that are vacant (dotted)."""
    figure = Figure(figsize=(TWO_COLUMNS, 2.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    time = results.time.values
    for side, words, colour, marker in (
        ("axon", "axonal", COLOURS[0], "o"),
        ("dendrite", "dendritic", COLOURS[1], "^"),
    ):
        # Both sides of one population may coincide.
        width, size, alpha = (2.4, 4.5, 0.45) if side == "axon" else (1.0, 2.5, 1.0)
        at: dict[str, Any] = {"color": colour, "marker": marker, "markersize": size, "alpha": alpha}
        left.plot(time, results[f"{side}_calcium"].values, label=f"{words} side", linewidth=width, **at)
        set_point = results[f"{side}_set_point"].values
        left.plot(time, set_point, "--", color=colour, linewidth=0.9, label=f"its set-point, {set_point[-1]:g}")
        right.plot(time, results[f"{side}_elements"].values, label=words, linewidth=width, **at)
        right.plot(time, results[f"{side}_vacant"].values, ":", label=f"{words}, vacant", linewidth=width, **at)
    left.set(xlabel=_SECONDS, ylabel="mean calcium")
    right.set(xlabel=_SECONDS, ylabel="mean elements per neuron")
    for axes in (left, right):  # beside no line, wherever these are
        axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2)
    figure.suptitle(name, fontsize=STYLE["axes.titlesize"])
    return figure


def degrees_and_weights_figure(results: xr.Dataset) -> Figure:
    """In-degrees, out-degrees and weights at up to five checkpoints, as shares of all neurons or synapses."""
    figure = Figure(figsize=(TWO_COLUMNS, 2.2), layout="constrained")
    panels = figure.subplots(1, 3)
    chosen, weight = shown(results.sizes["time"]), with_unit("weight", results.weight_bin.attrs.get("units", ""))
    colours = colormaps[COLOUR_MAP](np.linspace(0.0, 0.85, len(chosen)))
    for axes, variable, axis, label, what in (
        (panels[0], "in_degree_neurons", "degree_in", "in-degree", "share of target neurons"),
        (panels[1], "out_degree_neurons", "degree_out", "out-degree", "share of source neurons"),
        (panels[2], "weight_synapses", "weight_bin", weight, "share of synapses"),
    ):
        for time, colour in zip(chosen, colours, strict=True):
            counts = results[variable].isel(time=time).values.astype(float)
            axes.stairs(
                counts / max(counts.sum(), 1.0),
                _edges(results[axis].values),
                color=colour,
                linewidth=1.0,
                label=f"{float(results.time[time]):g} s",
            )
        axes.set(xlabel=label, ylabel=what)
        axes.margins(x=0.02)
        if axes is not panels[2]:
            axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    panels[2].legend(loc="best")
    return figure


def _edges(centres: NDArray[Any]) -> NDArray[np.float64]:
    step = float(centres[1] - centres[0]) if len(centres) > 1 else 1.0
    return np.append(centres, centres[-1] + step) - step / 2


def rewiring_figure(results: xr.Dataset, n_targets: int) -> Figure:
    """Formations and eliminations: rates over time and, where neurons have places, by distance, and over both."""
    events, bin_s = results.events, float(results.events.attrs["bin_s"])
    time = _edges(results.event_time.values + bin_s / 2)
    if not events.attrs.get("has_places", True):
        figure = Figure(figsize=(TWO_COLUMNS * 0.6, 2.3), layout="constrained")
        over_time = figure.add_subplot()
        _draw_rewiring(over_time, events.sum("distance") / (n_targets * bin_s), time, _SECONDS)
        over_time.legend()
        return figure
    total_s = bin_s * events.sizes["event_time"]
    distance = _edges(results.distance.values)
    figure = Figure(figsize=(TWO_COLUMNS, 4.3), layout="constrained")
    (over_time, by_distance), maps = figure.subplots(2, 2)
    _draw_rewiring(over_time, events.sum("distance") / (n_targets * bin_s), time, _SECONDS)
    _draw_rewiring(by_distance, events.sum("event_time") / (n_targets * total_s), distance, _DISTANCE)
    over_time.legend()
    formed = events.sel(event=_FORMED).values.T
    rates = {
        "formed": formed / (n_targets * bin_s),
        "eliminated": (events.sum("event").values.T - formed) / (n_targets * bin_s),
    }
    # Rates near and far differ by orders of magnitude, so colours are logarithmic.
    positive = np.concatenate([rate[rate > 0] for rate in rates.values()])
    norm = LogNorm(positive.min(), positive.max()) if len(positive) and positive.min() < positive.max() else None
    image: Any = None
    for axes, (name, rate) in zip(maps, rates.items(), strict=True):
        image = _heat_map(axes, time, distance, np.where(rate > 0, rate, np.nan), norm)
        axes.set(xlabel=_SECONDS, ylabel=_DISTANCE, title=name)
    ticks = None if norm is None else LogLocator(subs=(1, 2, 5))
    bar: Any = figure.colorbar(image, ax=list(maps), label=_EVENTS, format="%g", ticks=ticks)
    bar.ax.yaxis.set_minor_formatter(NullFormatter())  # its own labels are formulas, which figures do not read
    bar.outline.set_linewidth(0.6)
    return figure


def _draw_rewiring(axes: Axes, rates: xr.DataArray, edges: NDArray[np.float64], along: str) -> None:
    """A stair for each kind of event, in bins with these edges."""
    for number, name in enumerate(rates.event.values):
        label = str(name) if name == _FORMED else f"eliminated: {name}"
        colour, dashes = COLOURS[number % len(COLOURS)], _DASHES[number % len(_DASHES)]
        values = rates.sel(event=name).values
        axes.stairs(values, edges, linewidth=1.0, label=label, color=colour, linestyle=dashes)
    axes.set(xlabel=along, ylabel=_EVENTS)
    axes.set_ylim(bottom=0)
    axes.margins(x=0)


def _heat_map(
    axes: Axes, x: NDArray[np.float64], y: NDArray[np.float64], values: NDArray[np.float64], norm: LogNorm | None
) -> Any:
    axes.set_facecolor("0.93")  # where nothing happened
    return axes.pcolormesh(x, y, values, norm=norm, cmap=COLOUR_MAP, rasterized=True)
