"""`dopamine_stdp`: weights by its differential equations, whatever brings the third factor, and when it changes."""

from __future__ import annotations

import numpy as np
import pytest

from hpcsnn import ConfigurationError, Network, Simulation, models
from hpcsnn.devices import HostDevice
from hpcsnn.runs.scripted.saving import write_network
from hpcsnn.storage.network_store import StoredNetwork
from hpcsnn.storage.restore import restore
from hpcsnn.testing.racing_threads import RacingThreads
from support.models import Relay, Unheard

DT = 0.5
QUICK = HostDevice(("-O1",))
RULE = {"a_plus": 0.4, "a_minus": 0.3, "tau_eligibility_ms": 120.0, "tau_dopamine_ms": 30.0, "w_max": 100.0}


def network_of(pre, post, reward, rule):
    """Neurons that spike in given steps, rows of (n, n_steps) bools; dopamine arrives three steps after its spike."""
    network, n = Network(seed=1, dt_ms=DT), len(pre)
    for name, fired, early in (("pre", pre, 0), ("trigger", post, 1), ("dopamine", reward, 0)):
        neurons, steps = np.nonzero(fired)
        network.add_population(name, len(fired), models.SpikeArray(neurons=neurons, times_ms=(steps - early) * DT))
    network.add_population("post", n, Relay())
    network.add_projection("makes", "trigger", "post", models.OneToOne(), models.DeltaCurrent(), 1.0)
    volume = models.Neuromodulator()
    network.add_projection("volume", "dopamine", "post", models.AllToAll(), volume, 0.02, delay_ms=3 * DT)
    network.add_projection("s", "pre", "post", models.AllToAll(), Unheard(), 50.0, rule, modulator="volume")
    return network


def weights(simulation):
    """Of all synapses [source, target]."""
    synapses = simulation.synapses("s")
    found = np.zeros((synapses["pre"].max() + 1, synapses["post"].max() + 1))
    found[synapses["pre"], synapses["post"]] = synapses["weight"]
    return found


def simulated(pre, post, reward, rule, device=QUICK):
    simulation = Simulation(network_of(pre, post, reward, rule), device=device)
    simulation.run(pre.shape[1] * DT)
    return weights(simulation)


def by_the_equations(pre, post, reward, level):
    """In float64, step by step: c' = -c / tau_c + pairs, n' = -n / tau_n + dopamine, w' = c (n + level)."""
    n, n_steps = pre.shape
    w, c, x, y, dopamine = np.full((n, n), 50.0), np.zeros((n, n)), np.zeros(n), np.zeros(n), 0.0
    tau_c, tau_n = RULE["tau_eligibility_ms"], RULE["tau_dopamine_ms"]
    both = 1 / (1 / tau_c + 1 / tau_n)
    for k in range(n_steps - 1):  # what happens at the end of step k
        if k:
            gain = dopamine * both * (1 - np.exp(-DT / both)) + level(k) * tau_c * (1 - np.exp(-DT / tau_c))
            w, c, dopamine = w + c * gain, c * np.exp(-DT / tau_c), dopamine * np.exp(-DT / tau_n)
            x, y = x * np.exp(-DT / 20), y * np.exp(-DT / 20)
        c = c - RULE["a_minus"] * np.outer(pre[:, k], y) + RULE["a_plus"] * np.outer(x, post[:, k])
        x, y = x + pre[:, k], y + post[:, k]
        dopamine += 0.02 * (reward[:, k - 3].sum() if k >= 3 else 0)
    return w


def trains(n_steps=3000, chance=0.02):
    random = np.random.default_rng(3)
    pre, post = (random.random((4, n_steps)) < chance for _ in range(2))
    post[:, 0] = False  # a trigger would have to come before the start
    reward = random.random((5, n_steps)) < 0.004
    reward[:, 0] = False
    return pre, post, reward


@pytest.mark.parametrize("settle_ms", [0.5, 500.0, 1e6])
def test_weights_follow_the_equations_however_seldom_they_are_brought_up_to_date(settle_ms):
    pre, post, reward = trains()
    reward[:, -5] = True  # all is brought up to date at the end
    found = simulated(pre, post, reward, models.DopamineSTDP(**RULE, level=-0.001, settle_ms=settle_ms))
    expected = by_the_equations(pre, post, reward, lambda k: -0.001)
    assert np.abs(expected - 50.0).max() > 1.0
    assert (pre[:, None] & post[None]).sum() > 5, "coincident pairs, which count as none"
    np.testing.assert_allclose(found - 50.0, expected - 50.0, atol=2e-3)


def test_one_pair_and_one_reward_later_give_the_closed_form():
    """A pair of 10 ms, dopamine 100 ms later: the integral of both exponentials."""
    n_steps, tau_c, tau_n = 6000, RULE["tau_eligibility_ms"], RULE["tau_dopamine_ms"]
    pre, post, reward = (np.zeros((1, n_steps), bool) for _ in range(3))
    pre[0, 100], post[0, 120], reward[0, 317] = True, True, True  # dopamine arrives in step 320
    found = simulated(pre, post, reward, models.DopamineSTDP(**RULE))[0, 0] - 50.0
    eligible = RULE["a_plus"] * np.exp(-10 / 20) * np.exp(-100 / tau_c)
    assert found == pytest.approx(eligible * 0.02 / (1 / tau_c + 1 / tau_n), abs=1e-5)


def test_racing_threads_and_one_give_the_same_bits():
    given = trains(600, 0.05)
    found = [simulated(*given, models.DopamineSTDP(**RULE), device) for device in (QUICK, RacingThreads())]
    np.testing.assert_array_equal(*found)
    assert np.ptp(found[0]) > 0.1


@pytest.mark.parametrize(("a_minus", "bound"), [(8.0, 0.0), (0.0, 51.0)])
def test_bounds_are_kept(a_minus, bound):
    rule = RULE | {"w_max": 51.0, "a_plus": 4.0, "a_minus": a_minus}
    found = simulated(*trains(), models.DopamineSTDP(**rule, level=0.1))
    assert set(np.unique(found)) == {bound}


def test_a_level_that_changes_while_it_runs_counts_from_there_on(tmp_path):
    """As `changes` do it: the state goes on in a network with another value."""
    pre, post, reward = trains(1200)
    reward[:] = False
    reward[:, -5] = True
    levels = (-0.002, 0.01, 0.0)
    for part, level in enumerate(levels):
        rule = models.DopamineSTDP(**RULE, level=level, settle_ms=1e6)
        simulation = Simulation(network_of(pre, post, reward, rule), device=QUICK)
        if part:
            restore(simulation, StoredNetwork(tmp_path / f"{part}"))
        simulation.run(400 * DT)
        write_network(tmp_path / f"{part + 1}", simulation)
    # The first step with a new level sees it at its end.
    expected = by_the_equations(pre, post, reward, lambda k: levels[min((k - 1) // 400, 2)])
    constant = by_the_equations(pre, post, reward, lambda k: 0.0)
    assert np.abs(expected - constant).max() > 0.1
    np.testing.assert_allclose(weights(simulation), expected, atol=1e-3)


def with_modulator(modulator="volume", rule=None, receptor=None, target="cells"):
    network = Network(seed=1)
    for name in ("cells", "others"):
        network.add_population(name, 2, models.LIF())
    receptor = receptor or models.Neuromodulator()
    network.add_projection("volume", "cells", target, models.AllToAll(), receptor, 0.1)
    rule = rule or models.DopamineSTDP()
    network.add_projection("s", "cells", "cells", models.AllToAll(), Unheard(), 0.5, rule, modulator=modulator)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"modulator": "dopamine"}, r"^projections\.s\.modulator: unknown name 'dopamine'; allowed: volume\.$"),
        ({"modulator": 3}, r"^projections\.s\.modulator: unknown name '?3'?; allowed: volume\.$"),
        (
            {"rule": models.AdditiveSTDP(w_max=1.0)},
            r"^projections\.s\.modulator: volume is not allowed with the synapse additive_stdp, which has no third "
            r"factor$",
        ),
        (
            {"target": "others"},
            r"^projections\.s\.modulator: volume is not allowed; it is onto others, and must be onto cells$",
        ),
        (
            {"receptor": models.DeltaCurrent()},
            r"^projections\.s\.modulator: volume is not allowed; its receptor delta_current has no variable to see; "
            r"must be one that has, such as neuromodulator$",
        ),
    ],
)
def test_modulators_that_cannot_be_are_refused(given, message):
    with pytest.raises(ConfigurationError, match=message):
        with_modulator(**given)
