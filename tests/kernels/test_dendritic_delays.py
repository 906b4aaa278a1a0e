"""What a dendritic delay shifts, and what it does not: pairs of spikes by the closed form, traces of rules."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn import Network, Simulation, models
from hpcsnn.devices import HostDevice
from hpcsnn.models import Parameter, RewiringRule, SpikeTrace, Variable
from support.pairs import DT_MS, STDP, weight_after

QUICK = HostDevice(("-O1",))
STEPS = st.lists(st.integers(20, 300), min_size=1, max_size=12, unique=True).map(sorted)


def closed_form(pre, post, axonal, dendritic):
    """All pairs of spikes as they meet at the synapse; one step of axonal delay is none to plasticity."""
    change = 0.0
    for before in pre:
        for after in post:
            elapsed_ms = DT_MS * ((after + dendritic) - (before + axonal - 1))
            if elapsed_ms > 0:
                change += STDP["a_plus"] * math.exp(-elapsed_ms / STDP["tau_plus_ms"])
            elif elapsed_ms < 0:
                change -= STDP["a_minus"] * math.exp(elapsed_ms / STDP["tau_minus_ms"])
    return change


@settings(max_examples=60)
@given(STEPS, STEPS, st.integers(1, 60), st.integers(0, 60))
def test_pairs_meet_at_the_synapse(pre, post, axonal, dendritic):
    # What pairs do that meet in one step is another matter.
    post = [step for step in post if step + dendritic - (axonal - 1) not in pre]
    weight = weight_after(pre, post, axonal, dendritic, QUICK)
    assert weight - 0.5 == pytest.approx(closed_form(pre, post, axonal, dendritic), abs=2e-6)


@settings(max_examples=30)
@given(STEPS, STEPS, st.integers(1, 20), st.integers(0, 20), st.integers(0, 40))
def test_as_much_on_both_sides_changes_nothing(pre, post, axonal, dendritic, more):
    """To the bit, pairs that coincide included: the synapse sees the same, later."""
    once = weight_after(pre, post, axonal, dendritic, QUICK)
    assert weight_after(pre, post, axonal + more, dendritic + more, QUICK) == once


def test_the_pair_that_the_two_ends_tell_apart():
    """Post 5 ms after pre and a delay of 10 ms: in the dendrite it potentiates, in the axon it depresses."""
    pre, post, ten_ms = [100], [150], 100
    in_dendrite, in_axon = weight_after(pre, post, 1, ten_ms, QUICK), weight_after(pre, post, 1 + ten_ms, 0, QUICK)
    assert in_dendrite - 0.5 == pytest.approx(STDP["a_plus"] * math.exp(-15 / 20), rel=1e-4)
    assert in_axon - 0.5 == pytest.approx(-STDP["a_minus"] * math.exp(-5 / 64), rel=1e-4)


Looking = RewiringRule(
    "looking",
    "Writes down what it sees of its targets' traces.",
    parameters={"every_ms": Parameter(0.1, "ms", ""), "tau_ms": Parameter(10.0, "ms", "")},
    target_variables=(Variable("own"), Variable("synapses")),
    target_traces=(SpikeTrace("at_neuron", "tau_ms"),),
    needs=("post_trace",),
    update_target="own = at_neuron; synapses = post_trace;",
)


def test_a_rule_sees_its_own_traces_at_the_neuron_and_the_synapses_where_these_are():
    """A spike of step 20 and a dendritic delay of 7 steps."""
    network = Network(seed=1, dt_ms=DT_MS)
    network.add_population("a", 1, models.SpikeArray(neurons=[0], times_ms=[1.9]))
    network.add_population("b", 1, models.LIF(), record_spikes=True)
    network.add_projection("kick", "a", "b", models.OneToOne(), models.DeltaCurrent(), 1e7)
    network.add_projection(
        "s", "a", "b", models.OneToOne(), models.DeltaCurrent(), 0.1,
        models.AdditiveSTDP(tau_minus_ms=5.0), dendritic_delay_ms=0.7, rewiring=Looking(),
    )  # fmt: skip
    simulation = Simulation(network, device=QUICK)
    for step in range(40):
        simulation.run(DT_MS)  # an update at the end of the step
        neurons = simulation.neurons("b")
        for name, tau_ms, since in (("own", 10.0, 20), ("synapses", 5.0, 27)):
            expected = math.exp(-DT_MS * (step - since) / tau_ms) if step >= since else 0.0
            assert neurons[f"s.target.{name}"][0] == pytest.approx(expected, rel=1e-5), (step, name)
    assert simulation.spikes("b")[0].tolist() == [20]


def test_static_synapses_only_bring_their_input_later():
    """The same spikes a step later for each step of either delay, and no more of them kept."""
    courses = []
    for axonal, dendritic in ((1, 0), (1, 12), (13, 0), (5, 8)):
        network = Network(seed=1, dt_ms=DT_MS)
        network.add_population("a", 1, models.SpikeArray(neurons=[0, 0], times_ms=[1.0, 1.5]))
        network.add_population("b", 1, models.LIF())
        network.add_projection(
            "s", "a", "b", models.OneToOne(), models.ExponentialCurrent(), 5.0,
            delay_ms=DT_MS * axonal, dendritic_delay_ms=DT_MS * dendritic,
        )  # fmt: skip
        simulation, course = Simulation(network, device=QUICK), []
        for _ in range(80):
            simulation.run(DT_MS)
            course.append(float(simulation.neurons("b")["V_mV"][0]))
        courses.append(np.array(course))
        assert network.steps_kept(network.populations["b"]) == 1
    assert np.ptp(courses[0]) > 1
    np.testing.assert_array_equal(courses[1][12:], courses[0][:-12])
    for other in courses[2:]:
        np.testing.assert_array_equal(other, courses[1])
