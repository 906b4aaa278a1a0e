"""A rank may own no neuron of a population, and know none: every number of ranks up to all tiles gives one answer."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn import Grid, Network, Simulation, models
from hpcsnn.devices import HostDevice
from hpcsnn.ranks.communicator import Alone
from support.cut_runs import cut_in_two, finished
from support.random_networks import networks_with_small_populations
from support.thread_ranks import on_ranks


def made(network, ranks):
    simulation = Simulation(network, ranks, HostDevice(("-O1",)))
    if ranks.size > 1:
        ranks.exchange(simulation)
    return simulation


@settings(max_examples=8)
@given(networks_with_small_populations(), st.sampled_from([(2, 3), (3, 2), (4, 2), (2, 4), (1, 4), (4, 1)]))
def test_random_networks_are_cut_and_resumed_on_other_ranks(network, numbers):
    alone = made(network, Alone())
    expected = [finished(alone, step) for step in (12, 30)]
    with tempfile.TemporaryDirectory() as folder:
        assert cut_in_two(network, made, on_ranks, numbers, (12, 30), Path(folder)) == expected


@st.composite
def ways(draw):
    """How to make simulations, each a little differently: tiles, blocks of the exchange, compilers."""
    tiles, blocks = draw(st.permutations([1, 2, 4, 8])), draw(st.permutations([1, 2, 100, None]))
    compilers = draw(st.permutations([name for name in ("g++", "clang++") if shutil.which(name)]))
    turns = iter(range(1000))

    def made_so(network, ranks):
        turn = ranks.broadcast(next(turns) if ranks.rank == 0 else 0)
        os.environ["CXX"] = compilers[turn % len(compilers)]  # the same on all ranks, which come here together
        simulation = Simulation(
            network, ranks, HostDevice(("-O1",)), tile=tiles[turn % 4], exchange_block=blocks[turn % 4]
        )
        if ranks.size > 1:
            ranks.exchange(simulation)
        return simulation

    return made_so


@pytest.mark.slow
@pytest.mark.timeout(3600)
@settings(max_examples=60)
@given(networks_with_small_populations(), ways(), st.tuples(st.integers(1, 4), st.integers(1, 4)), st.integers(0, 25))
def test_a_night_of_random_networks(network, made_so, numbers, cut):
    with mock.patch.dict(os.environ), tempfile.TemporaryDirectory() as folder:
        alone = made_so(network, Alone())
        expected = [finished(alone, step) for step in (cut, 30)]
        assert cut_in_two(network, made_so, on_ranks, numbers, (cut, 30), Path(folder)) == expected


def one_tile_each():
    """A target of one tile, which most ranks neither own nor know, behind delays that differ."""
    network = Network(seed=1)
    network.add_population("source", Grid(16, 16), models.Poisson(rate_hz=50))
    network.add_population("target", Grid(8, 8), models.LIF(), record_spikes=True)
    network.add_projection(
        "ff", "source", "target", models.FixedProbability(p=0.1), models.DeltaCurrent(), 200.0,
        delay_ms=models.Uniform(0.5, 2), dendritic_delay_ms=0.3,
    )  # fmt: skip
    return network


@pytest.mark.parametrize("numbers", [(2, 3), (3, 4), (4, 1)])
def test_a_population_of_one_tile_is_on_one_rank(numbers, tmp_path):
    network = one_tile_each()
    owned = on_ranks(numbers[0], lambda ranks: made(network, ranks).placements["target"].n_own)
    assert owned == [64] + [0] * (numbers[0] - 1)
    alone = made(network, Alone())
    expected = [finished(alone, step) for step in (40, 300)]
    assert alone.state.total_spikes("target") > 10
    assert cut_in_two(network, made, on_ranks, numbers, (40, 300), tmp_path) == expected


@pytest.mark.parametrize("n_ranks", [2, 4])
def test_a_small_population_sends_its_spikes_to_ranks_that_have_none_of_it(n_ranks):
    network = Network(seed=2)
    network.add_population("source", Grid(8, 8), models.Poisson(rate_hz=200))
    network.add_population("target", Grid(16, 16), models.LIF(), record_spikes=True)
    network.add_projection(
        "ff", "source", "target", models.FixedProbability(p=0.3), models.DeltaCurrent(), 4.0, delay_ms=1.0
    )
    expected = finished(made(network, Alone()), 200)
    assert set(on_ranks(n_ranks, lambda ranks: finished(made(network, ranks), 200))) == {expected}
