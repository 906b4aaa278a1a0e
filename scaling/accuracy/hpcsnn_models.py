"""What hpcsnn's models do in the protocols of docs/accuracy.md: spikes, potentials, weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn import Network, Simulation, models
from hpcsnn.models import Configured, NeuronModel, ReceptorModel, Variable

Floats = NDArray[np.float64]
Times = Sequence[float] | Floats
_RELAY = NeuronModel(
    "relay",
    "Spikes in the step in which a spike arrives.",
    state=(Variable("heard"),),
    update="heard = input_current;",
    threshold="heard > 0.5f",
)
_METER = NeuronModel(
    "meter",
    "Adds up its input, and shows the last.",
    state=(Variable("V_mV"), Variable("charge")),
    update="V_mV = input_current; charge += input_current * dt_ms;",
)
_UNHEARD = ReceptorModel("unheard", "Weights that change without any effect on the target.")


def spikes_ms(
    cells: Configured[Any], n: int, dt_ms: float, until_ms: float, **initial: Any
) -> list[NDArray[np.float64]]:
    """Spike times of `n` neurons in ms, each the end of its step: the moment at which it is reset."""
    network = Network(seed=1, dt_ms=dt_ms)
    network.add_population("cells", n, cells, initial, record_spikes=True)
    simulation = Simulation(network, device="cpu")
    simulation.run(until_ms)
    steps, ids = simulation.spikes("cells")
    return [(steps[ids == neuron] + 1) * dt_ms for neuron in range(n)]


def refractory_ms(cells: Configured[Any], dt_ms: float) -> float:
    """How long a neuron is held after a spike: whole steps."""
    return float(cells.constants(dt_ms)["refractory_steps"] * dt_ms)


def psp_mV(receptor: Configured[Any], weight: float, dt_ms: float, until_ms: float) -> Floats:
    """Rise of a LIF's potential above rest after one spike, dt_ms, 2 dt_ms, ... after its arrival."""
    network = Network(seed=1, dt_ms=dt_ms)
    network.add_population("input", 1, models.SpikeArray(neurons=[0], times_ms=[0.0]))
    network.add_population("cells", 1, models.LIF(V_threshold_mV=1e3, refractory_ms=0.0), {"V_mV": -70.0})
    network.add_projection("p", "input", "cells", models.OneToOne(), receptor, weight, delay_ms=dt_ms)
    simulation, found = Simulation(network, device="cpu"), []
    simulation.run(dt_ms)
    for _ in range(round(until_ms / dt_ms)):
        simulation.run(dt_ms)
        found.append(float(simulation.neurons("cells")["V_mV"][0]) + 70.0)
    return np.array(found)


def charge(receptor: Configured[Any], weight: float, dt_ms: float, until_ms: float = 200.0) -> float:
    """The integral of what one spike brings, current * ms; of a conductance, of itself."""
    if "reversal_mV" in receptor.values:
        receptor = receptor.model(**{**receptor.values, "reversal_mV": 1.0})  # of a neuron at 0 mV
    network = Network(seed=1, dt_ms=dt_ms)
    network.add_population("input", 1, models.SpikeArray(neurons=[0], times_ms=[0.0]))
    network.add_population("meter", 1, _METER())
    network.add_projection("p", "input", "meter", models.OneToOne(), receptor, weight, delay_ms=dt_ms)
    simulation = Simulation(network, device="cpu")
    simulation.run(until_ms)
    return float(simulation.neurons("meter")["charge"][0])


def synapses_after(
    rule: Configured[Any], pre_ms: Sequence[Times], post_ms: Sequence[Times], weight: float, dt_ms: float = 1.0
) -> dict[str, NDArray[Any]]:
    """Variables of synapses, one for each pair of trains: an arriving spike and one of the target at the same time are
    coincident."""
    network, n = Network(seed=1, dt_ms=dt_ms), len(pre_ms)
    for name, trains, early in (("pre", pre_ms, 0.0), ("trigger", post_ms, dt_ms)):
        neurons = np.repeat(np.arange(n), [len(train) for train in trains])
        times = np.concatenate([np.asarray(train, float) for train in trains]) - early
        network.add_population(name, n, models.SpikeArray(neurons=neurons, times_ms=times))
    network.add_population("post", n, _RELAY())
    network.add_projection("makes", "trigger", "post", models.OneToOne(), models.DeltaCurrent(), 1.0, delay_ms=dt_ms)
    network.add_projection("s", "pre", "post", models.OneToOne(), _UNHEARD(), weight, rule, delay_ms=dt_ms)
    simulation = Simulation(network, device="cpu")
    simulation.run(max(max(train) for train in (*pre_ms, *post_ms)) + 10)
    return simulation.synapses("s")


def amounts_brought(rule: Configured[Any], pre_ms: Sequence[Times], weight: float, dt_ms: float = 1.0) -> list[Floats]:
    """What each spike of each train brings to a target of its own."""
    network, n = Network(seed=1, dt_ms=dt_ms), len(pre_ms)
    neurons = np.repeat(np.arange(n), [len(train) for train in pre_ms])
    times = np.concatenate([np.asarray(train, float) for train in pre_ms])
    network.add_population("pre", n, models.SpikeArray(neurons=neurons, times_ms=times))
    network.add_population("meter", n, _METER())
    network.add_projection("s", "pre", "meter", models.OneToOne(), models.DeltaCurrent(), weight, rule, delay_ms=dt_ms)
    simulation = Simulation(network, device="cpu")
    heard = {}
    for step in sorted({round(time / dt_ms) for time in times}):
        simulation.run((step + 2) * dt_ms - simulation.time_ms)
        heard[step] = simulation.neurons("meter")["V_mV"].astype(float)
    return [np.array([heard[round(time / dt_ms)][one] for time in train]) for one, train in enumerate(pre_ms)]


def background_rate_hz(
    cells: Configured[Any], n: int, dt_ms: float, from_ms: float, until_ms: float
) -> NDArray[np.float64]:
    """Each neuron's rate between two times, without what comes before."""
    found = spikes_ms(cells, n, dt_ms, until_ms)
    return np.array([(train > from_ms).sum() for train in found]) / ((until_ms - from_ms) * 1e-3)


def rewarded_weights_after(
    rule: Configured[Any],
    pre_ms: Sequence[Times],
    post_ms: Sequence[Times],
    dopamine_ms: Times,
    weight: float,
    until_ms: float,
) -> NDArray[Any]:
    """Weights of synapses, one for each pair of trains, under dopamine of which each spike brings 1 / tau_dopamine."""
    network, n, dt_ms = Network(seed=1, dt_ms=1.0), len(pre_ms), 1.0
    for name, trains, early in (("pre", pre_ms, 0.0), ("trigger", post_ms, dt_ms), ("dopamine", [dopamine_ms], dt_ms)):
        neurons = np.repeat(np.arange(len(trains)), [len(train) for train in trains])
        times = np.concatenate([np.asarray(train, float) for train in trains]) - early
        network.add_population(name, len(trains), models.SpikeArray(neurons=neurons, times_ms=times))
    network.add_population("post", n, _RELAY())
    network.add_projection("makes", "trigger", "post", models.OneToOne(), models.DeltaCurrent(), 1.0, delay_ms=dt_ms)
    jump, arrives = 1.0 / rule.values["tau_dopamine_ms"], models.Neuromodulator()
    network.add_projection("volume", "dopamine", "post", models.AllToAll(), arrives, jump)
    network.add_projection("s", "pre", "post", models.OneToOne(), _UNHEARD(), weight, rule, modulator="volume")
    simulation = Simulation(network, device="cpu")
    simulation.run(until_ms)
    return simulation.synapses("s")["weight"].astype(float)


def voltage_weights_after(
    rule: Configured[Any], pre_ms: Sequence[Times], post_ms: Sequence[Times], weight: float, until_ms: float
) -> NDArray[Any]:
    """Weights of synapses, one for each pair of trains; a strong current makes the target spike."""
    network, n, dt_ms = Network(seed=1, dt_ms=0.1), len(pre_ms), 0.1
    for name, trains in (("pre", pre_ms), ("trigger", post_ms)):
        neurons = np.repeat(np.arange(n), [len(train) for train in trains])
        times = np.concatenate([np.round(train, 1) for train in trains]) - dt_ms
        network.add_population(name, n, models.SpikeArray(neurons=neurons, times_ms=times))
    network.add_population("post", n, models.AdExAfterpotential())
    network.add_projection("makes", "trigger", "post", models.OneToOne(), models.DeltaCurrent(), 3e5)
    network.add_projection("s", "pre", "post", models.OneToOne(), _UNHEARD(), weight, rule)
    simulation = Simulation(network, device="cpu")
    simulation.run(until_ms)
    return simulation.synapses("s")["weight"].astype(float)


def arrived(weight: float, n: int) -> float:
    """What `neuromodulator` shows in the step in which spikes of `n` sources arrive."""
    network = Network(seed=1, dt_ms=1.0)
    network.add_population("input", n, models.SpikeArray(neurons=list(range(n)), times_ms=[1.0] * n))
    network.add_population("cells", 1, _METER())
    network.add_projection("p", "input", "cells", models.AllToAll(), models.Neuromodulator(), weight)
    simulation = Simulation(network, device="cpu")
    simulation.run(3.0)
    return float(simulation.neurons("cells")["p.arrived"][0])
