"""The schedule as launches: whatever is cut, halts or meets, the kernels that run are those of the steps, in order, and
spikes of other ranks come in time."""

from __future__ import annotations

import ctypes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn import Grid, Network, models
from hpcsnn.codegen.constants import HaltReason
from hpcsnn.codegen.program import Program
from hpcsnn.codegen.schedule import EXCHANGE, schedule
from hpcsnn.devices import HostDevice
from hpcsnn.devices.launching import Launching
from hpcsnn.engine.state import RankState
from hpcsnn.models import RewiringRule
from hpcsnn.ranks.communicator import Alone
from hpcsnn.ranks.partition import place_network
from support.thread_ranks import on_ranks

Summing = RewiringRule("summing", "", sums={"n": "1"})


def declared(delay_ms=0.1):
    """A window of 7 steps, an update each 3 at which ranks meet, and one each 10."""
    network, grid = Network(), Grid(4, 4)
    network.add_population("a", grid, models.MovingGaussianPoisson(dwell_ms=0.7, field_side=4, positions=4))
    network.add_population("b", grid, models.LIF())
    wiring = (models.OneToOne(), models.DeltaCurrent(), 0.1)
    network.add_projection(
        "met", "a", "b", *wiring, models.AdditiveSTDP(), delay_ms=delay_ms, rewiring=Summing(every_ms=0.3)
    )
    rule = models.Bamford(p_max=0.5, sigma=1.0, block_side=4, every_ms=1.0)
    network.add_projection("tried", "b", "b", *wiring, delay_ms=delay_ms + 0.2, rewiring=rule)
    return network


class Notes(Launching):
    """A device whose kernels do nothing but what the schedule rests on: count steps, halt, return when halted.

    Args:
        halts: what halts where, by (step, kernel): once each.
    """

    def __init__(self, network, halts, ranks=None):
        ranks = ranks or Alone()
        placements = place_network(network, 2, ranks.rank, ranks.size)
        state = RankState(network, placements, HostDevice(), ranks, log_entries=4)
        stages = schedule(network, ranks.size)
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


class Swapping(Notes):
    """One of several ranks, of each of which the first neuron spikes in every step; `came` has those of others."""

    def __init__(self, network, halts, ranks):
        super().__init__(network, halts, ranks)
        self.others = [rank for rank in range(ranks.size) if rank != ranks.rank]
        self.came, self.delay = [], network.min_delay_steps()

    def launch(self, kernel, items, team):
        state, exchange = self.state, self.state.struct.exchange
        step = state.control("step")
        if kernel == "accept_received":
            first_step = int(state.read("exchange.under_way")[0]) - exchange.interval
            count = ctypes.c_int32.from_address(exchange.received_count).value
            messages = (ctypes.c_uint32 * count).from_address(exchange.received)
            bits = exchange.number_bits
            self.came += [(first_step + (one >> bits), one & (2**bits - 1)) for one in messages]
            return
        n_ran = len(self.ran)
        super().launch(kernel, items, team)
        if len(self.ran) == n_ran:
            return
        if kernel == "update_b":
            count = state.arrays["exchange.send_count"]
            offset = step % exchange.interval
            state.arrays["exchange.send"][count[0]] = offset << exchange.number_bits | state.communicator.rank
            count += 1
        if kernel.startswith("relay"):
            assert set(self.came) >= set(self.spikes_of_others(step + 1 - self.delay))

    def spikes_of_others(self, n_steps):
        return [(step, rank) for step in range(n_steps) for rank in self.others]


def slowly(n_steps, delay_ms=0.1, n_ranks=1):
    """Every kernel of every step, by its trigger."""
    every = {"window_a": 7, "rewiring_met": 3, "rewiring_tried": 10}
    kernels = []
    for step in range(n_steps):
        for stage in schedule(declared(delay_ms), n_ranks):
            trigger = stage.trigger
            if stage.kernel in EXCHANGE:
                continue
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
            if reason == HaltReason.MEETING:
                device.state.communicator.barrier()
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


@settings(max_examples=10)
@given(st.lists(HALTS, min_size=3, max_size=3), st.integers(1, 12), st.integers(2, 3), st.integers(1, 129))
def test_spikes_of_other_ranks_are_there_when_they_are_due_whatever_halts_on_whichever_rank(halts, delay, n, cut):
    """Each once; what has been sent has come where `advance` ends; and all ranks make the same calls in one order."""

    def work(ranks):
        device = Swapping(declared(delay / 10), halts[ranks.rank], ranks)
        interval = device.state.struct.exchange.interval
        for until in (cut, 130):
            carried_on(device, until)
            assert sorted(device.came) == device.spikes_of_others(until // interval * interval)
            assert device.state.read("exchange.under_way")[0] == 0
        assert device.ran == slowly(130, delay / 10, n)

    on_ranks(n, work)


def test_sequences_end_where_they_come_back_again():
    """Without meetings they are a hundred steps long, and the same hundred over and over, as triggers have it."""
    network = Network()
    network.add_population("b", 4, models.LIF())
    device = Notes(network, {})
    first = device.sequence(0, 0, 1000)
    assert (first.next_step, first.next_stage, first.exchange, first.meets) == (100, 0, "", False)
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
