"""Built-in neuron models against their formulas, and random numbers in a neuron's update.

Formulas here are NumPy float32 in the documented order of operations, so that agreement is to the bit.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import chisquare, poisson

from hpcsnn import Network, Simulation, models
from support.draws import SPIKES, philox
from support.formulas import exponential

F = np.float32
SEED = 11


# -- every model against its formula -----------------------------------------------------------------------------------

Dice = models.NeuronModel(
    "dice",
    "Adds up five random numbers a step: more than one block of Philox gives.",
    state=tuple(models.Variable(f"sum_{k}", 0, "", "int") for k in range(5)),
    update=" ".join(f"sum_{k} = (int)((uint32)sum_{k} * 3u + random.next());" for k in range(5)),
)
N, STEPS, DT = 5, 3000, 0.1
# A population's model, what one input spike brings, and the spread of initial potentials.
CELLS = {
    "alif": (models.ALIF(offset_current=17.0, tau_m_ms=10.0, refractory_ms=2.0), 64.0),
    "background": (models.LIFBackground(refractory_ms=1.0), 32.0),
    "izhikevich": (models.Izhikevich(offset_current=4.0), 16.0),
    "adex": (models.AdEx(offset_current=700.0, refractory_ms=1.5), 512.0),
    "dice": (Dice(), 1.0),
}


def arrives(step):
    """Which neurons receive a spike in this step."""
    return np.array([step % (7 + 3 * i) == 1 and step > 1 for i in range(N)])


def membrane(state, current, values):
    frozen, v = state["frozen_steps"] > 0, state["V_mV"]
    towards = (current + F(values["offset_current"])) * F(values["resistance"]) + F(values["V_rest_mV"])
    moved = towards - F(math.exp(-DT / values["tau_m_ms"])) * (towards - v)
    state["V_mV"] = np.where(frozen, v, moved)
    state["frozen_steps"] = np.where(frozen, state["frozen_steps"] - 1, 0)
    return ~frozen


def reset(state, fired, values):
    period = round(values["refractory_ms"] / DT)
    state["V_mV"] = np.where(fired, F(values["V_reset_mV"]), state["V_mV"])
    state["frozen_steps"] = np.where(fired, period, state["frozen_steps"])


def flushed(x):
    return np.where(np.abs(x) < F(1e-30), F(0), x)


def step_alif(state, current, values, _step):
    free, a = membrane(state, current, values), state["adaptation"]
    fired = free & (state["V_mV"] >= F(values["V_threshold_mV"]) + F(values["beta_mV"]) * a)
    decayed = flushed(a * F(math.exp(-DT / values["tau_adaptation_ms"])))
    state["adaptation"] = np.where(fired, decayed + F(1), decayed)
    reset(state, fired, values)
    return fired


def background_events(step, mean):
    stream = list(CELLS).index("background") + 1
    words = np.array([philox(i, step, 4 * stream + SPIKES, 0, SEED)[0] for i in range(N)])
    thresholds = np.rint(poisson.cdf(np.arange(255), mean) * 2.0**32) - 1
    return (words[:, None] > thresholds).sum(axis=1)


def step_background(state, current, values, step):
    events = background_events(step, values["background_hz"] * DT * 1e-3)
    level = state["background_current"] + F(values["background_weight"]) * events.astype(F)
    tau_ms = values["background_tau_ms"]
    free = membrane(state, current + level * F(-math.expm1(-DT / tau_ms) * tau_ms / DT), values)
    state["background_current"] = flushed(level * F(math.exp(-DT / tau_ms)))
    fired = free & (state["V_mV"] >= F(values["V_threshold_mV"]))
    reset(state, fired, values)
    return fired


def step_izhikevich(state, current, values, _step):
    v, u, drive = state["V_mV"], state["u"], current + F(values["offset_current"])
    for _ in range(2):
        v = v + F(DT / 2) * ((F(0.04) * v + F(5)) * v + F(140) - u + drive)
    u = u + F(DT) * (F(values["a"]) * (F(values["b"]) * v - u))
    fired = v >= F(values["V_peak_mV"])
    state["V_mV"], state["u"] = np.where(fired, F(values["c"]), v), np.where(fired, u + F(values["d"]), u)
    return fired


def step_adex(state, current, values, _step):
    p = {name: F(value) for name, value in values.items()}
    frozen, v, w = state["frozen_steps"] > 0, state["V_mV"], state["w_pA"]
    upstroke = p["slope_mV"] * exponential((np.minimum(v, p["V_peak_mV"]) - p["V_threshold_mV"]) / p["slope_mV"])
    towards = (current + p["offset_current"] - w) * F(1 / values["g_leak_nS"]) + p["V_rest_mV"] + upstroke
    moved = towards - F(math.exp(-DT * values["g_leak_nS"] / values["C_pF"])) * (towards - v)
    w_towards = p["a_nS"] * (v - p["V_rest_mV"])
    w = w_towards - F(math.exp(-DT / values["tau_w_ms"])) * (w_towards - w)
    state["V_mV"] = np.where(frozen, v, moved)
    state["frozen_steps"] = np.where(frozen, state["frozen_steps"] - 1, 0)
    fired = ~frozen & (state["V_mV"] >= p["V_peak_mV"])
    state["w_pA"] = np.where(fired, w + p["b_pA"], w)
    reset(state, fired, values)
    return fired


def step_dice(state, _current, _values, step):
    stream = 4 * (list(CELLS).index("dice") + 1) + SPIKES
    for i in range(N):
        words = [word for block in (0, 1) for word in philox(i, step, stream, block, SEED)]
        for k in range(5):
            total = (int(state[f"sum_{k}"][i]) * 3 + words[k]) & 0xFFFFFFFF
            state[f"sum_{k}"][i] = total - 2**32 if total >= 2**31 else total
    return np.zeros(N, bool)


@pytest.fixture(scope="module")
def simulated():
    """All models in one network, neuron i of each driven every 7 + 3 i steps."""
    network = Network(seed=SEED, dt_ms=DT)
    steps = [(i, step - 1) for step in range(STEPS) for i in np.flatnonzero(arrives(step))]
    times = {"neurons": [i for i, _ in steps], "times_ms": [step * DT for _, step in steps]}
    network.add_population("input", N, models.SpikeArray(**times))
    for name, (model, weight) in CELLS.items():
        spread = {"V_mV": np.linspace(-70, -55, N)} if name != "dice" else {}
        network.add_population(name, N, model, spread, record_spikes=True)
        network.add_projection(f"to_{name}", "input", name, models.OneToOne(), models.DeltaCurrent(), weight)
    simulation = Simulation(network, device="cpu")
    simulation.run(STEPS * DT)
    return simulation


@pytest.mark.parametrize("name", CELLS)
def test_a_model_follows_its_formula_to_the_bit(simulated, name):
    (model, weight), advance = CELLS[name], globals()[f"step_{name}"]
    state = {
        variable.name: np.full(N, variable.initial, np.int32 if variable.ctype == "int" else F)
        for variable in model.model.state
    }
    if name != "dice":
        state["V_mV"] = np.linspace(-70, -55, N).astype(F)
    expected = []
    for step in range(STEPS):
        fired = advance(state, np.where(arrives(step), F(weight), F(0)), model.values, step)
        expected += [(step, int(neuron)) for neuron in np.flatnonzero(fired)]
    found = simulated.neurons(name)
    for variable in state:
        np.testing.assert_array_equal(found[variable], state[variable], err_msg=variable)
    assert list(zip(*(part.tolist() for part in simulated.spikes(name)), strict=True)) == expected
    assert len(expected) > 20 or name == "dice"


# -- background --------------------------------------------------------------------------------------------------------


def background(n, dt_ms, **values):
    network = Network(seed=3, dt_ms=dt_ms)
    network.add_population("cells", n, models.LIFBackground(**values))
    return Simulation(network, device="cpu")


@pytest.mark.parametrize("mean", [0.0, 0.8, 12.0, 100.0])
def test_background_spikes_of_a_step_are_poisson(mean):
    # A current that does not decay counts them.
    unending = {"background_weight": 1.0, "background_tau_ms": 1e12, "V_threshold_mV": 1e9}
    simulation = background(20_000, 0.1, background_hz=mean * 1e4, **unending)
    totals = [np.zeros(20_000, F)]
    for _ in range(5):
        simulation.run(0.1)
        totals.append(simulation.neurons("cells")["background_current"])
    counts = np.diff(totals, axis=0).ravel().astype(int)
    if mean == 0:
        assert not counts.any()
        return
    assert counts.mean() == pytest.approx(mean, abs=5 * math.sqrt(mean / counts.size))
    assert counts.var() == pytest.approx(mean, rel=5 * math.sqrt((2 + 1 / mean) / counts.size))
    expected = counts.size * poisson.pmf(np.arange(256), mean)
    enough = expected > 10
    found = np.bincount(counts, minlength=256)
    found, expected = (
        np.append(found[enough], found[~enough].sum()),
        np.append(expected[enough], expected[~enough].sum()),
    )
    assert chisquare(found, expected * found.sum() / expected.sum()).pvalue > 1e-4
    rows = counts.reshape(5, -1)
    assert abs(np.corrcoef(rows)[0, 1]) < 5 / math.sqrt(rows.shape[1]), "steps are independent"
    assert abs(np.corrcoef(rows[:, ::2].ravel(), rows[:, 1::2].ravel())[0, 1]) < 5 / math.sqrt(counts.size / 2)


def test_the_rate_under_background_is_that_of_a_plain_simulation():
    n, n_steps = 2000, 5000
    simulation = background(n, 0.1, background_hz=6000.0, background_weight=0.55)
    simulation.run(n_steps * 0.1)
    rates = simulation.rates_hz("cells").mean()
    generator = np.random.default_rng(2)
    v, current, wait, spikes = np.full(n, -70.0), np.zeros(n), np.zeros(n, int), np.zeros(n)
    # The potential at a step's end under a current that is 1 at its start and decays within it.
    propagated = 5.0 / (20.0 - 5.0) * (math.exp(-0.1 / 20) - math.exp(-0.1 / 5))
    for _ in range(n_steps):
        current += 0.55 * generator.poisson(0.6, n)
        v = np.where(wait > 0, v, -70.0 + math.exp(-0.1 / 20) * (v + 70.0) + propagated * current)
        current *= math.exp(-0.1 / 5)
        wait = np.maximum(wait - 1, 0)
        fired = v >= -54.0
        v, wait, spikes = np.where(fired, -70.0, v), np.where(fired, 51, wait), spikes + fired
    expected = spikes / (n_steps * 1e-4)
    assert expected.mean() > 3
    assert rates == pytest.approx(expected.mean(), abs=5 * math.sqrt(2 * expected.var() / n))
