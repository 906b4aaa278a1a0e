"""Built-in neuron models, and what they alone use: exponential and logarithm, random numbers in a neuron's update.

Formulas here are NumPy float32 in the documented order of operations, so that agreement is to the bit.
"""

from __future__ import annotations

import ctypes
import math
from pathlib import Path

import numpy as np
import pytest
from networks import newer_models
from oracle import SPIKES, philox
from ranks import run_on_ranks
from scipy.integrate import solve_ivp
from scipy.stats import chisquare, poisson

from hpcsnn import ConfigurationError, Network, Simulation, models
from hpcsnn.configuration.schema import configured
from hpcsnn.devices.host import DEFAULT_OPTIMISATION, compile_library
from hpcsnn.engine.digest import simulation_digest
from hpcsnn.shipped_files import kernel_folder
from hpcsnn.storage.network_store import StoredNetwork, write_network
from hpcsnn.storage.restore import restore

F = np.float32
SEED = 11


# -- exponential and logarithm -----------------------------------------------------------------------------------------


def compiled(*flags):
    parts = ["".join((kernel_folder() / f"{name}.cuh").read_text() for name in ("device", "mathematics"))]
    for name in ("exponential", "logarithm"):
        loop = f"for (int k = 0; k < n; ++k) y[k] = {name}(x[k]);"
        parts.append(f'extern "C" void {name}_of(const float* x, float* y, int n) {{ INDEPENDENT_ITERATIONS\n{loop} }}')
    library = ctypes.CDLL(str(compile_library("\n".join(parts), flags)))

    def call(name, x):
        y = np.empty_like(x)
        getattr(library, f"{name}_of")(ctypes.c_void_p(x.ctypes.data), ctypes.c_void_p(y.ctypes.data), x.size)
        return y

    return call


def exponential(x):
    """The polynomial of kernels/base/mathematics.cuh, once more."""
    with np.errstate(over="ignore"):
        within = np.clip(x, F(-88), F(89))
        n = (within * F(1.44269504) + F(12582912)) - F(12582912)
        r = (within - n * F(0.693359375)) - n * F(-2.12194440e-4)
        q = F(0)
        for coefficient in (0.0013814599, 0.0083687167, 0.041668389, 0.16666521, 0.49999994):
            q = F(coefficient) + r * q
        value = np.ldexp(F(1) + (r + r * r * q), n.astype(int))
    return np.where(x < F(-87.33654), F(0), value).astype(F)


def test_exponential_and_logarithm_are_accurate_and_the_same_at_every_optimisation():
    every_997th = np.arange(0, 2**32, 997, dtype=np.uint64).astype(np.uint32).view(np.float32)
    vectorised, plain = compiled(*DEFAULT_OPTIMISATION), compiled("-O0")
    x = every_997th[~np.isnan(every_997th)]
    inside = {"exponential": (x > -87.3) & (x < 88.72), "logarithm": (x > 0) & np.isfinite(x)}
    for name, exact in (("exponential", np.exp), ("logarithm", np.log)):
        y = vectorised(name, x)
        np.testing.assert_array_equal(y.view(np.uint32), plain(name, x).view(np.uint32))
        expected = exact(x[inside[name]].astype(np.float64))
        units = np.abs(y[inside[name]] - expected) / np.spacing(np.abs(expected).astype(F))
        assert units.size > 2_000_000
        assert units.max() < 1.0
    np.testing.assert_array_equal(vectorised("exponential", x), exponential(x))


def test_exponential_and_logarithm_at_their_ends():
    call = compiled("-O0")
    assert np.isnan(call("exponential", np.array([np.nan], F)))
    ends = np.array([-np.inf, -87.34, -0.0, 88.722, 88.73, np.inf], F)
    np.testing.assert_array_equal(call("exponential", ends), exponential(ends))
    assert call("exponential", ends)[[0, 1, 2, 4, 5]].tolist() == [0, 0, 1, np.inf, np.inf]
    assert np.isfinite(call("exponential", ends)[3])
    ends = np.array([-np.inf, -1.0, -0.0, 0.0, 1.0, np.inf, np.nan], F)
    expected = [np.nan, np.nan, -np.inf, -np.inf, 0.0, np.inf, np.nan]
    np.testing.assert_array_equal(call("logarithm", ends), np.array(expected, F))


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
    period = math.floor(values["refractory_ms"] / DT + 1e-9) + 1 if values["refractory_ms"] else 0
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
    free = membrane(state, current + level, values)
    state["background_current"] = flushed(level * F(math.exp(-DT / values["background_tau_ms"])))
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


# -- published behaviour -----------------------------------------------------------------------------------------------

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
    for _ in range(n_steps):
        current += 0.55 * generator.poisson(0.6, n)
        towards = current - 70.0
        v = np.where(wait > 0, v, towards - math.exp(-0.1 / 20) * (towards - v))
        current *= math.exp(-0.1 / 5)
        wait = np.maximum(wait - 1, 0)
        fired = v >= -54.0
        v, wait, spikes = np.where(fired, -70.0, v), np.where(fired, 51, wait), spikes + fired
    expected = spikes / (n_steps * 1e-4)
    assert expected.mean() > 3
    assert rates == pytest.approx(expected.mean(), abs=5 * math.sqrt(2 * expected.var() / n))


# -- wherever it runs, and whatever is asked for -----------------------------------------------------------------------

RANKS = """
import sys
sys.path.insert(0, {tests!r})
from mpi4py import MPI
from networks import newer_models
from hpcsnn import Simulation
from hpcsnn.engine.digest import simulation_digest
simulation = Simulation(newer_models(), MPI.COMM_WORLD, "cpu", tile=2)
simulation.run(150.0)
digest = simulation_digest(simulation)
if simulation.rank == 0:
    print(digest)
"""


def test_newer_models_give_one_digest_on_ranks_and_tiles_and_when_resumed(tmp_path):
    digests = []
    for tile in (1, 16):
        simulation = Simulation(newer_models(), device="cpu", tile=tile)
        simulation.run(150.0)
        digests.append(simulation_digest(simulation))
    assert all(simulation.rates_hz(name).mean() > 5 for name in ("alif", "background", "izhikevich", "adex"))
    script = tmp_path / "ranks.py"
    script.write_text(RANKS.format(tests=str(Path(__file__).parent)))
    done = run_on_ranks(2, [str(script)])
    assert done.returncode == 0, done.stderr
    halfway = Simulation(newer_models(), device="cpu")
    halfway.run(77.7)
    write_network(tmp_path / "halfway", halfway)
    resumed = Simulation(newer_models(), device="cpu", tile=4)
    restore(resumed, StoredNetwork(tmp_path / "halfway"))
    resumed.run(150.0 - 77.7)
    assert [*digests, done.stdout.strip(), simulation_digest(resumed)] == digests[:1] * 4


def test_configurations_name_the_newer_models():
    network = newer_models()
    parts = [population.model for population in network.populations.values()]
    parts += [part for p in network.projections.values() for part in (p.receptor, p.synapse)]
    kinds = {models.NeuronModel: "model", models.ReceptorModel: "receptor", models.SynapseModel: "synapse"}
    named = [(kinds[type(part.model)], part) for part in parts if type(part.model) in kinds]
    for kind, part in named:
        again = configured(kind, kind, part.described())
        assert again.model is part.model
        assert again.values == part.values
    readme = (kernel_folder().parent / "README.md").read_text()
    assert all(f"`{part.model.name}`" in readme for _, part in named)
    assert len({part.model.name for _, part in named}) == 4 + 3 + 3


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: models.Izhikevich(V_peak_mV=-70.0),
            r"^izhikevich\.V_peak_mV: -70\.0 is not allowed; must be above c \(-65\.0\)$",
        ),
        (
            lambda: models.AdEx(V_peak_mV=-55.0),
            r"^adex\.V_peak_mV: -55\.0 is not allowed; must be above V_threshold_mV \(-50\.4\)$",
        ),
        (
            lambda: models.AdEx(V_reset_mV=25.0),
            r"^adex\.V_peak_mV: 20\.0 is not allowed; must be above V_reset_mV \(25\.0\)$",
        ),
        (
            lambda: models.AdEx(slope_mV=0.5),
            r"^adex\.V_peak_mV: 20\.0 is not allowed; must be <= V_threshold_mV \+ 80 slope_mV \(-10\.4\), or the exp",
        ),
        (
            lambda: models.ALIF(V_threshold_mV=-80),
            r"^alif\.V_threshold_mV: -80\.0 is not allowed; must be above V_reset_mV \(-70\.0\)$",
        ),
        (
            lambda: models.ALIF(beta_mV=-1),
            r"^alif\.beta_mV: -1 is not allowed; must be a number in mV >= 0$",
        ),
        (
            lambda: background(1, 1.0, background_hz=2e5),
            r"^populations\.cells\.model\.lif_background\.background_hz: 200000 is not allowed; "
            r"with dt_ms 1 it must be <= 128000 Hz$",
        ),
    ],
)  # fmt: skip
def test_values_that_cannot_be_are_refused(make, message):
    with pytest.raises(ConfigurationError, match=message):
        make()
