"""Rows and outgoing lists of synapses, filled by plain loops in place of kernels: grown, copied, restored."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn import Network, SimulationError, models
from hpcsnn.devices import HostDevice
from hpcsnn.engine.state import RankState
from hpcsnn.engine.synapse_rows import SynapseRows
from hpcsnn.engine.synapse_store import shift_for
from hpcsnn.ranks.communicator import Alone
from hpcsnn.ranks.partition import place_network

N_SOURCES, N_TARGETS = 9, 6


class PlainKernels:
    """What the kernels that a store asks for do, in loops: an executable for one projection, ``ab``.

    Args:
        wiring: by target its {source: weight}, for the first wiring.
    """

    defers = True

    def __init__(self, state, wiring=()):
        self._state, self._wiring = state, wiring
        self._part = state.projection_part("ab")

    def run(self, kernel, items):
        getattr(self, f"_{kernel.removesuffix('_ab')}")()

    def later(self, kernel, items):
        return lambda: self.run(kernel, items)

    def _array(self, name):
        return self._state.arrays[f"ab.{name}"]

    def _slots(self):
        """Target, place in its row and slot of every synapse."""
        for target, n in enumerate(self._array("in_degree").tolist()):
            for place in range(n):
                yield target, place, (target << self._part.row_shift) + place

    def _count_sources(self):
        self._array("in_degree")[:] = [len(row) for row in self._wiring]

    def _connect(self):
        room = 1 << self._part.row_shift
        for target, row in enumerate(self._wiring):
            kept = list(row.items())[:room]
            self._array("in_degree")[target] = len(kept)
            self._array("refused")[0] += len(row) - len(kept)
            for place, (source, weight) in enumerate(kept):
                self._array("source")[target * room + place] = source
                self._array("synapse_weight")[target * room + place] = weight

    def _count_outgoing(self):
        for _, _, slot in self._slots():
            self._array("outgoing_count")[self._array("source")[slot]] += 1

    def _list_outgoing(self):
        for _, _, slot in self._slots():
            source = self._array("source")[slot]
            entry = self._array("outgoing_count")[source]
            place = (source << self._part.outgoing_shift) + entry
            self._array("outgoing")[place] = slot
            self._array("listed_weight")[place] = self._array("synapse_weight")[slot]
            self._array("entry")[slot] = entry
            self._array("outgoing_count")[source] += 1

    def _packed(self, name, kind, n):
        return np.ctypeslib.as_array((kind * n).from_address(getattr(self._part, name))) if n else []

    def _pack(self):
        n = int(self._array("in_degree").sum())
        start = self._packed("packing_start", ctypes.c_int32, N_TARGETS)
        source, weight = (
            self._packed("packed_source", ctypes.c_int32, n),
            self._packed("packed_weight", ctypes.c_float, n),
        )
        for target, place, slot in self._slots():
            source[start[target] + place] = self._array("source")[slot]
            weight[start[target] + place] = self._array("synapse_weight")[slot]

    def _order(self):
        start, in_degree = (
            self._packed(name, ctypes.c_int32, N_TARGETS) for name in ("packing_start", "packing_in_degree")
        )
        n = int(in_degree.sum())
        source, weight = (
            self._packed("packed_source", ctypes.c_int32, n),
            self._packed("packed_weight", ctypes.c_float, n),
        )
        known_id = self._state.placements["a"].known_id
        for target in range(N_TARGETS):
            row = slice(start[target], start[target] + in_degree[target])
            if n:
                ids = known_id[source[row]]
                order = np.argsort(ids)
                source[row], weight[row] = ids[order], weight[row][order]


WIRINGS = st.lists(
    st.dictionaries(st.integers(0, N_SOURCES - 1), st.floats(-1, 1, width=32), max_size=N_SOURCES),
    min_size=N_TARGETS,
    max_size=N_TARGETS,
)


def wired(wiring, **projection):
    """A store with these synapses, and what stands for its kernels."""
    network = Network()
    network.add_population("a", N_SOURCES, models.Poisson())
    network.add_population("b", N_TARGETS, models.LIF())
    network.add_projection("ab", "a", "b", models.AllToAll(), models.DeltaCurrent(), 1.0, **projection)
    state = RankState(network, place_network(network, 1, 0, 1), HostDevice(), Alone(), log_entries=4)
    kernels = PlainKernels(state, wiring)
    store = state.stores["ab"]
    store.connect(kernels)
    return state, store, kernels


def contents(state, store):
    """By target the {source: weight} that the rows hold."""
    rows = []
    for target, n in enumerate(state.read("ab.in_degree").tolist()):
        here = slice(target * store.capacity, target * store.capacity + n)
        sources, weights = state.read("ab.source")[here], state.read("ab.synapse_weight")[here]
        rows.append(dict(zip(sources.tolist(), weights.tolist(), strict=True)))
    return rows


@settings(max_examples=25)
@given(st.integers(0, 2**31))
def test_a_shift_is_the_smallest_that_has_room(n):
    shift = shift_for(n)
    assert 2**shift >= n
    assert shift == 0 or 2 ** (shift - 1) < n


@settings(max_examples=20)
@given(WIRINGS, st.lists(st.booleans(), max_size=4))
def test_growing_keeps_every_synapse_and_what_points_at_it(wiring, growth):
    state, store, _ = wired(wiring)
    for of_rows in growth:
        before = store.capacity, int(state.projection_part("ab").outgoing_shift)
        (store.grow_rows if of_rows else store.grow_lists)()
        after = store.capacity, int(state.projection_part("ab").outgoing_shift)
        assert after == ((2 * before[0], before[1]) if of_rows else (before[0], before[1] + 1))
    store.check()
    assert contents(state, store) == wiring
    assert store.n_synapses() == sum(map(len, wiring))


@settings(max_examples=20)
@given(WIRINGS)
def test_room_that_a_removal_left_in_a_list_stays_room(wiring):
    """The last synapse of each row goes, as kernels do it: -1 in its source's list."""
    state, store, _ = wired(wiring)
    expected = [dict(list(row.items())[:-1]) for row in wiring]
    for target, row in enumerate(wiring):
        if row:
            slot = target * store.capacity + len(row) - 1
            source = state.arrays["ab.source"][slot]
            place = (int(source) << int(state.projection_part("ab").outgoing_shift)) + state.arrays["ab.entry"][slot]
            state.arrays["ab.outgoing"][place] = -1
            state.arrays["ab.in_degree"][target] -= 1
    store.grow_rows()
    store.grow_lists()
    store.check()
    assert contents(state, store) == expected
    assert (state.read("ab.outgoing") == -1).sum() == sum(map(bool, wiring))


@settings(max_examples=20)
@given(WIRINGS, st.permutations(range(N_TARGETS)))
def test_packed_rows_come_in_the_order_asked_for_sorted_by_source(wiring, order):
    _, store, kernels = wired(wiring)
    rows = store.packed(kernels, np.array(order))
    assert rows.in_degree.tolist() == [len(wiring[target]) for target in order]
    assert rows.columns["source"].tolist() == [source for target in order for source in sorted(wiring[target])]
    flat = [wiring[target][source] for target in order for source in sorted(wiring[target])]
    assert rows.columns["weight"].tolist() == flat


@settings(max_examples=20)
@given(WIRINGS, WIRINGS)
def test_what_was_packed_is_restored_in_place_of_other_synapses(wiring, other):
    _, store, kernels = wired(wiring)
    rows = store.packed(kernels, np.arange(N_TARGETS))  # on one rank local indices of sources are ids
    state, second, others = wired(other)
    capacity = second.capacity
    second.restore(others, rows)
    second.check()
    assert contents(state, second) == wiring
    assert second.capacity >= capacity, "rows do not shrink"
    out_degree = np.bincount([source for row in wiring for source in row], minlength=1).max()
    assert int(state.projection_part("ab").outgoing_shift) == shift_for(int(out_degree)), "lists have what they need"


def test_a_copy_in_the_memory_of_an_earlier_one_is_the_same():
    wiring = [{0: 0.5, 3: 0.25}, {}, {8: 1.0}, {1: 0.125}, {}, {2: 0.5, 1: 0.75, 0: 1.0}]
    _, store, kernels = wired(wiring)
    order = np.arange(N_TARGETS)
    first, sort_first = store.copy_rows(kernels, order)
    sort_first()
    expected = {name: column.copy() for name, column in first.columns.items()}
    second, sort_second = store.copy_rows(kernels, order, spare=first)
    sort_second()
    for name, column in second.columns.items():
        assert np.shares_memory(column, first.columns[name])
        np.testing.assert_array_equal(column, expected[name])


@pytest.mark.parametrize(
    ("largest", "capacity", "rows_grow", "room"),
    [(3, None, True, 4), (0, None, True, 1), (3, 2, True, 4), (3, 7, True, 8), (3, 2, False, 2), (1, 5, False, 8)],
)
def test_rows_have_the_room_that_was_asked_for_or_is_needed(largest, capacity, rows_grow, room):
    wiring = [dict.fromkeys(range(largest), 0.5), *([{}] * (N_TARGETS - 1))]
    state, store, _ = wired(wiring, capacity=capacity, rows_grow=rows_grow)
    assert store.capacity == room
    store.check()
    assert store.counter("refused") == max(largest - room, 0)
    assert contents(state, store)[0] == dict.fromkeys(range(min(largest, room)), 0.5)


def test_counters_are_what_they_are_set_to():
    _, store, _ = wired([{}] * N_TARGETS)
    store.set_counter("formed", 2**40 + 1)
    assert (store.counter("formed"), store.counter("eliminated")) == (2**40 + 1, 0)


def test_more_slots_than_a_number_holds_are_refused():
    state, store, _ = wired([{}] * N_TARGETS)
    state.projection_part("ab").row_shift = 29
    with pytest.raises(SimulationError, match=rf"^projections\.ab: {N_TARGETS} targets of {2**30} synapses are more"):
        store.grow_rows()


@pytest.mark.parametrize("field", ["entry", "outgoing", "listed_weight", "source", "outgoing_count"])
def test_the_check_finds_any_wrong_pointer(field):
    state, store, _ = wired([{0: 0.5, 3: 0.25}, {0: 1.0}, {8: 1.0}, {1: 0.125}, {}, {2: 0.5, 1: 0.75, 0: 1.0}])
    store.check()
    array = state.arrays[f"ab.{field}"]
    array[0] = {"entry": 1, "outgoing": 2, "listed_weight": 2.0, "source": 3, "outgoing_count": 2}[field]
    with pytest.raises(AssertionError):
        store.check()


def test_rows_of_nobody_are_restored_too():
    state, store, kernels = wired([{0: 1.0}] * N_TARGETS)
    nothing = SynapseRows(
        np.zeros(N_TARGETS, np.int32), {"source": np.empty(0, np.int32), "weight": np.empty(0, np.float32)}
    )
    store.restore(kernels, nothing)
    store.check()
    assert contents(state, store) == [{}] * N_TARGETS
