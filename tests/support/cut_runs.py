"""Runs that are cut in two, on other ranks before and after: by threads or by MPI, whoever calls."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from hpcsnn import Network, Simulation
from hpcsnn.analysis.statistics import population_statistics, projection_statistics
from hpcsnn.engine.digest import simulation_digest
from hpcsnn.runs.scripted.saving import write_network
from hpcsnn.runs.summary import displacement_maps
from hpcsnn.storage.network_store import StoredNetwork
from hpcsnn.storage.restore import restore

# How to call something on so many ranks, as `support.thread_ranks.on_ranks`; how to make a simulation on them.
OnRanks = Callable[[int, Callable[[Any], Any]], list[Any]]
Make = Callable[[Network, Any], Simulation]


def finished(simulation: Simulation, step: int) -> str:
    """The digest at a step, once all that looks at every rank's share has looked; a collective call."""
    simulation.run((step - simulation.step) * simulation.network.dt_ms)
    for store in simulation.state.stores.values():
        store.check()
    displacement_maps(simulation)
    for name in simulation.network.populations:
        population_statistics(simulation, name)
    for name in simulation.network.projections:
        projection_statistics(simulation, name)
    return simulation_digest(simulation)


def cut_in_two(
    network: Network, make: Make, on_ranks: OnRanks, numbers: tuple[int, int], steps: tuple[int, int], folder: Path
) -> list[str]:
    """The digests at two steps of a run that goes on from the first one, by what is on disk, on other ranks."""
    path, (first, last), (before, after) = folder / "network.zarr", steps, numbers

    def begin(ranks: Any) -> str:
        simulation = make(network, ranks)
        digest = finished(simulation, first)
        write_network(path, simulation)
        return digest

    def go_on(ranks: Any) -> str:
        simulation = make(network, ranks)
        restore(simulation, StoredNetwork(path))
        assert simulation_digest(simulation) == begun
        return finished(simulation, last)

    (begun,) = set(on_ranks(before, begin))
    assert StoredNetwork(path).digest() == begun
    (ended,) = set(on_ranks(after, go_on))
    return [begun, ended]
