"""Every array that a rank holds beside those of `hpcsnn.network.fields` while a network learns.

They hold what one sample leaves behind, or one window of its steps and the state at the beginning of each; and the
gradients of a batch. Nothing of them is kept between batches.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hpcsnn.network.fields import Field
from hpcsnn.network.learning import (
    feedback_projection,
    filtering_projections,
    gradient_of,
    hidden_populations,
    kept_variables,
    recorded_name,
    rule_recorded,
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
    more a delay may look ahead; replicas; steps of a window (None: a sample is recorded whole)."""

    sample_steps: int
    ahead: int
    n_outputs: int
    replicas: int = 1
    n_neurons: int = 0
    n_synapses: int = 0
    n_slots: int = 0
    n_entries: int = 0
    n_sources: int = 0
    window_steps: int | None = None

    @property
    def steps_at_a_time(self) -> int:
        """Steps whose spikes are remembered."""
        return self.sample_steps if self.window_steps is None else self.window_steps

    @property
    def recorded_steps(self) -> int:
        """Steps whose values are recorded: with the first one behind a window, to which its last one is carried."""
        return self.sample_steps if self.window_steps is None else self.window_steps + 1

    @property
    def n_aside(self) -> int:
        """States that are set aside: at each window's beginning, but for the first, which begins as a sample does."""
        return 0 if self.window_steps is None else -(-self.sample_steps // self.window_steps) - 1

    @property
    def outputs_stride(self) -> int:
        """Values of a step: one per output, in whole blocks."""
        return -(-self.n_outputs // SIDE_BY_SIDE) * SIDE_BY_SIDE

    @property
    def blocks(self) -> int:
        """Blocks of neurons side by side."""
        return -(-self.n_neurons // SIDE_BY_SIDE)


def _each_step(room: LearningRoom) -> int:
    return room.replicas * room.blocks * room.recorded_steps * SIDE_BY_SIDE


def _errors_ahead(room: LearningRoom) -> int:
    return room.replicas * (1 + room.steps_at_a_time + room.ahead) * room.outputs_stride


def _each_output(room: LearningRoom) -> int:
    return room.blocks * room.n_outputs * SIDE_BY_SIDE


def _each_output_now(room: LearningRoom) -> int:
    return room.replicas * room.outputs_stride


def _each_slot(room: LearningRoom) -> int:
    return room.n_slots


def _each_neuron(room: LearningRoom) -> int:
    return room.n_neurons


def _ahead(room: LearningRoom) -> int:
    return room.replicas * room.blocks * (room.steps_at_a_time + room.ahead) * SIDE_BY_SIDE


def _adjoint(room: LearningRoom) -> int:
    return room.replicas * room.blocks * SIDE_BY_SIDE


def sample_fields() -> tuple[Field, ...]:
    """Of the batch as a whole: the samples' spikes by step, their labels; and what becomes of each."""
    return (
        Field("event_at", "int", constant=True, made=True),
        Field("event_neuron", "int", constant=True, made=True),
        Field("label", "int", constant=True, made=True),
        Field("sample_id", "uint32", constant=True, made=True),
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
    online, windowed = network.learning.online, network.learning.windowed
    spikes: tuple[Field, ...] = (
        Field("spike_steps", "int", lambda room: room.replicas * room.n_sources * room.steps_at_a_time),
        Field("first_step", "int", lambda room: room.replicas * room.n_sources),
        Field("n_spikes", "int", lambda room: room.replicas * room.n_sources),
        Field("most_spikes", "int", lambda _: 1),
    )
    aside = tuple(one.copy for one in set_aside(network, population)) if windowed else ()
    if online:
        spikes = (*spikes, Field("spiked", "int", lambda room: room.n_neurons * (room.ahead + room.sample_steps)))
    if population.is_source:
        return (*spikes, *aside)
    back = () if online else (Field("back", "int", _ahead), *(_adjoints(network, population) if windowed else ()))
    if population.name == network.learning.readout:
        gradient, trained = gradient_of(population), []
        for number, name in enumerate(gradient.trained):
            trained.append(Field(f"gradient_{name}", "int64", _each_neuron))
            if online:
                carried = (f"carried_{number}_{variable}" for variable in gradient.variables)
                trained += [Field(one, "float", _each_neuron) for one in (f"sum_{name}", *carried)]
        return (*back, *trained, *aside)
    back_way = feedback_projection(network, population)
    if back_way is not None and not online and back_way in filtering_projections(network, back_way.target):
        # What it hears of errors has passed a receptor of its own.
        back = (*back, Field("filtered_error", "float", _errors_ahead))
    feedback = [Field(name, "float", _each_output) for name in feedback_arrays(network)]
    if back_way is not None and back_way.delays is not None:
        feedback.append(Field("feedback_steps", "int", _each_output))
    rates = [Field("rate", "float", _each_step)] if network.learning.follows_rates else []
    names = [recorded_name(name) for name in gradient_of(population).recorded]
    names += [rule_recorded(name) for name in network.learning.rule.model.recorded]
    recorded = [Field(name, "float", _each_step) for name in names]
    if network.learning.rule.model.mentions("teacher_rate"):
        recorded.append(Field("teacher", "float", constant=True, made=True))
    if network.learning.rule.model.mentions("local_error"):
        recorded += [Field("local_output", "float", _each_output_now), Field("local_score", "float", _each_output_now)]
        recorded.append(Field("local_error", "float", lambda room: room.sample_steps * _each_output_now(room)))
    if windowed:
        spikes = (*spikes, Field("n_spikes_of_sample", "int", lambda room: room.replicas * room.n_sources))
    return (
        *spikes,
        Field("psi", "float", _each_step),
        *back,
        *feedback,
        *rates,
        *recorded,
        *aside,
    )


def _adjoints(network: Network, population: Population) -> list[Field]:
    """What later steps want of the state of neurons and of the receptors that gradients go back through, where they go
    on in the window before; outputs that hidden neurons hear of later (mlgenn) have theirs twice."""
    assert network.learning is not None
    variables = gradient_of(population).variables
    names = [f"adjoint_{one}" for one in variables]
    if population.name == network.learning.readout:
        names += [f"heard_{one}" for one in variables]
    for number, projection in enumerate(filtering_projections(network, population)):
        gradient = projection.receptor.model.gradient
        assert gradient is not None
        names += [f"adjoint_{number}_{one}" for one in gradient.variables]
    if population.name != network.learning.readout:
        names += [f"filter_{one}" for one in network.learning.rule.model.filters]
    return [Field(name, "float", _adjoint) for name in names]


@dataclass(frozen=True)
class SetAside:
    """Part of a network's state, of which there is a copy for each window of a sample but the first, or for each place
    in a batch.

    Attributes:
        owner: whose it is in the struct of the network, such as ``population_hidden``.
        array: its name there.
        copy: the copies, of the population's learner.
        of_neurons: whether there is a value for each neuron, in each slot.
        mask: where in the struct the number of its slots is, less 1; empty: it has one.
        slots: that number.
    """

    owner: str
    array: str
    copy: Field
    of_neurons: bool = True
    mask: str = ""
    slots: int = 1


def set_aside(network: Network, population: Population) -> tuple[SetAside, ...]:
    """All that a step of a population, and of what comes in there, begins with and that is not the same in each sample:
    state of neurons and receptors, input in flight, spikes in flight."""
    assert network.learning is not None

    def of(owner: str, array: str, name: str, ctype: str, slots: int = 1, mask: str = "") -> SetAside:
        def length(room: LearningRoom) -> int:
            return room.n_aside * slots * room.replicas * room.n_neurons

        return SetAside(owner, array, Field(f"aside_{name}", ctype, length), mask=mask, slots=slots)

    own, slots = f"population_{population.name}", network.ring_slots(population)
    counts = Field("aside_own_count", "int", lambda room: room.n_aside * slots)
    found = [
        of(own, "ring", "ring", "int", slots, f"{own}.ring_mask"),
        SetAside(own, "own_count", counts, of_neurons=False, mask=f"{own}.ring_mask", slots=slots),
    ]
    if population.is_source:
        return tuple(found)
    kept = kept_variables(network, population)
    found += [
        of(own, f"state_{one.name}", f"state_{one.name}", one.ctype) for one in population.state if one.name not in kept
    ]
    for number, projection in enumerate(network.incoming(population)):
        owner = f"projection_{projection.name}"
        if projection.input_ring is not None:  # elsewhere all that has come is read in the step in which it came
            ctype, mask = projection.input_format.ctype, f"{owner}.input_mask"
            found.append(of(owner, "input", f"input_{number}", ctype, projection.input_ring.slots, mask))
        for one in projection.receptor.model.state:
            found.append(of(owner, f"receptor_state_{one.name}", f"receptor_{number}_{one.name}", one.ctype))
    return tuple(found)


def carried_bytes(network: Network, n_lanes: int) -> int:
    """Bytes of the state that so many places in a batch carry on."""
    total = 0
    for population in network.populations.values():
        for one in set_aside(network, population):
            total += one.slots * (population.size if one.of_neurons else 1) * one.copy.dtype.itemsize
    return n_lanes * total


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
    steps, spikes, of_samples = n_samples * network.learning.sample_steps, n_spikes, 5 * n_samples
    targets = (
        steps * network.populations[network.learning.readout].size if network.learning.loss.model.of_targets else 0
    )
    taught = 0
    if network.learning.rule.model.mentions("teacher_rate"):
        taught = n_samples * sum(one.size for one in hidden_populations(network))
    return 4 * (steps + 1 + spikes + of_samples + targets + taught)
