"""Neuron models do what their papers show, at their parameters."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from hpcsnn import Network, Simulation, models

# Naud, Marcille, Clopath & Gerstner 2008, Table 1.
TONIC = {
    "C_pF": 200, "g_leak_nS": 10, "V_rest_mV": -70, "V_threshold_mV": -50, "slope_mV": 2, "a_nS": 2, "tau_w_ms": 30,
    "b_pA": 0, "V_reset_mV": -58, "V_peak_mV": 0, "offset_current": 500,
}  # fmt: skip
ADAPTING = {**TONIC, "g_leak_nS": 12, "tau_w_ms": 300, "b_pA": 60}


@pytest.fixture(scope="module")
def driven():
    """Cells with constant input, 600 ms in steps of 0.01 ms; spike times in ms by name."""
    network = Network(seed=1, dt_ms=0.01)
    cells = {
        "regular": models.Izhikevich(offset_current=10),
        "fast": models.Izhikevich(a=0.1, d=2, offset_current=10),
        "tonic": models.AdEx(**TONIC),
        "adapting": models.AdEx(**ADAPTING),
        "rising": models.ALIF(offset_current=40, refractory_ms=0),
    }
    for name, model in cells.items():
        initial = {"V_mV": -70.0} if name in ("tonic", "adapting") else {}
        network.add_population(name, 1, model, initial, record_spikes=True)
    simulation = Simulation(network, device="cpu")
    simulation.run(600.0)
    return {name: (simulation.spikes(name)[0] + 1) * 0.01 for name in cells}


def test_izhikevichs_regular_spiking_cell_adapts_and_the_fast_one_does_not(driven):
    regular, fast = np.diff(driven["regular"]), np.diff(driven["fast"])
    assert regular[0] < 0.6 * regular[2:].min()
    assert np.ptp(regular[2:]) < 0.05 * regular[2:].mean()
    assert regular[2:].mean() == pytest.approx(40, abs=10)  # Fig. 2, RS: about 25 Hz
    assert fast.mean() < 0.5 * regular[2:].mean()
    assert fast[3:].max() < 1.02 * fast[3:].min()


@pytest.mark.parametrize(("name", "values"), [("tonic", TONIC), ("adapting", ADAPTING)])
def test_adex_spikes_when_an_accurate_integration_does(driven, name, values):
    def slope(_, y):
        v, w = y
        up = values["g_leak_nS"] * (values["slope_mV"] * np.exp((v - values["V_threshold_mV"]) / values["slope_mV"]))
        leak = values["g_leak_nS"] * (v - values["V_rest_mV"])
        dw = (values["a_nS"] * (v - values["V_rest_mV"]) - w) / values["tau_w_ms"]
        return [(up - leak - w + values["offset_current"]) / values["C_pF"], dw]

    def peak(_, y):
        return y[0] - values["V_peak_mV"]

    peak.terminal = True
    time, y, exact = 0.0, [-70.0, 0.0], []
    while True:
        done = solve_ivp(slope, (time, 600.0), y, events=peak, rtol=1e-8, atol=1e-8)
        if done.status != 1:
            break
        time = done.t[-1]
        y = [values["V_reset_mV"], done.y[1, -1] + values["b_pA"]]
        exact.append(time)
    assert len(exact) >= 10
    assert len(exact) == len(driven[name])
    # The explicit step sees the upstroke some steps late.
    np.testing.assert_allclose(np.diff(driven[name], prepend=0), np.diff(exact, prepend=0), atol=0.1)
    intervals = np.diff(driven[name])
    if name == "tonic":
        assert np.ptp(intervals) < 0.1 * intervals.mean()
    else:
        assert intervals[-1] > 2 * intervals[0]


def test_the_adaptive_threshold_settles_where_potential_and_threshold_meet(driven):
    intervals = np.diff(driven["rising"]) / 0.01
    decay, forget = math.exp(-0.01 / 20), math.exp(-0.01 / 200)

    def spikes_after(n):  # the n-th step after a spike, in a row of such intervals
        return 40 * (1 - decay**n) >= 16 + 2 * forget ** (n - 1) / (1 - forget**n)

    settled = next(n for n in range(1, 10**5) if spikes_after(n))
    assert abs(intervals[-5:] - settled).max() < 0.01 * settled
    assert intervals[0] < 0.7 * settled
