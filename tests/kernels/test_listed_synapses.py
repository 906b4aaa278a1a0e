"""Synapses from files, and weights and delays from arrays: each is what was given, over tiles, and arrives in time."""

from __future__ import annotations

import numpy as np
import pytest

from hpcsnn import Network, Simulation, models
from hpcsnn.devices import HostDevice
from hpcsnn.engine.digest import simulation_digest
from support.listed_networks import TARGETS, listed_network, made_lists, write_lists
from support.models import Pulse

QUICK = HostDevice(("-O1",))


@pytest.fixture(scope="module")
def simulations(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lists")
    write_lists(folder)
    return [Simulation(listed_network(folder), device=QUICK, tile=tile) for tile in (2, 16)]


def by_pair(synapses, *columns):
    """Values by (pre, post)."""
    pairs = zip(synapses["pre"].tolist(), synapses["post"].tolist(), strict=True)
    return dict(zip(pairs, zip(*(synapses[name].tolist() for name in columns), strict=True), strict=True))


def test_what_is_listed_is_what_there_is(simulations):
    lists = made_lists()
    pairs = list(zip(lists["source"].tolist(), lists["target"].tolist(), strict=True))
    steps = {"lists": np.rint(lists["delay_ms"] * 10).astype(int), "matrix": None}
    # Entries of a matrix are in the order of the file: by target, then source.
    in_file = {pairs[k]: place % 17 + 1 for place, k in enumerate(np.lexsort((lists["source"], lists["target"])))}
    for simulation in simulations:
        for name, given in steps.items():
            simulation.state.stores[name].check()
            found = by_pair(simulation.synapses(name), "weight", "delay_steps")
            for k, pair in enumerate(pairs):
                delay = in_file[pair] if given is None else given[k]
                assert found.pop(pair) == (np.float32(lists["weight"][k]), delay)
            assert not found
        listed = by_pair(simulation.synapses("listed"), "weight", "delay_steps")
        assert listed == {(5, 3): (4.0, 3), (1, 3): (-2.0, 12), (9, 71): (8.0, 7)}
        synapses = simulation.synapses("of_targets")
        assert 0.2 < len(synapses["post"]) / (60 * TARGETS.size) < 0.4
        np.testing.assert_array_equal(synapses["weight"], np.float32(synapses["post"] / 32))
        np.testing.assert_array_equal(synapses["delay_steps"], synapses["post"] % 9 + 1)


def test_tiles_do_not_matter(simulations):
    digests = set()
    for simulation in simulations:
        simulation.run(30.0)
        assert len(simulation.spikes("cells")[0]) > 20
        digests.add(simulation_digest(simulation))
    assert len(digests) == 1


def test_a_spike_arrives_after_the_delay_that_was_given():
    """One spike of each source at 1 ms; each target adds up what comes."""
    network = Network(seed=1)
    network.add_population("given", 2, models.SpikeArray(neurons=[0, 1], times_ms=[1.0, 1.0]))
    counter = models.NeuronModel("counter", "", state=(models.Variable("total"),), update="total += input_current;")
    network.add_population("cells", 3, counter())
    listed = models.ExplicitList(pre=[1, 0, 0, 1], post=[0, 0, 1, 2], weight=[1.0, 2.0, 4.0, 8.0])
    network.add_projection("s", "given", "cells", listed, Pulse(), 0.0, delay_ms=[0.9, 0.2, 1.5, 0.4])
    simulation = Simulation(network, device=QUICK)
    for step in range(30):
        simulation.run(0.1)
        after = step - 10
        expected = [1.0 * (after >= 9) + 2.0 * (after >= 2), 4.0 * (after >= 15), 8.0 * (after >= 4)]
        assert simulation.neurons("cells")["total"].tolist() == expected, step
