"""What docs/accuracy.md shows and tests/science/test_accuracy_*.py hold: each protocol in hpcsnn, exactly, and in NEST.

Every function takes `nest`, the module `nest_models` or None, and returns plain numbers by name; "nest" is missing
where NEST is, or has no such model.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hpcsnn import Grid, Network, Simulation, models
from hpcsnn.models import Configured
from scaling.accuracy import exact
from scaling.accuracy import hpcsnn_models as ours

Results = dict[str, Any]
NEAR_RHEOBASE = tuple(16 + above for above in (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0))
CURRENTS = {
    "lif": (16.1, 17.0, 18.0, 20.0, 25.0, 30.0, 40.0, 50.0, 60.0, 80.0),
    "alif": (16.5, 17.0, 18.0, 20.0, 25.0, 30.0, 40.0, 50.0, 60.0, 80.0),
    "adex": (650.0, 700.0, 750.0, 800.0, 900.0, 1000.0, 1200.0, 1500.0),
    "izhikevich": (4.0, 5.0, 6.0, 8.0, 10.0, 12.0, 15.0, 20.0),
}
_MODELS: dict[str, Any] = {
    "lif": models.LIF, "alif": models.ALIF, "adex": models.AdEx, "izhikevich": models.Izhikevich,
}  # fmt: skip
LAGS_MS = np.arange(-60.0, 61.0, 5.0)
_PAIRS = {"tau_plus_ms": 20.0, "tau_minus_ms": 30.0, "a_plus": 0.01, "a_minus": 0.012, "w_max": 1.0}
RULES: dict[str, Configured[Any]] = {
    "additive_stdp": models.AdditiveSTDP(**_PAIRS),
    "multiplicative_stdp": models.MultiplicativeSTDP(**_PAIRS),
    "triplet_stdp": models.TripletSTDP(a2_plus=5e-3),
}
INHIBITORY = models.InhibitorySTDP(tau_ms=20.0, eta=0.002, rho0_hz=5.0, w_max=1.0)
SHORT_TERM: dict[str, Configured[Any]] = {
    "depressing": models.TsodyksMarkram(U=0.5, tau_rec_ms=800.0, tau_facil_ms=1.0),
    "facilitating": models.TsodyksMarkram(U=0.04, tau_rec_ms=100.0, tau_facil_ms=1000.0),
}
REWARDED = models.DopamineSTDP(a_plus=0.05, a_minus=0.03, w_max=200.0, level=-0.0005)
RECEPTORS: dict[str, tuple[Configured[Any], float]] = {
    "exponential_current": (models.ExponentialCurrent(tau_ms=5.0), 10.0),
    "alpha_current": (models.AlphaCurrent(tau_ms=2.0), 10.0),
    "exponential_conductance": (models.ExponentialConductance(tau_ms=5.0), 0.2),
    "delta_current": (models.DeltaCurrent(), 100.0),
}


# -- neurons -----------------------------------------------------------------------------------------------------------


@functools.cache
def _exact_spikes(name: str, current: float, held_ms: float, until_ms: float) -> np.ndarray:
    p = _MODELS[name]().values
    if name == "lif":
        interval = exact.lif_interval(current, p, held_ms)
        return np.arange(interval - held_ms, until_ms, interval)
    if name == "alif":
        return exact.alif_spikes(current, p, held_ms, until_ms)
    return {"adex": exact.adex_spikes, "izhikevich": exact.izhikevich_spikes}[name](current, p, until_ms)


def _nest_spikes(
    nest: Any, name: str, currents: Sequence[float], dt_ms: float, until_ms: float
) -> list[np.ndarray] | None:
    p = _MODELS[name]().values
    if nest is None or name == "alif":
        return None
    if name == "lif":
        held = ours.refractory_ms(models.LIF(), dt_ms)
        return nest.spikes_ms("iaf_psc_exp", [nest.lif(p, held, I_e=one) for one in currents], dt_ms, until_ms)
    model, each = ("aeif_psc_exp", nest.adex) if name == "adex" else ("izhikevich", nest.izhikevich)
    return nest.spikes_ms(model, [each(p, one) for one in currents], dt_ms, until_ms)


def spike_trains(name: str, nest: Any, currents: Sequence[float], dt_ms: float, until_ms: float) -> Results:
    """Spike times in ms by current, under constant currents from rest."""
    model = _MODELS[name]
    initial = {} if name == "izhikevich" else {"V_mV": model().values["V_rest_mV"]}
    held_ms = ours.refractory_ms(model(), dt_ms) if name in ("lif", "alif") else 0.0
    found = {
        "hpcsnn": ours.spikes_ms(model(offset_current=list(currents)), len(currents), dt_ms, until_ms, **initial),
        "exact": [_exact_spikes(name, current, held_ms, until_ms) for current in currents],
    }
    theirs = _nest_spikes(nest, name, currents, dt_ms, until_ms)
    return found if theirs is None else {**found, "nest": theirs}


def _rate_hz(train: np.ndarray) -> float:
    return 1e3 * (len(train) - 1) / (train[-1] - train[0]) if len(train) > 1 else 0.0


def f_I_curve(name: str, nest: Any, dt_ms: float = 0.1) -> Results:
    """Rates in Hz from the first to the last spike of a second, by current; LIF's: from one interval."""
    currents = CURRENTS[name]
    trains = spike_trains(name, nest, currents, dt_ms, 1000.0)
    return {"current": list(currents), **{who: [_rate_hz(t) for t in each] for who, each in trains.items()}}


def near_rheobase(nest: Any, dt_ms: float = 0.1) -> Results:
    """LIF intervals in ms just above the smallest current that makes it spike, 16."""
    trains = spike_trains("lif", nest, NEAR_RHEOBASE, dt_ms, 1000.0)
    return {"current": list(NEAR_RHEOBASE), **{w: [float(np.diff(t)[0]) for t in each] for w, each in trains.items()}}


def background_rates(nest: Any, n: int = 500) -> Results:
    """`lif_background`: mean rate in Hz over 3 s and its standard error, by weight of a background spike."""
    weights, found = (0.35, 0.4, 0.5), {}
    cells = [models.LIFBackground(background_weight=weight) for weight in weights]
    rates = {"hpcsnn": [ours.background_rate_hz(one, n, 0.1, 500.0, 3500.0) for one in cells]}
    if nest is not None:
        held = ours.refractory_ms(cells[0], 0.1)
        rates["nest"] = [nest.background_rate_hz(one.values, held, n, 500.0, 3500.0) for one in cells]
    for who, each in rates.items():
        found[who] = [float(one.mean()) for one in each]
        found[f"{who}_error"] = [float(one.std() / math.sqrt(n)) for one in each]
    return {"weight": list(weights), **found}


# -- receptors ---------------------------------------------------------------------------------------------------------


def psp(name: str, nest: Any, dt_ms: float, until_ms: float = 60.0) -> Results:
    """Rise of a LIF's potential in mV, at dt_ms, 2 dt_ms, ... after a spike's arrival."""
    receptor, weight = RECEPTORS[name]
    t, tau = np.arange(1, round(until_ms / dt_ms) + 1) * dt_ms, receptor.values.get("tau_ms")
    formula: Callable[[], np.ndarray] = {
        "exponential_current": lambda: exact.psp_of_exponential(t, weight, tau),
        "alpha_current": lambda: exact.psp_of_alpha(t, weight, tau),
        "exponential_conductance": lambda: exact.psp_of_conductance(t, weight, tau, 0.0),
        "delta_current": lambda: exact.psp_of_delta(t, weight, dt_ms),
    }[name]
    found = {"t_ms": t, "hpcsnn": ours.psp_mV(receptor, weight, dt_ms, until_ms), "exact": formula()}
    if nest is not None and name != "delta_current":
        leaky = nest.lif(models.LIF(V_threshold_mV=1e3).values, 2.0)
        conductance = {
            "C_m": 20.0, "g_L": 1.0, "E_L": -70.0, "V_reset": -70.0, "V_th": 1e3, "V_m": -70.0,
            "tau_syn_ex": tau, "E_ex": 0.0,
        }  # fmt: skip
        model, parameters = {
            "exponential_current": ("iaf_psc_exp", {**leaky, "tau_syn_ex": tau}),
            "alpha_current": ("iaf_psc_alpha", {**leaky, "tau_syn_ex": tau}),
            "exponential_conductance": ("iaf_cond_exp", conductance),
        }[name]
        found["nest"] = nest.psp_mV(model, parameters, weight, dt_ms, until_ms)
    return found


def psp_error(name: str, nest: Any, dt_ms: float) -> Results:
    """Largest difference from the exact potential, as a share of its peak."""
    curves = psp(name, nest, dt_ms)
    return {
        who: float(np.abs(curves[who] - curves["exact"]).max() / curves["exact"].max())
        for who in set(curves) & {"hpcsnn", "nest"}
    }


def charge(name: str, dt_ms: float) -> Results:
    """What a spike brings in all, in units of current * ms (of a conductance: of conductance * ms)."""
    receptor, weight = RECEPTORS[name]
    tau = receptor.values.get("tau_ms", 0.0)
    lasts_ms = {"alpha_current": math.e * tau, "delta_current": dt_ms}.get(name, tau)
    return {"hpcsnn": ours.charge(receptor, weight, dt_ms), "exact": weight * lasts_ms}


# -- plasticity --------------------------------------------------------------------------------------------------------


def weight_changes(
    name: str, nest: Any, pre_ms: Sequence[Sequence[float]], post_ms: Sequence[Sequence[float]], weight: float = 0.5
) -> Results:
    """Change of one weight for each pair of trains; "exact_nest" is the exact one in NEST's order at coincidences."""
    rule = RULES[name]
    p, trains = rule.values, list(zip(pre_ms, post_ms, strict=True))
    found = {"hpcsnn": ours.synapses_after(rule, pre_ms, post_ms, weight)["weight"].astype(float) - weight}
    for who, first in (("exact", False), ("exact_nest", True)):
        found[who] = np.array([exact.weight_after(name, p, *pair, weight, first) for pair in trains]) - weight
    if nest is not None:
        found["nest"] = nest.weights_after(name, p, pre_ms, post_ms, weight) - weight
    return found


def window(name: str, nest: Any) -> Results:
    """Change of a weight of 0.5 by one pair, at 25 lags (target minus source)."""
    pre, post = [[200.0] for _ in LAGS_MS], [[200.0 + lag] for lag in LAGS_MS]
    return {"lag_ms": LAGS_MS, **weight_changes(name, nest, pre, post)}


def random_trains(n: int, hz: float, coincident: bool, seed: int = 1) -> tuple[list[list[float]], list[list[float]]]:
    """`n` pairs of Poisson trains over 2 s on a grid of 1 ms, with or without times that both have."""
    random, pairs = np.random.default_rng(seed), ([], [])
    for _ in range(n):
        pre, post = ((np.flatnonzero(random.random(2000) < hz * 1e-3) + 5.0).tolist() for _ in range(2))
        pairs[0].append(pre)
        pairs[1].append(post if coincident else sorted({*post} - {*pre}))
    return pairs


def coincidence_counts(pre_ms: Sequence[Sequence[float]], post_ms: Sequence[Sequence[float]]) -> Results:
    """`bcpnn`: the integral of both traces' product, in units of that of two spikes of one time."""
    rule = models.BCPNN()
    counted = ours.synapses_after(rule, pre_ms, post_ms, 0.0)["p_joint"] / rule.constants(1.0)["coincidence"]
    pairs = zip(pre_ms, post_ms, strict=True)
    return {
        "hpcsnn": counted,
        "exact": np.array([exact.coincidences(*pair, rule.values["tau_z_ms"]) for pair in pairs]),
    }


def inhibitory_changes(
    nest: Any, pre_ms: Sequence[Sequence[float]], post_ms: Sequence[Sequence[float]], weight: float = 0.5
) -> Results:
    """`inhibitory_stdp`: change of one weight for each pair of trains."""
    p, trains = INHIBITORY.values, list(zip(pre_ms, post_ms, strict=True))
    found = {
        "hpcsnn": ours.synapses_after(INHIBITORY, pre_ms, post_ms, weight)["weight"].astype(float) - weight,
        "exact": np.array([exact.inhibited_weight_after(p, *pair, weight) for pair in trains]) - weight,
    }
    if nest is not None:
        found["nest"] = nest.weights_after("inhibitory_stdp", p, pre_ms, post_ms, weight) - weight
    return found


def short_term_amounts(name: str, nest: Any, pre_ms: Sequence[Sequence[float]], weight: float = 2.0) -> Results:
    """`tsodyks_markram`: what the spikes of all trains bring, one after the other."""
    rule = SHORT_TERM[name]
    found = {
        "hpcsnn": np.concatenate(ours.amounts_brought(rule, pre_ms, weight)),
        "exact": np.concatenate([exact.short_term_amounts(rule.values, train, weight) for train in pre_ms]),
    }
    if nest is not None:
        found["nest"] = np.concatenate(nest.amounts_brought(rule.values, pre_ms, weight))
    return found


def rewarded_changes(nest: Any) -> Results:
    """`dopamine_stdp`: change of one weight for each of six pairs of trains, under dopamine every 97 ms."""
    trains, dopamine = random_trains(6, 20.0, coincident=False), [20.0 + 97.0 * n for n in range(20)]
    found = {"hpcsnn": ours.rewarded_weights_after(REWARDED, *trains, dopamine, 50.0, 12_000.0) - 50.0}
    if nest is not None:
        found["nest"] = nest.rewarded_weights_after(REWARDED.values, *trains, dopamine, 50.0, 12_000.0) - 50.0
    return found


def pairs_at_rates(nest: Any, lag_ms: float) -> Results:
    """`clopath`: change of a weight by 75 pairs as a part of it, of which five are simulated, by their rate."""
    rates_hz = (10.0, 20.0, 30.0, 40.0, 50.0)
    post = [30.0 + np.arange(5) * 1000.0 / rate for rate in rates_hz]
    pre, rule = [times - lag_ms for times in post], models.Clopath()
    found = {"hpcsnn": ours.voltage_weights_after(rule, pre, post, 0.5, 700.0)}
    if nest is not None:
        found["nest"] = nest.voltage_weights_after(pre, post, 0.5, 700.0, rule.values["w_max"])
    return {who: 15 * (weights / 0.5 - 1) for who, weights in found.items()}


def rates_with_afterpotential_hz(nest: Any) -> Results:
    """`adex_afterpotential`: rates over the first second under constant currents."""
    currents = (700.0, 800.0, 1000.0, 1200.0, 1500.0)
    cells = [models.AdExAfterpotential(offset_current=current) for current in currents]
    found = {"hpcsnn": np.array([float(len(ours.spikes_ms(one, 1, 0.1, 1000.0)[0])) for one in cells])}
    if nest is not None:
        found["nest"] = nest.rates_of_clopaths_neuron_hz(currents, 1000.0)
    return found


# -- stimuli -----------------------------------------------------------------------------------------------------------


def stimulus(name: str) -> Results:
    """Spikes of 10 s, what is expected of them, and a standard error: of `spike_array` the times themselves."""
    n, until_ms, dt_ms = 256, 10_000.0, 0.1
    if name == "spike_array":
        given = np.sort(np.random.default_rng(5).choice(99_000, 2000, replace=False)) * dt_ms
        cells, expected = models.SpikeArray(neurons=[3] * len(given), times_ms=given), float(len(given))
    elif name == "poisson":
        cells, expected = models.Poisson(rate_hz=20.0), n * 20.0 * until_ms * 1e-3
    elif name == "inhomogeneous_poisson":
        cells = models.InhomogeneousPoisson(times_ms=[0.0, 5000.0], rates_hz=[10.0, 30.0])
        expected = n * (10.0 + 30.0) * until_ms / 2 * 1e-3
    else:
        cells, p = models.MovingGaussianPoisson(), models.MovingGaussianPoisson().values
        away = np.minimum(np.arange(16), 16 - np.arange(16)) ** 2.0
        bumps = np.exp(-(away[:, None] + away) / (2 * p["sigma"] ** 2)).sum()  # on a torus: wherever it is
        expected = (n * p["base_hz"] + p["peak_hz"] * bumps) * (until_ms - p["dwell_ms"]) * 1e-3
    network = Network(seed=1, dt_ms=dt_ms)
    network.add_population("cells", Grid(16, 16), cells, record_spikes=True)
    simulation = Simulation(network, device="cpu")
    simulation.run(until_ms)
    steps, ids = simulation.spikes("cells")
    found = {"hpcsnn": float(len(steps)), "exact": expected, "error": math.sqrt(expected)}
    if name == "spike_array":
        right = np.array_equal(steps[ids == 3], np.rint(given / dt_ms)) and len(steps) == len(given)
        return {**found, "error": 0.0, "same_steps": bool(right)}
    if name == "poisson":
        gaps = np.concatenate([np.diff(steps[ids == neuron]) for neuron in range(n)])
        found |= {"cv": float(gaps.std() / gaps.mean()), "cv_exact": math.sqrt(1 - 20.0 * dt_ms * 1e-3)}
    return found


# -- convergence -------------------------------------------------------------------------------------------------------

PSP_STEPS_MS, SPIKE_STEPS_MS = (2.0, 1.0, 0.5, 0.25), (0.5, 0.25, 0.1, 0.05, 0.025)
# Several, so that where in its step a spike falls averages out.
DRIVE = {
    "lif": np.linspace(18, 30, 25), "alif": np.linspace(18, 30, 25),
    "adex": np.linspace(700, 900, 5), "izhikevich": np.linspace(8, 12, 5),
}  # fmt: skip


def psp_convergence(name: str) -> Results:
    """Largest difference from the exact potential, as a share of its peak, by step."""
    return {"dt_ms": list(PSP_STEPS_MS), "error": [psp_error(name, None, dt)["hpcsnn"] for dt in PSP_STEPS_MS]}


def spike_convergence(name: str, until_ms: float = 400.0) -> Results:
    """How late the last spike of a train is, in ms per spike, by step: the mean over several currents."""
    late = []
    for dt_ms in SPIKE_STEPS_MS:
        trains = spike_trains(name, None, DRIVE[name].tolist(), dt_ms, until_ms)
        each = []
        for mine, true in zip(trains["hpcsnn"], trains["exact"], strict=True):
            last = min(len(mine), len(true))
            each.append((mine[last - 1] - true[last - 1]) / last)
        late.append(float(np.mean(each)))
    return {"dt_ms": list(SPIKE_STEPS_MS), "error": late}


def order(result: Results) -> float:
    """The power of the step with which the error falls: the slope of a line through the logarithms."""
    return float(np.polyfit(np.log(result["dt_ms"]), np.log(result["error"]), 1)[0])
