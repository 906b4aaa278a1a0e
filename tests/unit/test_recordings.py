"""What is to be recorded of neurons: which are chosen, and what is refused."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn import ConfigurationError, Grid, Network, models
from hpcsnn.models import NeuronModel, Variable
from hpcsnn.network.recording.asked import Recording, chosen_neurons, parsed_recording
from hpcsnn.network.recording.recorders import recorders

GRID = Grid(6, 4)


@pytest.mark.parametrize(
    ("given", "ids"),
    [
        (3, [3]),
        ([5, 0, 5], [0, 5]),
        (np.array([2, 1]), [1, 2]),
        (np.array(7), [7]),
        ("4..7", [4, 5, 6, 7]),
        (["21..23", 0], [0, 21, 22, 23]),
        ({"every": 10}, [0, 10, 20]),
        ({"rectangle": [4, 1, 6, 3]}, [10, 11, 16, 17]),
        ({"rectangle": [0, 0, 6, 4]}, range(24)),
    ],
)
def test_neurons_are_chosen_by_id_range_step_or_place(given, ids):
    assert chosen_neurons("neurons", given, GRID).tolist() == list(ids)
    assert chosen_neurons("neurons", "all", GRID) is None


@settings(max_examples=50)
@given(st.lists(st.integers(0, 23), min_size=1))
def test_a_list_is_taken_whatever_its_order(ids):
    assert chosen_neurons("neurons", ids, GRID).tolist() == sorted(set(ids))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (24, "neurons: 24 is not allowed; must be a whole number >= 0 and <= 23"),
        ([0, -1], "neurons: -1 is not allowed; must be a whole number >= 0 and <= 23"),
        ("0..24", "neurons: 24 is not allowed; must be a whole number >= 0 and <= 23"),
        ("0-5", 'neurons: \'0-5\' is not allowed; must be "all", a list of ids, a range such as "0..99"'),
        ("7..4", "neurons: '7..4' is not allowed; it is no neuron"),
        ([], "neurons: [] is not allowed; it is no neuron"),
        (True, "neurons: True is not allowed; must be"),
        ([0.5], "neurons: 0.5 is not allowed; must be a whole number >= 0 and <= 23"),
        ({"every": 0}, "neurons.every: 0 is not allowed; must be a whole number >= 1"),
        ({"every": 2, "rectangle": [0, 0, 1, 1]}, "is not allowed; must be"),
        ({"rectangle": [0, 0, 7, 4]}, "must be [x0, y0, x1, y1] with x1 <= 6 and y1 <= 4"),
        ({"rectangle": [0, 0, 1]}, "must be [x0, y0, x1, y1] with x1 <= 6 and y1 <= 4"),
        ({"rectangle": [2, 0, 2, 4]}, "is not allowed; it is no neuron"),
    ],
)
def test_what_is_no_choice_is_refused(given, said):
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        chosen_neurons("neurons", given, GRID)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"neurons": 1}, "V_mV.every_ms: missing; how often the variable is recorded, in ms"),
        ({"every_ms": 0}, "V_mV.every_ms: 0 is not allowed"),
        ({"every_ms": 0.25}, "V_mV.every_ms: 0.25 is not allowed"),
        ({"each_ms": 1}, "V_mV: unknown name 'each_ms'; allowed: average, every_ms, neurons. Did you mean 'every_ms'?"),
        ({"every_ms": 1, "average": 1}, "V_mV.average: 1 is not allowed; must be true or false"),
        ("often", "V_mV.every_ms: 'often' is not allowed"),
    ],
)
def test_what_is_no_recording_is_refused(given, said):
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        parsed_recording("V_mV", given, GRID, 0.1)


def network(record):
    declared = Network()
    declared.add_population("source", GRID, models.Poisson(rate_hz=1.0))
    declared.add_population("target", GRID, models.LIF(), record=record)
    exponential = models.ExponentialConductance()
    declared.add_projection("ff", "source", "target", models.AllToAll(), exponential, 0.1)
    return declared


def test_variables_are_those_that_neurons_have():
    found = recorders(network({"V_mV": 1, "ff.g": {"every_ms": 0.5, "neurons": [1]}}))
    assert [(one.column, one.recording.every_steps) for one in found] == [("V_mV", 10), ("ff.g", 5)]
    for record, said in (
        ({"V": 1}, "unknown name 'V'; allowed: V_mV"),
        ({"fb.g": 1}, "unknown name 'fb.g'; allowed: V_mV, "),
        ("V_mV", "'V_mV' is not allowed; must be every_ms by variable"),
    ):
        with pytest.raises(ConfigurationError, match=re.escape(f"populations.target.record: {said}")):
            recorders(network(record))


def test_traces_are_called_as_variables_of_their_side_are():
    def declared(source, target):
        both = Network()
        both.add_population("source", GRID, models.Poisson(rate_hz=1.0), record=source)
        both.add_population("target", GRID, models.LIF(), record=target)
        exponential = models.ExponentialConductance()
        both.add_projection("ff", "source", "target", models.AllToAll(), exponential, 0.1, models.AdditiveSTDP())
        return recorders(both)

    found = declared({"ff.source.pre_trace": 1}, {"ff.target.post_trace": 1})
    assert [(one.key, one.trace) for one in found] == [
        ("source/ff.source.pre_trace", "pre_trace"),
        ("target/ff.target.post_trace", "post_trace"),
    ]
    assert found[0].dtype == np.float32
    said = "populations.target.record: unknown name 'ff.post_trace'; allowed: V_mV, ff.g, ff.target.post_trace"
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        declared({}, {"ff.post_trace": 1})


def test_variables_of_synapses_are_those_that_they_have():
    def declared(record):
        two = network({"V_mV": 1})
        more = models.ExponentialCurrent(), 0.1, models.TripletSTDP(), models.Uniform(1, 2)
        two.add_projection("fb", "target", "target", models.OneToOne(), *more, record=record)
        return two

    found = recorders(declared({"weight": 1, "delay_steps": {"every_ms": 100, "targets": "3..4"}}))
    assert [(one.key, one.kind, one.recording.every_steps) for one in found] == [
        ("target/V_mV", "variables", 10),
        ("fb/weight", "synapses", 10),
        ("fb/delay_steps", "synapses", 1000),
    ]
    assert found[2].recording.ids.tolist() == [3, 4]
    for record, said in (
        ({"g": 1}, "record: unknown name 'g'; allowed: delay_steps, weight"),
        ({"weight": {"neurons": 0}}, "record.weight: unknown name 'neurons'; allowed: every_ms, targets"),
        ({"weight": {"average": True}}, "record.weight: unknown name 'average'; allowed: every_ms, targets"),
        ({"weight": {"every_ms": 1, "targets": 24}}, "record.weight.targets: 24 is not allowed; must be a whole"),
        (["weight"], "record: ['weight'] is not allowed; must be every_ms by variable"),
    ):
        with pytest.raises(ConfigurationError, match=re.escape(f"projections.fb.{said}")):
            declared(record)


@pytest.mark.parametrize(
    ("record", "kept", "ids"),
    [
        ({"spikes": True}, True, None),
        ({"spikes": "all"}, True, None),
        ({"spikes": {"neurons": "all"}}, True, None),
        ({"spikes": {"neurons": ["3..5", 1]}, "V_mV": 1}, True, [1, 3, 4, 5]),
        ({"spikes": False}, False, None),
        ({}, False, None),
    ],
)
def test_spikes_of_some_neurons_alone(record, kept, ids):
    target = network(record).populations["target"]
    assert target.record_spikes == kept
    assert (None if target.spikes_of is None else target.spikes_of.tolist()) == ids
    assert list(target.record) == (["V_mV"] if "V_mV" in record else [])


@pytest.mark.parametrize(
    ("spikes", "all_spikes", "said"),
    [
        ({"neurons": 24}, False, "spikes.neurons: 24 is not allowed; must be a whole number >= 0 and <= 23"),
        ({"ids": 24}, False, "spikes: unknown name 'ids'; allowed: neurons."),
        ({}, False, "spikes.neurons: missing; whose spikes are recorded"),
        (1, False, 'spikes: 1 is not allowed; must be true, false, "all", or {neurons: ..} with ids'),
        (
            {"neurons": 2},
            True,
            "spikes: {'neurons': 2} is not allowed beside record_spikes: true, which records all; le",
        ),
        (False, True, "spikes: False is not allowed beside record_spikes: true, which records all; leave one out"),
    ],
)
def test_what_is_no_choice_of_spikes_is_refused(spikes, all_spikes, said):
    with pytest.raises(ConfigurationError, match=re.escape(f"populations.a.record.{said}")):
        Network().add_population("a", GRID, models.LIF(), None, all_spikes, {"spikes": spikes})


def test_spikes_are_told_from_a_variable_of_the_same_name():
    model = NeuronModel("counting", "", state=(Variable("spikes"),), update="", threshold="spikes > 9.0f")
    with pytest.raises(ConfigurationError, match=r"spikes: may be the spikes, or the variable of counting; give that"):
        Network().add_population("a", GRID, model(), record={"spikes": True})
    Network().add_population("a", GRID, model(), record_spikes=True)


def test_nothing_is_recorded_of_a_network_that_learns():
    of_synapses = network({})
    of_synapses.projections["ff"] = replace(of_synapses.projections["ff"], record={"weight": Recording(1)})
    for declared, where in (
        (network({"V_mV": 1}), "populations.target.record"),
        (network({"spikes": {"neurons": 3}}), "populations.target.record.spikes"),
        (of_synapses, "projections.ff.record"),
    ):
        declared.learning = object()
        said = f"{where}: not allowed in a network that learns, of which samples are played in any order by many ranks;"
        said += " record the trained one: hpcsnn run --from RUN, or Simulation(trainer.network())"
        with pytest.raises(ConfigurationError, match=f"^{re.escape(said)}$"):
            recorders(declared)
