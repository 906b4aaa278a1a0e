"""Recorded variables as reports of SONATA: for each variable a file with the neurons of all populations that record it.

The layout is that of soma reports, ``/report/POPULATION/data`` by time and neuron, with ``mapping/node_ids``,
``index_pointers``, ``element_ids`` (all 0: the soma) and ``time`` (from, to, step), as libsonata reads it. ``to`` is
exclusive: one step behind the last value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hpcsnn.errors import StorageError, shown

if TYPE_CHECKING:
    import xarray as xr

    from hpcsnn.runs.stored.opened_run import OpenedRun

_VARIABLE = re.compile(r"\w+(\.\w+)*", re.ASCII)


def reported(run: OpenedRun, folder: Path) -> dict[str, Path]:
    """The file of each variable that is recorded of neurons one by one; averages are of no neuron, and in none.

    Raises:
        StorageError: the configuration, which anybody may have changed, names what no variable is called.
    """
    names: dict[str, Path] = {}
    for said in run.configuration["populations"].values():
        for name in _of_neurons(said):
            if not _VARIABLE.fullmatch(name):
                raise StorageError(f"{run.path}: config.yaml has a record of {shown(name)}, which is no variable")
            names[name] = folder / f"report_{name}.h5"
    return names


def _of_neurons(population: Mapping[str, Any]) -> list[str]:
    asked = population.get("record") or {}
    averages = {name for name, how in asked.items() if isinstance(how, Mapping) and how.get("average")}
    return [str(name) for name in asked if name != "spikes" and name not in averages]


def write_report(group: Any, run: OpenedRun, variable: str) -> None:
    """One variable of all populations that record it, into the group ``report``.

    Raises:
        StorageError: records are missing or damaged.
    """
    for name, said in run.configuration["populations"].items():
        if variable in _of_neurons(said):
            values = run.recorded(name)[variable]
            if values.sizes["time"]:
                _write_values(group.create_group(name), values, _every_ms(said["record"][variable]))


def _every_ms(asked: Any) -> float:
    return float(asked["every_ms"] if isinstance(asked, Mapping) else asked)


def _write_values(group: Any, values: xr.DataArray, every_ms: float) -> None:
    times_ms, n_neurons = values["time"].to_numpy(), values.sizes["neuron"]
    group["data"] = values.to_numpy().astype(np.float32)
    group["data"].attrs["units"] = str(values.attrs.get("units", ""))
    group["mapping/node_ids"] = values["neuron"].to_numpy().astype(np.uint64)
    group["mapping/node_ids"].attrs["sorted"] = np.uint8(1)
    group["mapping/index_pointers"] = np.arange(n_neurons + 1, dtype=np.uint64)
    group["mapping/element_ids"] = np.zeros(n_neurons, dtype=np.uint32)
    # The end from the number of rows, so that rounding leaves none of them out.
    group["mapping/time"] = np.array([times_ms[0], times_ms[0] + len(times_ms) * every_ms, every_ms])
    group["mapping/time"].attrs["units"] = "ms"
