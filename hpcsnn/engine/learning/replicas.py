"""Replicas of a network that learns: samples that are simulated at a time, each with a state of its own, by one set
of weights. They are for devices with many threads; the answer does not depend on how many there are.
"""

from __future__ import annotations

from dataclasses import replace

from hpcsnn.checked_numbers import Limits, whole_number
from hpcsnn.devices.base import Device
from hpcsnn.engine.learning.arrays import learning_room
from hpcsnn.errors import ConfigurationError
from hpcsnn.models.neurons import NeuronModel
from hpcsnn.network import Network
from hpcsnn.network.fields import PopulationRoom, ProjectionRoom, population_fields, projection_fields
from hpcsnn.network.learning import trained_projections
from hpcsnn.network.learning_fields import learning_bytes


def with_replicas(
    network: Network, device: Device, samples: int, asked: int | None, ranks_per_network: int = 1
) -> Network:
    """The network as it is simulated on a device, with as many replicas as are of use there.

    Args:
        samples: that there are at a time: more replicas would have nothing to do.
        asked: replicas; None: as many as the device would rather have.
        ranks_per_network: ranks that share it.

    Raises:
        ConfigurationError: more than one replica of a network that ranks share, whose projections are not all trained,
            of neurons that see their number, or with eligibilities of synapses.
    """
    obstacle = _obstacle(network)
    if ranks_per_network > 1:
        obstacle = f"{ranks_per_network} ranks share a network, and play one sample at a time"
    if asked is not None:
        asked = whole_number("replicas", asked, Limits(minimum=1))
        if asked > 1 and obstacle:
            raise ConfigurationError(f"replicas: {asked} is not allowed; {obstacle}: must be 1")
        n_replicas = asked
    else:
        n_replicas = 1 if obstacle else device.side_by_side(samples, bytes_of_replica(network))
    return _in_replicas(network, n_replicas)


def _obstacle(network: Network) -> str:
    """Why replicas cannot share what there is, in words; empty: they can."""
    assert network.learning is not None
    if network.learning.carries_state:
        return "carry_state has each sample begin as another has ended"
    if network.learning.online:
        return "gradient: online keeps an eligibility of each synapse, which replicas do not share"
    trained = {one.name for one in trained_projections(network)}
    for name in network.projections:
        if name not in trained:
            return f"projections.{name} is not trained, and its synapses are not shared"
    for name, population in network.populations.items():
        model = population.model.model
        if isinstance(model, NeuronModel) and model.mentions("neuron"):
            return f"populations.{name}: snippets of {model.name} see 'neuron', a number that replicas do not share"
    return ""


def bytes_of_replica(network: Network) -> int:
    """Bytes that one more replica takes; without the samples' spikes."""
    one, two = (_bytes(_in_replicas(network, n)) for n in (1, 2))
    return two - one


def _in_replicas(network: Network, n_replicas: int) -> Network:
    assert network.learning is not None
    other = network.copy()
    other.learning = replace(network.learning, replicas=n_replicas)
    return other


def _bytes(network: Network) -> int:
    """Bytes of all that is there once for each replica, and of what comes with it."""
    rooms = {
        name: learning_room(network, n_neurons=one.size, n_sources=one.size)
        for name, one in network.populations.items()
    }
    total = 0
    for population in network.populations.values():
        n = population.size
        room = PopulationRoom(n, n, 1, network.ring_slots(population), 0, replicas=network.replicas)
        total += sum(field.n_bytes(room) for field in population_fields(population))
    for name, projection in network.projections.items():
        n_targets, n_sources = projection.target.size, projection.source.size
        rooms[name] = learning_room(network, n_neurons=n_targets)
        of_projection = ProjectionRoom(n_targets, n_sources, n_sources, replicas=network.replicas)
        total += sum(field.n_bytes(of_projection) for field in projection_fields(projection))
    return total + learning_bytes(network, rooms)
