"""What is added up of steps, as seconds: where the time went, how long steps took, and what ranks measured of it."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcsnn.codegen.constants import CYCLE_EDGES_US, PARTED_EVERY, TIMED_EVERY, ExchangePart, StepTimes
from hpcsnn.codegen.schedule import PHASES
from hpcsnn.devices.measures import Measures, count_cycle, count_parts, is_parted
from hpcsnn.engine.timing import CONSTRUCTION, Timing, peak_bytes, propagated

SECONDS = st.floats(0.0, 1e4)


def added_up(phases=(), exchange=0.0, exchanges=0, parts=()):
    """What a schedule has added up: by phase, of all exchanges, and of those told apart transfer and accept of each."""
    times = StepTimes(exchange=exchange, exchanges=exchanges)
    for n, seconds in enumerate(phases):
        times.phases[n] = seconds
    for transfer_s, accept_s in parts:
        count_parts(times, transfer_s, accept_s)
    return times


def test_phases_are_shared_out_as_in_timed_steps_and_the_exchange_is_as_it_was():
    timed = [3.0, 1.0, 0.0, 50.0, 0.0, 0.0]  # of the exchange what it took in them does not count
    measures = Measures.of(added_up(timed, exchange=2.0, exchanges=4), 10.0)
    assert measures.phases_s == {
        "neurons": 6.0, "delivery": 2.0, "plasticity": 0.0, "exchange": 2.0, "rewiring": 0.0, "recording": 0.0
    }  # fmt: skip


def test_waiting_is_what_transfer_and_accepting_leave():
    """Eight exchanges, two told apart: transfers of 1 and 4 s, geometric mean 2; accepting takes half a second."""
    measures = Measures.of(added_up(exchange=50.0, exchanges=8, parts=[(1.0, 0.25), (4.0, 0.75)]), 60.0)
    parts_s = {part.name: seconds for part, seconds in measures.parts_s.items()}
    assert parts_s == pytest.approx({"WAIT": 50.0 - 16.0 - 4.0, "TRANSFER": 16.0, "ACCEPT": 4.0})


def test_where_no_exchange_was_told_apart_all_is_waiting():
    measures = Measures.of(added_up(exchange=5.0, exchanges=8), 6.0)
    assert measures.parts_s == {ExchangePart.WAIT: 5.0, ExchangePart.TRANSFER: 0.0, ExchangePart.ACCEPT: 0.0}


@given(st.lists(SECONDS, min_size=6, max_size=6), SECONDS, SECONDS, st.lists(st.tuples(SECONDS, SECONDS), max_size=4))
def test_nothing_is_lost_and_nothing_below_zero(phases, exchange, more, parts):
    """Whatever was timed, phases are the time that passed, if any kernel took any; parts are the exchange's."""
    measures = Measures.of(added_up(phases, exchange, 2 * len(parts) + 1, parts), exchange + more)
    kernels = sum(seconds for phase, seconds in zip(PHASES, phases, strict=True) if phase != "exchange")
    assert sum(measures.phases_s.values()) == pytest.approx(exchange + (more if kernels > 0 else 0.0), abs=1e-6)
    assert sum(measures.parts_s.values()) == pytest.approx(exchange, abs=1e-9)
    assert min(*measures.phases_s.values(), *measures.parts_s.values()) >= -1e-9


def test_edges_are_ten_to_a_decade_from_100_ns_to_a_second():
    np.testing.assert_allclose(CYCLE_EDGES_US, np.logspace(-1, 6, 71), rtol=1e-3)


@given(
    st.lists(
        st.floats(-8, 2).map(lambda power: 10.0**power) | st.sampled_from(CYCLE_EDGES_US).map(lambda us: us * 1e-6)
    )
)
def test_steps_count_between_edges_as_numpy_has_it(spent_s):
    times = StepTimes()
    for seconds in spent_s:
        count_cycle(times, seconds)
    inside = np.clip([1e6 * seconds for seconds in spent_s], CYCLE_EDGES_US[0], math.nextafter(CYCLE_EDGES_US[-1], 0.0))
    np.testing.assert_array_equal(times.cycles, np.histogram(inside, CYCLE_EDGES_US)[0])


def test_measures_add_up():
    one = Measures.of(added_up([1.0] * 6, 2.0, 4, [(0.25, 0.125)]), 7.0)
    both = one + one + Measures()
    assert both.phases_s == {phase: 2 * seconds for phase, seconds in one.phases_s.items()}
    assert both.parts_s == {part: 2 * seconds for part, seconds in one.parts_s.items()}
    times = StepTimes()
    count_cycle(times, 1e-3)
    assert (Measures.of(times, 1.0) + Measures.of(times, 1.0)).cycles.tolist() == [2 * n for n in times.cycles]


def test_exchanges_are_told_apart_in_steps_that_meet_all_triggers():
    """Primes: no trigger but one of a multiple of them finds its steps always told apart, or never."""
    for every in (PARTED_EVERY, TIMED_EVERY):
        assert all(every % n for n in range(2, every))
    assert [step for step in range(400) if is_parted(step)] == [126, 253, 380]


def test_what_is_in_no_phase_is_the_hosts():
    assert propagated({"neurons": 1.0, "exchange_wait": 0.5}, 2.0) == {
        "propagation_s": 2.0, "phases_s": {"neurons": 1.0, "exchange_wait": 0.5, "host": 0.5}
    }  # fmt: skip
    again = propagated({"neurons": 1.0, "host": 7.0}, 3.0)
    assert again["phases_s"] == {"neurons": 1.0, "host": 2.0}, "with more time around it, it is another"
    assert propagated({"neurons": 1.0}, 1.0 - 1e-16)["phases_s"]["host"] == 0.0


def test_one_that_takes_anothers_place_counts_its_time():
    timings = [Timing(), Timing()]
    for timing in timings:
        for part in ("place", "compile", "connect"):
            with timing.making(part):
                time.sleep(0.002)
        timing.started(1.0)
        made_s = dict(timing.construction_s)
        with timing.making("connect"):
            pass  # of a simulation that begins again
        assert timing.construction_s == made_s
        assert sum(made_s.values()) == pytest.approx(1.0)
        assert made_s["create"] <= 1.0 - 3 * 0.002, "what is left"
        with timing.waiting():
            time.sleep(0.004)
    first, second = timings
    before = dict(second.construction_s)
    second.add(first)
    for part in CONSTRUCTION:
        assert first.construction_s[part] >= 0.002
        assert second.construction_s[part] == before[part] + first.construction_s[part]
    assert second.waited_s >= 0.008
    assert first.waited_s >= 0.004


def test_the_peak_of_memory_is_of_this_process():
    before = peak_bytes()
    held = np.ones(8_000_000)
    assert peak_bytes() >= max(before, held.nbytes), "a whole array of it"
    del held
    assert peak_bytes() >= 64_000_000, "a peak stays"
