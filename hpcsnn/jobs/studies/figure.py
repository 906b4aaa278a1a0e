"""The figure of a study: beNNch's panels (times, real-time factor by phase, its parts), efficiency and imbalance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import LogLocator, NullFormatter

from hpcsnn.analysis.drawing.style import COLOURS, ONE_COLUMN, TWO_COLUMNS
from hpcsnn.jobs.studies.points import GROUPS, Point, Spread

# From dark to light and back, so that neighbours in a stack differ in grey too; what ranks wait for is hatched.
_FILLS: dict[str, tuple[str, str]] = {
    "neurons": (COLOURS[0], ""),
    "delivery": (COLOURS[5], ""),
    "plasticity": (COLOURS[2], ""),
    "rewiring": (COLOURS[4], ""),
    "messages": (COLOURS[1], "...."),
    "waiting": ("#F4D3BF", "////"),
    "other": ("#B0B0B0", ""),
}
_BAR = 0.72
_MEASURED: dict[str, Any] = {"markersize": 3.5, "linewidth": 1.2, "capsize": 1.5}
_PREDICTED: dict[str, Any] = {"markersize": 3.5, "markerfacecolor": "white", "linestyle": "none"}


def scaling_figure(kind: str, points: Sequence[Point], error: str = "") -> Figure:
    """Five panels over numbers of ranks; predictions dashed, with `error` of the model in the legend.

    Args:
        kind: ``strong`` or ``weak``.
        points: measured and predicted ones, at least one that is measured.
        error: of predictions, in words.
    """
    measured, predicted = [one for one in points if not one.predicted], [one for one in points if one.predicted]
    figure = Figure(figsize=(TWO_COLUMNS, 1.28 * ONE_COLUMN), layout="constrained")
    panels: Any = figure.subplot_mosaic(
        [["times", "factor", "efficiency"], ["times", "fractions", "imbalance"]], width_ratios=(1.0, 1.25, 1.0)
    )
    _times(panels["times"], measured, predicted, kind)
    ordered = sorted(points, key=lambda one: (one.ranks, one.predicted))
    _stack(panels["factor"], ordered, parts=False)
    _stack(panels["fractions"], ordered, parts=True)
    _efficiency(panels["efficiency"], measured, predicted, kind)
    _imbalance(panels["imbalance"], measured)
    handles = [
        Patch(facecolor=fill, edgecolor="#555555" if hatch else "white", hatch=hatch, linewidth=0.3, label=name)
        for name, (fill, hatch) in _FILLS.items()
    ]
    if predicted:
        label = f"predicted; error of the model {error}"
        handles.append(Patch(facecolor="none", edgecolor="black", linestyle="--", linewidth=0.7, label=label))
    figure.legend(handles=handles, loc="outside lower center", ncols=4 if predicted else 7, columnspacing=1.2)
    return figure


def _times(axes: Axes, measured: Sequence[Point], predicted: Sequence[Point], kind: str) -> None:
    """Seconds of construction, and of propagation for a second of model time."""
    x = [one.ranks for one in measured]
    axes.set(xscale="log", yscale="log", xlabel="ranks", ylabel="time (s)")
    for name, values, colour, marker in (
        ("construction", [one.construction_s for one in measured], COLOURS[1], "s"),
        ("propagation, a model second", [one.real_time_factor for one in measured], COLOURS[0], "o"),
    ):
        medians, errors = _with_errors([one for one in values if one is not None])
        axes.errorbar(x, medians, errors, color=colour, marker=marker, label=name, **_MEASURED)
    built = [one for one in measured if one.construction_s is not None]
    _beyond(axes, built, predicted, _construction_s, COLOURS[1], "s")
    _beyond(axes, measured, predicted, lambda one: one.real_time_factor.median)
    lowest = axes.get_ylim()[0]
    first, last = measured[0], max((*measured, *predicted), key=lambda one: one.ranks)
    if last.ranks > first.ranks:
        ideal = first.real_time_factor.median
        ends = [ideal, ideal * (first.ranks / last.ranks if kind == "strong" else 1.0)]
        axes.plot([first.ranks, last.ranks], ends, color="0.6", linewidth=0.8, zorder=0, label="ideal")
    axes.set_ylim(bottom=0.8 * lowest)  # an ideal line may go far below
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    _ticks(axes, [*measured, *predicted])
    axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), borderpad=0.0)


def _stack(axes: Axes, points: Sequence[Point], parts: bool) -> None:
    """Bars of phases over each other: the real-time factor, or each phase's part of it."""
    places = range(len(points))
    bottom = [0.0] * len(points)
    for name in GROUPS:
        fill, hatch = _FILLS[name]
        whole = [sum(one.groups.values()) or 1.0 for one in points]
        heights = [one.groups[name] / (of if parts else 1.0) for one, of in zip(points, whole, strict=True)]
        edge = "#555555" if hatch else "white"
        axes.bar(places, heights, _BAR, bottom, color=fill, hatch=hatch, edgecolor=edge, linewidth=0.3)
        bottom = [low + height for low, height in zip(bottom, heights, strict=True)]
    for place, (point, top) in enumerate(zip(points, bottom, strict=True)):
        if point.predicted:
            axes.bar([place], [top], _BAR + 0.1, color="none", edgecolor="black", linestyle="--", linewidth=0.7)
    axes.set_xticks(places, [f"{one.ranks:,}" for one in points])
    if len(points) > 6:
        axes.tick_params(axis="x", rotation=45)
    axes.set(xlabel="ranks", ylabel="fraction" if parts else "real-time factor")
    if parts:
        axes.set_ylim(0, 1)


def _efficiency(axes: Axes, measured: Sequence[Point], predicted: Sequence[Point], kind: str) -> None:
    x = [one.ranks for one in measured]
    axes.axhline(1.0, color="0.6", linewidth=0.8, zorder=0)
    axes.annotate(
        "ideal", (1.0, 1.0), xycoords=("axes fraction", "data"), ha="right", va="bottom", color="0.4", fontsize=7
    )
    axes.plot(x, [one.efficiency for one in measured], color=COLOURS[0], marker="o", markersize=3.5)
    _beyond(axes, measured, predicted, lambda one: one.efficiency)
    axes.set(xscale="log", xlabel="ranks", ylabel=f"{kind} efficiency")
    axes.set_ylim(0, 1.12 * max(1.0, *(one.efficiency for one in (*measured, *predicted))))
    _ticks(axes, [*measured, *predicted])


def _imbalance(axes: Axes, measured: Sequence[Point]) -> None:
    """The work of the busiest rank beside the mean; where it is 1, nobody waits for it."""
    medians, errors = _with_errors([one.imbalance for one in measured if one.imbalance is not None])
    axes.axhline(1.0, color="0.6", linewidth=0.8, zorder=0)
    axes.errorbar([one.ranks for one in measured], medians, errors, color=COLOURS[0], marker="o", **_MEASURED)
    axes.set(xscale="log", xlabel="ranks", ylabel="imbalance")
    axes.set_ylim(min(0.98, *medians), max(1.1, 1.05 * max(medians)))
    _ticks(axes, measured)


def _construction_s(point: Point) -> float:
    return 0.0 if point.construction_s is None else point.construction_s.median


def _beyond(
    axes: Axes,
    measured: Sequence[Point],
    predicted: Sequence[Point],
    value: Callable[[Point], float],
    colour: str = COLOURS[0],
    marker: str = "o",
) -> None:
    """A dashed line of what is predicted, from the measured point before it, where there is one."""
    if not predicted:
        return
    ordered = sorted(predicted, key=lambda one: one.ranks)
    before = [one for one in measured if one.ranks < ordered[0].ranks][-1:]
    values = [value(one) for one in (*before, *ordered)]
    axes.plot([one.ranks for one in (*before, *ordered)], values, "--", color=colour, linewidth=1.0, zorder=1.5)
    axes.plot([one.ranks for one in ordered], values[len(before) :], color=colour, marker=marker, **_PREDICTED)


def _with_errors(values: Sequence[Spread]) -> tuple[list[float], list[list[float]]]:
    medians = [one.median for one in values]
    return medians, [[one.median - one.low for one in values], [one.high - one.median for one in values]]


def _ticks(axes: Axes, points: Sequence[Point]) -> None:
    """The numbers of ranks that there are, as far as they have room, and none between them."""
    ranks = sorted({one.ranks for one in points})
    shown = ranks[:: -(-len(ranks) // 6)]
    axes.set_xticks(shown, [f"{one:,}" for one in shown])
    axes.set_xticks([], minor=True)
    if len(shown) > 3 or shown[-1] > 999:
        axes.tick_params(axis="x", rotation=45)
    if len(ranks) == 1:
        axes.set_xlim(ranks[0] / 2, ranks[0] * 2)
