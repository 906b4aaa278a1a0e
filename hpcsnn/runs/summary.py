"""What a run comes to: ``summary.json``, and the maps of its synapses by displacement."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

import numpy as np

from hpcsnn._version import __version__
from hpcsnn.analysis.displacement import DisplacementMap, displacement_map
from hpcsnn.analysis.spike_trains import recent_intervals
from hpcsnn.analysis.statistics import population_statistics, projection_statistics
from hpcsnn.engine.digest import simulation_digest
from hpcsnn.engine.simulation import Simulation
from hpcsnn.engine.timing import propagated
from hpcsnn.network import Network
from hpcsnn.storage.network_store import StoredNetwork
from hpcsnn.storage.run_directory import RunDirectory


def displacement_maps(simulation: Simulation) -> dict[str, DisplacementMap]:
    """The map of every projection whose populations have common places; a collective call."""
    maps = {name: displacement_map(simulation, name) for name in simulation.network.projections}
    return {name: displacement for name, displacement in maps.items() if displacement is not None}


def regularities(network: Network, directory: RunDirectory) -> dict[str, float]:
    """How regularly neurons have spiked of late, of each population whose spikes are recorded.

    The coefficient of variation of a neuron's intervals, as a mean over the neurons with two intervals or more in the
    last ten seconds, of a population with very many spikes in less. Where there is no such neuron, it has no value.

    Args:
        network: of the run.
        directory: the run's, with a checkpoint of the step that it is at.

    Raises:
        StorageError: records are missing or damaged.
    """
    stored = StoredNetwork(directory.network)
    recording = [name for name, population in network.populations.items() if population.record_spikes]
    found = {name: recent_intervals(directory.path, stored, name).cv for name in recording}
    return {name: float(cv.mean()) for name, cv in found.items() if len(cv)}


def imbalance(per_rank: list[dict[str, Any]]) -> float | None:
    """The largest over the mean of the ranks' busy seconds, in which they wait for no other; None: nobody has any."""
    busy_s = [one["propagation_s"] - one["phases_s"]["exchange_wait"] for one in per_rank]
    return max(busy_s) * len(busy_s) / sum(busy_s) if sum(busy_s) > 0 else None


def summarised(
    simulation: Simulation, regularity: Mapping[str, float] | None = None, wall_s: float | None = None
) -> dict[str, Any]:
    """What ``summary.json`` says of the network and its speed; a collective call.

    ``phases`` are means over ranks, in s; ``per_rank`` is what `Simulation.measured` gives on each, of a run that took
    this rank `wall_s`, by default the time in `Simulation.run`, where what is in no phase is the host's.

    ``interval_cv`` of a population is its `regularity`, the same on all ranks, and None where there is none;
    ``interval_cv_neurons`` of how many neurons spikes are recorded, likewise.
    """
    regularity = regularity or {}
    network = simulation.network
    phases = simulation.phase_seconds
    mean = simulation.sum_over_ranks(np.array(list(phases.values()))) / simulation.n_ranks
    wall_s = simulation.advance_s if wall_s is None else wall_s
    measured = simulation.measured()
    per_rank = simulation.communicator.gather(measured | propagated(measured["phases_s"], wall_s))
    return {
        "hpcsnn": __version__,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "seed": network.seed,
        "ranks": simulation.n_ranks,
        "device": simulation.device.name,
        "steps": simulation.step,
        "model_s": simulation.time_ms * 1e-3,
        "wall_s": wall_s,
        "wall_per_model_s": None,
        "phases": dict(zip(phases, mean.tolist(), strict=True)),
        "per_rank": per_rank,
        "imbalance": imbalance(per_rank),
        "digest": simulation_digest(simulation),
        "populations": {
            name: population_statistics(simulation, name)
            | {"interval_cv": regularity.get(name)}
            | {"interval_cv_neurons": population.n_recorded if name in regularity else None}
            for name, population in network.populations.items()
        },
        "projections": {name: projection_statistics(simulation, name) for name in network.projections},
    }
