"""Spikes on their way: what is put into the ring of some ranks is what these ranks say is in it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn import Grid, Network, models
from hpcsnn.devices import HostDevice
from hpcsnn.engine.spike_ring import put_in_flight, spikes_in_flight
from hpcsnn.engine.state import RankState
from hpcsnn.ranks.communicator import Alone
from hpcsnn.ranks.partition import place_network

GRID, TILE = Grid(12, 8), 2


def declared(*delays):
    network = Network()
    network.add_population("a", GRID, models.Poisson())
    network.add_population("b", GRID, models.LIF())
    near = models.Gaussian(p_max=1.0, sigma=0.4)
    for number, delay in enumerate(delays):
        network.add_projection(f"p{number}", "a", "b", near, models.DeltaCurrent(), 1.0, delay_ms=delay * 0.1)
    return network


def rank_state(network, rank, n_ranks):
    return RankState(network, place_network(network, TILE, rank, n_ranks), HostDevice(), Alone(), log_entries=4)


@settings(max_examples=20)
@given(st.integers(1, 3), st.integers(1, 9), st.integers(0, 40), st.data())
def test_all_ranks_together_have_what_was_put_in(n_ranks, delay, step, data):
    network = declared(delay, 2)
    steps = range(max(0, step - max(delay, 2)), step)
    one = st.tuples(st.sampled_from(steps), st.integers(0, GRID.size - 1))
    spikes = sorted(data.draw(st.sets(one, max_size=60) if steps else st.just(set())))
    given_in_any_order = np.array(data.draw(st.permutations(spikes)), dtype=np.int32).reshape(-1, 2)
    found = []
    for rank in range(n_ranks):
        state = rank_state(network, rank, n_ranks)
        state.set_control("step", step)
        put_in_flight(state, "a", given_in_any_order)
        own = [tuple(spike) for spike in spikes_in_flight(state, "a").tolist()]
        assert {neuron for _, neuron in own} <= set(state.placements["a"].global_id.tolist())
        found += own
        check_ring(state, spikes)
    assert sorted(found) == spikes


def check_ring(state, spikes):
    """A slot lists the step's own neurons from the front, and those of other ranks that it knows from the back."""
    placement = state.placements["a"]
    local = {int(neuron): index for index, neuron in enumerate(placement.known_id)}
    ring = state.read("a.ring").reshape(-1, placement.n_known)
    own_count, remote_count = state.read("a.own_count"), state.read("a.remote_count")
    for slot in range(len(ring)):
        expected = {local[neuron] for step, neuron in spikes if step % len(ring) == slot and neuron in local}
        own = set(ring[slot, : own_count[slot]].tolist())
        remote = set(ring[slot, placement.n_known - remote_count[slot] :].tolist())
        assert own == {index for index in expected if index < placement.n_own}
        assert remote == {index for index in expected if index >= placement.n_own}


def test_what_was_in_the_ring_before_is_forgotten():
    state = rank_state(declared(3), 0, 1)
    put_in_flight(state, "a", np.array([[7, 5], [6, 1]], dtype=np.int32))
    put_in_flight(state, "a", np.array([[7, 2]], dtype=np.int32))
    state.set_control("step", 8)
    assert spikes_in_flight(state, "a").tolist() == [[7, 2]]
    put_in_flight(state, "a", np.empty((0, 2), dtype=np.int32))
    assert spikes_in_flight(state, "a").shape == (0, 2)


@pytest.mark.parametrize("delays", [(), (1,), (3,), (4, 2), (15,), (16,)])
def test_the_ring_has_room_for_this_step_and_all_that_a_delay_reaches_back_to(delays):
    network = declared(*delays)
    slots = network.ring_slots(network.populations["a"])
    assert slots & (slots - 1) == 0
    assert slots > max((1, *delays))
    assert slots <= 2 * max((1, *delays)), "the next power of two"


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_a_rank_that_knows_no_neuron_has_none_in_flight(rank):
    network = declared(3)
    network.add_population("few", Grid(2, 2), models.LIF())
    state = rank_state(network, rank, 3)
    state.set_control("step", 2)
    put_in_flight(state, "few", np.array([[1, 3]], dtype=np.int32))
    expected = [[1, 3]] if rank == 0 else []
    assert state.placements["few"].n_known == (4 if rank == 0 else 0)
    assert spikes_in_flight(state, "few").tolist() == expected
