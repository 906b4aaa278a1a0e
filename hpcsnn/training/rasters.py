"""What a sample makes of a trained network, spikes and answers; it is a network of the simulator's like any other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.engine.simulation import Simulation
from hpcsnn.models.neurons import NeuronModel
from hpcsnn.models.stimuli import SpikeArray
from hpcsnn.network import Network, Population
from hpcsnn.network.learning import gradient_of
from hpcsnn.training.data.samples import Samples

# By population, step and neuron of every spike, (n_spikes,) each, in the order of steps.
Raster = dict[str, tuple[NDArray[np.int32], NDArray[np.int32]]]


def raster_of(network: Network, samples: Samples, index: int, device: str = "auto") -> Raster:
    """Run the network on one sample, on this rank alone; populations that never spike are left out.

    Args:
        network: as `Trainer.network` gives it.
        index: of the sample.
        device: as for `Simulation`.
    """
    played = _playing(network, samples, index)
    simulation = Simulation(played, device=device)
    simulation.run(samples.n_steps * network.dt_ms, progress=False)
    return {name: simulation.spikes(name) for name, population in played.populations.items() if _spikes(population)}


def outputs_of(
    network: Network, readout: str, samples: Samples, index: int, device: str = "auto"
) -> NDArray[np.float32] | None:
    """What the readout answers to one sample in each step, (n_steps, n_outputs), on this rank alone.

    None: its output is more than one of its variables. Arguments as of `raster_of`.
    """
    population = network.populations[readout]
    variable = gradient_of(population).output
    if variable not in {one.name for one in population.state}:
        return None
    simulation = Simulation(_playing(network, samples, index), device=device)
    answers = []
    for _ in range(samples.n_steps):
        simulation.run(network.dt_ms, progress=False)
        answers.append(simulation.neurons(readout)[variable])
    return np.array(answers)


def _playing(network: Network, samples: Samples, index: int) -> Network:
    """The network, whose source plays a sample, and whose spikes are recorded."""
    sample = samples.select([index])
    return that_plays(network, sample.event_channels, sample.event_steps * network.dt_ms)


def that_plays(network: Network, neurons: NDArray[Any], times_ms: NDArray[Any]) -> Network:
    """The network, whose source spikes as given, and whose spikes are recorded.

    Args:
        neurons, times_ms: of the source's spikes, shape (n_spikes,) each.
    """
    given = SpikeArray(neurons=neurons, times_ms=times_ms)
    played = Network(network.seed, network.dt_ms)
    for name, population in network.populations.items():
        if population.is_source:
            played.add_population(name, population.grid, given, record_spikes=True)
        else:
            played.populations[name] = replace(population, record_spikes=True)
    for name, projection in network.projections.items():
        source, target = (played.populations[end.name] for end in (projection.source, projection.target))
        played.projections[name] = replace(projection, source=source, target=target)
    return played


def _spikes(population: Population) -> bool:
    model = population.model.model
    return not isinstance(model, NeuronModel) or model.threshold != "false"
