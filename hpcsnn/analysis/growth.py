"""Homeostatic growth over time: calcium beside its set-point, and the elements that grow by it (Butz & van Ooyen 2013).

Any rule is analysed so whose names are those of `hpcsnn.models.rewiring.homeostatic`: of each side, ``axon`` and
``dendrite``, a trace ``SIDE_calcium``, a variable ``SIDE_elements`` and a parameter ``SIDE_set_point``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from hpcsnn.network import Projection
from hpcsnn.storage.network_store import StoredNetwork

SIDES = ("axon", "dendrite")
_ABOUT = {
    "calcium": ("calcium", "calcium of neurons, mean"),
    "set_point": ("calcium", "calcium at which elements neither grow nor shrink"),
    "elements": ("elements", "elements of a neuron, bound and vacant, mean"),
    "vacant": ("elements", "whole elements of a neuron that no synapse binds, mean; below 0 where it has too few"),
}


@dataclass(frozen=True)
class Side:
    """One side of a projection at one time, as means over its neurons."""

    calcium: float
    set_point: float
    elements: float
    vacant: float


def grows(projection: Projection) -> bool:
    """Whether its rule is one of homeostatic growth."""
    rule = projection.rewiring
    return rule is not None and all(
        f"{side}_elements" in {one.name for one in variables}
        and f"{side}_calcium" in {one.name for one in traces}
        and {f"{side}_set_point", "beta_calcium"} <= set(rule.values)
        for side, variables, traces in (
            ("axon", rule.model.source_variables, rule.model.source_traces),
            ("dendrite", rule.model.target_variables, rule.model.target_traces),
        )
    )


def sides(projection: Projection, stored: StoredNetwork, n_synapses: int) -> dict[str, Side]:
    """Both sides of a projection that `grows`, as it is stored.

    Raises:
        StorageError: an array is missing or damaged.
    """
    assert projection.rewiring is not None
    rule, values, dt_ms = projection.rewiring.model, projection.rewiring.values, float(stored.attributes["dt_ms"])
    found = {}
    for side, folder, end, traces in (
        ("axon", "pre", "source", rule.source_traces),
        ("dendrite", "post", "target", rule.target_traces),
    ):
        (tau,) = (trace.tau for trace in traces if trace.name == f"{side}_calcium")
        where = f"projections/{projection.name}"
        trace, last = (stored.array(f"{where}/{folder}/{side}_calcium.{part}") for part in ("value", "last"))
        since_ms = (stored.step - last.astype(np.float64)) * dt_ms
        calcium = values["beta_calcium"] * trace * np.exp(-since_ms / values[tau])
        elements = stored.array(f"{where}/rule/{end}/{side}_elements").astype(np.float64)
        vacant = float(np.floor(elements).mean()) - n_synapses / elements.size
        found[side] = Side(float(calcium.mean()), values[f"{side}_set_point"], float(elements.mean()), vacant)
    return found


def growth_dataset(of_checkpoints: Sequence[dict[str, Side]]) -> xr.Dataset:
    """Each of `Side` over ``time``, as ``axon_calcium`` and so on."""
    variables: dict[str, Any] = {}
    for side in SIDES:
        for name, (units, meaning) in _ABOUT.items():
            values = np.array([getattr(at[side], name) for at in of_checkpoints])
            variables[f"{side}_{name}"] = ("time", values, {"units": units, "long_name": meaning})
    return xr.Dataset(variables)
