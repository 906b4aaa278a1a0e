"""Runs whose answer nothing may change: settings of the topographic map, of the simulation, and how long."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

from hpcsnn import Simulation
from hpcsnn.engine.digest import simulation_digest
from support.networks import topographic_map

SCALE_1 = ({}, {}, 60_000.0)
SCALE_4 = ({"scale": 4}, {}, 2_000.0)
TEN_STEPS = {"projections__ff__delay_ms": 1.0, "projections__lat__delay_ms": 1.0}
SCALE_1_DELAYED = (TEN_STEPS, {}, 60_000.0)
SCALE_4_DELAYED = ({"scale": 4, **TEN_STEPS}, {}, 2_000.0)
MIXED_DELAYS = ({"projections__ff__delay_ms": 0.7, "projections__lat__delay_ms": 2.3}, {}, 1_000.0)
DENDRITIC = {"projections__ff__dendritic_delay_ms": 1.1, "projections__lat__dendritic_delay_ms": 2.0}
DENDRITIC_DELAYS = ({**DENDRITIC, "projections__lat__delay_ms": 0.3}, {}, 1_000.0)
CASES = {
    "scale 1": SCALE_1,
    "scale 4": SCALE_4,
    "scale 1, 1 ms": SCALE_1_DELAYED,
    "scale 4, 1 ms": SCALE_4_DELAYED,
    "mixed delays": MIXED_DELAYS,
    "dendritic delays": DENDRITIC_DELAYS,
}


def shortened(case: tuple[dict[str, Any], dict[str, Any], float], most_ms: float) -> tuple[Any, Any, float]:
    """A case that runs for no longer."""
    settings, options, duration_ms = case
    return settings, options, min(duration_ms, most_ms)


@cache
def alone(name: str, most_ms: float = math.inf) -> tuple[str, dict[str, Any]]:
    """Digest and spikes of a case, `shortened`, in one process without MPI."""
    settings, options, duration_ms = shortened(CASES[name], most_ms)
    simulation = Simulation(topographic_map(**settings), device="cpu", **options)
    simulation.run(duration_ms)
    return simulation_digest(simulation), {p: simulation.spikes(p) for p in ("source", "target")}
