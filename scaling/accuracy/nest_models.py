"""The same protocols in NEST, where it has the model; importing this needs `nest-simulator`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import nest
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Times = Sequence[float]


def _fresh(dt_ms: float) -> None:
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.ResetKernel()
    nest.resolution = dt_ms
    nest.rng_seed = 7


def spikes_ms(model: str, each: Sequence[Mapping[str, Any]], dt_ms: float, until_ms: float) -> list[Floats]:
    """Spike times of one neuron for each set of parameters."""
    _fresh(dt_ms)
    cells = nest.Create(model, len(each))
    for cell, parameters in zip(cells, each, strict=True):
        cell.set(dict(parameters))
    recorder = nest.Create("spike_recorder")
    nest.Connect(cells, recorder, syn_spec={"delay": dt_ms})
    nest.Simulate(until_ms + 2 * dt_ms)
    times, senders = recorder.events["times"], recorder.events["senders"]
    return [np.sort(times[senders == cell.global_id]) for cell in cells]


def lif(p: Mapping[str, float], refractory_ms: float, **others: float) -> dict[str, float]:
    """Parameters of iaf_psc_exp, iaf_psc_alpha for those of a `lif` whose resistance is 1."""
    return {
        "tau_m": p["tau_m_ms"], "C_m": p["tau_m_ms"] / p["resistance"], "E_L": p["V_rest_mV"],
        "V_reset": p["V_reset_mV"], "V_th": p["V_threshold_mV"], "V_m": p["V_rest_mV"], "t_ref": refractory_ms,
        **others,
    }  # fmt: skip


def adex(p: Mapping[str, float], current: float) -> dict[str, float]:
    """Parameters of aeif_psc_exp for those of an `adex`."""
    return {
        "C_m": p["C_pF"], "g_L": p["g_leak_nS"], "E_L": p["V_rest_mV"], "V_th": p["V_threshold_mV"],
        "Delta_T": p["slope_mV"], "tau_w": p["tau_w_ms"], "a": p["a_nS"], "b": p["b_pA"], "V_reset": p["V_reset_mV"],
        "V_peak": p["V_peak_mV"], "t_ref": 0.0, "I_e": current, "V_m": p["V_rest_mV"], "w": 0.0,
        "gsl_error_tol": 1e-9,
    }  # fmt: skip


def izhikevich(p: Mapping[str, float], current: float) -> dict[str, Any]:
    """Parameters of izhikevich for those of ours, stepped as published."""
    return {
        "a": p["a"], "b": p["b"], "c": p["c"], "d": p["d"], "V_th": p["V_peak_mV"], "I_e": current,
        "V_m": -65.0, "U_m": -13.0, "consistent_integration": False,
    }  # fmt: skip


def psp_mV(model: str, parameters: Mapping[str, Any], weight: float, dt_ms: float, until_ms: float) -> Floats:
    """Rise of the potential above -70 mV, dt_ms, 2 dt_ms, ... after a spike's arrival."""
    _fresh(dt_ms)
    cell, spike = (
        nest.Create(model, params=dict(parameters)),
        nest.Create("spike_generator", params={"spike_times": [1.0]}),
    )
    meter = nest.Create("multimeter", params={"record_from": ["V_m"], "interval": dt_ms})
    nest.Connect(spike, cell, syn_spec={"weight": weight, "delay": 1.0})
    nest.Connect(meter, cell)
    nest.Simulate(2.0 + until_ms + 3 * dt_ms)
    times, potentials = meter.events["times"], meter.events["V_m"]
    return potentials[times > 2.0 + dt_ms / 2][: round(until_ms / dt_ms)] + 70.0


def weights_after(
    rule: str,
    p: Mapping[str, float],
    pre_ms: Sequence[Sequence[float]],
    post_ms: Sequence[Sequence[float]],
    weight: float,
) -> Floats:
    """Weights of one synapse a pair of trains. Its delay is dendritic: the target spikes 0.1 ms before it is seen."""
    dt_ms, last = 0.1, max(max(train) for train in (*pre_ms, *post_ms)) + 5000.0
    _fresh(dt_ms)
    if rule == "triplet_stdp":
        model, post = "stdp_triplet_synapse", {"tau_minus": p["tau_minus_ms"], "tau_minus_triplet": p["tau_y_ms"]}
        synapse = {
            "tau_plus": p["tau_plus_ms"], "tau_plus_triplet": p["tau_x_ms"],
            "Aplus": p["a2_plus"], "Aminus": p["a2_minus"],
            "Aplus_triplet": p["a3_plus"], "Aminus_triplet": p["a3_minus"], "Wmax": p["w_max"],
        }  # fmt: skip
    elif rule == "inhibitory_stdp":
        model, post = "vogels_sprekeler_synapse", {"tau_minus": p["tau_ms"]}
        alpha = 2e-3 * p["rho0_hz"] * p["tau_ms"]
        synapse = {"tau": p["tau_ms"], "eta": p["eta"], "alpha": alpha, "Wmax": p["w_max"]}
    else:
        power = 1.0 if rule == "multiplicative_stdp" else 0.0
        model, post = "stdp_synapse", {"tau_minus": p["tau_minus_ms"]}
        # NEST's amounts are shares of Wmax; those of `additive_stdp` are weights.
        share = 1.0 if power else p["w_max"]
        synapse = {
            "tau_plus": p["tau_plus_ms"], "lambda": p["a_plus"] / share, "alpha": p["a_minus"] / p["a_plus"],
            "mu_plus": power, "mu_minus": power, "Wmax": p["w_max"],
        }  # fmt: skip
    pairs = []
    for pre, posts in zip(pre_ms, post_ms, strict=True):
        sides = nest.Create("parrot_neuron"), nest.Create("parrot_neuron", params=post)
        # A spike long after all brings the weight up to date; traces have gone by then.
        for cell, times in zip(sides, ([*pre, last], [at - dt_ms for at in posts]), strict=True):
            made = nest.Create("spike_generator", params={"spike_times": [round(at - dt_ms, 6) for at in times]})
            nest.Connect(made, cell, syn_spec={"delay": dt_ms})
        spec = {"synapse_model": model, "weight": weight, "delay": dt_ms, "receptor_type": 1, **synapse}
        nest.Connect(*sides, syn_spec=spec)
        pairs.append(sides)
    nest.Simulate(last + 20.0)
    weights = np.array([nest.GetConnections(*sides).weight for sides in pairs], float)
    # The last spike has taken its part.
    return weights + synapse["eta"] * synapse["alpha"] if rule == "inhibitory_stdp" else weights


def amounts_brought(p: Mapping[str, float], pre_ms: Sequence[Sequence[float]], weight: float) -> list[Floats]:
    """What each spike of each train brings, as a jump of a potential that does not decay."""
    dt_ms = 0.1
    _fresh(dt_ms)
    synapse = {"U": p["U"], "tau_rec": p["tau_rec_ms"], "tau_fac": p["tau_facil_ms"], "u": p["U"], "x": 1.0}
    meters = []
    for train in pre_ms:
        cell = nest.Create("iaf_psc_delta", params={"tau_m": 1e15, "V_th": 1e9, "E_L": 0.0, "V_m": 0.0})
        made = nest.Create("spike_generator", params={"spike_times": list(train)})
        between, meter = nest.Create("parrot_neuron"), nest.Create("multimeter", params={"record_from": ["V_m"]})
        meter.interval = 1.0
        nest.Connect(made, between, syn_spec={"delay": dt_ms})
        spec = {"synapse_model": "tsodyks2_synapse", "weight": weight, "delay": dt_ms, **synapse}
        nest.Connect(between, cell, syn_spec=spec)
        nest.Connect(meter, cell)
        meters.append(meter)
    nest.Simulate(max(max(train) for train in pre_ms) + 5.0)
    found = []
    for train, meter in zip(pre_ms, meters, strict=True):
        potential = np.concatenate([[0.0], np.asarray(meter.events["V_m"], float)])  # at 0, 1, 2, .. ms
        at = np.rint(train).astype(int)
        found.append(potential[at + 1] - potential[at])
    return found


def background_rate_hz(p: Mapping[str, float], refractory_ms: float, n: int, from_ms: float, until_ms: float) -> Floats:
    """Each neuron's rate under a poisson_generator, as `lif_background`."""
    _fresh(0.1)
    cells = nest.Create("iaf_psc_exp", n, lif(p, refractory_ms, tau_syn_ex=p["background_tau_ms"]))
    noise = nest.Create("poisson_generator", params={"rate": p["background_hz"]})
    recorder = nest.Create("spike_recorder", params={"start": from_ms})
    nest.Connect(noise, cells, syn_spec={"weight": p["background_weight"], "delay": 0.1})
    nest.Connect(cells, recorder, syn_spec={"delay": 0.1})
    nest.Simulate(until_ms)
    counts = np.bincount(recorder.events["senders"], minlength=max(cells.tolist()) + 1)[cells.tolist()]
    return counts / ((until_ms - from_ms) * 1e-3)


def rewarded_weights_after(
    p: Mapping[str, float],
    pre_ms: Sequence[Times],
    post_ms: Sequence[Times],
    dopamine_ms: Times,
    weight: float,
    until_ms: float,
) -> Floats:
    """Weights of one synapse a pair of trains, each spike of dopamine bringing 1 / tau_n; as `weights_after`."""
    dt_ms = 0.1
    _fresh(dt_ms)
    transmitter, source = nest.Create("volume_transmitter"), nest.Create("parrot_neuron")
    made = nest.Create("spike_generator", params={"spike_times": [at - 2 * dt_ms for at in dopamine_ms]})
    nest.Connect(made, source, syn_spec={"delay": dt_ms})
    nest.Connect(source, transmitter, syn_spec={"delay": dt_ms})
    constants = {
        "volume_transmitter": transmitter, "A_plus": p["a_plus"], "A_minus": p["a_minus"], "tau_plus": p["tau_plus_ms"],
        "tau_c": p["tau_eligibility_ms"], "tau_n": p["tau_dopamine_ms"], "b": -p["level"], "Wmin": 0.0,
        "Wmax": p["w_max"],
    }  # fmt: skip
    nest.CopyModel("stdp_dopamine_synapse", "rewarded", constants)
    pairs = []
    for pre, posts in zip(pre_ms, post_ms, strict=True):
        sides = nest.Create("parrot_neuron"), nest.Create("parrot_neuron", params={"tau_minus": p["tau_minus_ms"]})
        for cell, times in zip(sides, ([*pre, until_ms], [at - dt_ms for at in posts]), strict=True):
            trigger = nest.Create("spike_generator", params={"spike_times": [round(at - dt_ms, 6) for at in times]})
            nest.Connect(trigger, cell, syn_spec={"delay": dt_ms})
        nest.Connect(
            *sides, syn_spec={"synapse_model": "rewarded", "weight": weight, "delay": dt_ms, "receptor_type": 1}
        )
        pairs.append(sides)
    nest.Simulate(until_ms + 20.0)
    return np.array([nest.GetConnections(*sides).weight for sides in pairs], float)


def voltage_weights_after(
    pre_ms: Sequence[Times], post_ms: Sequence[Times], weight: float, until_ms: float, w_max: float
) -> Floats:
    """Weights of clopath_synapse onto aeif_psc_delta_clopath, one a pair of trains; a strong pulse makes it spike."""
    dt_ms = 0.1
    _fresh(dt_ms)
    pairs = []
    for pre, posts in zip(pre_ms, post_ms, strict=True):
        cell, source = nest.Create("aeif_psc_delta_clopath"), nest.Create("parrot_neuron")
        cell.set(V_peak=20.0, tau_u_bar_minus=10.0, tau_u_bar_plus=7.0)
        for target, times, amount in ((source, pre, 1.0), (cell, posts, 150.0)):
            made = nest.Create("spike_generator", params={"spike_times": np.round(np.asarray(times) - dt_ms, 1)})
            nest.Connect(made, target, syn_spec={"delay": dt_ms, "weight": amount})
        synapse = {"synapse_model": "clopath_synapse", "weight": weight, "delay": dt_ms, "tau_x": 15.0, "Wmax": w_max}
        # The synapse brings next to nothing: its weight is far below a mV.
        nest.Connect(source, cell, syn_spec=synapse)
        last = nest.Create("spike_generator", params={"spike_times": [until_ms]})
        nest.Connect(last, source, syn_spec={"delay": dt_ms})
        pairs.append((source, cell))
    nest.Simulate(until_ms + 20.0)
    return np.array([nest.GetConnections(*sides).weight for sides in pairs], float)


def rates_of_clopaths_neuron_hz(currents: Sequence[float], until_ms: float) -> Floats:
    """Rates of aeif_psc_delta_clopath under constant currents."""
    each = [{"I_e": current, "V_peak": 20.0} for current in currents]
    return np.array([len(train) for train in spikes_ms("aeif_psc_delta_clopath", each, 0.1, until_ms)]) / until_ms * 1e3
