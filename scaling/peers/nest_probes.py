"""Small networks in NEST whose elements stand still unless told, for the checks in ``scaling.peers.nest_semantics``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import nest

from scaling.peers.nest_homeostatic import DT_MS, element, plastic_synapses

KEPT = 1e-12  # a tau_vacant that takes no vacant element, if z is no whole number
INTERVAL_MS = 1.0


def fresh(seed: int = 1, interval_ms: float = INTERVAL_MS, **rule: Any) -> None:
    """A kernel with one kind of plastic synapse, Axon_ex to Den_ex."""
    nest.ResetKernel()
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.resolution = DT_MS
    nest.rng_seed = seed
    plastic_synapses({"ex": 585.0}, interval_ms, **rule)


def still(name: str, z: Iterable[float], tau_vacant: float = KEPT, **others: Any) -> Any:
    """Neurons whose element `name` neither grows nor fires them, one for each z."""
    values = list(z)
    elements = {name: element(0.0, 0.05, tau_vacant=tau_vacant, **others)}
    neurons = nest.Create("iaf_psc_exp", len(values), {"synaptic_elements": elements})
    put(neurons, name, values)
    return neurons


def put(neurons: Any, name: str, z: Iterable[float]) -> None:
    """z of each neuron's element; what is bound stays."""
    for neuron, value in zip(neurons, z, strict=True):
        neuron.synaptic_elements_param = {name: {"z": float(value)}}


def got(neurons: Any, name: str, what: str) -> list[float]:
    """`what` (z or z_connected) of each neuron's element."""
    found = neurons.synaptic_elements
    return [of_neuron[name][what] for of_neuron in ([found] if isinstance(found, dict) else found)]


def update(interval_ms: float = INTERVAL_MS) -> None:
    """One structural update, which is the first thing that Simulate does at a multiple of the interval."""
    nest.Simulate(interval_ms)


def fired(neuron: Any) -> Any:
    """A recorder of the neuron's spikes."""
    recorder = nest.Create("spike_recorder")
    nest.Connect(neuron, recorder)
    return recorder
