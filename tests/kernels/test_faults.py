"""What goes wrong in one process is named, and rows that grow lose nothing."""

from __future__ import annotations

import pytest

from hpcsnn import Grid, Network, Simulation, SimulationError, models


def test_the_message_names_neuron_variable_and_step():
    network = Network(seed=1)
    network.add_population("input", 4, models.SpikeArray(neurons=[2], times_ms=[1.0]))
    network.add_population("cells", 4, models.LIF(V_threshold_mV=1e38, resistance=1e38, tau_m_ms=1.0))
    network.add_projection("drive", "input", "cells", models.OneToOne(), models.ExponentialCurrent(), 1e6)
    simulation = Simulation(network, device="cpu")
    simulation.run(1.0)
    message = r"^populations\.cells: V_mV = nan of neuron 2 is not finite after step 11 \(1\.1 ms\); a time constant"
    with pytest.raises(SimulationError, match=message):
        simulation.run(1.0)


@pytest.mark.parametrize("capacity", [None, 1])
def test_synapses_are_conserved_and_both_directions_agree_as_they_grow(capacity):
    network = Network(seed=5)
    grid = Grid(32, 16)
    network.add_population("a", grid, models.Poisson(rate_hz=20))
    network.add_population("b", grid, models.LIF(), {"V_mV": models.Normal(-60, 5)})
    rule = models.Bamford(p_max=1.0, sigma=2.0, p_eliminate=0.3, attempts=500)
    network.add_projection(
        "ab", "a", "b", models.Gaussian(p_max=0.05, sigma=2.0), models.ExponentialConductance(), 0.2,
        models.AdditiveSTDP(), rewiring=rule, capacity=capacity,
    )  # fmt: skip
    simulation = Simulation(network, device="cpu", tile=4)
    store = simulation.state.stores["ab"]
    start, first_capacity = store.n_synapses(), store.capacity
    for _ in range(20):
        simulation.run(7.3)
        store.check()
        assert store.n_synapses() == start + store.counter("formed") - store.counter("eliminated")
    assert store.capacity > first_capacity, "rows grew on the way"
    assert min(store.counter("formed"), store.counter("eliminated")) > 500
