"""What a run comes to: ``summary.json``, and the maps of its synapses by displacement."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np

from hpcsnn._version import __version__
from hpcsnn.analysis.displacement import DisplacementMap, displacement_map
from hpcsnn.analysis.statistics import population_statistics, projection_statistics
from hpcsnn.engine.digest import simulation_digest
from hpcsnn.engine.simulation import Simulation


def displacement_maps(simulation: Simulation) -> dict[str, DisplacementMap]:
    """The map of every projection whose populations have common places; a collective call."""
    maps = {name: displacement_map(simulation, name) for name in simulation.network.projections}
    return {name: displacement for name, displacement in maps.items() if displacement is not None}


def summarised(simulation: Simulation) -> dict[str, Any]:
    """What ``summary.json`` says of the network and its speed; a collective call. Phases are means over ranks, in s."""
    network = simulation.network
    phases = simulation.phase_seconds
    mean = simulation.sum_over_ranks(np.array(list(phases.values()))) / simulation.n_ranks
    return {
        "hpcsnn": __version__,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "seed": network.seed,
        "ranks": simulation.n_ranks,
        "device": simulation.device.name,
        "steps": simulation.step,
        "model_s": simulation.time_ms * 1e-3,
        "wall_s": simulation.advance_s,
        "wall_per_model_s": None,
        "phases": dict(zip(phases, mean.tolist(), strict=True)),
        "digest": simulation_digest(simulation),
        "populations": {name: population_statistics(simulation, name) for name in network.populations},
        "projections": {name: projection_statistics(simulation, name) for name in network.projections},
    }
