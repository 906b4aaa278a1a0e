"""What hosts do where ranks meet in an update: sums, replacement, shared variables, pairing, with kernels as loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn import Grid, Network, models
from hpcsnn.codegen.constants import HaltReason, MeetingPlace
from hpcsnn.devices import HostDevice
from hpcsnn.engine.rewiring.host_stages import HostStages
from hpcsnn.engine.state import RankState
from hpcsnn.models import RewiringRule, Variable
from hpcsnn.ranks.communicator import Alone
from hpcsnn.ranks.partition import place_network

N = 6


class Kernels:
    """An executable that does what it was given a function for; notes which kernels ran."""

    defers = False

    def __init__(self, **kernels):
        self._kernels, self.ran = kernels, []

    def run(self, kernel, items):
        self.ran.append(kernel)
        work = self._kernels.get(kernel.removesuffix("_ab"))
        if work is not None:
            work()


def declared(rule):
    network, grid = Network(), Grid(N, 1)
    network.add_population("a", grid, models.Poisson())
    network.add_population("b", grid, models.LIF())
    network.add_projection("ab", "a", "b", models.OneToOne(), models.DeltaCurrent(), 1.0, rewiring=rule)
    return network


def meeting(rule, place=MeetingPlace.MEET, step=0):
    """A rank whose schedule has just halted in stage 5 for a meeting of its one projection's rule."""
    network = declared(rule)
    state = RankState(network, place_network(network, 1, 0, 1), HostDevice(), Alone(), log_entries=4)
    state.stores["ab"].connect(Kernels())  # without a synapse
    for name, value in {"halt": HaltReason.MEETING, "stage": 5, "owner": 0, "place": place, "step": step}.items():
        state.set_control(name, value)
    return state


def attended(state, **kernels):
    """The kernels that ran while the hosts met; the schedule then goes on where it was."""
    executable = Kernels(**kernels)
    HostStages(state, executable).attend()
    assert (state.control("halt"), state.control("stage")) == (HaltReason.RUNNING, 5)
    return executable.ran


Summing = RewiringRule("summing", "", sums={"likes": "1", "dislikes": "2"})


def test_sums_are_made_anew_at_each_meeting_one_after_the_other():
    state = meeting(Summing())
    for name in ("likes", "dislikes"):
        state.write(f"ab.partial_{name}", np.array([99], dtype=np.int64))

    def adding(name, amount):
        def add():
            state.arrays[f"ab.partial_{name}"][0] += amount

        return add

    ran = attended(state, sum_0=adding("likes", 2**40), sum_1=adding("dislikes", -3))
    assert ran == ["sum_0_ab", "sum_1_ab"]
    assert (state.read("ab.sum_likes")[0], state.read("ab.sum_dislikes")[0]) == (2**40, -3)


class Replacing:
    """Draws numbered candidates and forms the first so many of those that it is handed, up to a total."""

    def __init__(self, state, places, candidate):
        self._state, self._left, self._candidate = state, places, candidate
        self.drawn, self.formed = [], []

    def draw(self):
        part = self._state.projection_part("ab")
        numbers = range(part.first_candidate, part.first_candidate + part.n_candidates)
        self.drawn += numbers
        arrays = self._state.arrays
        assert (arrays["ab.candidate_first"] == -1).all(), "nothing of the last round is left"
        for n, number in enumerate(numbers):
            target, arrays["ab.candidate_source"][n] = self._candidate(number)
            if target >= 0:
                arrays["ab.candidate_next"][n] = arrays["ab.candidate_first"][target]
                arrays["ab.candidate_first"][target] = n

    def form_drawn(self):
        arrays = self._state.arrays
        first, source, after = (arrays[f"ab.candidate_{name}"] for name in ("first", "source", "next"))
        for target in range(N):
            while first[target] >= 0:
                if self._left:
                    self._left -= 1
                    self.formed.append((target, int(source[first[target]])))
                    arrays["ab.formed"][0] += 1
                first[target] = after[first[target]]

    def form(self):
        read = self._state.read
        start, done, proposed = (read(f"ab.{name}") for name in ("proposed_start", "proposed_done", "proposed"))
        assert done.tolist() == start[:-1].tolist(), "nothing of the lists has been done"
        pairs = [(target, source) for target in range(N) for source in proposed[start[target] : start[target + 1]]]
        self.formed += pairs


@settings(max_examples=20)
@given(st.lists(st.integers(0, 4), min_size=N, max_size=N), st.integers(0, 30))
def test_what_went_is_replaced_as_far_as_there_are_places_and_the_rest_is_owed(owed, places):
    state = meeting(models.rewiring.DeepR())
    state.write("ab.target_owed", np.array(owed, dtype=np.int32))
    # Every third candidate is of another rank's target: -1.
    rule = Replacing(state, places, lambda number: (-1 if number % 3 == 2 else number * 5 % N, number % 7))
    attended(state, draw_candidates=rule.draw, form_candidates=rule.form_drawn)
    formed = min(sum(owed), places)
    assert len(rule.formed) == formed
    left = state.read("ab.target_owed")
    assert left.sum() == sum(owed) - formed
    assert not left[1:].any(), "kept in one account"
    assert rule.drawn == list(range(len(rule.drawn))), "no candidate is drawn twice, or left out"


def test_a_full_row_while_forming_is_given_room_and_forming_goes_on():
    state = meeting(models.rewiring.DeepR())
    state.write("ab.target_owed", np.array([2, 0, 0, 0, 0, 0], dtype=np.int32))
    rule = Replacing(state, 2, lambda number: (number, number))
    full = [HaltReason.ROWS_FULL, HaltReason.ROWS_FULL]

    def form():
        if full:
            state.set_control("halt", full.pop())
        else:
            rule.form_drawn()

    capacity = state.stores["ab"].capacity
    ran = attended(state, draw_candidates=rule.draw, form_candidates=form)
    assert ran.count("form_candidates_ab") == 3
    assert state.stores["ab"].capacity == 4 * capacity
    assert state.read("ab.target_owed").sum() == 0


Sharing = RewiringRule(
    "sharing", "", select=models.ALL_SYNAPSES, eliminate="pre.age > 3.0f", source_variables=(Variable("age"),)
)


def test_ranks_of_targets_know_the_variables_of_sources():
    state = meeting(Sharing(), MeetingPlace.SHARE)
    state.write("ab.source_age", np.arange(N, dtype=np.float32) / 4)
    attended(state)
    np.testing.assert_array_equal(state.read("ab.shared_age"), np.arange(N) / 4)


def test_out_degrees_are_counted_anew():
    state = meeting(models.rewiring.Homeostatic(), MeetingPlace.TALLY)
    state.write("ab.local_out_degree", np.full(N, 7, dtype=np.int32))
    degrees = np.array([3, 0, 1, 2, 0, 5], dtype=np.int32)

    def count():
        state.arrays["ab.local_out_degree"][:] += degrees

    assert attended(state, count_out_degree=count) == ["count_out_degree_ab"]
    np.testing.assert_array_equal(state.read("ab.out_degree"), degrees)


@pytest.mark.parametrize(("step", "pairs"), [(99, False), (199, True), (299, False), (399, True)])
def test_elements_pair_in_one_of_so_many_updates(step, pairs):
    """An update each 10 ms (100 steps), a pairing each second one; the schedule meets in the update's last step."""
    state = meeting(models.rewiring.Homeostatic(updates_a_pairing=2), step=step)
    assert ("settle_ab" in attended(state)) == pairs


@settings(max_examples=20)
@given(st.lists(st.integers(-2, 3), min_size=N, max_size=N), st.lists(st.integers(-2, 3), min_size=N, max_size=N))
def test_vacant_elements_of_both_sides_meet_until_one_side_has_none_left(offers, demands):
    state = meeting(models.rewiring.Homeostatic(updates_a_pairing=1), step=99)
    state.write("ab.offers", np.maximum(offers, 0).astype(np.int32))
    state.write("ab.demands", np.array(demands, dtype=np.int32))
    rule = Replacing(state, 0, None)
    attended(state, form_proposed=rule.form)
    n = min(sum(one for one in offers if one > 0), sum(one for one in demands if one > 0))
    assert len(rule.formed) == n
    of_target, of_source = np.zeros(N, int), np.zeros(N, int)
    for target, source in rule.formed:
        of_target[target] += 1
        of_source[source] += 1
    assert (of_target <= np.maximum(demands, 0)).all()
    assert (of_source <= np.maximum(offers, 0)).all()
