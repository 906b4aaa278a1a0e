"""Brunel's network that ships, beside his theory of its rate."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import erf, erfcx

from hpcsnn import Simulation
from hpcsnn.analysis.spike_trains import intervals_of
from hpcsnn.configuration.files import load_configuration

G, ETA = 5.0, 2.0
TAU_S, REFRACTORY_S, THRESHOLD_MV, RESET_MV, JUMP_MV, INPUTS, INHIBITORY = 20e-3, 2e-3, 20.0, 10.0, 0.1, 1000, 0.25
SETTLING_MS, MEASURED_MS = 200.0, 300.0


def theory_hz(rate_hz):
    """What neurons fire at, in the diffusion approximation, where their inputs fire at `rate_hz`: his equation 21."""
    drive_hz = ETA * THRESHOLD_MV / (JUMP_MV * INPUTS * TAU_S)
    mean = INPUTS * JUMP_MV * TAU_S * (drive_hz + rate_hz * (1 - INHIBITORY * G))
    deviation = JUMP_MV * math.sqrt(INPUTS * TAU_S * (drive_hz + rate_hz * (1 + INHIBITORY * G**2)))
    first, last = ((bound - mean) / deviation for bound in (RESET_MV, THRESHOLD_MV))
    # exp(u^2) (1 + erf(u)), which overflows in parts below 0.
    waiting, _ = quad(lambda u: erfcx(-u) if u < 0 else math.exp(u * u) * (1 + erf(u)), first, last)
    return 1 / (REFRACTORY_S + TAU_S * math.sqrt(math.pi) * waiting)


def test_the_asynchronous_state_has_the_rate_of_the_theory():
    expected_hz = brentq(lambda rate_hz: theory_hz(rate_hz) - rate_hz, 1.0, 200.0)
    simulation = Simulation(load_configuration("brunel").network(), device="cpu")
    simulation.run(SETTLING_MS)
    simulation.take_recorded()
    simulation.run(MEASURED_MS)
    taken = simulation.take_recorded().spikes
    rates_hz = {name: len(taken[name]) / size / (MEASURED_MS * 1e-3) for name, size in (("E", 10_000), ("I", 2_500))}
    for name, rate_hz in rates_hz.items():
        assert rate_hz == pytest.approx(expected_hz, rel=0.03), name
    assert 0.3 < np.mean(intervals_of(taken["E"]).cv) < 0.5, "irregular"
    of_steps = np.bincount(taken["E"][:, 0])[round(SETTLING_MS / 0.1) :]
    assert of_steps.std() < of_steps.mean(), "not all at once"
    for name, in_degree in (("excitation_of_e", 1000), ("inhibition_of_i", 250)):
        synapses = simulation.synapses(name)
        assert set(np.bincount(synapses["post"])) == {in_degree}
