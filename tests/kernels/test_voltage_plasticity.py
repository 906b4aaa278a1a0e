"""`clopath`: weights by the paper's equations from the voltage that was, its pairing protocol, and synapses of a user's
own that follow their targets."""

from __future__ import annotations

import numpy as np
import pytest

from hpcsnn import ConfigurationError, Network, Simulation, models
from hpcsnn.devices import HostDevice
from hpcsnn.testing.racing_threads import RacingThreads
from support.models import Unheard

DT = 0.1
QUICK = HostDevice(("-O1",))


def simulated(pre_ms, post_ms, rule, weight, until_ms, device=QUICK):
    """Sources that spike at given times, each beside a target that a strong current makes spike at given times.

    Args:
        pre_ms, post_ms: for each pair of neurons its times, lists of (n,).

    Returns:
        Weights of all synapses [source, target], and the potential at the end of each step [step, target].
    """
    network, n = Network(seed=1, dt_ms=DT), len(pre_ms)
    for name, times in (("pre", pre_ms), ("trigger", post_ms)):
        neurons = np.repeat(np.arange(n), [len(one) for one in times])
        network.add_population(name, n, models.SpikeArray(neurons=neurons, times_ms=np.concatenate(times)))
    network.add_population("post", n, models.AdExAfterpotential(), record={"V_mV": DT})
    network.add_projection("makes", "trigger", "post", models.OneToOne(), models.DeltaCurrent(), 3e5)
    network.add_projection("s", "pre", "post", models.AllToAll(), Unheard(), weight, rule)
    simulation = Simulation(network, device=device)
    simulation.run(until_ms)
    synapses, found = simulation.synapses("s"), np.zeros((n, n))
    found[synapses["pre"], synapses["post"]] = synapses["weight"]
    return found, simulation.recorded("post", "V_mV").values


def by_the_paper(V, pre_ms, weight, before_upstroke, w_max):
    """Equation 3 in float64, step by step, of all synapses: V [step, target]; `pre_ms` as the synapse sees them."""
    n_steps, n = V.shape
    spikes = np.zeros((n_steps + 2, n))
    for source, times in enumerate(pre_ms):
        spikes[np.round(np.asarray(times) / DT).astype(int), source] = 1
    w, x = np.full((n, n), weight), np.zeros(n)
    minus, plus = V[0].copy(), V[0].copy()
    held = plus
    for k in range(n_steps - 1):  # the synapse sees the last step's end in the next one
        minus = minus + (V[k] - minus) * (1 - np.exp(-DT / 10))
        plus = plus + (V[k] - plus) * (1 - np.exp(-DT / 7))
        held = plus if not before_upstroke else np.where(V[k] > -45.3, held, plus)
        x = x * np.exp(-DT / 15) + spikes[k]
        w = np.maximum(w - np.outer(spikes[k], 14e-5 * np.maximum(minus + 70.6, 0)), 0)
        rate = 8e-5 * np.maximum(V[k] + 45.3, 0) * np.maximum(held + 70.6, 0)
        w = np.minimum(w + np.outer(x, rate) * (1 - np.exp(-DT / 15)), w_max)  # x decays within the step
    return w


@pytest.mark.parametrize("before_upstroke", [True, False])
def test_weights_follow_the_papers_equations_from_the_voltage_that_was(before_upstroke):
    random = np.random.default_rng(4)
    pre, post = ([np.sort(random.choice(2500, 20, replace=False)) / 10 for _ in range(3)] for _ in range(2))
    rule = models.Clopath(before_upstroke=before_upstroke, w_max=0.8)
    found, V = simulated(pre, post, rule, 0.5, 270.0)
    expected = by_the_paper(V.astype(float), pre, 0.5, before_upstroke, 0.8)
    assert np.abs(expected - 0.5).max() > 0.05
    np.testing.assert_allclose(found, expected, rtol=2e-5)
    assert (found == np.float32(0.8)).any() != before_upstroke, "an upstroke that counts leads to the bound"


def test_racing_threads_and_one_give_the_same_bits():
    times = [np.arange(10.0, 60.0, 7 + k) for k in range(3)]
    of_devices = [
        simulated(times, times[::-1], models.Clopath(), 0.5, 70.0, device)[0] for device in (QUICK, RacingThreads())
    ]
    np.testing.assert_array_equal(*of_devices)
    assert np.ptp(of_devices[0]) > 0.01


def test_a_pairing_protocol_gives_the_published_curve():
    """Figure 2b: five pairs, 10 ms apart, from 0.1 (here 2) to 50 Hz; parameters of visual cortex."""
    rates_hz = [2, 10, 20, 30, 40, 50]
    post = [30.0 + np.arange(5) * 1000.0 / rate for rate in rates_hz]
    change = {}
    for lag in (10.0, -10.0):
        pre = [np.round(times - lag, 1) for times in post]
        w, _ = simulated(pre, [np.round(times, 1) for times in post], models.Clopath(), 0.5, 2100.0)
        change[lag] = 15 * (np.diag(w) / 0.5 - 1)  # 75 pairs
    after, before = change[10.0], change[-10.0]
    assert np.all(np.diff(after) > -0.01), "the more, the higher the frequency"
    assert np.all(np.diff(before) > -0.01)
    assert abs(after[0]) < 0.05, "no change of slow pairs, source first"
    assert -0.5 < before[0] < -0.2, "depression of slow pairs, target first"
    assert after[-1] > 0.15
    assert before[-1] > 0.05, "potentiation in any order at 50 Hz"


Follower = models.SynapseModel(
    "follower",
    "Counts steps, by target, in which its potential is above a threshold.",
    parameters={"theta_mV": models.Parameter(-60.0, "mV", "threshold")},
    variables=(models.Variable("weight"), models.Variable("steps_above", 0.0)),
    target_variables=(models.Variable("above", 0, "steps", "int"), models.Variable("so_far", 0, "steps", "int")),
    needs_of_target=("V_mV",),
    update_target="above = V_mV > theta_mV; so_far += above;",
    on_step_if="above == 1",
    on_step="steps_above += 1.0f;",
)


def following(rule=None, model=None, **more):
    network = Network(seed=1, dt_ms=DT)
    network.add_population("pre", 2, models.Poisson(rate_hz=10.0))
    drift = None if model else {"V_mV": models.Normal(-65, 8)}
    network.add_population("post", 8, model or models.LIF(V_threshold_mV=0.0, tau_m_ms=5.0), drift)
    network.add_projection("s", "pre", "post", models.AllToAll(), Unheard(), 1.0, (rule or Follower)(), **more)
    return network


def test_a_synapse_of_ones_own_follows_its_targets():
    simulation = Simulation(following(), device=QUICK)
    simulation.run(20.0)
    so_far, synapses = simulation.neurons("post")["s.target.so_far"], simulation.synapses("s")
    np.testing.assert_array_equal(synapses["steps_above"], so_far[synapses["post"]])
    assert len(set(so_far)) > 3


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: models.Clopath(theta_plus_mV=-71.0),
            r"^clopath\.theta_plus_mV: -71\.0 is not allowed; must be above theta_minus_mV, -70\.6$",
        ),
        (
            lambda: models.AdExAfterpotential(V_threshold_spike_mV=-60.0),
            r"^adex_afterpotential\.V_threshold_spike_mV: -60\.0 is not allowed; "
            r"must not be below V_threshold_mV, -50\.4$",
        ),
        (
            lambda: following(model=models.LIFSubtractive()),
            r"^projections\.s\.synapse: follower follows V_mV of its targets, which post does not have; "
            r"lif_subtractive has V, silent_steps$",
        ),
        (
            lambda: following(dendritic_delay_ms=1.0),
            r"^projections\.s\.dendritic_delay_ms: 1 is not allowed with the synapse follower, which sees its target "
            r"as it is; must be 0$",
        ),
    ],
)
def test_what_cannot_be_is_refused(make, message):
    with pytest.raises(ConfigurationError, match=message):
        make()
