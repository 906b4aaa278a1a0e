"""Two runs in one figure: a panel for each quantity, with both runs' curves over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from hpcsnn.analysis.drawing.figures import running_mean
from hpcsnn.analysis.drawing.style import COLOURS, TWO_COLUMNS

_IN_A_ROW, _HEIGHT = 2, 1.7
_Curve = tuple[NDArray[np.floating[Any]], NDArray[np.floating[Any]]]


class Quantity(Protocol):
    """What is drawn in a panel; see `hpcsnn.runs.stored.comparison.Curves`."""

    @property
    def label(self) -> str: ...
    @property
    def over(self) -> str: ...
    @property
    def one(self) -> _Curve: ...
    @property
    def other(self) -> _Curve: ...
    @property
    def bin_ms(self) -> float | None: ...


def comparison_figure(quantities: Sequence[Quantity], names: tuple[str, str]) -> Figure:
    """A panel for each quantity; values in bins are running means over a second.

    Args:
        names: of the two runs, for the legend.
    """
    rows = -(-len(quantities) // _IN_A_ROW)
    figure = Figure(figsize=(TWO_COLUMNS, _HEIGHT * rows + 0.2), layout="constrained")
    panels: Any = figure.subplots(rows, _IN_A_ROW, squeeze=False).ravel()
    for axes, quantity in zip(panels, quantities, strict=False):
        for (time, values), name, colour in zip((quantity.one, quantity.other), names, COLOURS, strict=False):
            if quantity.bin_ms is not None:
                time, values = running_mean(time, values, quantity.bin_ms)
            marker = "o" if quantity.bin_ms is None or len(values) == 1 else None
            axes.plot(time, values, color=colour, marker=marker, markersize=2.5, label=name)
        axes.set(xlabel=quantity.over)
        axes.set_title(quantity.label, loc="left")
    for axes in panels[len(quantities) :]:
        axes.set_axis_off()
    panels[0].legend()
    return figure
