"""Recorded variables are what looking at the neurons after each step shows, whatever else is varied."""

from __future__ import annotations

import numpy as np
import pytest

from hpcsnn import ConfigurationError, Grid, Network, Simulation, models
from hpcsnn.codegen.constants import HaltReason
from hpcsnn.engine.digest import simulation_digest
from support.devices import on_launched

RECORD = {"V_mV": {"every_ms": 0.3, "neurons": ["3..9", 100]}, "ab.g": 1.0}
DURATION_MS = 30.0


def a_network(record=None):
    network = Network(seed=3)
    network.add_population("a", Grid(16, 16), models.Poisson(rate_hz=40.0))
    network.add_population("b", Grid(16, 16), models.LIF(), record=record)
    conductance = models.ExponentialConductance()
    network.add_projection("ab", "a", "b", models.FixedProbability(p=0.2), conductance, 0.3)
    return network


@pytest.fixture(scope="module")
def watched():
    """V and g of all neurons after each step, shape (n_steps, n_neurons)."""
    simulation = Simulation(a_network(), device="cpu")
    seen = {"V_mV": [], "ab.g": []}
    for _ in range(round(DURATION_MS / 0.1)):
        simulation.run(0.1)
        neurons = simulation.neurons("b")
        for name, values in seen.items():
            values.append(neurons[name])
    return {name: np.array(values) for name, values in seen.items()}


def check(simulation, watched):
    potential, conductance = (simulation.recorded("b", name) for name in ("V_mV", "ab.g"))
    assert potential.ids.tolist() == [*range(3, 10), 100]
    assert potential.steps.tolist() == list(range(3, 301, 3))
    np.testing.assert_array_equal(potential.values, watched["V_mV"][2::3][:, potential.ids])
    assert conductance.ids.tolist() == list(range(256))
    assert conductance.steps.tolist() == list(range(10, 301, 10))
    np.testing.assert_array_equal(conductance.values, watched["ab.g"][9::10])
    assert len(np.unique(potential.values)) > 100


@pytest.mark.parametrize(("log_entries", "tile"), [(0, 16), (500, 4), (1 << 18, 8)])
def test_recorded_is_what_was_there(watched, log_entries, tile):
    simulation = Simulation(a_network(RECORD), device="cpu", log_entries=log_entries, tile=tile)
    for duration_ms in (0.1, 4.9, 12.4, 12.6):
        simulation.run(duration_ms)
    check(simulation, watched)
    assert (simulation.halts[HaltReason.LOG_FULL] > 10) == (log_entries < 1000)
    taken = simulation.take_recorded()
    assert taken.rows["b/V_mV"].values.shape == (100, 8)
    assert simulation.recorded("b", "V_mV").values.shape == (0, 8)
    assert simulation.recorded_bytes == 0


@on_launched
def test_devices_with_many_threads_record_the_same(watched, device):
    simulation = Simulation(a_network(RECORD), device=device, log_entries=2000)
    simulation.run(DURATION_MS)
    check(simulation, watched)


def test_recording_changes_no_bit():
    digests = set()
    for record in (None, RECORD):
        simulation = Simulation(a_network(record), device="cpu")
        simulation.run(DURATION_MS)
        digests.add(simulation_digest(simulation))
    assert len(digests) == 1


def test_variables_of_rules_are_recorded():
    def declared(record):
        network = Network(seed=1)
        source = network.add_population("a", 20, models.Poisson(rate_hz=50.0))
        network.add_population("b", 20, models.LIF(), record=record)
        conductance = models.ExponentialConductance()
        network.add_projection(
            "ab", source, "b", models.FixedProbability(p=0.3), conductance, 0.5, rewiring=models.Homeostatic()
        )
        return network

    names = [name for name in Simulation(declared(None), device="cpu").neurons("b") if ".target." in name]
    assert names
    recorded = Simulation(declared(dict.fromkeys(names, 2.0)), device="cpu")
    recorded.run(20.0)
    watched = Simulation(declared(None), device="cpu")
    for step in range(10):
        watched.run(2.0)
        for name in names:
            np.testing.assert_array_equal(recorded.recorded("b", name).values[step], watched.neurons("b")[name])


def test_what_is_not_recorded_is_refused():
    simulation = Simulation(a_network(RECORD), device="cpu")
    with pytest.raises(ConfigurationError, match=r"populations\.b\.record: unknown name 'V'; allowed: V_mV, ab\.g"):
        simulation.recorded("b", "V")
    with pytest.raises(ConfigurationError, match=r"populations\.a\.record: unknown name 'V_mV'; allowed: \(none\)"):
        simulation.recorded("a", "V_mV")
