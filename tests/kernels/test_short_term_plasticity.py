"""`tsodyks_markram`: what each spike brings, beside the published recursion and its steady state."""

from __future__ import annotations

import numpy as np
import pytest

from hpcsnn import ConfigurationError, Network, Simulation, models
from hpcsnn.devices import HostDevice
from hpcsnn.models import Uniform
from support.formulas import exponential

F = np.float32
DT = 0.5
QUICK = HostDevice(("-O1",))
Meter = models.NeuronModel(
    "meter",
    "What arrived last can be read.",
    state=(models.Variable("heard"),),
    update="heard = input_current;",
    threshold="false",
)
DEPRESSING = {"U": 0.5, "tau_rec_ms": 800.0, "tau_facil_ms": 0.0}
FACILITATING = {"U": 0.04, "tau_rec_ms": 100.0, "tau_facil_ms": 1000.0}
BOTH = {"U": 0.2, "tau_rec_ms": 130.0, "tau_facil_ms": 530.0}


def brought(trains_ms, weight=2.0, delay_ms=DT, **p):
    """The amount of each spike of each train, (n trains) lists in the order of arrival."""
    network = Network(seed=1, dt_ms=DT)
    n = len(trains_ms)
    neurons = np.repeat(np.arange(n), [len(train) for train in trains_ms])
    network.add_population("pre", n, models.SpikeArray(neurons=neurons, times_ms=np.concatenate(trains_ms)))
    network.add_population("meter", n, Meter())
    synapse = models.TsodyksMarkram(**p)
    network.add_projection(
        "s", "pre", "meter", models.OneToOne(), models.DeltaCurrent(), weight, synapse, delay_ms=delay_ms
    )
    simulation = Simulation(network, device=QUICK)
    amounts = [[] for _ in trains_ms]
    for arrival in sorted({round((at + delay_ms) / DT) for train in trains_ms for at in train}):
        simulation.run((arrival + 1) * DT - simulation.time_ms)
        heard = simulation.neurons("meter")["heard"]
        for train, found, amount in zip(trains_ms, amounts, heard, strict=True):
            if any(round((at + delay_ms) / DT) == arrival for at in train):
                found.append(float(amount))
    return amounts, simulation.synapses("s")


def published(train_ms, U, tau_rec_ms, tau_facil_ms):
    """u R of each spike by the recursion of Markram, Wang & Tsodyks 1998, in float64."""
    u, R, found = U, 1.0, [U]
    for gap in np.diff(train_ms):
        R = 1.0 + (R - R * u - 1.0) * np.exp(-gap / tau_rec_ms) if tau_rec_ms else 1.0
        u = U + u * (1.0 - U) * (np.exp(-gap / tau_facil_ms) if tau_facil_ms else 0.0)
        found.append(u * R)
    return np.array(found)


def steady(hz, U, tau_rec_ms, tau_facil_ms):
    """u R when spikes come at one interval for ever, in closed form."""
    gap = 1e3 / hz
    recovered = np.exp(-gap / tau_rec_ms) if tau_rec_ms else 0.0
    left = np.exp(-gap / tau_facil_ms) if tau_facil_ms else 0.0
    u = U / (1.0 - (1.0 - U) * left)
    return u * (1.0 - recovered) / (1.0 - (1.0 - u) * recovered)


def random_trains(n, hz, until_ms, seed=3):
    random, steps = np.random.default_rng(seed), round(until_ms / DT)
    return [np.flatnonzero(random.random(steps) < hz * DT * 1e-3) * DT for _ in range(n)]


@pytest.mark.parametrize("p", [DEPRESSING, FACILITATING, BOTH, {"U": 1.0, "tau_rec_ms": 0.0, "tau_facil_ms": 50.0}])
@pytest.mark.parametrize("weight", [2.0, -0.3])
def test_each_spike_brings_what_the_published_recursion_says(p, weight):
    trains = random_trains(6, 25.0, 4000.0)
    amounts, synapses = brought(trains, weight, delay_ms=3 * DT, **p)
    for train, found in zip(trains, amounts, strict=True):
        assert len(found) == len(train) > 50
        np.testing.assert_allclose(found, weight * published(train, **p), rtol=3e-6, atol=2e-6 * abs(weight))
    assert synapses["last_step"].tolist() == [round(train[-1] / DT) + 2 for train in trains]


def test_a_synapse_follows_its_formula_to_the_bit():
    trains = random_trains(4, 60.0, 3000.0, seed=8)
    _, synapses = brought(trains, **BOTH)
    U, recovery, decay = F(BOTH["U"]), F(DT / BOTH["tau_rec_ms"]), F(DT / BOTH["tau_facil_ms"])
    for neuron, train in enumerate(trains):
        u, x, last = F(0), F(1), 0
        for step in np.rint(train / DT).astype(int):
            elapsed = F(step - last)
            left = u * exponential(-elapsed * decay)
            ready = F(1) - (F(1) - x) * exponential(-elapsed * recovery)
            u = left + U * (F(1) - left)
            x, last = ready - u * ready, step
        assert (synapses["use"][neuron], synapses["resources"][neuron]) == (u, x)


@pytest.mark.parametrize("p", [DEPRESSING, FACILITATING, BOTH])
def test_the_steady_amplitude_over_the_rate_is_the_closed_form(p):
    rates_hz = [2.0, 5.0, 10.0, 20.0, 40.0, 100.0]
    trains = [np.arange(500) * 1e3 / hz for hz in rates_hz]
    amounts, _ = brought(trains, **p)
    found = np.array([each[-1] / 2.0 for each in amounts])
    np.testing.assert_allclose(found, [steady(hz, **p) for hz in rates_hz], rtol=1e-5)
    if p is DEPRESSING:  # 1 / f: beyond the limiting frequency only changes of a rate are heard
        assert (np.diff(found) < 0).all()
        assert found[-1] * rates_hz[-1] == pytest.approx(1e3 / p["tau_rec_ms"], rel=0.05)
    if p is FACILITATING:  # it has a peak near 1 / sqrt(U tau_rec tau_facil)
        peak_hz = 1e3 / np.sqrt(p["U"] * p["tau_rec_ms"] * p["tau_facil_ms"])
        assert 10.0 < rates_hz[int(np.argmax(found))] <= 20.0
        assert 10.0 < peak_hz < 20.0


def test_a_train_depresses_or_facilitates():
    train = np.arange(10) * 25.0  # 40 Hz
    (depressed,), _ = brought([train], **DEPRESSING)
    (facilitated,), _ = brought([train], **FACILITATING)
    assert (np.diff(depressed) < 0).all()
    assert depressed[0] == 2.0 * 0.5
    assert (np.diff(facilitated[:6]) > 0).all()
    assert facilitated[0] == pytest.approx(2.0 * 0.04, rel=1e-6)
    rested = [*train, train[-1] + 10_000.0]
    (again,), _ = brought([rested], **DEPRESSING)
    assert again[-1] == pytest.approx(again[0], rel=1e-5), "a rest of many time constants brings all back"


def test_without_time_constants_a_spike_always_brings_the_same():
    (found,), _ = brought([np.arange(40) * DT], U=0.3, tau_rec_ms=0.0, tau_facil_ms=0.0)
    assert found == [pytest.approx(0.6, rel=1e-6)] * 40
    assert len(set(found)) == 1


def test_a_synapse_never_brings_more_than_its_weight():
    """At any rate and with the largest use: the bound by which input adds up."""
    trains = random_trains(20, 900.0, 400.0)
    amounts, synapses = brought(trains, U=1.0, tau_rec_ms=1.0, tau_facil_ms=1e6)
    assert max(map(max, amounts)) == 2.0
    assert min(map(min, amounts)) > 0.0
    assert ((synapses["resources"] >= 0) & (synapses["use"] <= 1)).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: models.TsodyksMarkram(U=1.5), r"^tsodyks_markram\.U: 1\.5 is not allowed; must be a number >= 0 and"),
        (
            lambda: models.TsodyksMarkram(tau_rec_ms=-1),
            r"^tsodyks_markram\.tau_rec_ms: -1 is not allowed; must be a number in ms >= 0$",
        ),
        (
            lambda: brought([[1.0]], weight=Uniform(0.1, 0.2)),
            r"^projections\.s\.weight: .* is not allowed with the synapse tsodyks_markram, which does not say",
        ),
    ],
)
def test_values_that_cannot_be_are_refused(make, message):
    with pytest.raises(ConfigurationError, match=message):
        make()
