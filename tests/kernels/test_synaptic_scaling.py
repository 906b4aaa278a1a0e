"""`synaptic_scaling` and `weight_normalisation`: weights by their formulas, and targets that come to their rate."""

from __future__ import annotations

import numpy as np
import pytest

from hpcsnn import Network, Simulation, models
from hpcsnn.devices import HostDevice
from hpcsnn.testing.racing_threads import RacingThreads

DT, N = 1.0, 5
QUICK = HostDevice(("-O1",))


def network_of(rule, synapse=None, n_sources=12, weight=0.4, rate_hz=40.0):
    network = Network(seed=2, dt_ms=DT)
    network.add_population("noise", n_sources, models.Poisson(rate_hz=rate_hz))
    network.add_population("cells", N, models.LIF(refractory_ms=2.0), {"V_mV": models.Uniform(-70, -55)}, True)
    network.add_projection(
        "drive", "noise", "cells", models.FixedProbability(p=0.7), models.ExponentialCurrent(), weight, synapse,
        rewiring=rule,
    )  # fmt: skip
    return network


def simulated(rule, until_ms, device=QUICK, **more):
    simulation = Simulation(network_of(rule, **more), device=device)
    before = simulation.synapses("drive")
    simulation.run(until_ms)
    return simulation, before, simulation.synapses("drive")


def test_weights_scale_by_the_papers_equation():
    values = {"every_ms": 50.0, "goal_hz": 4.0, "tau_activity_ms": 400.0, "beta": 2e-3, "gamma": 5e-3, "w_max": 20.0}
    weights = models.Uniform(6.0, 9.0)
    rule = models.SynapticScaling(**values)
    still = models.AdditiveSTDP(w_max=20.0, a_plus=0.0, a_minus=0.0)  # says how large its weights may be
    simulation, before, after = simulated(rule, 3000.0, weight=weights, synapse=still)
    steps, ids = simulation.spikes("cells")
    trains = [steps[ids == neuron] for neuron in range(N)]
    factor, lack = np.ones(N), np.zeros(N)
    for now in range(50, 3001, 50):
        rate = np.array([np.exp((train[train < now] - (now - 1)) / 400.0).sum() / 0.4 for train in trains])
        lack += 0.05 * (4.0 - rate)
        factor *= 1 + 0.05 * (2e-3 * (4.0 - rate) + 5e-3 * lack)
    assert factor.min() < 0.99 < 1.01 < factor.max()
    np.testing.assert_allclose(after["weight"], before["weight"] * factor[after["post"]], rtol=1e-5)
    np.testing.assert_allclose(simulation.neurons("cells")["drive.target.lack"], lack, rtol=1e-4, atol=1e-4)


def test_cells_come_to_their_goal():
    values = {"every_ms": 100.0, "goal_hz": 20.0, "tau_activity_ms": 2000.0, "beta": 0.02, "gamma": 1e-3, "w_max": 50.0}
    for weight in (4.0, 30.0):
        simulation, *_ = simulated(models.SynapticScaling(**values), 60_000.0, weight=weight)
        rates_hz = simulation.rates_hz("cells")
        assert not 10 < rates_hz[:10].mean() < 35, "by themselves they would do otherwise"
        assert rates_hz[-200:].mean() == pytest.approx(20.0, rel=0.1)


def test_sums_are_one_after_an_update():
    synapse = models.AdditiveSTDP(w_max=5.0, a_plus=0.05, a_minus=0.02)
    rule = models.WeightNormalisation(every_ms=100.0, total=6.0, w_max=5.0)
    before = simulated(rule, 99.0, weight=models.Uniform(0.1, 2.0), synapse=synapse)[2]
    after = simulated(rule, 100.0, weight=models.Uniform(0.1, 2.0), synapse=synapse)[2]
    sums = np.bincount(before["post"], before["weight"].astype(float))
    assert np.ptp(sums) > 0.5
    np.testing.assert_allclose(np.bincount(after["post"], after["weight"].astype(float)), 6.0, rtol=1e-6)
    # One step of plasticity apart.
    np.testing.assert_allclose(after["weight"], before["weight"] * 6.0 / sums[before["post"]], rtol=0.1)
    inhibition = simulated(models.WeightNormalisation(every_ms=10.0, total=3.0), 10.0, weight=-0.1)[2]
    np.testing.assert_allclose(np.bincount(inhibition["post"], inhibition["weight"]), -3.0, rtol=1e-6)


@pytest.mark.parametrize("rule", [models.SynapticScaling, models.WeightNormalisation], ids=lambda rule: rule.name)
def test_racing_threads_and_one_give_the_same_bits(rule):
    given = rule(every_ms=20.0, w_max=30.0)
    synapse = models.AdditiveSTDP(w_max=30.0, a_plus=0.5)
    found = [simulated(given, 200.0, device, weight=20.0, synapse=synapse)[2] for device in (QUICK, RacingThreads())]
    for name in found[0]:
        np.testing.assert_array_equal(found[0][name], found[1][name])
    assert np.ptp(found[0]["weight"]) > 0.1
