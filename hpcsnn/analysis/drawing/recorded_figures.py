"""What was recorded over time: a raster of the last second, intervals between spikes, variables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter
from numpy.typing import NDArray

from hpcsnn.analysis.drawing.raster_figure import raster_figure
from hpcsnn.analysis.drawing.style import COLOURS, ONE_COLUMN, TWO_COLUMNS, with_unit
from hpcsnn.analysis.spike_trains import Intervals, recent_intervals, recorded_spikes_of, records_of
from hpcsnn.engine.recording.rows import Average, Rows, SynapseValues
from hpcsnn.storage.network_store import StoredNetwork

_RASTER_MS = 1000.0
# Neurons of which a variable is drawn, synapses, and times.
_MOST_TRACES, _MOST_SYNAPSES, _MOST_TIMES = 5, 20, 2000


def raster(stored: StoredNetwork, run: Path, population: str) -> Figure | None:
    """The spikes of the last second of model time; None: they were not recorded."""
    records, dt_ms = records_of(run)
    if population not in records.names("spikes"):
        return None
    begin_ms = max(0.0, stored.step * dt_ms - _RASTER_MS)
    spikes = records.spikes(population, round(begin_ms / dt_ms))
    if not len(spikes):
        return None
    time_ms = spikes[:, 0].astype(np.float64) * dt_ms
    return raster_figure(population, time_ms, spikes[:, 1], (begin_ms, stored.step * dt_ms))


def intervals(stored: StoredNetwork, run: Path, population: str) -> Figure | None:
    """Interspike intervals of the last ten seconds; None: there are none, or spikes were not recorded."""
    found, grid = recent_intervals(run, stored, population), stored.grid(population)
    ids = recorded_spikes_of(run, stored, population)
    whose = population if ids is None else f"{population}, {len(ids):,} of {grid.size:,} neurons"
    return intervals_figure(whose, found, records_of(run)[1]) if len(found.cv) else None


def recorded(stored: StoredNetwork, run: Path, owner: str) -> Figure | None:
    """Variables of a population's first few neurons of which they were recorded, and averages; or those of the first
    few synapses of a projection; None: none were."""
    records, dt_ms = records_of(run)
    if owner in stored.projections:
        of_synapses = {name: records.synapses(owner, name) for of, name in records.variables("synapses") if of == owner}
        return synapses_figure(owner, of_synapses, dt_ms) if of_synapses else None
    found: dict[str, Rows | Average] = {
        name: records.rows(owner, name) for of, name in records.variables() if of == owner
    }
    found |= {name: records.average(owner, name) for of, name in records.variables("averages") if of == owner}
    return traces_figure(owner, found, dt_ms) if found else None


def intervals_figure(name: str, found: Intervals, dt_ms: float) -> Figure:
    """Histograms of intervals (ms, on a logarithmic axis) and of the neurons' coefficients of variation."""
    figure = Figure(figsize=(TWO_COLUMNS * 0.75, ONE_COLUMN * 0.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    interval_ms = found.steps * dt_ms
    bins = np.geomspace(interval_ms.min(), interval_ms.max() * 1.001, 41)
    left.hist(interval_ms, bins=bins if bins[0] < bins[-1] else 1, color=COLOURS[0])
    left.set(xscale="log", xlabel="interspike interval (ms)", ylabel="intervals")
    # Labels of matplotlib's own are formulas, which figures do not read: a varied value may hold dollars.
    left.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    left.xaxis.set_major_formatter(FormatStrFormatter("%g"))
    left.xaxis.set_minor_formatter(NullFormatter())
    left.set_title(f"{name}: mean {interval_ms.mean():.3g} ms", loc="left")
    right.hist(found.cv, bins=np.linspace(0.0, max(1.0, float(found.cv.max())) * 1.001, 41), color=COLOURS[0])
    right.set(xlabel="coefficient of variation", ylabel="neurons")
    right.set_title(f"mean {found.cv.mean():.3g} (Poisson: 1)", loc="left")
    return figure


def traces_figure(name: str, variables: Mapping[str, Rows | Average], dt_ms: float) -> Figure:
    """Each variable over time in a panel of its own, a line a neuron, or the mean within its least and most; of long
    records the last part."""
    figure, panels = _panels(variables)
    shown = slice(-_MOST_TIMES, None)
    for axes, of in zip(panels, variables.values(), strict=True):
        time_ms = of.steps[shown] * dt_ms
        if isinstance(of, Average):
            ends = of.min[shown].astype(np.float64), of.max[shown].astype(np.float64)
            axes.fill_between(time_ms, *ends, color=COLOURS[0], alpha=0.25, linewidth=0, label="min to max")
            _line(axes, time_ms, of.mean[shown], COLOURS[0], "mean")
            title = f"over {name}"
        else:
            for column, neuron in enumerate(of.ids[:_MOST_TRACES].tolist()):
                _line(axes, time_ms, of.values[shown, column], COLOURS[column % len(COLOURS)], neuron)
            title = f"neuron of {name}"
        axes.legend(title=title, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def synapses_figure(name: str, variables: Mapping[str, SynapseValues], dt_ms: float) -> Figure:
    """Each variable over time in a panel of its own, a line a synapse with gaps while it was not there: the first few
    by post and pre; of long records the last part."""
    figure, panels = _panels(variables)
    for axes, of in zip(panels, variables.values(), strict=True):
        steps = np.unique(of.steps)[-_MOST_TIMES:]
        late = of.steps >= (steps[0] if len(steps) else 0)
        pairs, owner = np.unique(np.stack([of.post[late], of.pre[late]], axis=1), axis=0, return_inverse=True)
        time, values = np.searchsorted(steps, of.steps[late]), of.values[late]
        for number, (post, pre) in enumerate(pairs[:_MOST_SYNAPSES].tolist()):
            line = np.full(len(steps), np.nan)
            own = owner.ravel() == number
            line[time[own]] = values[own]
            _line(axes, steps * dt_ms, line, COLOURS[number % len(COLOURS)], f"{pre} to {post}")
        if len(pairs) <= len(COLOURS):
            axes.legend(title=f"synapse of {name}", loc="upper left", bbox_to_anchor=(1.0, 1.0))
        else:
            part = f"first {_MOST_SYNAPSES} of " if len(pairs) > _MOST_SYNAPSES else ""
            axes.set_title(f"{name}: {part}{len(pairs):,} synapses", loc="left")
    return figure


def _panels(variables: Mapping[str, Rows | Average | SynapseValues]) -> tuple[Figure, Any]:
    """A figure with axes for each variable, over one time."""
    figure = Figure(figsize=(TWO_COLUMNS, 1.4 * len(variables) + 0.4), layout="constrained")
    panels: Any = figure.subplots(len(variables), 1, squeeze=False, sharex=True)[:, 0]
    for axes, (variable, of) in zip(panels, variables.items(), strict=True):
        axes.set_ylabel(with_unit(variable, of.unit))
    panels[-1].set_xlabel("model time (ms)")
    return figure, panels


def _line(axes: Any, time_ms: NDArray[Any], values: NDArray[Any], colour: str, label: object) -> None:
    """A line; of one time, a point."""
    marker = "." if len(time_ms) == 1 else ""
    axes.plot(time_ms, values, marker=marker, color=colour, linewidth=0.8, label=label)
