"""A stored network back into a simulation, on whatever ranks, tiles and device it now has."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hpcsnn.engine.recording.recorder_arrays import record_from_here
from hpcsnn.engine.simulation import Simulation
from hpcsnn.engine.spike_ring import put_in_flight
from hpcsnn.errors import StorageError
from hpcsnn.network.fields import COUNTERS, Neurons
from hpcsnn.network.neuron_arrays import NeuronArray, entries_on_disk, neuron_arrays
from hpcsnn.storage.network_store import StoredNetwork


def restore(simulation: Simulation, stored: StoredNetwork) -> None:
    """Put a stored state in place of the one that a new simulation starts with; a collective call.

    Each rank reads the shards of the neurons that it owns or can be wired to. What is counted over the whole network
    (spikes, formations) goes on from rank 0, since only sums over ranks are ever shown.

    Raises:
        StorageError: an array is missing or damaged, or the network is another one.
    """
    _check_fits(simulation, stored)
    simulation.state.reserve_bins(stored.step + 1)
    for name in simulation.network.populations:
        _restore_population(simulation, stored, name)
    for name in simulation.network.projections:
        _restore_projection(simulation, stored, name)
    simulation.state.set_control("step", stored.step)
    record_from_here(simulation.state)


def _check_fits(simulation: Simulation, stored: StoredNetwork) -> None:
    """Compare what is stored with the configuration before anything is read: its sizes are those of a file."""
    network = simulation.network
    there = {name: stored.grid(name) for name in stored.populations}
    wanted = {name: population.grid for name, population in network.populations.items()}
    ends = {name: stored.ends(name) for name in stored.projections}
    asked = {name: (one.source.name, one.target.name) for name, one in network.projections.items()}
    of_networks = {name: grid.positions.digest for name, grid in wanted.items() if grid.positions is not None}
    positions = stored.attributes.get("positions", {})
    for kind, found, expected in (
        ("populations", there, wanted),
        ("positions, by their SHA-256,", positions, of_networks),
        ("projections", ends, asked),
    ):
        if found != expected:
            raise StorageError(f"{stored.path}: its {kind} are {found}, those of the configuration {expected}")


def _restore_population(simulation: Simulation, stored: StoredNetwork, name: str) -> None:
    """The neurons of a population, what projections hold of them included, its counts, and its spikes on their way."""
    network, state, first = simulation.network, simulation.state, simulation.rank == 0
    for array in neuron_arrays(network, network.populations[name]):
        if array.path:
            _restore_array(simulation, stored, array, name)
    bins = stored.array(f"populations/{name}/spikes_per_bin").astype(np.uint64)
    fingerprint = stored.attributes["spikes"][name]["fingerprint"]
    state.write(f"{name}.spikes_per_bin", bins if first else np.zeros_like(bins))
    state.write(f"{name}.fingerprint", np.array([fingerprint if first else 0], dtype=np.uint64))
    put_in_flight(state, name, stored.array(f"populations/{name}/in_flight"))


def _restore_array(simulation: Simulation, stored: StoredNetwork, array: NeuronArray, population: str) -> None:
    state, placement = simulation.state, simulation.placements[population]
    known = array.field.neurons is Neurons.KNOWN_SOURCE
    ids: NDArray[np.int32] = placement.known_id if known else placement.global_id
    values = np.zeros_like(state.read(array.name)) if array.field.name == "input" else state.read(array.name)
    for path, entries in entries_on_disk(array, values, stored.step).items():
        entries[: len(ids)] = stored.of_neurons(path, ids)
    state.write(array.name, values)


def _restore_projection(simulation: Simulation, stored: StoredNetwork, name: str) -> None:
    """The synapses of a projection, and what is counted of them."""
    state, projection = simulation.state, simulation.network.projections[name]
    source, target = (simulation.placements[end.name] for end in (projection.source, projection.target))
    about = stored.attributes["projections"][name]
    for total, value in about.get("sums", {}).items():
        state.write(f"{name}.sum_{total}", np.array([value], dtype=np.int64))
    rows = stored.rows(name, target.global_id).with_local_sources(source.known_id)
    state.restore_rows(simulation.executable, name, rows)
    for counter in COUNTERS:
        state.stores[name].set_counter(counter, int(about[counter]) if simulation.rank == 0 else 0)
