"""The schedule as launches: whatever is cut, halts or meets, the kernels that run are those of the steps, in order."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn import Grid, Network, models
from hpcsnn.codegen.constants import HaltReason
from hpcsnn.codegen.program import Program
from hpcsnn.codegen.schedule import schedule
from hpcsnn.devices import HostDevice
from hpcsnn.devices.launching import Launching
from hpcsnn.engine.state import RankState
from hpcsnn.models import RewiringRule
from hpcsnn.ranks.communicator import Alone
from hpcsnn.ranks.partition import place_network

Summing = RewiringRule("summing", "", sums={"n": "1"})


def declared():
    """A window of 7 steps, an update each 3 at which ranks meet, and one each 10."""
    network, grid = Network(), Grid(4, 4)
    network.add_population("a", grid, models.MovingGaussianPoisson(dwell_ms=0.7, field_side=4, positions=4))
    network.add_population("b", grid, models.LIF())
    wiring = (models.OneToOne(), models.DeltaCurrent(), 0.1)
    network.add_projection("met", "a", "b", *wiring, models.AdditiveSTDP(), rewiring=Summing(every_ms=0.3))
    rule = models.Bamford(p_max=0.5, sigma=1.0, block_side=4, every_ms=1.0)
    network.add_projection("tried", "b", "b", *wiring, rewiring=rule)
    return network


class Notes(Launching):
    """A device whose kernels do nothing but what the schedule rests on: count steps, halt, return when halted.

    Args:
        halts: what halts where, by (step, kernel): once each.
    """

    def __init__(self, network, halts):
        state = RankState(network, place_network(network, 4, 0, 1), HostDevice(), Alone(), log_entries=4)
        stages = schedule(network, 1)
        super().__init__(Program("", "", stages, (), {}, ()), state)
        self.state, self.stages, self.halts, self.ran, self.sent = state, stages, dict(halts), [], 0
        self.index = {stage.kernel: index for index, stage in enumerate(stages)}

    def launch(self, kernel, items, team):
        state, step = self.state, self.state.control("step")
        if state.control("halt"):
            return
        stage = self.stages[self.index[kernel]]
        assert (items, team) == (self.items(stage), stage.team)
        reason = self.halts.pop((step, kernel), None)
        if reason is not None:  # it has done nothing, and goes on at this stage
            state.set_control("stage", self.index[kernel])
            state.set_control("halt", reason)
            return
        self.ran.append((step, kernel))
        if stage.meets:
            state.set_control("stage", self.index[kernel] + 1)
            state.set_control("halt", HaltReason.MEETING)
        if kernel == "end_step":
            state.set_control("step", step + 1)

    def replay(self, stages):
        for stage in stages:
            self.launch(stage.kernel, self.items(stage), stage.team)

    def mark(self):
        moment = float(len(self.ran))
        return lambda: moment

    def wait(self):
        pass

    def send_struct(self):
        self.sent += 1


def slowly(n_steps):
    """Every kernel of every step, by its trigger."""
    every = {"window_a": 7, "rewiring_met": 3, "rewiring_tried": 10}
    kernels = []
    for step in range(n_steps):
        for stage in schedule(declared(), 1):
            trigger = stage.trigger
            if trigger is None or (step if trigger.at_start else step + 1) % every[trigger.name] == 0:
                kernels.append((step, stage.kernel))
    return kernels


def carried_on(device, until):
    """The reasons for which it halted on the way."""
    reasons = []
    while device.state.control("step") < until:
        reason = device.advance(until)
        if reason:
            reasons.append(HaltReason(reason))
            stage = device.state.control("stage")
            device.state.set_control("halt", HaltReason.RUNNING)
            device.state.set_control("stage", stage)
    return reasons


KERNELS = [stage.kernel for stage in schedule(declared(), 1) if not stage.meets]
HALTS = st.dictionaries(
    st.tuples(st.integers(0, 129), st.sampled_from(KERNELS)),
    st.sampled_from([HaltReason.ROWS_FULL, HaltReason.OUTGOING_FULL, HaltReason.LOG_FULL]),
    max_size=6,
)


@settings(max_examples=20)
@given(HALTS, st.lists(st.integers(1, 129), max_size=3))
def test_kernels_run_once_and_in_order_however_time_is_cut_and_whatever_halts(halts, cuts):
    device = Notes(declared(), halts)
    reasons = []
    for until in [*sorted(cuts), 130]:
        reasons += carried_on(device, until)
        assert device.state.control("step") == until
    expected = slowly(130)
    assert device.ran == expected
    met = sum(kernel == "meet_met" for _, kernel in expected)
    assert reasons.count(HaltReason.MEETING) == met
    due = {place for place in halts if place in set(expected)}
    assert sorted(reason for reason in reasons if reason != HaltReason.MEETING) == sorted(halts[place] for place in due)


def test_sequences_end_where_they_come_back_again():
    """Without meetings they are a hundred steps long, and the same hundred over and over, as triggers have it."""
    network = Network()
    network.add_population("b", 4, models.LIF())
    device = Notes(network, {})
    first = device.sequence(0, 0, 1000)
    assert (first.next_step, first.next_stage, first.exchange, first.meets) == (100, 0, False, False)
    assert device.sequence(100, 0, 1000).stages == first.stages
    assert device.sequence(100, 0, 130).next_step == 130
    assert device.sequence(42, 1, 1000).next_step == 100
    assert len(device.sequence(42, 1, 1000).stages) == len(device.stages) * 58 - 1


def of_five_kernels():
    """Of which a step has three of neurons and two that deliver."""
    network = Network()
    network.add_population("b", 4, models.LIF())
    for name in ("one", "two"):
        network.add_projection(name, "b", "b", models.OneToOne(), models.DeltaCurrent(), 0.1)
    return Notes(network, {})


def test_seconds_are_shared_out_by_phase_as_in_the_sequences_that_were_timed():
    """Each kernel takes a unit of the marks' time."""
    device = of_five_kernels()
    assert set(device.measures.phases_s.values()) == {0.0}, "nothing has been timed yet"
    carried_on(device, 100 * 40)
    seconds = device.measures.phases_s
    assert seconds["delivery"] > 0
    assert seconds["neurons"] / seconds["delivery"] == pytest.approx(3 / 2)
    assert seconds["plasticity"] == seconds["rewiring"] == seconds["exchange"] == 0.0


def test_how_long_steps_take_is_seen_by_one_sequence_of_seventeen():
    """The clock of `Notes` is a second a kernel, and a step has five: all steps that are counted take as long."""
    device = of_five_kernels()
    assert len(device.stages) == 5
    carried_on(device, 100 * 17 * 4)
    cycles = device.measures.cycles
    assert (cycles.sum(), cycles[-1]) == (4, 4), "beyond a second they count with the last"


def test_a_set_up_kernel_runs_at_once_with_the_struct_as_it_is():
    device = Notes(declared(), {})
    before = device.sent
    device.later("begin_step", 1)()
    assert device.ran == [(0, "begin_step")]
    assert device.sent == before + 1
    assert not device.defers
