"""What is to be recorded of neurons: which are chosen, and what is refused."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn import ConfigurationError, Grid, Network, models
from hpcsnn.network.neuron_arrays import recorders
from hpcsnn.network.recordings import chosen_neurons, parsed_recording

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
        ({"each_ms": 1}, "V_mV: unknown name 'each_ms'; allowed: every_ms, neurons. Did you mean 'every_ms'?"),
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
