"""The spikes of a population over time: points, or where they are many, how many fall where."""

from __future__ import annotations

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from hpcsnn.analysis.drawing.style import COLOUR_MAP, COLOURS, ONE_COLUMN, STYLE, TWO_COLUMNS

# Beyond so many, points cover each other, and take longer to draw than anybody waits.
MOST_POINTS = 100_000
_BINS = (500, 200)


def raster_figure(
    name: str, time_ms: NDArray[np.float64], neuron: NDArray[np.int32], span_ms: tuple[float, float]
) -> Figure:
    """A raster; of more than `MOST_POINTS` spikes, their number by time and neuron.

    Args:
        name: the population's.
        time_ms, neuron: of each spike, shape (n,).
        span_ms: what the time axis shows.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(TWO_COLUMNS, ONE_COLUMN * 0.7), layout="constrained")
        axes = figure.add_subplot()
        if len(neuron) <= MOST_POINTS:
            size = float(np.clip(2000 / max(len(neuron), 1), 0.5, 2.0))
            axes.plot(time_ms, neuron, ".", color=COLOURS[0], markersize=size, rasterized=True)
        else:
            ends = float(neuron.min()) - 0.5, float(neuron.max()) + 0.5
            bins = _BINS[0], min(_BINS[1], round(ends[1] - ends[0]))
            count, times, neurons = np.histogram2d(time_ms, neuron, bins, (span_ms, ends))
            image = axes.pcolormesh(times, neurons, count.T, cmap=COLOUR_MAP, rasterized=True)
            figure.colorbar(image, ax=axes, label="spikes")
        axes.set(xlabel="model time (ms)", ylabel=f"neuron of {name}")
        if span_ms[0] < span_ms[1]:
            axes.set_xlim(*span_ms)
    return figure
