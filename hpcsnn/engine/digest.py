"""One SHA-256 for a run: equal for equal bits of every neuron, synapse and spike, whatever ranks, tiles and devices.

Each neuron and synapse is hashed with its global ids to 64 bits; the sum of the hashes does not depend on the order or
on who holds what. The digest is the SHA-256 of these sums, the spikes' fingerprints and the counts, as JSON.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.engine.finiteness import in_neurons, in_synapses, in_traces
from hpcsnn.engine.simulation import Simulation
from hpcsnn.errors import SimulationError


def _mixed(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of splitmix64, entry by entry."""
    words = words + np.uint64(0x9E3779B97F4A7C15)
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))


def fingerprint(columns: list[NDArray[Any]]) -> int:
    """Sum over rows of a 64-bit hash of the row's bits, modulo 2^64; columns are int32 or float32 of one length."""
    total = np.zeros(len(columns[0]), dtype=np.uint64)
    for column in columns:
        total = _mixed(total ^ np.ascontiguousarray(column).view(np.uint32).astype(np.uint64))
    return int(total.sum(dtype=np.uint64))


def neuron_fingerprint(neurons: Mapping[str, NDArray[Any]]) -> int:
    """Of the columns that `Simulation.neurons` gives."""
    return fingerprint([neurons["id"].astype(np.int32), *(neurons[name] for name in sorted(neurons) if name != "id")])


def synapse_fingerprint(synapses: Mapping[str, NDArray[Any]]) -> int:
    """Of the columns that `Simulation.synapses` gives."""
    ends = [synapses["pre"].astype(np.int32), synapses["post"].astype(np.int32)]
    return fingerprint([*ends, *(synapses[name] for name in sorted(synapses) if name not in ("pre", "post"))])


def input_fingerprint(ids: NDArray[Any], ahead: Sequence[NDArray[Any]]) -> int:
    """Of input on its way to neurons: for each of the steps to come one whole number per neuron, shape (n,)."""
    n_words = [values.dtype.itemsize // 4 for values in ahead]  # a rank may have no neuron to tell it from
    words = (
        np.ascontiguousarray(values).view(np.uint32).reshape(len(ids), n).T
        for values, n in zip(ahead, n_words, strict=True)
    )
    return fingerprint([ids.astype(np.int32), *itertools.chain.from_iterable(words)])


def spike_record(simulation: Simulation) -> dict[str, dict[str, int]]:
    """Per population the number of spikes so far and their fingerprint, over all ranks."""
    record = {}
    for name in simulation.network.populations:
        local = [simulation.state.total_spikes(name), int(simulation.state.read(f"{name}.fingerprint")[0])]
        spikes, prints = simulation.sum_over_ranks(np.array(local, dtype=np.uint64))
        record[name] = {"spikes": int(spikes), "fingerprint": int(prints)}
    return record


def digest_of(
    step: int,
    spikes: Mapping[str, Mapping[str, int]],
    neurons: Mapping[str, int],
    synapses: Mapping[str, int],
    input_in_flight: Mapping[str, int] | None = None,
) -> str:
    """The digest from the step, the spike record and the fingerprints (already summed over ranks).

    Input is in flight between two steps only where delays differ or are dendritic; the others have no part in it.
    """
    record = {
        "step": step,
        "spikes": {name: dict(value) for name, value in spikes.items()},
        "neurons": dict(neurons),
        "synapses": dict(synapses),
        **({"input_in_flight": dict(input_in_flight)} if input_in_flight else {}),
    }
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def simulation_digest(simulation: Simulation) -> str:
    """The digest of a simulation as it stands; a collective call.

    Raises:
        SimulationError: on all ranks, where a value is not finite: a digest over it would hide that.
    """
    network = simulation.network
    found: list[str | None] = []

    def total(value: int) -> int:
        return int(simulation.sum_over_ranks(np.array([value], dtype=np.uint64))[0])

    def neurons_of(name: str) -> Mapping[str, NDArray[Any]]:
        columns = simulation.neurons(name)
        found.append(in_neurons(name, columns))
        return columns

    def synapses_of(name: str) -> Mapping[str, NDArray[Any]]:
        columns = simulation.synapses(name)
        found.append(in_synapses(name, columns))
        return columns

    neurons = {name: total(neuron_fingerprint(neurons_of(name))) for name in network.populations}
    synapses = {name: total(synapse_fingerprint(synapses_of(name))) for name in network.projections}
    here = next((one for one in [*found, in_traces(simulation)] if one), None)
    anywhere = next((one for one in simulation.communicator.gather(here) if one), None)
    if anywhere:
        raise SimulationError(f"{anywhere} is not finite after step {simulation.step}: there is no digest of it")
    flying = {
        name: total(input_fingerprint(simulation.placements[projection.target.name].global_id, ahead))
        for name, projection in network.projections.items()
        if (ahead := simulation.state.input_in_flight(name))
    }
    return digest_of(simulation.step, spike_record(simulation), neurons, synapses, flying)
