"""Spikes of one step: they are no pair for STDP and one coincidence for BCPNN, and their older pairs count as ever."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hpcsnn import ConfigurationError, Network, Simulation, models
from support.models import Relay, Unheard

DT = 1.0
PAIRS = {"tau_plus_ms": 20.0, "tau_minus_ms": 30.0, "a_plus": 0.01, "a_minus": 0.012, "w_max": 1.0}


def synapse_after(synapse, pre_ms, post_ms, weight=0.5):
    """The synapse's variables once neurons have spiked at these times: pre and post of one time are coincident."""
    network = Network(seed=1, dt_ms=DT)
    for name, times, early in (("pre", pre_ms, 0.0), ("trigger", post_ms, DT)):
        network.add_population(name, 1, models.SpikeArray(neurons=[0] * len(times), times_ms=np.subtract(times, early)))
    network.add_population("post", 1, Relay())
    network.add_projection("makes", "trigger", "post", models.OneToOne(), models.DeltaCurrent(), 1.0)
    network.add_projection("plastic", "pre", "post", models.OneToOne(), Unheard(), weight, synapse)
    simulation = Simulation(network, device="cpu")
    simulation.run(max(*pre_ms, *post_ms) + 10)
    return {name: float(values[0]) for name, values in simulation.synapses("plastic").items()}


def change(synapse, pre_ms, post_ms):
    return synapse_after(synapse, pre_ms, post_ms)["weight"] - 0.5


def exact(rule, pre_ms, post_ms, weight=0.5):
    """The weight in float64, all pairs with a lag counted: a sum over all earlier spikes at each spike."""
    p = rule.values

    def trace(spikes, at, tau):
        return sum(math.exp((spike - at) / p[tau]) for spike in spikes if spike < at)

    for at in sorted({*pre_ms, *post_ms}):
        if at in pre_ms:
            if rule.name == "triplet_stdp":
                down = trace(post_ms, at, "tau_minus_ms") * (
                    p["a2_minus"] + p["a3_minus"] * trace(pre_ms, at, "tau_x_ms")
                )
            else:
                down = p["a_minus"] * trace(post_ms, at, "tau_minus_ms")
            weight = max(weight - down * (weight if rule.name == "multiplicative_stdp" else 1), 0)
        if at in post_ms:
            if rule.name == "triplet_stdp":
                up = trace(pre_ms, at, "tau_plus_ms") * (p["a2_plus"] + p["a3_plus"] * trace(post_ms, at, "tau_y_ms"))
            else:
                up = p["a_plus"] * trace(pre_ms, at, "tau_plus_ms")
            weight = min(weight + up * (p["w_max"] - weight if rule.name == "multiplicative_stdp" else 1), p["w_max"])
    return weight


RULES = [models.AdditiveSTDP(**PAIRS), models.MultiplicativeSTDP(**PAIRS), models.TripletSTDP()]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
@pytest.mark.parametrize(
    ("pre_ms", "post_ms"),
    [([100.0], [90.0, 100.0]), ([90.0, 100.0], [100.0]), ([80.0, 100.0], [90.0, 100.0]), ([100.0], [100.0])],
)
def test_only_the_coincident_pair_is_left_out(rule, pre_ms, post_ms):
    expected = exact(rule, pre_ms, post_ms) - 0.5
    assert change(rule, pre_ms, post_ms) == pytest.approx(expected, rel=1e-5, abs=1e-7)
    assert (expected == 0) == (pre_ms == post_ms)


def test_an_older_pair_changes_the_weight_as_it_does_alone():
    rule = models.AdditiveSTDP(**PAIRS)
    assert change(rule, [100.0], [90.0, 100.0]) == pytest.approx(-0.012 * math.exp(-10 / 30), rel=1e-5)
    assert change(rule, [90.0, 100.0], [100.0]) == pytest.approx(0.01 * math.exp(-10 / 20), rel=1e-5)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_random_trains_with_many_coincidences(rule):
    """100 Hz on either side, in steps of 1 ms: one spike in ten is coincident."""
    random = np.random.default_rng(3)
    pre_ms, post_ms = (np.flatnonzero(random.random(1000) < 0.1) + 2.0 for _ in range(2))
    pre_ms, post_ms = pre_ms.tolist(), post_ms.tolist()
    assert len({*pre_ms} & {*post_ms}) > 5
    assert synapse_after(rule, pre_ms, post_ms)["weight"] == pytest.approx(exact(rule, pre_ms, post_ms), abs=2e-6)


def test_older_pairs_are_dropped_where_that_is_asked_for():
    """The published topographic map's rule, GeNN 5's: a spike that coincides changes nothing."""
    rule = models.AdditiveSTDP(**PAIRS, drop_older_pairs=1)
    assert change(rule, [100.0], [90.0, 100.0]) == 0
    assert change(rule, [90.0, 100.0], [100.0]) == 0
    assert change(rule, [100.0], [90.0]) == change(models.AdditiveSTDP(**PAIRS), [100.0], [90.0])
    with pytest.raises(
        ConfigurationError,
        match=r"^additive_stdp\.drop_older_pairs: 2 is not allowed; must be a whole number >= 0 and <= 1$",
    ):
        models.AdditiveSTDP(drop_older_pairs=2)


def joint_integral(pre_ms, post_ms, tau_ms, dt_ms=0.01, tail_ms=400.0):
    """The integral of z_i z_j over time, in units of a coincidence's (tau / 2), by a sum over steps."""
    t = np.arange(0.0, max(*pre_ms, *post_ms) + tail_ms, dt_ms) + dt_ms / 2
    z_i, z_j = (sum(np.where(t > at, np.exp((at - t) / tau_ms), 0.0) for at in times) for times in (pre_ms, post_ms))
    return (z_i * z_j).sum() * dt_ms / (tau_ms / 2)


@pytest.mark.parametrize(
    ("pre_ms", "post_ms"),
    [
        ([100.0], [100.0]),
        ([100.0], [90.0]),
        ([90.0], [100.0]),
        ([90.0, 100.0], [90.0, 100.0]),
        ([50.0, 60.0, 83.0, 90.0], [45.0, 60.0, 61.0, 90.0, 99.0]),
    ],
)
def test_bcpnn_counts_each_pair_once(pre_ms, post_ms):
    rule = models.BCPNN(tau_z_ms=20.0)
    counted = synapse_after(rule, pre_ms, post_ms)["p_joint"] / rule.constants(DT)["coincidence"]
    assert counted == pytest.approx(joint_integral(pre_ms, post_ms, 20.0), rel=1e-4)
    assert counted == pytest.approx(sum(math.exp(-abs(a - b) / 20) for a in pre_ms for b in post_ms), rel=1e-5)


def test_bcpnn_of_synchronous_neurons_is_that_of_one_neuron_with_itself():
    """Regular spikes every 50 ms, tau_z 10 ms: pairs of one step and hardly any others."""
    times = [50.0 * k for k in range(1, 41)]
    rule = models.BCPNN(tau_z_ms=10.0)
    counted = synapse_after(rule, times, times)["p_joint"] / rule.constants(DT)["coincidence"]
    assert counted == pytest.approx(40 + 2 * 39 * math.exp(-5), rel=1e-3)
