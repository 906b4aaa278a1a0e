"""How much a rank holds for training: lengths of arrays, and their bytes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcsnn import models
from hpcsnn.codegen.learning.structs import learning_struct
from hpcsnn.network.learning_fields import (
    GRADIENT_BITS,
    SIDE_BY_SIDE,
    LearningRoom,
    learner_fields,
    learning_bytes,
    sample_fields,
    trained_fields,
)
from support.learning import N_HIDDEN, N_IN, N_OUT, N_STEPS, classifier, learner, learning

RATES = models.EProp(pairing="mlgenn", regularisation=0.1)


def lengths(fields, room):
    return {field.name: field.length(room) for field in fields if field.length is not None}


@given(st.integers(1, 400), st.integers(1, 100))
def test_neurons_and_outputs_come_in_whole_blocks(n_neurons, n_outputs):
    room = LearningRoom(10, 3, n_outputs, n_neurons=n_neurons)
    assert 0 <= room.blocks * SIDE_BY_SIDE - n_neurons < SIDE_BY_SIDE
    assert 0 <= room.outputs_stride - n_outputs < SIDE_BY_SIDE
    assert room.outputs_stride % SIDE_BY_SIDE == 0


def test_a_sample_leaves_its_scores_and_errors():
    room = LearningRoom(sample_steps=10, ahead=3, n_outputs=17)
    assert lengths(sample_fields(), room) == {
        "scores": 32,
        "error": 11 * 32,  # one step before the first
        "filtered_error": 14 * 32,  # and as many behind the last as a delay looks ahead
        "step_back": 1,
    }


def test_a_hidden_population_leaves_spikes_surrogates_and_what_goes_back():
    network = learner(by=learning(rule=RATES))
    room = LearningRoom(sample_steps=10, ahead=3, n_outputs=5, n_neurons=20, n_sources=20)
    fields = learner_fields(network, network.populations["hidden"])
    assert lengths(fields, room) == {
        "spike_steps": 200, "first_step": 20, "n_spikes": 20, "most_spikes": 1,
        "psi": 320, "back": 2 * 13 * 16, "feedback": 2 * 5 * 16, "rate": 320,
    }  # fmt: skip
    plain = learner()
    assert "rate" not in lengths(learner_fields(plain, plain.populations["hidden"]), room)


def test_a_window_leaves_as_much_for_itself_and_the_states_before_it():
    """Of 10 steps in windows of 4: two states are set aside, and the first step behind a window is recorded too."""
    network = learner(classifier(models.ALIFSubtractive, delay_ms=2.0), replace(learning(), window_steps=4))
    room = LearningRoom(10, 3, 5, n_neurons=20, n_sources=20, window_steps=4)
    state = dict.fromkeys(("state_V", "state_silent_steps", "state_adaptation", "state_pseudo_derivative"), 2 * 20)
    aside = {**state, "ring": 2 * 4 * 20, "own_count": 2 * 4}
    assert lengths(learner_fields(network, network.populations["hidden"]), room) == {
        "spike_steps": 80, "first_step": 20, "n_spikes": 20, "most_spikes": 1, "n_spikes_of_sample": 20,
        "psi": 2 * 5 * 16, "back": 2 * 7 * 16, "feedback": 2 * 5 * 16,
        **dict.fromkeys(("adjoint_V", "adjoint_adaptation"), 32), **{f"aside_{name}": n for name, n in aside.items()},
    }  # fmt: skip
    source = lengths(learner_fields(network, network.populations["input"]), room)
    assert source == {
        "spike_steps": 80, "first_step": 20, "n_spikes": 20, "most_spikes": 1,
        "aside_ring": 2 * 4 * 20, "aside_own_count": 2 * 4,
    }  # fmt: skip
    assert lengths(learner_fields(network, network.populations["output"]), room)["back"] == 7 * 16 * 2
    assert lengths(sample_fields(), room) == {"scores": 16, "error": 11 * 16, "filtered_error": 8 * 16, "step_back": 1}


def test_going_back_step_by_step_leaves_adjoints_filters_and_sums_over_outgoing_synapses():
    network = learner(
        classifier(receptor=models.ExponentialCurrent()), replace(learning(), rule=models.EventProp(regularisation=0.1))
    )
    room = LearningRoom(10, 3, 5, replicas=2, n_neurons=20, n_sources=20)
    hidden = lengths(learner_fields(network, network.populations["hidden"]), room)
    each = ("adjoint_V", "adjoint_0_current", "adjoint_1_current", "filter_of_later_V", "filter_heard_later")
    assert {name: hidden[name] for name in (*each, "through", "through_later")} == dict.fromkeys(
        (*each, "through", "through_later"), 2 * 32
    )
    readout = lengths(learner_fields(network, network.populations["output"]), room)
    assert not any(name.startswith(("adjoint", "through")) for name in readout)


def test_currents_that_last_and_input_in_flight_are_set_aside():
    lasting = classifier(receptor=models.ExponentialCurrent(), delay_ms=models.Uniform(1.0, 3.0))
    network = learner(lasting, replace(learning(), window_steps=4))
    room = LearningRoom(10, 4, 5, n_neurons=20, n_sources=20, window_steps=4)
    hidden = lengths(learner_fields(network, network.populations["hidden"]), room)
    slots = network.projections["recurrent"].input_ring.slots
    assert {hidden[f"aside_input_{number}"] for number in (0, 1)} == {2 * slots * 20}
    assert {hidden[f"aside_receptor_{number}_current"] for number in (0, 1)} == {2 * 20}
    assert {hidden[f"adjoint_{number}_current"] for number in (0, 1)} == {2 * 16}
    output = lengths(learner_fields(network, network.populations["output"]), room)
    assert {output[name] for name in ("adjoint_V", "heard_V", "adjoint_0_current")} == {2 * 16}
    assert hidden["filtered_error"] == 9 * 16
    for projection in network.projections.values():
        assert lengths(trained_fields(network, projection), room)["back"] == 2 * 8 * 16


def test_sources_leave_spikes_and_readouts_gradients():
    network = learner()
    room = LearningRoom(sample_steps=10, ahead=3, n_outputs=5, n_neurons=5)
    assert set(lengths(learner_fields(network, network.populations["input"]), room)) == {
        *("spike_steps", "first_step", "n_spikes", "most_spikes"),
    }
    readout = learner_fields(network, network.populations["output"])
    assert lengths(readout, room) == {"back": 13 * 16, "gradient_bias": 5}
    assert {field.name: field.ctype for field in readout}["gradient_bias"] == "int64"


def test_a_projection_keeps_gradients_amounts_and_sums():
    network = learner()
    room = LearningRoom(10, 3, 5, n_neurons=9, n_synapses=50, n_slots=64, n_entries=128, n_sources=7)
    fields = trained_fields(network, network.projections["input_hidden"])
    expected = {"gradient": 50, "first_gradient": 10, "amount": 128, "run_of_targets": 7, "sums": 112}
    assert lengths(fields, room) == expected
    assert [field.ctype for field in fields] == ["int64", "int", "float", "int", "int64"]


def test_where_currents_last_what_arrives_has_a_gradient_of_its_own():
    network = learner(classifier(receptor=models.ExponentialCurrent()))
    room = LearningRoom(10, 3, 5, n_neurons=20, n_slots=64, n_entries=128, n_sources=7)
    fields = trained_fields(network, network.projections["recurrent"])
    assert lengths(fields, room)["back"] == 2 * 13 * 16
    assert lengths(learner_fields(network, network.populations["hidden"]), room)["filtered_error"] == 14 * 16
    online = learner(classifier(receptor=models.ExponentialCurrent()), learning(rule=models.EProp(gradient="online")))
    kept = {field.name for field in trained_fields(online, online.projections["recurrent"])}
    assert {"received_current", "sent_current"} <= kept


def test_where_delays_differ_errors_come_back_by_each():
    network = learner(classifier(delay_ms=models.Uniform(1.0, 4.0)))
    room = LearningRoom(10, 3, 5, n_neurons=20, n_slots=64, n_entries=128, n_sources=7)
    kept = {"gradient", "first_gradient", "amount"}
    assert set(lengths(trained_fields(network, network.projections["recurrent"]), room)) == kept
    hidden = lengths(learner_fields(network, network.populations["hidden"]), room)
    assert hidden["feedback_steps"] == hidden["feedback"]


def test_online_it_keeps_an_eligibility_of_each_synapse():
    network = learner(by=learning(rule=models.EProp(gradient="online", regularisation=0.1)))
    room = LearningRoom(10, 3, 5, n_neurons=20, n_synapses=50, n_slots=64, n_entries=128, n_sources=7)
    of_hidden = lengths(trained_fields(network, network.projections["input_hidden"]), room)
    kept = dict.fromkeys(("sum", "carried_V", "heard_V", "by_rate"), 64)
    assert of_hidden == {"gradient": 50, "first_gradient": 21, "amount": 128, "run_of_targets": 7, **kept}
    of_readout = lengths(trained_fields(network, network.projections["hidden_output"]), room)
    assert set(of_readout) == set(of_hidden) - {"heard_V", "by_rate"}
    readout = lengths(learner_fields(network, network.populations["output"]), room)
    assert readout == {"gradient_bias": 20, "sum_bias": 20, "carried_0_V": 20}
    hidden = lengths(learner_fields(network, network.populations["hidden"]), room)
    assert hidden["spiked"] == 13 * 20
    assert "back" not in hidden


def test_bytes_are_those_of_all_arrays():
    network = learner()
    counts = {"input": N_IN, "hidden": N_HIDDEN, "output": N_OUT}
    rooms = {name: LearningRoom(N_STEPS, 3, N_OUT, n_neurons=n, n_sources=n) for name, n in counts.items()}
    for projection in network.projections:
        rooms[projection] = LearningRoom(N_STEPS, 3, N_OUT, n_neurons=40, n_synapses=1000, n_entries=2000, n_sources=30)
    samples = 4 * (1 + 16 * (1 + (1 + N_STEPS) + (1 + N_STEPS + 3)))
    spikes = 4 * sum(n * (N_STEPS + 2) + 1 for n in (N_IN, N_HIDDEN))
    hidden = 4 * 48 * (N_STEPS + N_STEPS + 3 + N_OUT)
    output = 4 * 16 * (N_STEPS + 3) + 8 * N_OUT
    synapses = 3 * (8 * 1000 + 4 * 41 + 4 * 2000 + 4 * 30 + 8 * 30 * 16)
    assert learning_bytes(network, rooms) == samples + spikes + hidden + output + synapses


@pytest.mark.parametrize("rule", [models.EProp(), RATES, models.EProp(gradient="online", regularisation=0.1)])
def test_every_array_has_its_place_in_the_struct(rule):
    network = learner(by=learning(rule=rule))
    members = dict(learning_struct(network).fields)
    assert {field.name for field in sample_fields()} <= set(members)
    for name, population in network.populations.items():
        of_population = {member for member, _ in members[f"population_{name}"].fields}
        assert {field.name for field in learner_fields(network, population)} <= of_population
    assert ("begins_V" in {member for member, _ in members["population_output"].fields}) is True
    assert "begins_bias" not in {member for member, _ in members["population_output"].fields}


def test_a_gradient_of_a_step_has_eleven_bits_before_the_point():
    """The message of a gradient that is too large says so."""
    assert 31 - GRADIENT_BITS == 11
