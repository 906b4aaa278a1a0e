"""Many runs of one configuration: what varies, a run directory each, and the results over the varied keys."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import yaml
from matplotlib.figure import Figure

from hpcsnn.analysis.style import COLOURS, ONE_COLUMN, TWO_COLUMNS
from hpcsnn.configuration.files import Configuration, load_configuration
from hpcsnn.errors import ConfigurationError, StorageError
from hpcsnn.jobs.job_files import write_json
from hpcsnn.jobs.run_index import read_run

_SWEEP = "sweep.json"
_MOST_VALUES = 10_000
_MOST_TICKS = 8
# What the figure shows of each population and projection.
_SHOWN = ("rate_hz", "synapses", "sigma_aff_weighted", "weight_mean")


@dataclass(frozen=True)
class Sweep:
    """What varies (values by key) around a configuration, below one folder."""

    folder: Path
    config: str
    overrides: list[str]
    vary: dict[str, list[Any]]

    def members(self) -> Iterable[tuple[Path, list[str]]]:
        """Run directory and overrides of every combination."""
        for values in itertools.product(*self.vary.values()):
            settings = [f"{key}={_text(value)}" for key, value in zip(self.vary, values, strict=True)]
            yield self.folder / ",".join(settings), settings

    def configuration(self, settings: list[str]) -> Configuration:
        """The configuration of one member."""
        return load_configuration(self.config, [*self.overrides, *settings])

    def write(self) -> None:
        """Keep what varies, for the report.

        Raises:
            StorageError: another sweep is there already.
        """
        before = _read(self.folder) if (self.folder / _SWEEP).is_file() else None
        said = {"config": self.config, "overrides": self.overrides, "vary": self.vary}
        if before is not None and (before["config"], before["overrides"]) != (self.config, self.overrides):
            other = " ".join([before["config"], *before["overrides"]])
            raise StorageError(f"{self.folder}: holds a sweep of {other}; give another --out")
        if before is not None:  # more values of the same keys are more of the same sweep
            if set(before["vary"]) != set(self.vary):
                raise StorageError(f"{self.folder}: holds a sweep over {', '.join(before['vary'])}; give another --out")
            said["vary"] = {key: _union(before["vary"][key], values) for key, values in self.vary.items()}
        write_json(self.folder / _SWEEP, said)


def _union(one: list[Any], other: list[Any]) -> list[Any]:
    return [*one, *(value for value in other if value not in one)]


def _read(folder: Path) -> dict[str, Any]:
    try:
        read: dict[str, Any] = json.loads((folder / _SWEEP).read_text())
    except (OSError, ValueError) as error:
        raise StorageError(f"{folder / _SWEEP}: cannot be read: {error}") from None
    return read


def read_sweep(folder: Path) -> Sweep:
    """The sweep below a folder.

    Raises:
        StorageError: there is none.
    """
    if not (folder / _SWEEP).is_file():
        raise StorageError(f"{folder}: no sweep here (there is no {_SWEEP})")
    read = _read(folder)
    return Sweep(folder, read["config"], read["overrides"], read["vary"])


def parse_vary(text: str) -> tuple[str, list[Any]]:
    """``seed=1..10``, ``scale=1,2,4`` or ``synapse=static,additive_stdp`` as key and values.

    Raises:
        ConfigurationError: no key, no value, or too many.
    """
    key, equals, values = text.partition("=")
    if not equals or not key or not values:
        raise ConfigurationError(f"--vary {text!r}: must be key=values, such as seed=1..10 or scale=1,2,4")
    span = re.fullmatch(r"(-?\d+)\.\.(-?\d+)", values)
    if span:
        first, last = int(span[1]), int(span[2])
        if not first <= last < first + _MOST_VALUES:
            raise ConfigurationError(f"--vary {text!r}: must go upwards, over at most {_MOST_VALUES} values")
        return key, list(range(first, last + 1))
    parsed = [yaml.safe_load(value) for value in values.split(",")]
    if any(value is None for value in parsed) or len({_text(value) for value in parsed}) < len(parsed):
        raise ConfigurationError(f"--vary {text!r}: each value must be given, and once")
    return key, parsed


def _text(value: Any) -> str:
    return json.dumps(value) if isinstance(value, bool) else str(value)


def collect(sweep: Sweep) -> xr.Dataset:
    """Numbers of every finished member's summary over the varied keys; NaN where there is none yet.

    Variables are ``target.rate_hz``, ``ff.synapses``, ``wall_per_model_s`` and so on.
    """
    shape = tuple(len(values) for values in sweep.vary.values())
    numbers: dict[str, np.ndarray[Any, np.dtype[np.float64]]] = {}
    for index, (folder, _) in zip(np.ndindex(shape), sweep.members(), strict=True):
        summary = read_run(folder).summary
        if not summary.get("completed"):
            continue
        for name, value in _flat(summary):
            numbers.setdefault(name, np.full(shape, np.nan))[index] = value
    coords = {key: np.array(values, dtype=None if _numeric(values) else object) for key, values in sweep.vary.items()}
    return xr.Dataset({name: (list(sweep.vary), values) for name, values in numbers.items()}, coords)


def _flat(summary: dict[str, Any]) -> Iterable[tuple[str, float]]:
    for kind in ("populations", "projections"):
        for owner, statistics in summary[kind].items():
            for name, value in statistics.items():
                if isinstance(value, (int, float)):
                    yield f"{owner}.{name}", float(value)
    for name in ("wall_s", "wall_per_model_s", "ranks"):
        if isinstance(summary.get(name), (int, float)):
            yield name, float(summary[name])


def _numeric(values: list[Any]) -> bool:
    return all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values)


def averaged(results: xr.Dataset) -> tuple[xr.Dataset, xr.Dataset | None]:
    """Mean over seeds, and their standard deviation if seeds vary beside something else."""
    if "seed" not in results.dims or len(results.dims) == 1:
        return results, None
    return results.mean("seed"), results.std("seed", ddof=1) if results.sizes["seed"] > 1 else None


def sweep_figure(results: xr.Dataset) -> Figure | None:
    """Rates, synapses, map quality and speed over the key with most values, a line for each value of the next."""
    shown = [name for name in results if str(name).rpartition(".")[2] in (*_SHOWN, "wall_per_model_s")]
    mean, spread = averaged(results)
    if not shown or not mean.dims:
        return None
    axis, *others = sorted((str(dim) for dim in mean.dims), key=lambda dim: -mean.sizes[dim])
    rows = -(-len(shown) // 3)
    figure = Figure(figsize=(TWO_COLUMNS, 0.62 * ONE_COLUMN * rows), layout="constrained")
    panels = figure.subplots(rows, 3, squeeze=False).ravel()
    for panel, name in zip(panels, shown, strict=False):
        for number, chosen in enumerate(_combinations(mean, others)):
            label = ", ".join(f"{key} {value}" for key, value in chosen.items())
            line = mean[name].sel(chosen)
            error = spread[name].sel(chosen).values if spread is not None else None
            x = results[axis].values
            places = x if _numeric(x.tolist()) else np.arange(len(x))
            panel.errorbar(
                places, line.values, error, marker="o", markersize=3, color=COLOURS[number % len(COLOURS)], label=label
            )
            if places is not x or len(x) <= _MOST_TICKS:
                panel.set_xticks(places, x.tolist())
        panel.set(xlabel=axis, ylabel=str(name))
    for panel in panels[len(shown) :]:
        panel.set_axis_off()
    if others:
        panels[0].legend()
    return figure


def _combinations(results: xr.Dataset, keys: list[str]) -> list[dict[str, Any]]:
    values = (results[key].values.tolist() for key in keys)
    return [dict(zip(keys, chosen, strict=True)) for chosen in itertools.product(*values)]
