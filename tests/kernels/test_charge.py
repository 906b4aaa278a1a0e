"""What a spike brings in all: the charge of its closed form, whatever the step."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hpcsnn import Network, Simulation, models

STEPS_MS = (0.1, 0.5, 1.0)
WEIGHT, TAU_MS = 2.0, 5.0
Meter = models.NeuronModel(
    "meter",
    "Adds up the charge that its receptors bring; a conductance whose reversal potential is 1 mV brings its integral.",
    state=(models.Variable("V_mV"), models.Variable("charge")),
    update="charge += input_current * dt_ms;",
)
# By receptor: the charge per spike of WEIGHT, and of what is held over a step of dt_ms.
RECEPTORS = {
    "exponential_current": (models.ExponentialCurrent(tau_ms=TAU_MS), lambda _: WEIGHT * TAU_MS),
    "alpha_current": (models.AlphaCurrent(tau_ms=TAU_MS), lambda _: math.e * WEIGHT * TAU_MS),
    "delta_current": (models.DeltaCurrent(), lambda dt_ms: WEIGHT * dt_ms),
    # The published model's, which holds the conductance: as its description says.
    "exponential_conductance": (
        models.ExponentialConductance(tau_ms=TAU_MS, reversal_mV=1.0),
        lambda dt_ms: WEIGHT * TAU_MS * (dt_ms / TAU_MS) / (1 - math.exp(-dt_ms / TAU_MS)),
    ),
}


def of_one_spike(dt_ms, cells, receptor, initial=None):
    network = Network(seed=1, dt_ms=dt_ms)
    network.add_population("input", 1, models.SpikeArray(neurons=[0], times_ms=[1.0]))
    network.add_population("cells", 1, cells, initial)
    network.add_projection("p", "input", "cells", models.OneToOne(), receptor, WEIGHT, delay_ms=1.0)
    return Simulation(network, device="cpu")


def test_every_receptor_that_ships_is_measured():
    shipped = {model.name for model in map(models.__dict__.get, models.__all__) if type(model) is models.ReceptorModel}
    assert shipped - {"neuromodulator"} == set(RECEPTORS), "but for what brings no current"


@pytest.mark.parametrize("dt_ms", STEPS_MS)
@pytest.mark.parametrize("name", RECEPTORS)
def test_a_spike_brings_its_charge(name, dt_ms):
    receptor, charge = RECEPTORS[name]
    simulation = of_one_spike(dt_ms, Meter(), receptor)
    simulation.run(40 * TAU_MS)
    assert simulation.neurons("cells")["charge"][0] == pytest.approx(charge(dt_ms), rel=2e-5)


@pytest.mark.parametrize("dt_ms", STEPS_MS)
@pytest.mark.parametrize("receptor", [models.ExponentialCurrent(tau_ms=TAU_MS), models.AlphaCurrent(tau_ms=TAU_MS)])
def test_the_potential_is_that_of_a_current_that_decays_within_the_step(receptor, dt_ms):
    """Against the closed form, 9 ms after arrival: what is left is of second order in the step."""
    tau_m, t = 20.0, 9.0
    simulation = of_one_spike(dt_ms, models.LIF(V_threshold_mV=1e3, tau_m_ms=tau_m), receptor)
    simulation.run(2.0 + t)
    k = 1 / TAU_MS - 1 / tau_m
    if receptor.name == "exponential_current":
        exact = WEIGHT / tau_m / k * (math.exp(-t / tau_m) - math.exp(-t / TAU_MS))
    else:
        exact = WEIGHT * math.e / TAU_MS / tau_m / k**2 * (math.exp(-t / tau_m) - math.exp(-t / TAU_MS) * (1 + k * t))
    found = float(simulation.neurons("cells")["V_mV"][0]) + 70.0
    assert found == pytest.approx(exact, rel=2e-5 + 2e-3 * dt_ms**2)


@pytest.mark.parametrize("dt_ms", STEPS_MS)
def test_a_background_spike_brings_its_charge(dt_ms):
    """The area under a linear membrane's response is resistance times charge."""
    cells = models.LIFBackground(
        V_rest_mV=0.0, V_reset_mV=0.0, V_threshold_mV=1e3, resistance=3.0, background_hz=0.0, background_tau_ms=TAU_MS
    )
    network = Network(seed=1, dt_ms=dt_ms)
    network.add_population("cells", 1, cells, {"V_mV": 0.0, "background_current": WEIGHT})
    simulation, area = Simulation(network, device="cpu"), 0.0
    for _ in range(round(400 / dt_ms)):
        simulation.run(dt_ms)
        area += float(simulation.neurons("cells")["V_mV"][0]) * dt_ms
    assert area == pytest.approx(3.0 * WEIGHT * TAU_MS, rel=2e-5)


def test_the_step_sees_the_mean_of_what_decays_slowly_or_at_once():
    for tau_ms, expected in ((1e12, 1.0), (1e-3, 1e-3)):
        constants = models.ExponentialCurrent(tau_ms=tau_ms).constants(1.0)
        assert constants["step_mean"] == pytest.approx(expected, rel=1e-12)
    alpha = models.AlphaCurrent(tau_ms=1e3).constants(0.1)
    assert alpha["step_mean_of_rise"] == pytest.approx(np.mean(np.linspace(0, 0.1, 101)), rel=1e-3)
