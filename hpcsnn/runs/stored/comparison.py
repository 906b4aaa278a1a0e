"""Two finished runs, or trainings, beside each other: numbers of summaries, configurations, and curves over time."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.atomic_files import refuse_link
from hpcsnn.configuration.files import plain_configuration
from hpcsnn.errors import StorageError
from hpcsnn.runs.resuming import differences
from hpcsnn.runs.stored.kinds import check_alike, is_training
from hpcsnn.runs.stored.opened_run import open_run
from hpcsnn.runs.training_metrics import read_metrics
from hpcsnn.storage.network_store import StoredNetwork
from hpcsnn.storage.run_directory import RunDirectory
from hpcsnn.storage.run_reports import exchange_shares

# What a summary says of how it was written, and not of what came of the run.
_NO_RESULTS = ("phases", "checkpoints", "changes", "forked_from")
# Of an analysed projection, and of a training's epochs: what is drawn where both have it.
_OF_PROJECTIONS = {
    "synapses": "synapses",
    "weight_mean": "mean weight",
    "sigma_aff_weighted_mean": "σ_aff, weighted (grid units)",
}
_OF_EPOCHS = {
    "validation_accuracy": "accuracy on validation",
    "accuracy": "accuracy",
    "validation_loss": "loss on validation",
    "loss": "loss",
}


Curve = tuple[NDArray[np.floating[Any]], NDArray[np.floating[Any]]]


@dataclass(frozen=True)
class Number:
    """A number of both summaries, by its place in them; None where one has none."""

    name: str
    one: float | None
    other: float | None

    @property
    def difference(self) -> float | None:
        """How much more the other has."""
        return None if self.one is None or self.other is None else self.other - self.one


@dataclass(frozen=True)
class Curves:
    """One quantity over time, of both; times and values, shape (n,) each, are those of each run.

    ``bin_ms`` is the length of a bin where values are means over bins, and None where they are of single times.
    """

    label: str
    over: str
    one: Curve
    other: Curve
    bin_ms: float | None = None


@dataclass(frozen=True)
class Comparison:
    """What two run directories have beside each other.

    Attributes:
        numbers: of both summaries, in their order.
        settings: places in the configurations that differ, with the value in each; None where it is not there.
    """

    one: Path
    other: Path
    numbers: list[Number]
    settings: list[tuple[str, Any, Any]]

    def curves(self) -> list[Curves]:
        """What is drawn: of runs rates, and of projections that are analysed in both how they came about.

        Raises:
            StorageError: something is damaged.
        """
        if is_training(self.one):
            return list(_epochs(*(_epochs_of(path) for path in (self.one, self.other))))
        return [*_rates(self.one, self.other), *_projections(self.one, self.other)]

    def draw(self, file_format: str) -> Path | None:
        """Draw both over time into the first one's figures; the file, or None where there is nothing that both have.

        Args:
            file_format: of the file, one of `FORMATS`.

        Raises:
            StorageError: the folder is a link, or something is damaged.
        """
        curves = self.curves()
        if not curves:
            return None
        import matplotlib  # which numbers need not

        from hpcsnn.analysis.drawing.comparison_figure import comparison_figure
        from hpcsnn.analysis.drawing.figures import save
        from hpcsnn.analysis.drawing.style import STYLE

        beside = re.sub(r"[^\w.-]", "_", self.other.resolve().name)
        with matplotlib.rc_context(STYLE):
            figure = comparison_figure(curves, (str(self.one), str(self.other)))
            return save(figure, RunDirectory(self.one).figures, f"beside_{beside}", file_format)


def compare(one: Path, other: Path) -> Comparison:
    """Set two finished runs, or two trainings, beside each other.

    Raises:
        ConfigurationError: they are not of one kind, or a configuration is damaged.
        StorageError: one of them is no run, or has not ended.
    """
    check_alike(one, other)
    first, second = (RunDirectory(path) for path in (one, other))
    summaries = [directory.read_summary() for directory in (first, second)]
    ours, theirs = (dict(_numbers({**one, "exchange_shares": exchange_shares(one)})) for one in summaries)
    names = [*ours, *(name for name in theirs if name not in ours)]
    ours_set, theirs_set = (plain_configuration(directory.configuration) for directory in (first, second))
    numbers = [Number(name, ours.get(name), theirs.get(name)) for name in names]
    return Comparison(one, other, numbers, differences(ours_set, theirs_set, may_change=()))


def _numbers(summary: Mapping[str, Any], where: str = "") -> Iterator[tuple[str, float]]:
    for key, value in summary.items():
        if not where and key in _NO_RESULTS:
            continue
        if isinstance(value, Mapping):
            yield from _numbers(value, f"{where}{key}.")
        elif isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
            yield f"{where}{key}", value


def _rates(one: Path, other: Path) -> Iterator[Curves]:
    first, second = (StoredNetwork(RunDirectory(path).network) for path in (one, other))
    for name in first.populations:
        if name in second.populations:
            (ours, bin_ms), (theirs, _) = first.rates_hz(name), second.rates_hz(name)
            if len(ours) and len(theirs):
                curves = [((np.arange(len(rates)) + 0.5) * (bin_ms * 1e-3), rates) for rates in (ours, theirs)]
                yield Curves(f"{name} (Hz)", "model time (s)", curves[0], curves[1], bin_ms)


def _projections(one: Path, other: Path) -> Iterator[Curves]:
    try:
        first, second = (open_run(path).analysis for path in (one, other))
    except StorageError:  # not analysed
        return
    for name in first.children:
        if name not in second.children:
            continue
        ours, theirs = (tree[name].to_dataset() for tree in (first, second))
        for variable, label in _OF_PROJECTIONS.items():
            if variable in ours and variable in theirs:
                curves = [(of.time.values.astype(float), of[variable].values.astype(float)) for of in (ours, theirs)]
                yield Curves(f"{name}: {label}", "model time (s)", curves[0], curves[1])


def _epochs_of(path: Path) -> list[dict[str, Any]]:
    metrics = RunDirectory(path).metrics
    refuse_link(metrics, to="reads")
    return [line for line in read_metrics(metrics) if line.get("kind") == "epoch"]


def _epochs(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> Iterator[Curves]:
    for key, label in _OF_EPOCHS.items():
        columns = []
        for lines in (ours, theirs):
            known = [(line["epoch"], line[key]) for line in lines if line.get(key) is not None]
            columns.append(np.array(known, dtype=np.float64).reshape(-1, 2).T)
        if all(column.size for column in columns):
            (epoch, values), (their_epoch, others) = columns
            yield Curves(label, "epoch", (epoch, values), (their_epoch, others))
