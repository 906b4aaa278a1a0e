"""The figures of a training: learning curves, confusion, rewirings, degrees, receptive fields, rasters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, PercentFormatter
from numpy.typing import NDArray

from hpcsnn.analysis.drawing.figures import save
from hpcsnn.analysis.drawing.style import COLOUR_MAP, COLOURS, ONE_COLUMN, STYLE, TWO_COLUMNS
from hpcsnn.training.data.data_set import LoadedData

_MOST_FIELDS = 25
_MOST_BARS = 60
# Class names longer than this stand at an angle.
_LONG_NAME = 3
_MOST_OUTPUTS = 6
Spikes = tuple[NDArray[Any], NDArray[Any]]


@dataclass(frozen=True)
class FigureData:
    """What the figures are drawn of.

    Attributes:
        labels, predictions: of the test samples, shape (n_samples,); empty where they have targets.
        loss: mean of the test samples.
        data: what the network was trained on.
        sizes, ends: by projection, (sources, targets): how many, and the populations' names.
        synapses: by projection, ``pre``, ``post`` and ``weight``, shape (n_synapses,).
        rasters: by test sample, (step, neuron) of the spikes of each population.
        outputs: by test sample that has a target, what was answered, shape (n_steps, n_outputs).
    """

    labels: NDArray[Any]
    predictions: NDArray[Any]
    loss: float
    data: LoadedData
    sizes: Mapping[str, tuple[int, int]]
    ends: Mapping[str, tuple[str, str]]
    synapses: Mapping[str, Mapping[str, NDArray[Any]]]
    rasters: Mapping[int, Mapping[str, Spikes]] = field(default_factory=dict)
    outputs: Mapping[int, NDArray[Any]] = field(default_factory=dict)

    @property
    def accuracy(self) -> float | None:
        """Of the test samples, if they have labels."""
        return float(np.mean(self.labels == self.predictions)) if self.labels.size else None


def draw_training(
    of: FigureData, metrics: Sequence[Mapping[str, Any]], folder: Path, file_format: str = "png"
) -> list[Path]:
    """Draw every figure that there is data for, as files of a format; the files.

    Raises:
        StorageError: the folder is a link.
    """
    with matplotlib.rc_context(STYLE):
        return [save(figure, folder, name, file_format) for name, figure in _figures(of, metrics)]


def _figures(of: FigureData, metrics: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Figure]]:
    if metrics:
        yield "learning_curves", curves_figure(metrics, of.accuracy, of.loss)
    if any(rewired for line in metrics for rewired in line["rewired"].values()):
        yield "rewirings", rewirings_figure(metrics)
    if of.labels.size:
        yield "confusion", confusion_figure(of.labels, of.predictions, of.data.class_names)
    if of.outputs:
        yield "outputs", outputs_figure(of)
    if of.synapses:
        yield "degrees", degrees_figure(of.sizes, of.synapses)
    shape = of.data.image_shape
    for name, (n_sources, n_targets) in of.sizes.items():
        if shape is not None and n_sources == shape[0] * shape[1] and len(of.synapses[name]["weight"]):
            yield f"receptive_fields_{name}", fields_figure(name, of.synapses[name], shape, n_targets)
    if of.rasters:
        yield "rasters", rasters_figure(of)


def curves_figure(metrics: Sequence[Mapping[str, Any]], test_accuracy: float | None, test_loss: float) -> Figure:
    """Loss, and if there is one accuracy, on what is trained on, held out and tested by, over epochs."""
    groups = [line for line in metrics if line["kind"] == "batches"]
    epochs = [line for line in metrics if line["kind"] == "epoch"]
    most = {line["epoch"]: line["batch"] for line in groups}
    at = [line["epoch"] - 1 + line["batch"] / most[line["epoch"]] for line in groups]
    ends = [line["epoch"] for line in epochs]
    names = ["loss"] if test_accuracy is None else ["loss", "accuracy"]
    figure = Figure(figsize=(TWO_COLUMNS if len(names) > 1 else ONE_COLUMN, 2.3), layout="constrained")
    panels = figure.subplots(1, len(names), squeeze=False)[0]
    for axes, name in zip(panels, names, strict=True):
        axes.plot(at, [line[name] for line in groups], color=COLOURS[0], alpha=0.35, linewidth=0.7)
        marks = {"marker": "o", "markersize": 2.5}
        middles, means = [end - 0.5 for end in ends], [line[name] for line in epochs]
        axes.plot(middles, means, color=COLOURS[0], label="trained on, mean of the epoch", **marks)
        held_out = [(line["epoch"], line[f"validation_{name}"]) for line in epochs if f"validation_{name}" in line]
        if held_out:
            axes.plot(*zip(*held_out, strict=True), color=COLOURS[1], label="held out, at the epoch's end", **marks)
        axes.set(xlabel="epoch", ylabel=f"{name} per sample" if name == "loss" else name)
        axes.margins(x=0.01)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    last, line = panels[-1], {"color": COLOURS[2], "linestyle": "--", "linewidth": 0.8}
    if test_accuracy is None:
        last.set_yscale("log")
        last.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        last.yaxis.set_major_formatter("{x:g}")
        last.yaxis.set_minor_formatter(NullFormatter())  # its own labels are formulas, which figures do not read
        last.axhline(test_loss, label=f"test, {test_loss:.4g}", **line)
    else:
        panels[0].set_ylim(bottom=0.0)
        last.axhline(test_accuracy, label=f"test, {test_accuracy:.2%}", **line)
        last.yaxis.set_major_formatter(PercentFormatter(1.0))
    last.legend(loc="upper right" if test_accuracy is None else "lower right")
    return figure


def rewirings_figure(metrics: Sequence[Mapping[str, Any]]) -> Figure:
    """Synapses that rewiring moved a batch, of each projection."""
    groups = [line for line in metrics if line["kind"] == "batches"]
    names = [name for name in groups[0]["synapses"] if any(line["rewired"].get(name) for line in groups)]
    last = np.cumsum([line["batches"] for line in groups])
    figure = Figure(figsize=(ONE_COLUMN, 2.2), layout="constrained")
    axes = figure.add_subplot()
    for name, colour in zip(names, _colours(len(names)), strict=True):
        moved = [line["rewired"].get(name, 0) / line["batches"] for line in groups]
        axes.plot(last, moved, color=colour, label=f"{name} ({groups[-1]['synapses'][name]:,} synapses)")
    axes.set(xlabel="batch", ylabel="rewired a batch")
    axes.set_ylim(bottom=0)
    axes.margins(x=0.01)
    axes.legend()
    return figure


def confusion_figure(labels: NDArray[Any], predictions: NDArray[Any], class_names: Sequence[str]) -> Figure:
    """How often a test sample of a class is taken for each: rows add up to 100 %."""
    n = len(class_names)
    counts = np.zeros((n, n), dtype=np.int64)
    np.add.at(counts, (labels, predictions), 1)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = min(ONE_COLUMN + 0.12 * max(n - 10, 0), TWO_COLUMNS)
    figure = Figure(figsize=(side, side * 0.95), layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(share, vmin=0.0, vmax=1.0, cmap=COLOUR_MAP)
    long = any(len(name) > _LONG_NAME for name in class_names)
    axes.set_xticks(range(n), class_names, rotation=45 if long else 0, ha="right" if long else "center")
    axes.set_yticks(range(n), class_names)
    axes.set(xlabel="prediction", ylabel="label")
    axes.spines[["top", "right"]].set_visible(True)
    if n <= 12:
        for row, column in np.argwhere(share >= 0.005):
            colour = "black" if share[row, column] > 0.6 else "white"
            text = f"{100 * share[row, column]:.0f}"
            axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=6)
    bar = figure.colorbar(image, ax=axes, shrink=0.8, format=PercentFormatter(1.0))
    bar.outline.set_linewidth(0.6)  # type: ignore[operator]
    return figure


def degrees_figure(sizes: Mapping[str, tuple[int, int]], synapses: Mapping[str, Mapping[str, NDArray[Any]]]) -> Figure:
    """In-degrees (one entry per target), out-degrees (one per source) and weights (one per synapse) of projections."""
    figure = Figure(figsize=(TWO_COLUMNS, 1.6 * len(sizes) + 0.2), layout="constrained")
    panels = figure.subplots(len(sizes), 3, squeeze=False)
    for (name, (n_sources, n_targets)), row, colour in zip(sizes.items(), panels, _colours(len(sizes)), strict=True):
        columns = synapses[name]
        for axes, ids, n, whose in (
            (row[0], columns["post"], n_targets, "in"),
            (row[1], columns["pre"], n_sources, "out"),
        ):
            degree = np.bincount(ids, minlength=n)
            step = int(degree.max(initial=0)) // _MOST_BARS + 1
            low = int(degree.min(initial=0))
            axes.hist(degree, bins=np.arange(low, int(degree.max(initial=0)) + 2 * step, step) - 0.5, color=colour)
            axes.set(xlabel=f"{whose}-degree", ylabel="targets" if whose == "in" else "sources")
            axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
            axes.set_title(f"{name}: mean {degree.mean():.3g}", loc="left")
        weight = columns["weight"]
        row[2].hist(weight, bins=_MOST_BARS, color=colour)
        row[2].set(xlabel="weight", ylabel="synapses")
        row[2].set_title(f"{name}: {len(weight):,} synapses", loc="left")
    return figure


def fields_figure(name: str, synapses: Mapping[str, NDArray[Any]], shape: tuple[int, int], n_targets: int) -> Figure:
    """Weights by pixel of the targets with the largest, side by side; pixels without a synapse are grey."""
    size = np.bincount(synapses["post"], np.abs(synapses["weight"]), minlength=n_targets)
    targets = np.sort(np.argsort(-size, kind="stable")[:_MOST_FIELDS])
    side = int(np.ceil(np.sqrt(len(targets))))
    figure = Figure(figsize=(ONE_COLUMN, ONE_COLUMN * 0.95), layout="constrained")
    panels = figure.subplots(-(-len(targets) // side), side, squeeze=False)
    shown = np.isin(synapses["post"], targets)
    top = float(np.quantile(np.abs(synapses["weight"][shown]), 0.99)) or 1.0
    image: Any = None
    for axes in panels.ravel():
        axes.set_axis_off()
    for axes, target in zip(panels.ravel(), targets.tolist(), strict=False):
        own = synapses["post"] == target
        pixels = np.full(shape[0] * shape[1], np.nan)
        pixels[synapses["pre"][own]] = synapses["weight"][own]
        axes.imshow(np.full(shape, 0.5), cmap="gray", vmin=0.0, vmax=0.65)
        image = axes.imshow(pixels.reshape(shape), cmap="RdBu_r", vmin=-top, vmax=top, interpolation="nearest")
        axes.set_title(str(target), fontsize=5, pad=1.5)
    bar = figure.colorbar(image, ax=list(panels.ravel()), shrink=0.7, label="weight")
    bar.outline.set_linewidth(0.6)  # type: ignore[operator]
    figure.suptitle(f"{name}: weights by pixel of targets", fontsize=8)
    return figure


def rasters_figure(of: FigureData) -> Figure:
    """Spikes of each population for each of some test samples, side by side."""
    populations = list(next(iter(of.rasters.values())))
    figure = Figure(figsize=(TWO_COLUMNS, 1.4 * len(populations) + 0.5), layout="constrained")
    panels = figure.subplots(len(populations), len(of.rasters), squeeze=False, sharex=True, sharey="row")
    for column, (sample, spikes) in zip(panels.T, of.rasters.items(), strict=True):
        for axes, (population, (step, neuron)), colour in zip(
            column, spikes.items(), _colours(len(populations)), strict=True
        ):
            axes.plot(step * of.data.test.dt_ms, neuron, ".", markersize=1.0, color=colour, rasterized=True)
            axes.set_ylabel(population)
        column[0].set_title(_title(of, sample), loc="left")
        column[-1].set_xlabel("time (ms)")
        column[-1].set_xlim(0.0, of.data.test.n_steps * of.data.test.dt_ms)
    _outer(panels)
    return figure


def outputs_figure(of: FigureData) -> Figure:
    """What was answered to some test samples beside what was asked for, output by output."""
    targets, dt_ms = of.data.test.targets, of.data.test.dt_ms
    assert targets is not None
    rows = min(targets.shape[2], _MOST_OUTPUTS)
    figure = Figure(figsize=(TWO_COLUMNS, 1.1 * rows + 0.6), layout="constrained")
    panels = figure.subplots(rows, len(of.outputs), squeeze=False, sharex=True, sharey="row")
    for column, (sample, outputs) in zip(panels.T, of.outputs.items(), strict=True):
        time_ms = dt_ms * np.arange(len(outputs))
        for number, axes in enumerate(column):
            axes.plot(time_ms, targets[sample, :, number], color="0.6", linewidth=1.6, label="target")
            axes.plot(time_ms, outputs[:, number], color=COLOURS[0], linewidth=0.8, label="output")
            axes.set_ylabel(f"output {number}")
        column[0].set_title(_title(of, sample), loc="left")
        column[-1].set_xlabel("time (ms)")
        column[-1].set_xlim(0.0, dt_ms * len(outputs))
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside upper right", ncols=2)
    _outer(panels)
    return figure


def _title(of: FigureData, sample: int) -> str:
    if not of.labels.size:
        return f"test sample {sample}"
    label, taken = (of.data.class_names[int(ids[sample])] for ids in (of.labels, of.predictions))
    said = f"taken for {taken}" if label != taken else "and taken for it"
    return f"test sample {sample}: {label}, {said}"


def _outer(panels: NDArray[Any]) -> None:
    for row in panels:
        axes: Axes
        for axes in row[1:]:
            axes.set_ylabel("")


def shown_samples(labels: NDArray[Any], predictions: NDArray[Any], n_samples: int) -> list[int]:
    """The first test sample that is taken for what it is, and the first that is not, as far as there are such; of
    samples without labels the first two."""
    if not labels.size:
        return list(range(min(n_samples, 2)))
    right = labels == predictions
    return [int(np.flatnonzero(of)[0]) for of in (right, ~right) if of.any()]


def _colours(n: int) -> list[Any]:
    return [COLOURS[k % len(COLOURS)] for k in range(n)]
