"""Figures of neurons in one row (or column), where what is a map over two dimensions is a curve over one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from hpcsnn.analysis.drawing.style import COLOURS, ONE_COLUMN


def row_displacement_figure(
    name: str, axis: str, at: NDArray[np.int64], curves: Mapping[str, Mapping[str, NDArray[np.float64]]]
) -> Figure:
    """A panel for each quantity, in it a curve by displacement for each time.

    Args:
        axis: ``x`` or ``y``.
        at: displacements, shape (n,).
        curves: by quantity and time, shape (n,) each.
    """
    figure = Figure(figsize=(ONE_COLUMN, ONE_COLUMN * 1.15), layout="constrained")
    panels = figure.subplots(len(curves), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (what, by_time) in zip(panels, curves.items(), strict=True):
        for number, (when, values) in enumerate(by_time.items()):
            axes.plot(at, values, ".-", color=COLOURS[number % len(COLOURS)], markersize=3, label=when)
        axes.set_ylabel(what)
    panels[0].set_title(name)
    panels[0].legend()
    panels[-1].set_xlabel(f"d{axis} (grid units)")
    return figure


def row_map_figure(name: str, axis: str, centres: NDArray[np.float64]) -> Figure:
    """Where each neuron's receptive field lies; `centres`, shape (n,), are relative to its own place."""
    figure = Figure(figsize=(ONE_COLUMN, ONE_COLUMN), layout="constrained")
    axes, places = figure.add_subplot(), np.arange(len(centres))
    axes.plot(places, places, color="0.85", linewidth=0.5)
    axes.plot(places, places + centres, ".-", color=COLOURS[0], linewidth=0.8, markersize=2)
    axes.set(xlabel=f"{axis} (grid units)", ylabel="centre (grid units)", title=f"{name}: receptive-field centres")
    return figure
