"""Calcium, growth, neurons and drive in NEST, each against the same in NumPy: checks of ``nest_semantics``."""

from __future__ import annotations

import math

import nest
import numpy as np

from scaling.peers.nest_homeostatic import DT_MS, element, endpoints
from scaling.peers.nest_probes import KEPT, fired, fresh, got, update

TAU_CA_MS, BETA_CA = 10_000.0, 0.001  # NEST's own


def a_calcium_decays_exactly_and_a_spike_adds_after_it() -> str:
    fresh(interval_ms=1e6)
    neuron = nest.Create("iaf_psc_exp", 1, {"I_e": 420.0})
    recorder = fired(neuron)
    nest.Simulate(523.4)
    spikes = np.array(recorder.events["times"])
    expected = np.sum(BETA_CA * np.exp(-(523.4 - spikes) / TAU_CA_MS))
    assert math.isclose(neuron.Ca, expected, rel_tol=1e-13), (neuron.Ca, expected)
    fresh(interval_ms=1e6)
    neuron = nest.Create("iaf_psc_exp", 1, {"I_e": 420.0, "Ca": 0.5})
    nest.Simulate(float(spikes[0]))
    expected = 0.5 * math.exp(-spikes[0] / TAU_CA_MS) + BETA_CA
    assert math.isclose(neuron.Ca, expected, rel_tol=1e-13), (neuron.Ca, expected)
    return f"{len(spikes)} spikes: Ca is the sum of beta exp(-(t - s) / tau) to 13 digits; at t = s the jump is in it"


def gaussian(z: float, calcium: np.ndarray, rate_per_ms: float, eta: float, eps: float) -> np.ndarray:
    """z after each step with its calcium, no floor."""
    zeta, xi = (eta - eps) / (2 * math.sqrt(math.log(2))), (eta + eps) / 2
    return z + np.cumsum(DT_MS * rate_per_ms * (2 * np.exp(-(((calcium - xi) / zeta) ** 2)) - 1))


def decayed(calcium: float, steps: int, how: str, tau_ms: float = TAU_CA_MS) -> np.ndarray:
    """Calcium of the steps after a spike: by forward Euler or exactly, at a step's end or at its start."""
    k = np.arange(1, steps + 1)
    if how == "euler":
        return calcium * (1 - DT_MS / tau_ms) ** k
    return calcium * np.exp(-(k if how == "exact" else k - 1) * DT_MS / tau_ms)


def b_z_grows_by_euler_steps_with_the_calcium_of_their_end() -> str:
    fresh(interval_ms=1e6)
    rate_per_ms, eps, tau_ms = 0.01, 0.05, 200.0  # a short tau, or nobody could tell Euler's calcium from the exact one
    elements = {"Den_ex": element(rate_per_ms, eps, z=1.5, tau_vacant=KEPT)}
    model = {"I_e": 420.0, "tau_Ca": tau_ms, "beta_Ca": 0.01, "synaptic_elements": elements}
    neuron = nest.Create("iaf_psc_exp", 1, model)
    recorder = fired(neuron)
    nest.Simulate(500.0)
    times = [*recorder.events["times"], 500.0]
    error = {}
    for how in ("euler", "exact", "start"):
        z, calcium, before = 1.5, 0.0, 0.0
        for t in times:
            path = decayed(calcium, round((t - before) / DT_MS), how, tau_ms)
            z = max(0.0, gaussian(z, path, rate_per_ms, 0.0, eps)[-1])
            calcium, before = calcium * math.exp(-(t - before) / tau_ms) + 0.01, t
        error[how] = abs(z - got(neuron, "Den_ex", "z")[0])
    assert error["euler"] < 1e-10 and min(error["exact"], error["start"]) > 1e-6, error
    return (
        f"z off by {error['euler']:.1g}; with exact calcium it would be {error['exact']:.1g}, "
        f"with that of the step's start {error['start']:.1g}"
    )


def b_z_is_kept_from_below_zero_only_where_an_interval_ends() -> str:
    def simulated(parts_ms: list[float]) -> float:
        fresh(interval_ms=1e6)
        elements = {"Den_ex": element(0.01, 0.05, z=0.5)}
        neuron = nest.Create("iaf_psc_exp", 1, {"Ca": 0.2, "tau_Ca": 100.0, "synaptic_elements": elements})
        for part_ms in parts_ms:
            nest.Simulate(part_ms)
        return got(neuron, "Den_ex", "z")[0]

    path = gaussian(0.5, decayed(0.2, 2700, "euler", 100.0), 0.01, 0.0, 0.05)
    whole, cut = simulated([270.0]), simulated([100.0, 170.0])
    assert path.min() < -0.4 and path[-1] > 0, path
    assert math.isclose(whole, path[-1], abs_tol=1e-9), (whole, path[-1])
    from_zero = gaussian(0.0, decayed(0.2 * math.exp(-1), 1700, "euler", 100.0), 0.01, 0.0, 0.05)[-1]
    assert path[999] < -0.1 and math.isclose(cut, from_zero, abs_tol=1e-9), (cut, from_zero)
    return f"z dips to {path.min():.2f} in an interval and is {whole:.3f} after it; {cut:.3f} if cut while z is below 0"


def b_silent_neurons_do_not_grow_with_eta_0() -> str:
    fresh(interval_ms=1e6)
    neuron = nest.Create("iaf_psc_exp", 1, {"synaptic_elements": {"Den_ex": element(0.01, 0.05)}})
    nest.Simulate(1000.0)
    z = got(neuron, "Den_ex", "z")[0]
    assert z < 1e-10, z
    return f"z {z:.1g} after 1 s without a spike (the curve is 0 at Ca = eta, but for rounding)"


def e_neurons_take_exact_steps() -> str:
    fresh(interval_ms=1e6)
    model = {"E_L": -65.0, "V_m": -65.0, "V_th": -50.0, "V_reset": -65.0, "tau_syn_ex": 0.5}
    neuron = nest.Create("iaf_psc_exp", 1, model)
    drive = nest.Create("poisson_generator", params={"rate": 10_000.0})
    relay = nest.Create("parrot_neuron")
    nest.Connect(drive, relay)
    nest.Connect(relay, neuron, syn_spec={"weight": 90.0, "delay": 1.0})
    meter = nest.Create("multimeter", params={"record_from": ["V_m", "I_syn_ex"], "interval": DT_MS})
    nest.Connect(meter, neuron)
    recorder, sent = fired(neuron), fired(relay)
    nest.Simulate(2000.0)
    arrivals = np.zeros(20_100, int)
    np.add.at(arrivals, np.round(np.array(sent.events["times"]) / DT_MS).astype(int) + 10, 1)
    p_syn, p_m = math.exp(-DT_MS / 0.5), math.exp(-DT_MS / 10.0)
    p_cross = (p_m - p_syn) / (250.0 * (1 / 0.5 - 1 / 10.0))  # mV a pA
    v, current, rest, spikes, worst = 0.0, 0.0, 0, [], 0.0
    steps = np.round(np.array(meter.events["times"]) / DT_MS).astype(int).tolist()
    potentials = dict(zip(steps, meter.events["V_m"], strict=True))
    for step in range(1, 19_900):
        if rest:
            rest -= 1
        else:
            v = v * p_m + current * p_cross
        current = current * p_syn + 90.0 * arrivals[step]
        if v >= 15.0:
            v, rest = 0.0, 20
            spikes.append(step)
        worst = max(worst, abs(v - 65.0 - potentials[step]))
    seen = np.round(np.array(recorder.events["times"]) / DT_MS).astype(int).tolist()
    assert spikes == [s for s in seen if s < 19_900] and len(spikes) > 20, (spikes, seen)
    assert worst < 1e-9, worst
    return f"{len(spikes)} spikes at the same steps as in NumPy, potentials off by {worst:.1g} mV at most"


def e_neurons_rest_for_20_steps_and_may_fire_in_the_21st() -> str:
    fresh(interval_ms=1e6)
    recorder = fired(nest.Create("iaf_psc_exp", 1, {"I_e": 1e6}))
    nest.Simulate(50.0)
    gaps = np.round(np.diff(recorder.events["times"]) / DT_MS)
    assert set(gaps) == {21}, gaps
    return "t_ref 2 ms under a current that takes a step to threshold: a spike every 21 steps"


def e_poisson_input_is_a_count_a_step_and_neuron() -> str:
    fresh(interval_ms=1e6)
    pair = nest.Create("iaf_psc_exp", 2)
    drive = nest.Create("poisson_generator", params={"rate": 10_000.0})
    nest.Connect(drive, pair, syn_spec={"weight": 1.0, "delay": 1.0})
    meter = nest.Create("multimeter", params={"record_from": ["I_syn_ex"], "interval": DT_MS})
    nest.Connect(meter, pair)
    nest.Simulate(5000.0)
    current = np.array(meter.events["I_syn_ex"])
    senders = np.array(meter.events["senders"])
    traces = np.array([current[senders == neuron] for neuron in pair.tolist()])
    counts = traces[:, 1:] - traces[:, :-1] * math.exp(-DT_MS / 2.0)
    assert np.abs(counts - counts.round()).max() < 1e-9
    first_ms = (np.flatnonzero(counts.any(0))[0] + 2) * DT_MS
    counts = counts[:, 20:].round()
    mean, variance, correlation = counts.mean(), counts.var(), np.corrcoef(counts)[0, 1]
    seen = mean, variance, correlation
    assert abs(mean - 1) < 0.015 and abs(variance - 1) < 0.03 and abs(correlation) < 0.02, seen
    assert math.isclose(first_ms, 1.2), first_ms
    return (
        f"mean {mean:.3f}, variance {variance:.3f} a step, correlation of two targets {correlation:.3f}; "
        f"first arrival {first_ms:.1f} ms"
    )


def f_nothing_is_connected_at_the_start() -> str:
    fresh()
    elements = {"Axon_ex": element(0.1, 0.05), "Den_ex": element(0.1, 0.05)}
    assert nest.Create("iaf_psc_exp", 1, {"E_L": -65.0}).V_m == -70.0
    neurons = nest.Create("iaf_psc_exp", 3, {"E_L": -65.0, "V_m": -65.0, "synaptic_elements": elements})
    meter = nest.Create("multimeter", params={"record_from": ["V_m", "I_syn_ex"], "interval": DT_MS})
    nest.Connect(meter, neurons)
    seen = (*neurons.V_m, *neurons.Ca, *got(neurons, "Den_ex", "z"))
    assert seen == (-65.0,) * 3 + (0.0,) * 6, seen
    nest.Simulate(5.0)
    assert set(meter.events["V_m"]) == {-65.0} and set(meter.events["I_syn_ex"]) == {0.0}
    assert len(endpoints("ex")) == 0
    return "V_m as given (-70 mV if not, whatever E_L), current, calcium and z 0 in every neuron, no plastic synapse"


def f_the_first_update_is_at_0() -> str:
    fresh(interval_ms=100.0)
    elements = {name: element(0.0, 0.05, z=z) for name, z in (("Axon_ex", 1.5), ("Den_ex", 3.5))}
    neurons = nest.Create("iaf_psc_exp", 1, {"synaptic_elements": elements})
    update(DT_MS)
    assert len(endpoints("ex")) == 1
    assert math.isclose(got(neurons, "Den_ex", "z")[0], 3.5 - 0.2), got(neurons, "Den_ex", "z")
    return "elements given at the start pair at t = 0, and vacant ones decay then; without any it changes nothing"
