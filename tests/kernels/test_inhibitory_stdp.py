"""`inhibitory_stdp`: weights by the published rule, and targets that come to spike at the rate they are given."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hpcsnn import ConfigurationError, Network, Simulation, models
from hpcsnn.devices import HostDevice
from support.models import Relay, Unheard
from support.spike_traces import Trace

F = np.float32
DT = 1.0
QUICK = HostDevice(("-O1",))


def weights_after(pre, post, rule, weight):
    """Array [pre, post] once neurons have spiked in given steps, rows of (n, n_steps) bools; one step is coincident."""
    network = Network(seed=1, dt_ms=DT)
    n, n_steps = pre.shape
    for name, fired, early in (("pre", pre, 0), ("trigger", post, 1)):
        neurons, steps = np.nonzero(fired)
        network.add_population(name, n, models.SpikeArray(neurons=neurons, times_ms=(steps - early) * DT))
    network.add_population("post", n, Relay())
    network.add_projection("makes", "trigger", "post", models.OneToOne(), models.DeltaCurrent(), 1.0)
    network.add_projection("s", "pre", "post", models.AllToAll(), Unheard(), weight, rule)
    simulation = Simulation(network, device=QUICK)
    simulation.run((n_steps + 2) * DT)
    synapses, found = simulation.synapses("s"), np.zeros((n, n), F)
    found[synapses["pre"], synapses["post"]] = synapses["weight"]
    return found


def random_spikes(n, n_steps, chance, seed):
    random = np.random.default_rng(seed)
    pre, post = (random.random((n, n_steps)) < chance for _ in range(2))
    post[:, 0] = False  # a trigger would have to come before the start
    return pre, post


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_weights_follow_the_published_rule(sign):
    """In float64, from the times of all earlier spikes: both sides' traces count, a pair of one time once."""
    n, n_steps, tau, eta, rho0 = 3, 1500, 25.0, 0.004, 9.0
    pre, post = random_spikes(n, n_steps, 0.03, 5)
    assert (pre[:, None] & post[None]).sum() > 5, "coincident pairs"
    rule = models.InhibitorySTDP(tau_ms=tau, eta=eta, rho0_hz=rho0, w_max=sign * 5.0)
    found = weights_after(pre, post, rule, sign * 2.5)
    alpha = 2 * (rho0 * 1e-3) * tau
    for i in range(n):
        for j in range(n):
            sources, targets = np.flatnonzero(pre[i]), np.flatnonzero(post[j])
            w = 2.5
            for at in sources:
                w += eta * (np.exp(-(at - targets[targets <= at]) / tau).sum() - alpha)
            for at in targets:
                w += eta * np.exp(-(at - sources[sources < at]) / tau).sum()
            assert 0.5 < w < 4.9, "no bound was met"
            assert found[i, j] == pytest.approx(sign * w, abs=2e-5)
    assert np.ptp(found) > 0.05


def test_weights_follow_their_formula_to_the_bit_bounds_included():
    n, n_steps = 3, 3000
    pre, post = random_spikes(n, n_steps, 0.05, 6)
    rule = models.InhibitorySTDP(tau_ms=20.0, eta=0.1, rho0_hz=45.0, w_max=1.0)
    found = weights_after(pre, post, rule, 0.5)
    eta, alpha = F(0.1), F(2e-3 * 45.0 * 20.0)
    x, y, w = Trace(n, DT, 20.0), Trace(n, DT, 20.0), np.full((n, n), F(0.5))
    bounds = [0, 0]
    for seen in range(n_steps):
        for j in np.flatnonzero(post[:, seen]):
            y.spike(j, seen)
        for i in np.flatnonzero(pre[:, seen]):
            for j in range(n):
                w[i, j] = min(max(w[i, j] + eta * (y.at(j, seen) - alpha), F(0)), F(1))
                bounds[int(w[i, j])] += w[i, j] in (0, 1)
        for i in np.flatnonzero(pre[:, seen]):
            x.spike(i, seen)
        for j in np.flatnonzero(post[:, seen]):
            for i in range(n):
                w[i, j] = min(max(w[i, j] + eta * x.before(i, seen), F(0)), F(1))
                bounds[int(w[i, j])] += w[i, j] in (0, 1)
    np.testing.assert_array_equal(found, w)
    assert min(bounds) > 10, "both bounds were met"


def test_one_pair_makes_the_published_window():
    """exp(-|lag| / tau) - alpha, highest at no lag."""
    lags, tau, eta = np.arange(-40, 41, 5), 20.0, 0.01
    n = len(lags)
    pre, post = np.zeros((n, 200), bool), np.zeros((n, 200), bool)
    pre[:, 100] = True
    post[np.arange(n), 100 + lags] = True
    rule = models.InhibitorySTDP(tau_ms=tau, eta=eta, rho0_hz=5.0, w_max=1.0)
    change = np.diag(weights_after(pre, post, rule, 0.5)).astype(float) - 0.5
    np.testing.assert_allclose(change, eta * (np.exp(-np.abs(lags) / tau) - 2 * 5e-3 * tau), atol=1e-7)


def settled_rates_hz(drive_hz, rho0_hz, conductance):
    """Mean rate of 20 cells in the last 10 s of 60, each under Poisson excitation of its own and shared inhibition."""
    network = Network(seed=4, dt_ms=0.5)
    network.add_population("excitation", 20, models.Poisson(rate_hz=drive_hz))
    network.add_population("inhibition", 40, models.Poisson(rate_hz=20.0))
    network.add_population("cells", 20, models.LIF(refractory_ms=2.0), record_spikes=True)
    network.add_projection(
        "excite", "excitation", "cells", models.OneToOne(), models.ExponentialCurrent(tau_ms=5.0), 30.0
    )
    receptor, w_max, start = models.ExponentialCurrent(tau_ms=10.0), -40.0, -0.1
    if conductance:
        receptor, w_max, start = models.ExponentialConductance(tau_ms=10.0, reversal_mV=-80.0), 5.0, 0.005
    rule = models.InhibitorySTDP(rho0_hz=rho0_hz, eta=abs(w_max) * 1e-3, w_max=w_max)
    network.add_projection("inhibit", "inhibition", "cells", models.AllToAll(), receptor, start, rule)
    simulation = Simulation(network, device=QUICK)
    simulation.run(60_000.0)
    steps, _ = simulation.spikes("cells")
    times = steps * 0.5
    early, late = ((times >= start) & (times < start + span) for start, span in ((0, 1000.0), (50_000.0, 10_000.0)))
    return early.sum() / 20.0, late.sum() / 20.0 / 10.0


@pytest.mark.parametrize(("rho0_hz", "conductance"), [(5.0, False), (12.0, False), (5.0, True)])
def test_cells_settle_at_their_rate_whatever_drives_them(rho0_hz, conductance):
    rates = [settled_rates_hz(drive_hz, rho0_hz, conductance) for drive_hz in (200.0, 300.0, 450.0)]
    first = [early for early, _ in rates]
    assert first[-1] > first[0] > 1.3 * rho0_hz, "excitation alone would do otherwise"
    for _, late in rates:
        assert late == pytest.approx(rho0_hz, rel=0.1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: models.InhibitorySTDP(w_max=0),
            r"^inhibitory_stdp\.w_max: 0 is not allowed; must be a number other than 0, of the weights' sign$",
        ),
        (
            lambda: models.InhibitorySTDP(tau_ms=0),
            r"^inhibitory_stdp\.tau_ms: 0 is not allowed; must be a number in ms > 0$",
        ),
        (
            lambda: weights_after(*random_spikes(2, 20, 0.5, 1), models.InhibitorySTDP(w_max=-1.0), 0.5),
            r"^projections\.s\.weight: 0\.5 is not allowed; must be in \[-1, 0\], the range of inhibitory_stdp$",
        ),
    ],
)
def test_values_that_cannot_be_are_refused(make, message):
    with pytest.raises(ConfigurationError, match=message):
        make()


def test_alpha_is_the_trace_of_a_target_at_its_rate():
    assert models.InhibitorySTDP(rho0_hz=5.0, tau_ms=20.0).constants(0.1)["alpha"] == pytest.approx(0.2)
    assert math.isclose(models.InhibitorySTDP(rho0_hz=0.0).constants(0.1)["alpha"], 0.0)
