"""Homeostatic growth as it is analysed: calcium against a sum over spikes, elements and vacant ones against neurons."""

from __future__ import annotations

import numpy as np
import pytest

from hpcsnn import Network, Simulation, models
from hpcsnn.analysis.growth import grows, sides
from hpcsnn.devices import HostDevice
from hpcsnn.storage.network_store import StoredNetwork

TAU_MS, BETA = 50.0, 0.02


def network():
    network = Network(seed=3)
    network.add_population("noise", 20, models.Poisson(rate_hz=40), record_spikes=True)
    network.add_population("cells", 10, models.LIF(offset_current=20.0), record_spikes=True)
    rule = models.Homeostatic(
        tau_calcium_ms=TAU_MS, beta_calcium=BETA, updates_a_pairing=5, axon_set_point=0.2, dendrite_set_point=0.4,
        axon_growth_per_s=30, dendrite_growth_per_s=60,
    )  # fmt: skip
    connector, receptor = models.FixedProbability(p=0.0), models.ExponentialCurrent()
    network.add_projection("grown", "noise", "cells", connector, receptor, 1.0, rewiring=rule)
    network.add_projection("plain", "noise", "cells", connector, receptor, 1.0)
    return network


def calcium(simulation, population, size):
    """Of each neuron: what each of its spikes brought, decayed since."""
    steps, ids = simulation.spikes(population)
    left = BETA * np.exp(-(simulation.step - steps) * 0.1 / TAU_MS)
    return np.bincount(ids, left, size)


def test_what_is_grown_is_what_neurons_have(tmp_path):
    simulation = Simulation(network(), device=HostDevice(("-O0",)))
    simulation.run(400.0)
    simulation.save(tmp_path / "saved")
    declared, synapses = simulation.network.projections["grown"], simulation.synapses("grown")
    assert grows(declared)
    assert not grows(simulation.network.projections["plain"])
    found = sides(declared, StoredNetwork(tmp_path / "saved"), len(synapses["pre"]))
    assert len(synapses["pre"]) > 10
    for side, population, end, of_neuron, set_point in (
        ("axon", "noise", "pre", "source", 0.2),
        ("dendrite", "cells", "post", "target", 0.4),
    ):
        size = simulation.network.populations[population].size
        elements = simulation.neurons(population)[f"grown.{of_neuron}.{side}_elements"].astype(float)
        bound = np.bincount(synapses[end], minlength=size)
        at = found[side]
        assert at.calcium == pytest.approx(calcium(simulation, population, size).mean(), rel=1e-5)
        assert at.calcium > 0.01
        assert at.set_point == set_point
        assert at.elements == pytest.approx(elements.mean())
        assert at.vacant == pytest.approx((np.floor(elements) - bound).mean())
