"""Every array that a rank holds beside those of `hpcsnn.network.fields` while a network learns.

They hold what one sample leaves behind, and the gradients of a batch; nothing of them is kept between batches.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hpcsnn.network.fields import Field
from hpcsnn.network.learning import (
    feedback_projection,
    filtering_projections,
    gradient_of,
    recorded_name,
    trained_projections,
)

if TYPE_CHECKING:
    from hpcsnn.network.network import Network
    from hpcsnn.network.population import Population
    from hpcsnn.network.projection import Projection

# Neurons whose values of a step lie side by side, for vector instructions: kernels/learning/layout.cuh.
SIDE_BY_SIDE = 16
# Gradients add up in whole numbers of 2^-20, so that neither their order nor who adds them matters. One neuron's, in
# one step, is at most 2^11; a sum of 2^32 of them fits.
GRADIENT_BITS = 20


@dataclass(frozen=True)
class LearningRoom:
    """How much of one population, or projection, there is: neurons, or targets; synapses, slots for them, entries of
    outgoing lists, sources (of a population the neurons that the rank knows); outputs; steps of a sample, and how many
    more a delay may look ahead; replicas."""

    sample_steps: int
    ahead: int
    n_outputs: int
    replicas: int = 1
    n_neurons: int = 0
    n_synapses: int = 0
    n_slots: int = 0
    n_entries: int = 0
    n_sources: int = 0

    @property
    def outputs_stride(self) -> int:
        """Values of a step: one per output, in whole blocks."""
        return -(-self.n_outputs // SIDE_BY_SIDE) * SIDE_BY_SIDE

    @property
    def blocks(self) -> int:
        """Blocks of neurons side by side."""
        return -(-self.n_neurons // SIDE_BY_SIDE)


def _each_step(room: LearningRoom) -> int:
    return room.replicas * room.blocks * room.sample_steps * SIDE_BY_SIDE


def _errors_ahead(room: LearningRoom) -> int:
    return room.replicas * (1 + room.sample_steps + room.ahead) * room.outputs_stride


def _each_output(room: LearningRoom) -> int:
    return room.blocks * room.n_outputs * SIDE_BY_SIDE


def _each_slot(room: LearningRoom) -> int:
    return room.n_slots


def _each_neuron(room: LearningRoom) -> int:
    return room.n_neurons


def _ahead(room: LearningRoom) -> int:
    return room.replicas * room.blocks * (room.sample_steps + room.ahead) * SIDE_BY_SIDE


def sample_fields() -> tuple[Field, ...]:
    """Of the batch as a whole: the samples' spikes by step, their labels; and what becomes of each."""
    return (
        Field("event_at", "int", constant=True, made=True),
        Field("event_neuron", "int", constant=True, made=True),
        Field("label", "int", constant=True, made=True),
        Field("first_scored", "int", constant=True, made=True),
        Field("target", "float", constant=True, made=True),
        Field("sample_loss", "float", made=True),
        Field("prediction", "int", made=True),
        Field("scores", "float", lambda room: room.replicas * room.outputs_stride),
        # Of each step and output, one step before the first included; the filtered ones with some behind the last.
        Field("error", "float", lambda room: room.replicas * (1 + room.sample_steps) * room.outputs_stride),
        Field("filtered_error", "float", _errors_ahead),
    )


def learner_fields(network: Network, population: Population) -> tuple[Field, ...]:
    """Of a population: when its neurons spiked, and how its gradients come about."""
    assert network.learning is not None
    spikes: tuple[Field, ...] = (
        Field("spike_steps", "int", lambda room: room.replicas * room.n_sources * room.sample_steps),
        Field("first_step", "int", lambda room: room.replicas * room.n_sources),
        Field("n_spikes", "int", lambda room: room.replicas * room.n_sources),
        Field("most_spikes", "int", lambda _: 1),
    )
    online = network.learning.online
    if online:
        spikes = (*spikes, Field("spiked", "int", lambda room: room.n_neurons * (room.ahead + room.sample_steps)))
    if population.is_source:
        return spikes
    back = () if online else (Field("back", "int", _ahead),)
    if population.name == network.learning.readout:
        gradient, trained = gradient_of(population), []
        for number, name in enumerate(gradient.trained):
            trained.append(Field(f"gradient_{name}", "int64", _each_neuron))
            if online:
                carried = (f"carried_{number}_{variable}" for variable in gradient.variables)
                trained += [Field(one, "float", _each_neuron) for one in (f"sum_{name}", *carried)]
        return (*back, *trained)
    back_way = feedback_projection(network, population)
    if back_way is not None and not online and back_way in filtering_projections(network, back_way.target):
        # What it hears of errors has passed a receptor of its own.
        back = (*back, Field("filtered_error", "float", _errors_ahead))
    feedback = [Field(name, "float", _each_output) for name in feedback_arrays(network)]
    if back_way is not None and back_way.delays is not None:
        feedback.append(Field("feedback_steps", "int", _each_output))
    rates = [Field("rate", "float", _each_step)] if network.learning.follows_rates else []
    recorded = [Field(recorded_name(name), "float", _each_step) for name in gradient_of(population).recorded]
    return (
        *spikes,
        Field("psi", "float", _each_step),
        *back,
        *feedback,
        *rates,
        *recorded,
    )


def feedback_arrays(network: Network) -> tuple[str, ...]:
    """Of each hidden neuron and output: the weight of its error, and what the optimiser keeps of it if it learns."""
    assert network.learning is not None
    kept = network.learning.optimiser.model.variables if network.learning.adaptive else ()
    return ("feedback", *(f"of_feedback_{one.name}" for one in kept))


def trained_fields(network: Network, projection: Projection) -> tuple[Field, ...]:
    """Of a projection that is trained.

    Gradients, without the room behind rows, and where each row's begin; amounts, which a batch does not change, by list
    entry; the gradient of what arrives in a step, if that is not the target's of its current; where the list of a
    source is of targets one behind the other, the first of them, else -1; and sums over the spikes of each source, for
    targets side by side, or what each slot keeps of its sensitivities.
    """
    assert network.learning is not None
    runs = () if projection.delays is not None else (Field("run_of_targets", "int", lambda room: room.n_sources),)
    common: tuple[Field, ...] = (
        Field("gradient", "int64", lambda room: room.n_synapses),
        Field("first_gradient", "int", lambda room: room.n_neurons + 1),
        Field("amount", "float", lambda room: room.n_entries),
        *runs,
    )
    if network.learning.online:
        return (*common, *(Field(name, "float", _each_slot) for name in kept_online(network, projection)))
    if projection in filtering_projections(network, projection.target):
        common = (*common, Field("back", "int", _ahead))
    if projection.delays is not None:
        return common  # no two synapses of a source read the same step
    return (*common, Field("sums", "int64", lambda room: room.n_sources * SIDE_BY_SIDE))


def kept_online(network: Network, projection: Projection) -> list[str]:
    """What a synapse of a projection keeps while its gradient comes about."""
    learning, target = network.learning, projection.target
    assert learning is not None
    gradient = projection.receptor.model.gradient
    assert gradient is not None
    kept = ["sum", *(f"carried_{one}" for one in gradient_of(target).variables)]
    kept += [f"received_{one}" for one in gradient.variables]
    if target.name != learning.readout:
        kept += [f"heard_{one}" for one in gradient_of(network.populations[learning.readout]).variables]
        back = feedback_projection(network, target)
        if back is not None and back.receptor.model.gradient is not None:
            kept += [f"sent_{one}" for one in back.receptor.model.gradient.variables]
        kept += ["by_rate"] if learning.sums_eligibilities else []
    return kept


def learning_bytes(network: Network, rooms: dict[str, LearningRoom]) -> int:
    """Bytes of all of them, by the rooms of populations and projections; without the batch's samples."""
    any_room = next(iter(rooms.values()))
    total = sum(field.n_bytes(any_room) for field in sample_fields())
    for name, population in network.populations.items():
        total += sum(field.n_bytes(rooms[name]) for field in learner_fields(network, population))
    for projection in trained_projections(network):
        total += sum(field.n_bytes(rooms[projection.name]) for field in trained_fields(network, projection))
    return total


def played_bytes(network: Network, n_samples: int, n_spikes: int = 0) -> int:
    """Bytes of the samples that a rank has at hand, which it plays one after the other: spikes by step, what is asked
    of each and what becomes of it."""
    assert network.learning is not None
    steps, spikes, of_samples = n_samples * network.learning.sample_steps, n_spikes, 4 * n_samples
    targets = (
        steps * network.populations[network.learning.readout].size if network.learning.loss.model.of_targets else 0
    )
    return 4 * (steps + 1 + spikes + of_samples + targets)
