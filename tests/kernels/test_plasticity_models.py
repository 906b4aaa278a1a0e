"""Built-in plasticity rules and receptors against float32 formulas, closed forms and published protocols."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hpcsnn import ConfigurationError, Network, Simulation, models
from support.models import Relay, Unheard
from support.spike_traces import Trace

F = np.float32
DT = 1.0


def paired(pre, post, soft, triplet, weight=0.5):
    """Neurons that spike at given steps, (neuron, step) each: all-to-all projections ``soft`` and ``triplet``.

    A spike of `pre` in step k arrives in k + 1 and sees the end of step k: pre and post of one step are coincident.
    """
    network = Network(seed=1, dt_ms=DT)
    n = 1 + max(neuron for neuron, _ in (*pre, *post))
    for name, spikes, early in (("pre", pre, 0), ("trigger", post, 1)):
        neurons, steps = zip(*spikes, strict=True)
        network.add_population(
            name, n, models.SpikeArray(neurons=neurons, times_ms=[(step - early) * DT for step in steps])
        )
    network.add_population("post", n, Relay(), record_spikes=True)
    network.add_projection("makes", "trigger", "post", models.OneToOne(), models.DeltaCurrent(), 1.0)
    for name, rule in (("soft", soft), ("triplet", triplet)):
        network.add_projection(name, "pre", "post", models.AllToAll(), Unheard(), weight, rule)
    return Simulation(network, device="cpu")


def weights(simulation, projection):
    """Array [pre, post]."""
    synapses = simulation.synapses(projection)
    found = np.zeros((synapses["pre"].max() + 1, synapses["post"].max() + 1), F)
    found[synapses["pre"], synapses["post"]] = synapses["weight"]
    return found


# -- rules against their formulas --------------------------------------------------------------------------------------


def test_rules_follow_their_formulas_to_the_bit():
    n, n_steps = 4, 4000
    random = np.random.default_rng(4)
    fired = {side: random.random((n_steps, n)) < 0.06 for side in ("pre", "post")}
    fired["post"][0] = False  # a trigger would have to come before the start
    pre, post = ([(int(i), int(k)) for k, i in np.argwhere(fired[side])] for side in ("pre", "post"))
    soft = models.MultiplicativeSTDP(a_plus=0.05, a_minus=0.4, tau_minus_ms=40.0, w_max=0.9)
    triplet = models.TripletSTDP(a2_plus=2e-3, a3_minus=4e-3, w_max=0.9)
    simulation = paired(pre, post, soft, triplet)
    simulation.run(n_steps * DT)
    assert [(int(i), int(k)) for k, i in zip(*simulation.spikes("post"), strict=True)] == post

    s, t = ({name: F(value) for name, value in rule.values.items()} for rule in (soft, triplet))
    of_pre = [Trace(n, DT, rule.values[tau]) for rule, tau in ((soft, "tau_plus_ms"), (triplet, "tau_plus_ms"))]
    of_post = [Trace(n, DT, rule.values[tau]) for rule, tau in ((soft, "tau_minus_ms"), (triplet, "tau_minus_ms"))]
    (x, r1), (y, o1) = of_pre, of_post
    r2, o2 = Trace(n, DT, triplet.values["tau_x_ms"]), Trace(n, DT, triplet.values["tau_y_ms"])
    w, v = np.full((n, n), F(0.5)), np.full((n, n), F(0.5))
    bounded = 0
    for seen in range(n_steps - 1):  # the steps whose ends synapses have seen
        for j in np.flatnonzero(fired["post"][seen]):
            for trace in (y, o1, o2):
                trace.spike(j, seen)
        for i in np.flatnonzero(fired["pre"][seen]):
            for j in range(n):
                w[i, j] = max(w[i, j] - s["a_minus"] * w[i, j] * y.before(j, seen), F(0))
                v[i, j] = max(v[i, j] - o1.before(j, seen) * (t["a2_minus"] + t["a3_minus"] * r2.at(i, seen)), F(0))
                bounded += (w[i, j] == 0) + (v[i, j] == 0)
        for i in np.flatnonzero(fired["pre"][seen]):
            for trace in (x, r1, r2):
                trace.spike(i, seen)
        for j in np.flatnonzero(fired["post"][seen]):
            for i in range(n):
                w[i, j] = min(w[i, j] + s["a_plus"] * (s["w_max"] - w[i, j]) * x.before(i, seen), s["w_max"])
                triplets = t["a2_plus"] + t["a3_plus"] * o2.before(j, seen)
                v[i, j] = min(v[i, j] + r1.before(i, seen) * triplets, t["w_max"])
                bounded += v[i, j] == t["w_max"]
    np.testing.assert_array_equal(weights(simulation, "soft"), w)
    np.testing.assert_array_equal(weights(simulation, "triplet"), v)
    assert bounded > 10, "bounds were met"


# -- published behaviour -----------------------------------------------------------------------------------------------


def protocol(pairs):
    """60 pairings a neuron, at a frequency in Hz and with post after pre by some ms: (pre, post) for `paired`."""
    pre, post = [], []
    for neuron, (frequency_hz, lag_ms) in enumerate(pairs):
        for k in range(60):
            at = 50 + round(k * 1000 / frequency_hz)
            pre.append((neuron, at))
            post.append((neuron, at + lag_ms))
    return pre, post


def triplet_change(pre_ms, post_ms, p):
    """Change of the weight by Pfister & Gerstner's equations 3 and 4, as sums over all earlier spikes, in float64."""

    def trace(spikes, at, tau_ms):
        return sum(math.exp(-(at - spike) / tau_ms) for spike in spikes if spike < at)

    change = 0.0
    for at in pre_ms:
        change -= trace(post_ms, at, p["tau_minus_ms"]) * (
            p["a2_minus"] + p["a3_minus"] * trace(pre_ms, at, p["tau_x_ms"])
        )
    for at in post_ms:
        change += trace(pre_ms, at, p["tau_plus_ms"]) * (
            p["a2_plus"] + p["a3_plus"] * trace(post_ms, at, p["tau_y_ms"])
        )
    return change


def test_triplets_give_the_frequency_dependence_of_visual_cortex():
    pairs = [(hz, lag) for hz in (0.5, 10, 20, 40) for lag in (10, -10)]
    pre, post = protocol(pairs)
    rule = models.TripletSTDP(w_max=5.0)
    simulation = paired(pre, post, models.MultiplicativeSTDP(w_max=5.0), rule, weight=1.0)
    simulation.run(60 * 2000 + 200.0)
    change = np.diag(weights(simulation, "triplet")).astype(float) - 1.0
    for neuron, (hz, lag) in enumerate(pairs):
        times = [[float(step) for which, step in spikes if which == neuron] for spikes in (pre, post)]
        expected = triplet_change(*times, rule.values)
        assert change[neuron] == pytest.approx(expected, abs=2e-5), (hz, lag)
    found = dict(zip(pairs, change, strict=True))
    # What Sjoestroem, Turrigiano & Nelson 2001 found and pairs cannot explain: pre before post does nothing at low
    # frequency and potentiates at high; post before pre depresses at low frequency and potentiates at high.
    assert abs(found[0.5, 10]) < 0.02
    assert found[0.5, -10] < -0.25
    assert found[40, 10] > 0.4
    assert found[40, -10] > 0.1
    assert found[0.5, 10] < found[10, 10] < found[20, 10] < found[40, 10]


def test_soft_bounds_settle_at_their_fixed_point():
    """Pairs that come again every `period`: potentiation P (w_max - w) and depression D w balance."""
    period, lag, w_max, a_plus, a_minus = 50, 8, 0.8, 0.03, 0.04
    pre = [(0, 10 + k * period) for k in range(2000)]
    post = [(0, step + lag) for _, step in pre]
    soft = models.MultiplicativeSTDP(tau_plus_ms=20.0, tau_minus_ms=30.0, a_plus=a_plus, a_minus=a_minus, w_max=w_max)
    plus = a_plus * math.exp(-lag / 20) / (1 - math.exp(-period / 20))
    minus = a_minus * math.exp(-(period - lag) / 30) / (1 - math.exp(-period / 30))
    fixed = w_max * plus / (plus + minus - plus * minus)
    assert 0.1 * w_max < fixed < 0.9 * w_max
    for start in (0.0, w_max):
        simulation = paired(pre, post, soft, models.TripletSTDP(), weight=start)
        simulation.run(2000.0 * period)
        assert weights(simulation, "soft")[0, 0] == pytest.approx(fixed, rel=2e-5)


# -- receptors ---------------------------------------------------------------------------------------------------------


def test_alpha_and_delta_currents_follow_their_closed_forms():
    network = Network(seed=1, dt_ms=0.1)
    network.add_population("input", 1, models.SpikeArray(neurons=[0, 0], times_ms=[0.9, 4.9]))
    for name, receptor in (("alpha", models.AlphaCurrent(tau_ms=3.0)), ("delta", models.DeltaCurrent())):
        network.add_population(name, 1, Relay())
        network.add_projection(f"to_{name}", "input", name, models.OneToOne(), receptor, 0.25)
    simulation = Simulation(network, device="cpu")
    heard = {"alpha": [], "delta": []}
    current, rise, decay = F(0), F(0), F(math.exp(-0.1 / 3))
    mean = -math.expm1(-0.1 / 3) * 3.0 / 0.1
    for step in range(600):
        simulation.run(0.1)
        for name, values in heard.items():
            values.append(simulation.neurons(name)["heard"][0])
        rise = rise + (F(0.25) if step in (10, 50) else F(0)) * F(math.exp(1) / 3)
        assert heard["alpha"][-1] == current * F(mean) + rise * F(3.0 * (mean - math.exp(-0.1 / 3)))
        current, rise = current * decay + rise * F(0.1 * math.exp(-0.1 / 3)), rise * decay
    ends = [np.maximum(np.arange(601) - start, 0) * 0.1 / 3 for start in (10, 50)]
    brought = sum(-0.25 * 3 * (1 + age) * np.exp(1 - age) for age in ends)  # the integral over time, up to a constant
    np.testing.assert_allclose(heard["alpha"], np.diff(brought) / 0.1, atol=1e-6)
    assert max(heard["alpha"][:50]) == pytest.approx(0.25, rel=3e-4), "the weight is the peak, 3 ms after arrival"
    assert np.argmax(heard["alpha"][:50]) in (39, 40)
    assert np.flatnonzero(heard["delta"]).tolist() == [10, 50]
    assert heard["delta"][10] == F(0.25)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: models.MultiplicativeSTDP(a_plus=1.5),
            r"^multiplicative_stdp\.a_plus: 1\.5 is not allowed; must be a number >= 0 and <= 1$",
        ),
        (
            lambda: models.TripletSTDP(tau_x_ms=0),
            r"^triplet_stdp\.tau_x_ms: 0 is not allowed; must be a number in ms > 0$",
        ),
        (
            lambda: paired([(0, 1)], [(0, 2)], models.MultiplicativeSTDP(w_max=1), models.TripletSTDP(), weight=1.2),
            r"^projections\.soft\.weight: 1\.2 is not allowed; must be in \[0, 1\], the range of multiplicative_stdp$",
        ),
        (
            lambda: models.AlphaCurrent(tau_ms=-1.0),
            r"^alpha_current\.tau_ms: -1\.0 is not allowed; must be a number in ms > 0$",
        ),
    ],
)
def test_values_that_cannot_be_are_refused(make, message):
    with pytest.raises(ConfigurationError, match=message):
        make()
