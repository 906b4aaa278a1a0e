"""The figures of a stored run: rates, connectivity by displacement, degrees and weights, and the map itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator
from numpy.typing import NDArray

from hpcsnn.analysis.displacement import DisplacementMap, has_places, read_displacement
from hpcsnn.analysis.drawing.recorded_figures import intervals, raster, recorded
from hpcsnn.analysis.drawing.row_figures import row_displacement_figure, row_map_figure
from hpcsnn.analysis.drawing.style import COLOUR_MAP, COLOURS, ONE_COLUMN, STYLE, TWO_COLUMNS, with_unit
from hpcsnn.analysis.topography import grid_displacement, receptive_fields
from hpcsnn.atomic_files import refuse_link, replaced
from hpcsnn.storage.network_store import StoredNetwork

_DPI = 200
# The least: more takes as long as drawing does, for files a twelfth smaller.
_PACKED: dict[str, Any] = {"pil_kwargs": {"compress_level": 1}}
_WEIGHT_BINS = 20
_MEAN_OVER_MS = 1000.0
# A warped grid of more lines than this is a grey square.
_MOST_LINES = 32


def draw_figure(kind: str, owner: str, network_path: Path, folder: Path, file_format: str) -> list[Path]:
    """Draw one figure of a stored network: of a population or projection or, where `owner` is "", of all of it.

    Returns:
        Its file; none where the network has no data for it.

    Raises:
        StorageError: no stored network there.
    """
    with matplotlib.rc_context(STYLE):
        figure = _FIGURES[kind](StoredNetwork(network_path), network_path.parent, owner)
        name = f"{kind}_{owner}" if owner else kind
        return [] if figure is None else [save(figure, folder, name, file_format)]


def save(figure: Figure, folder: Path, name: str, file_format: str = "png") -> Path:
    """Write a figure as a file of a format into a folder, made if missing; the file.

    Raises:
        StorageError: the folder is a link.
    """
    refuse_link(folder)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.{file_format}"
    with replaced(path) as stream:
        figure.savefig(stream, format=file_format, dpi=_DPI, **(_PACKED if file_format == "png" else {}))
    figure.set_layout_engine("none")  # laid out by now; the search for it takes as long as drawing
    return path


def _rates(stored: StoredNetwork, run: Path, owner: str) -> Figure | None:
    del run, owner
    rates = {name: stored.rates_hz(name) for name in stored.populations}
    return rates_figure(rates) if any(len(values) for values, _ in rates.values()) else None


def _displacement(stored: StoredNetwork, run: Path, projection: str) -> Figure | None:
    start, end = (read_displacement(run / "displacement.zarr", projection, when) for when in ("start", "end"))
    if start is None or end is None:
        return None
    n_targets, unit = stored.grid(stored.ends(projection)[1]).size, stored.unit_of_weights(projection)
    return displacement_figure(projection, {"start": start, "end": end}, n_targets, unit)


def _map(stored: StoredNetwork, run: Path, projection: str) -> Figure | None:
    del run
    source, target = (stored.grid(end) for end in stored.ends(projection))
    if not has_places(source, target):
        return None
    synapses = stored.synapses(projection)
    if not len(synapses["pre"]):
        return None
    dx, dy = grid_displacement(target, synapses["post"], synapses["pre"])
    fields = receptive_fields(target, synapses["post"], dx, dy, synapses["weight"], target.size)
    return map_figure(projection, fields.centre.reshape(target.ny, target.nx, 2))


def _degrees_and_weights(stored: StoredNetwork, run: Path, owner: str) -> Figure | None:
    del run, owner
    wired = {}
    for name in stored.projections:
        synapses = stored.synapses(name)
        in_degree = np.bincount(synapses["post"], minlength=stored.grid(stored.ends(name)[1]).size)
        wired[name] = in_degree, synapses["weight"]
    return degrees_figure(wired, {name: stored.unit_of_weights(name) for name in wired}) if wired else None


_FIGURES: dict[str, Callable[[StoredNetwork, Path, str], Figure | None]] = {
    "rates": _rates,
    "displacement": _displacement,
    "map": _map,
    "degrees_and_weights": _degrees_and_weights,
    "raster": raster,
    "intervals": intervals,
    "recorded": recorded,
}


def rates_figure(rates: dict[str, tuple[NDArray[np.float64], float]]) -> Figure:
    """Rates (Hz) in bins of the given length (ms), a panel a population, each to a scale of its own, with room below 0.

    Of two seconds or more there is a running mean over one, and the bins are faint.
    """
    figure = Figure(figsize=(ONE_COLUMN, 0.95 * len(rates) + 0.55), layout="constrained")
    panels: Any = figure.subplots(len(rates), 1, squeeze=False, sharex=True)[:, 0]
    for axes, (name, (values, bin_ms)), colour in zip(panels, rates.items(), _colours(len(rates)), strict=True):
        edges_s = np.arange(len(values) + 1) * bin_ms * 1e-3
        long = len(values) * bin_ms >= 2 * _MEAN_OVER_MS
        look: dict[str, Any] = {"alpha": 0.4, "linewidth": 0.5} if long else {"linewidth": 1.2}
        axes.stairs(values, edges_s, baseline=None, color=colour, **look)
        if long:
            axes.plot(*running_mean((edges_s[1:] + edges_s[:-1]) / 2, values, bin_ms), color=colour)
        top = float(values.max(initial=0.0)) or 1.0
        axes.set(xlim=(0, edges_s[-1]), ylim=(-0.05 * top, 1.1 * top))
        axes.yaxis.set_major_locator(MaxNLocator(4))
        axes.ticklabel_format(useOffset=False)
        axes.set_title(name, loc="left")
    figure.supylabel("firing rate (Hz)", fontsize=STYLE["axes.labelsize"])
    panels[-1].set_xlabel("model time (s)")
    return figure


def running_mean(
    times: NDArray[np.floating[Any]], values: NDArray[np.floating[Any]], bin_ms: float
) -> tuple[NDArray[np.floating[Any]], NDArray[np.floating[Any]]]:
    """Means over a second of values in bins, or over all where there is less, and the times of their middles."""
    n = min(max(1, round(_MEAN_OVER_MS / bin_ms)), max(1, len(values)))
    smooth = np.convolve(values, np.full(n, 1 / n), mode="valid") if len(values) else values
    return times[(n - 1) // 2 :][: len(smooth)], smooth


def connection_probability(displacement: DisplacementMap, n_targets: int) -> NDArray[np.float64]:
    """Share of the targets that have a source at each displacement, shape (len(dy), len(dx))."""
    return displacement.count / n_targets


def mean_weight(displacement: DisplacementMap) -> NDArray[np.float64]:
    """Mean weight of the synapses at each displacement, NaN where there are none, shape (len(dy), len(dx))."""
    return np.divide(
        displacement.weight_sum,
        displacement.count,
        out=np.full(displacement.count.shape, np.nan),
        where=displacement.count > 0,
    )


def displacement_figure(name: str, maps: Mapping[str, DisplacementMap], n_targets: int, unit: str = "") -> Figure:
    """Connection probability and mean weight by displacement (post - pre), a column a map, named by its key; where
    neurons are in one row, a curve a map. `unit` is the weights'."""
    n, weight = len(maps), with_unit("mean weight", unit)
    first = next(iter(maps.values()))
    if 1 in first.count.shape:
        probabilities = {when: connection_probability(one, n_targets).ravel() for when, one in maps.items()}
        curves = {
            "connection probability": probabilities,
            weight: {when: mean_weight(one).ravel() for when, one in maps.items()},
        }
        axis, at = ("x", first.dx) if len(first.dy) == 1 else ("y", first.dy)
        return row_displacement_figure(name, axis, at, curves)
    figure = Figure(figsize=(ONE_COLUMN * (0.3 + 0.5 * n), ONE_COLUMN * 1.15), layout="compressed")
    panels = figure.subplots(2, n, sharex=True, sharey=True, squeeze=False)
    rows = {
        "connection probability": [connection_probability(d, n_targets) for d in maps.values()],
        weight: [mean_weight(d) for d in maps.values()],
    }
    for row, (what, values) in zip(panels, rows.items(), strict=True):
        finite = np.concatenate([v[np.isfinite(v)] for v in values])
        top = float(finite.max(initial=0.0)) or 1.0
        bottom = min(float(finite.min(initial=0.0)), 0.0)
        image: Any = None
        for axes, value, displacement in zip(row, values, maps.values(), strict=True):
            edges = [np.append(axis, axis[-1] + 1) - 0.5 for axis in (displacement.dx, displacement.dy)]
            image = axes.pcolormesh(*edges, value, vmin=bottom, vmax=top, cmap=COLOUR_MAP, rasterized=True)
            _grid_axes(axes)
            axes.spines[["top", "right"]].set_visible(True)
        figure.colorbar(image, ax=list(row), label=what, shrink=0.85).outline.set_linewidth(0.6)
    for axes, when in zip(panels[0], maps, strict=True):
        axes.set_title(f"{name}, {when}")
    for axes in panels[1]:
        axes.set_xlabel("dx (grid units)")
    for axes in panels[:, 0]:
        axes.set_ylabel("dy (grid units)")
    return figure


def degrees_figure(
    wired: dict[str, tuple[NDArray[np.int64], NDArray[np.float32]]], units: Mapping[str, str] | None = None
) -> Figure:
    """Histograms of in-degrees (one entry per target) and weights (one entry per synapse) of each projection; `units`
    are the weights', by projection."""
    heights = [1.7 if len(weight) else 0.3 for _, weight in wired.values()]
    figure = Figure(figsize=(TWO_COLUMNS * 0.75, sum(heights) + 0.2), layout="constrained")
    panels = figure.subplots(len(wired), 2, squeeze=False, height_ratios=heights)
    for (name, (in_degree, weight)), row, colour in zip(wired.items(), panels, _colours(len(wired)), strict=True):
        if not len(weight):
            _say_none(row, name)
            continue
        left, right = row
        highest = int(in_degree.max(initial=0))
        step = highest // 60 + 1  # so that bars stay visible
        left.hist(in_degree, bins=np.arange(0, highest + 2 * step, step) - 0.5, color=colour)
        left.set(xlabel="in-degree (synapses)", ylabel="target neurons")
        left.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        low, high = min(float(weight.min()), 0.0), max(float(weight.max()), 0.0)
        high = high if high > low else low + 1.0
        right.hist(weight, bins=np.linspace(low, high, _WEIGHT_BINS + 1), color=colour)
        right.set(xlabel=with_unit("weight", (units or {}).get(name, "")), ylabel="synapses")
        left.set_title(f"{name}: {_in_short(in_degree)}", loc="left")
        right.set_title(_in_short(weight), loc="left")
        for axes in row:
            axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
            axes.yaxis.set_major_formatter(EngFormatter(sep=""))
    return figure


def _say_none(row: Sequence[Axes], name: str) -> None:
    """In place of histograms of nothing."""
    for axes in row:
        axes.set_axis_off()
    row[0].set_axis_on()
    row[0].spines[:].set_visible(False)
    row[0].set(xticks=[], yticks=[])
    row[0].set_title(f"{name}: no synapses", loc="left")


def _in_short(values: NDArray[Any]) -> str:
    """The value that all have, or their mean and standard deviation."""
    if values.min() == values.max():
        return f"all {values[0]:,.6g}"
    mean, std = values.mean(dtype=np.float64), values.std(dtype=np.float64)
    return f"mean {mean:,.4g}, SD {std:,.3g}"


def map_figure(name: str, centres: NDArray[np.float64]) -> Figure:
    """The map as a warped grid: lines join the receptive-field centres of neighbouring targets; of one row, a curve.

    Args:
        centres: shape (ny, nx, 2), relative to each neuron's own place, as in `ReceptiveFields`.
    """
    ny, nx = centres.shape[:2]
    if min(nx, ny) == 1:
        return row_map_figure(name, "x" if ny == 1 else "y", centres[..., 0 if ny == 1 else 1].ravel())
    shown_y, shown_x = min(ny, _MOST_LINES), min(nx, _MOST_LINES)
    places = np.stack(np.meshgrid(np.arange(shown_x), np.arange(shown_y)), axis=-1)
    # A place plus a displacement, not folded back onto the torus: no line crosses the figure.
    warped = places + centres[:shown_y, :shown_x]
    figure = Figure(figsize=(ONE_COLUMN, ONE_COLUMN * (shown_y + 2) / (shown_x + 2) + 0.3), layout="constrained")
    axes = figure.add_subplot()
    axes.set_axisbelow(True)
    for grid, colour, width in ((places, "0.85", 0.5), (warped, COLOURS[0], 0.8)):
        axes.plot(grid[..., 0], grid[..., 1], color=colour, linewidth=width)
        axes.plot(grid[..., 0].T, grid[..., 1].T, color=colour, linewidth=width)
    axes.plot(warped[..., 0].ravel(), warped[..., 1].ravel(), ".", color=COLOURS[0], markersize=2)
    part = "" if (shown_x, shown_y) == (nx, ny) else f" (first {shown_x} x {shown_y} of {nx} x {ny})"
    axes.set(xlabel="x (grid units)", ylabel="y (grid units)", title=f"{name}: receptive-field centres{part}")
    _grid_axes(axes)
    return figure


def _grid_axes(axes: Axes) -> None:
    """Square cells, and ticks on neurons."""
    axes.set_aspect("equal")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(5, integer=True))


def _colours(n: int) -> list[Any]:
    return [COLOURS[k % len(COLOURS)] for k in range(n)]
