"""Arrays by name on a rank: what they start with, what struct and name have in common, words drawn by kernels."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from hpcsnn import Network, models
from hpcsnn.devices import HostDevice
from hpcsnn.engine.arrays import RankArrays
from hpcsnn.network.fields import LONG_AGO, Field
from hpcsnn.ranks.communicator import Alone


@pytest.fixture
def state():
    network = Network(seed=3)
    network.add_population("a", 5, models.LIF())
    return RankArrays(network, {}, HostDevice(), Alone())


def entries(address, kind, n):
    return list((kind * n).from_address(address))


def test_a_bound_array_is_found_by_name_and_by_the_struct(state):
    part = state.population_part("a")
    state.bind(part, "a", "state_V_mV", state.device.upload(np.arange(5, dtype=np.float32)))
    assert entries(part.state_V_mV, ctypes.c_float, 5) == [0, 1, 2, 3, 4]
    state.write("a.state_V_mV", np.float32([7, 8]))
    assert entries(part.state_V_mV, ctypes.c_float, 5) == [7, 8, 2, 3, 4], "the first ones"
    copy = state.read("a.state_V_mV")
    copy[:] = 0
    assert state.read("a.state_V_mV").tolist() == [7, 8, 2, 3, 4]
    state.bind(part, "a", "state_V_mV", state.device.zeros(9, np.float32))
    assert entries(part.state_V_mV, ctypes.c_float, 9) == [0] * 9, "the newer of two"
    assert state.n_bytes() == 36


def test_arrays_start_with_their_first_value(state):
    class Part:
        pass

    fields = [
        Field("plain", "int", lambda room: room),
        Field("later", "int", lambda room: room + 1, first=2**31 - 1),
        Field("half", "float", lambda room: room, first=0.5),
        Field("trace", "Trace", lambda room: room, first=LONG_AGO),
        Field("made", "int", lambda room: room, made=True),
        Field("table", "int"),
    ]
    part = Part()
    state.allocate(part, "x", fields, 3)
    assert set(state.arrays) == {"x.plain", "x.later", "x.half", "x.trace"}, "others are bound by who makes them"
    assert state.read("x.plain").tolist() == [0, 0, 0]
    assert state.read("x.later").tolist() == [2**31 - 1] * 4
    assert state.read("x.half").tolist() == [0.5] * 3
    words = state.read("x.trace")
    assert words.dtype == np.int32
    assert words.reshape(3, 2).tolist() == [[0, LONG_AGO]] * 3
    assert part.half == state.arrays["x.half"].ctypes.data


def test_one_field_of_the_control_block(state):
    state.bind(state.struct, "", "control", state.device.zeros(9, np.int32))
    for value, name in enumerate(("step", "halt", "stage", "owner", "neuron", "place"), 5):
        state.set_control(name, value)
    assert [state.control(name) for name in ("place", "step", "halt")] == [10, 5, 6]


def test_words_are_drawn_for_the_entities_and_draws_given(state):
    class Drawing:
        """Stands for the kernel: a word that says what it was drawn for."""

        def run(self, kernel, items):
            part = state.struct.random_words
            assert (kernel, items, part.n, part.step, part.stream) == ("draw_words", 3, 3, 7, 11)
            ids, draws = (entries(address, ctypes.c_int32, 3) for address in (part.ids, part.draws))
            words = (ctypes.c_uint32 * 3).from_address(part.words)
            words[:] = [2**31 + 100 * identity + draw for identity, draw in zip(ids, draws, strict=True)]

    words = state.words(Drawing(), np.int32([4, 0, 2]), 11, np.int32([1, 2, 3]), step=7)
    assert words.dtype == np.uint32
    assert (words - np.uint32(2**31)).tolist() == [401, 2, 203]
