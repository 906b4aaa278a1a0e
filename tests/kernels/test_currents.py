"""Currents onto neurons are their formulas to the bit, whatever else is varied; noise is what it says."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import kstest, poisson

from hpcsnn import ConfigurationError, Grid, Network, Simulation, models
from hpcsnn.codegen.program import generate
from hpcsnn.engine.digest import simulation_digest
from hpcsnn.runs.scripted.saving import write_network
from hpcsnn.storage.network_store import StoredNetwork
from hpcsnn.storage.restore import restore
from support.devices import on_launched
from support.draws import INITIAL, SPIKES, F, philox
from support.formulas import logarithm, sine_of_turns
from support.thread_ranks import on_ranks

SEED, DT, STEPS, GRID = 11, 0.1, 700, Grid(8, 4)
CURRENT = 17 << 24
# A current of one's own, with a table and numbers that it draws by itself.
Flicker = models.CurrentModel(
    "flicker",
    "Each neuron's own height, in half of the steps.",
    parameters={"height": models.Parameter(None, "", "of neuron 0")},
    derived={"twice": models.Derived("2 * height")},
    tables={"extra": models.Table("float", lambda context: context.global_id * 0.5)},
    current="""
    if (random4((uint32)id, (uint32)step, 3u).w < 0x80000000u) return 0.0f;
    return step == from_step || step + 1 == to_step ? twice : height + extra[neuron];
    """,
)
CURRENTS = [
    models.StepCurrent(amplitude=19.0, from_ms=5, to_ms=30, neurons="0..9"),
    models.RampCurrent(from_amplitude=-3.0, to_amplitude=40.0, from_ms=10.5, to_ms=60, neurons={"every": 2}),
    models.SineCurrent(amplitude=30.0, frequency_hz=73.0, phase_deg=-30.0, from_ms=2, neurons=["5..20", 31]),
    models.NoiseCurrent(mean=2.0, std=25.0, every_ms=0.7, from_ms=1.2, neurons={"rectangle": [2, 1, 8, 4]}),
    Flicker(height=11.0, from_ms=20, to_ms=50),
    models.NoiseCurrent(std=9.0, from_ms=3, to_ms=64),
    models.PoissonCurrent(rate_hz=4000.0, weight=7.0, from_ms=1, to_ms=55, neurons="8..24"),
]


def stimulated(record=None, currents=CURRENTS):
    network = Network(seed=SEED, dt_ms=DT)
    network.add_population("before", 3, models.Poisson(rate_hz=100))
    lif = models.LIF(refractory_ms=1.0)
    network.add_population("cells", GRID, lif, record_spikes=True, record=record, stimulate=currents)
    return network


def words(number, neuron, step, draw=0):
    return philox(neuron, step, 4 * 1 + SPIKES | CURRENT, number << 16 | draw, SEED)


def normal(one, other):
    radius = np.sqrt(F(-2) * logarithm((F(one) + F(0.5)) * F(2.0**-32)))
    return radius * sine_of_turns(F(other >> 8) * F(2.0**-24))


def noise(number, neuron, step, mean, std, every, first):
    one, other, *_ = words(number, neuron, step - (step - first) % every)
    return F(mean) + F(std) * normal(one, other)


def poisson_train(neuron, step):
    """Of a number between 0 and 1 as many spikes as so large a part of all steps has at most."""
    return F(7) * F(poisson.ppf((words(6, neuron, step)[0] + 0.5) * 2.0**-32, 4000 * DT * 1e-3))


def flicker(neuron, step):
    if words(4, neuron, step, 3)[3] < 2**31:
        return F(0)
    return F(22) if step in (200, 499) else F(11) + F(neuron * 0.5)


def sine(step):
    turns = (330 * 2**64 // 360 + round(73.0e-4 * 2**64) * (step - 20)) % 2**64
    return F(30) * sine_of_turns(F(turns >> 40) * F(2.0**-24))


def stimulus(step):
    """What flows onto each neuron, added up in the order of the list."""
    total = np.zeros(GRID.size, F)
    for neuron in range(GRID.size):
        x, y = neuron % 8, neuron // 8
        flows = [
            (F(19), 50 <= step < 300 and neuron < 10),
            (F(-3) + F(43) * (F(step - 105) / F(600 - 105)), 105 <= step < 600 and neuron % 2 == 0),
            (sine(step) if step >= 20 else F(0), step >= 20 and (5 <= neuron <= 20 or neuron == 31)),
            (noise(3, neuron, step, 2, 25, 7, 12), step >= 12 and x >= 2 and y >= 1),
            (flicker(neuron, step), 200 <= step < 500),
            (noise(5, neuron, step, 0, 9, 10, 30), 30 <= step < 640),
            (poisson_train(neuron, step), 10 <= step < 550 and 8 <= neuron <= 24),
        ]
        for current, now in flows:
            if now:
                total[neuron] += current
    return total


@pytest.fixture(scope="module")
def formulas():
    """V (mV) of each neuron after each step, and the number of spikes."""
    decay, v, frozen = F(math.exp(-DT / 20)), np.full(GRID.size, F(-70)), np.zeros(GRID.size, int)
    seen, n_spikes = [], 0
    for step in range(STEPS):
        towards = (stimulus(step) + F(0)) * F(1) + F(-70)
        v = np.where(frozen > 0, v, towards - decay * (towards - v))
        fired = (frozen == 0) & (v >= F(-54))
        frozen = np.where(fired, 10, np.maximum(frozen - 1, 0))
        v = np.where(fired, F(-70), v)
        seen.append(v)
        n_spikes += fired.sum()
    return np.array(seen), n_spikes


def check(simulation, formulas):
    simulation.run(STEPS * DT)
    potential, n_spikes = formulas
    np.testing.assert_array_equal(simulation.recorded("cells", "V_mV").values, potential)
    assert len(simulation.spikes("cells")[0]) == n_spikes > 20


@pytest.mark.parametrize("tile", [1, 8])
def test_currents_are_their_formulas_to_the_bit(formulas, tile):
    check(Simulation(stimulated({"V_mV": DT}), device="cpu", tile=tile), formulas)


@on_launched
def test_on_devices_with_many_threads_too(formulas, device):
    check(Simulation(stimulated({"V_mV": DT}), device=device), formulas)


def test_a_current_goes_on_where_a_restart_finds_it(tmp_path):
    straight = Simulation(stimulated(), device="cpu")
    straight.run(STEPS * DT)
    cut = Simulation(stimulated(), device="cpu")
    cut.run(23.4)  # within a draw of noise
    write_network(tmp_path / "cut", cut)
    resumed = Simulation(stimulated(), device="cpu", tile=4)
    restore(resumed, StoredNetwork(tmp_path / "cut"))
    resumed.run(STEPS * DT - 23.4)
    assert simulation_digest(resumed) == simulation_digest(straight)


def test_what_has_no_currents_has_the_kernels_that_it_had():
    words_of_currents = ("stimulus[", "CurrentNumbers current", "id_of")
    with_currents, without = (generate(stimulated(currents=one), 1).kernels for one in (CURRENTS, []))
    assert [word in with_currents for word in words_of_currents] == [True] * 3
    assert [word in without for word in words_of_currents] == [False] * 3


Meter = models.NeuronModel("meter", "Shows its input.", state=(models.Variable("I"),), update="I = input_current;")


DIFFERENT = [
    models.StepCurrent(amplitude=models.Normal(5, 2, low=0), from_ms=1, to_ms=4, neurons={"every": 3}),
    models.StepCurrent(amplitude=np.linspace(-1, 1, 32), from_ms=2),
    models.SineCurrent(amplitude=models.Uniform(1, 3), frequency_hz=list(range(5, 37)), phase_deg=30.0),
    models.NoiseCurrent(mean=models.Uniform(2, 7), std=0.0),
]


def metered(currents, comm=None, **how):
    """What flows onto 32 neurons: shape (steps, neurons of this rank), and whose it is."""
    network = Network(seed=SEED, dt_ms=DT)
    network.add_population("cells", GRID, Meter(), record={"I": DT}, stimulate=currents)
    simulation = Simulation(network, comm=comm, **how)
    if comm is not None:
        comm.exchange(simulation)
    simulation.run(6)
    recorded = simulation.recorded("cells", "I")
    return recorded.values, recorded.ids


def drawn(current, place):
    """A random number between 0 and 1 of each neuron, of the parameter in this place of a current."""
    draw = (current + 1) * 2**16 + place
    return (np.array([philox(neuron, 0, INITIAL, draw, SEED)[0] for neuron in range(32)]) + 0.5) / 2**32


def test_what_differs_between_neurons_is_drawn_or_given_for_each():
    step, neuron = np.arange(60)[:, None], np.arange(32)
    normal = np.maximum(5 + 2 * ndtri(drawn(0, 0)), 0)
    expected = np.where((step >= 10) & (step < 40) & (neuron % 3 == 0), normal, 0)
    expected = expected + np.where(step >= 20, np.linspace(-1, 1, 32), 0)
    turns = (5 + neuron) * step * DT * 1e-3 + 30 / 360
    expected = expected + (1 + 2 * drawn(2, 0)) * np.sin(2 * np.pi * turns) + 2 + 5 * drawn(3, 0)
    values, ids = metered(DIFFERENT, device="cpu", tile=2)
    assert ids.tolist() == neuron.tolist()
    np.testing.assert_allclose(values, expected, atol=5e-6)
    # Another current before it changes nothing of what is drawn.
    np.testing.assert_array_equal(
        metered([DIFFERENT[0], models.StepCurrent(amplitude=0.0)], device="cpu")[0], metered(DIFFERENT[:1])[0]
    )


@pytest.mark.parametrize("n_ranks", [2, 3])
def test_what_differs_between_neurons_is_the_same_on_any_ranks(n_ranks):
    whole, _ = metered(DIFFERENT, device="cpu")
    parts = on_ranks(n_ranks, lambda comm: metered(DIFFERENT, comm, device="cpu", tile=2))
    for values, ids in parts:
        np.testing.assert_array_equal(values, whole[:, ids])
    assert sorted(np.concatenate([ids for _, ids in parts])) == list(range(32))


def test_a_table_is_for_all_neurons():
    current = models.PoissonCurrent(rate_hz=models.Uniform(1, 2), weight=1.0)
    with pytest.raises(ConfigurationError, match=r"poisson_current.rate_hz: one value per neuron is not allowed; a t"):
        metered([current], device="cpu")
    metered([models.PoissonCurrent(rate_hz=10, weight=models.Uniform(1, 2))], device="cpu")


def test_noise_is_gaussian_and_each_neurons_and_each_currents_own():
    network, n, every_ms = Network(seed=5), 400, {"I": 0.1}
    one, other = (models.NoiseCurrent(mean=3.0, std=2.0, every_ms=0.5, from_ms=0.3) for _ in range(2))
    silent = models.StepCurrent(amplitude=0.0)
    network.add_population("a", n, Meter(), record=every_ms, stimulate=[one])
    network.add_population("b", n, Meter(), record=every_ms, stimulate=[silent, other])
    simulation = Simulation(network, device="cpu")
    simulation.run(100.3)
    drawn = []
    for name in ("a", "b"):
        values = simulation.recorded(name, "I").values
        assert not values[:3].any(), "it has not begun"
        pieces = values[3:].reshape(200, 5, n)
        assert (pieces == pieces[:, :1]).all(), "a draw stays until the next one"
        drawn.append((pieces[:, 0].astype(float) - 3.0) / 2.0)
    count = drawn[0].size  # 80,000
    for z in drawn:
        assert abs(z.mean()) < 5 / math.sqrt(count)
        assert abs(z.std() - 1) < 5 / math.sqrt(2 * count)
        assert kstest(z.ravel(), "norm").pvalue > 1e-4
        between_draws = (z[1:] * z[:-1]).mean()
        between_neurons = (z[:, 1:] * z[:, :-1]).mean()
        shared = z.mean(axis=1).std() * math.sqrt(n)  # 1 where no two neurons have anything in common
        assert abs(between_draws) < 5 / math.sqrt(count) and abs(between_neurons) < 5 / math.sqrt(count)
        assert abs(shared - 1) < 5 / math.sqrt(2 * len(z))
    assert abs((drawn[0] * drawn[1]).mean()) < 5 / math.sqrt(count), "populations draw by themselves"
