"""What was recorded over time: a raster of the last second, intervals between spikes, and variables of neurons."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib.ticker
import numpy as np
from matplotlib.figure import Figure

from hpcsnn.analysis.drawing.raster_figure import raster_figure
from hpcsnn.analysis.drawing.style import COLOURS, ONE_COLUMN, TWO_COLUMNS
from hpcsnn.analysis.spike_trains import Intervals, intervals_of
from hpcsnn.engine.recording.rows import Rows
from hpcsnn.network.recording.asked import configured_spikes
from hpcsnn.storage.checkpoints import committed
from hpcsnn.storage.network_store import StoredNetwork
from hpcsnn.storage.records import Records

_RASTER_MS = 1000.0
# Of a large network less than ten seconds are looked at: about so many spikes.
_INTERVALS_MS, _MOST_SPIKES = 10_000.0, 2_000_000
# Neurons of which a variable is drawn, and times.
_MOST_TRACES, _MOST_TIMES = 5, 2000


def raster(stored: StoredNetwork, run: Path, population: str) -> Figure | None:
    """The spikes of the last second of model time; None: they were not recorded."""
    records, _, dt_ms = _records(run)
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
    records, configuration, dt_ms = _records(run)
    if population not in records.names("spikes"):
        return None
    rates, _ = stored.rates_hz(population)
    in_a_second = max(float(rates.mean()) if len(rates) else 0.0, 1.0) * stored.grid(population).size
    span_ms = min(_INTERVALS_MS, 1e3 * _MOST_SPIKES / in_a_second)
    found = intervals_of(records.spikes(population, round(max(0.0, stored.step - span_ms / dt_ms))))
    grid = stored.grid(population)
    ids = configured_spikes(population, configuration["populations"][population], grid)
    whose = population if ids is None else f"{population}, {len(ids):,} of {grid.size:,} neurons"
    return intervals_figure(whose, found, dt_ms) if len(found.cv) else None


def recorded(stored: StoredNetwork, run: Path, population: str) -> Figure | None:
    """Variables of the first few neurons of which they were recorded; None: none were."""
    del stored
    records, _, dt_ms = _records(run)
    rows = {name: records.rows(of, name) for of, name in records.variables() if of == population}
    return traces_figure(population, rows, dt_ms) if rows else None


def _records(run: Path) -> tuple[Records, Mapping[str, Any], float]:
    """What the newest checkpoint lists, the configuration, the length of a step in ms; nothing, where there is none."""
    there = committed(run)
    if not there:
        return Records(run / "records", []), {}, 1.0
    manifest = there[-1].manifest()
    configuration = manifest["configuration"]
    return Records(run / "records", manifest["segments"]), configuration, float(configuration["dt_ms"])


def intervals_figure(name: str, found: Intervals, dt_ms: float) -> Figure:
    """Histograms of intervals (ms, on a logarithmic axis) and of the neurons' coefficients of variation."""
    figure = Figure(figsize=(TWO_COLUMNS * 0.75, ONE_COLUMN * 0.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    interval_ms = found.steps * dt_ms
    bins = np.geomspace(interval_ms.min(), interval_ms.max() * 1.001, 41)
    left.hist(interval_ms, bins=bins if bins[0] < bins[-1] else 1, color=COLOURS[0])
    left.set(xscale="log", xlabel="interspike interval (ms)", ylabel="intervals")
    left.xaxis.set_major_formatter(matplotlib.ticker.FormatStrFormatter("%g"))
    left.set_title(f"{name}: mean {interval_ms.mean():.3g} ms", loc="left")
    right.hist(found.cv, bins=np.linspace(0.0, max(1.0, float(found.cv.max())) * 1.001, 41), color=COLOURS[0])
    right.set(xlabel="coefficient of variation", ylabel="neurons")
    right.set_title(f"mean {found.cv.mean():.3g} (Poisson: 1)", loc="left")
    return figure


def traces_figure(name: str, variables: dict[str, Rows], dt_ms: float) -> Figure:
    """Each variable over time, a line a neuron, in a panel of its own; of long records the last part."""
    figure = Figure(figsize=(TWO_COLUMNS, 1.4 * len(variables) + 0.4), layout="constrained")
    panels: Any = figure.subplots(len(variables), 1, squeeze=False, sharex=True)[:, 0]
    for axes, (variable, rows) in zip(panels, variables.items(), strict=True):
        shown = slice(-_MOST_TIMES, None)
        for column, neuron in enumerate(rows.ids[:_MOST_TRACES].tolist()):
            colour = COLOURS[column % len(COLOURS)]
            time_ms = rows.steps[shown] * dt_ms
            marker = "." if len(time_ms) == 1 else ""
            axes.plot(time_ms, rows.values[shown, column], marker=marker, color=colour, linewidth=0.8, label=neuron)
        axes.set_ylabel(f"{variable}{f' ({rows.unit})' if rows.unit else ''}")
        axes.legend(title=f"neuron of {name}", loc="upper left", bbox_to_anchor=(1.0, 1.0))
    panels[-1].set_xlabel("model time (ms)")
    return figure
