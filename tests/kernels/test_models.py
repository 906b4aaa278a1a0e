"""Nothing is hard-wired: models that a user declares run like the built-in ones, against slow formulas in NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from hpcsnn import DeviceError, Grid, Network, Simulation, models
from hpcsnn.devices import HostDevice
from hpcsnn.models import (
    Derived,
    NeuronModel,
    Parameter,
    RewiringRule,
    SpikeTrace,
    SynapseModel,
    Variable,
)
from support.models import Pulse

F = np.float32

AdaptiveLIF = NeuronModel(
    "adaptive_lif",
    "A leaky integrator whose threshold rises with every spike.",
    parameters={
        "tau_ms": Parameter(10.0, "ms", "membrane time constant", above=0.0),
        "tau_threshold_ms": Parameter(100.0, "ms", "decay of the threshold's rise", above=0.0),
        "rise": Parameter(0.5, "", "rise of the threshold per spike"),
        "drive": Parameter(0.15, "", "constant input a step"),
    },
    derived={"keep": Derived("exp(-dt_ms / tau_ms)"), "keep_rise": Derived("exp(-dt_ms / tau_threshold_ms)")},
    state=(Variable("u"), Variable("raised"), Variable("n_spikes", 0, "", "int")),
    update="u = keep * u + drive + input_current; raised = raised * keep_rise;",
    threshold="u > 1.0f + raised",
    reset="u = 0.0f; raised += rise; n_spikes += 1;",
)


Facilitating = SynapseModel(
    "facilitating",
    "Two variables: what it delivers grows with each spike, is halved when the target spikes, and falls after that.",
    parameters={"tau_ms": Parameter(10.0, "ms", "decay of the trace", above=0.0)},
    variables=(Variable("weight"), Variable("gain", 1.0)),
    post_traces=(SpikeTrace("recent", "tau_ms"),),
    deliver="weight * gain",
    on_pre_spike="gain = gain * 1.5f > 2.0f ? 2.0f : gain * 1.5f; weight = weight - 0.1f * recent;",
    on_post_spike="gain = gain * 0.5f;",
    bound="2 * initial_weight",
)


def test_a_second_neuron_model_follows_its_own_equations():
    n, n_steps = 5, 2000
    network = Network(seed=1, dt_ms=0.5)
    drive_spikes = [(neuron, 3.0 * k) for neuron in range(n) for k in range(neuron * 20)]
    spikes = models.SpikeArray(neurons=[a for a, _ in drive_spikes], times_ms=[t for _, t in drive_spikes])
    network.add_population("input", n, spikes)
    network.add_population("cells", n, AdaptiveLIF(rise=0.4), {"u": np.linspace(0, 0.8, n)}, record_spikes=True)
    network.add_projection("drive", "input", "cells", models.OneToOne(), Pulse(), 0.125)
    simulation = Simulation(network, device="cpu")
    simulation.run(n_steps * 0.5)

    keep, keep_rise = F(np.exp(-0.5 / 10)), F(np.exp(-0.5 / 100))
    u, raised, count = np.linspace(0, 0.8, n).astype(F), np.zeros(n, F), np.zeros(n, int)
    when = np.zeros((n_steps + 1, n), F)
    for neuron, time in drive_spikes:
        when[round(time / 0.5) + 1, neuron] = 0.125
    expected = []
    for step in range(n_steps):
        u = keep * u + F(0.15) + when[step]
        raised = raised * keep_rise
        fired = u > F(1) + raised
        u, raised, count = np.where(fired, F(0), u), np.where(fired, raised + F(0.4), raised), count + fired
        expected += [(step, neuron) for neuron in np.flatnonzero(fired)]
    state = simulation.neurons("cells")
    np.testing.assert_array_equal(state["u"], u)
    np.testing.assert_array_equal(state["raised"], raised)
    np.testing.assert_array_equal(state["n_spikes"], count)
    assert list(zip(*(part.tolist() for part in simulation.spikes("cells")), strict=True)) == expected
    assert count.min() >= 50


def test_a_synapse_with_two_variables_delivers_their_product():
    network = Network(seed=1)
    network.add_population("input", 1, models.SpikeArray(neurons=[0] * 4, times_ms=[1.0, 2.0, 3.0, 4.0]))
    network.add_population("cell", 1, AdaptiveLIF(drive=0.0, tau_ms=1e9), record_spikes=True)
    network.add_projection("s", "input", "cell", models.OneToOne(), Pulse(), 0.25, Facilitating())
    simulation = Simulation(network, device="cpu")

    def state():
        synapse, neuron = simulation.synapses("s"), simulation.neurons("cell")
        return synapse["weight"][0], synapse["gain"][0], neuron["u"][0], neuron["n_spikes"][0]

    simulation.run(2.5)
    assert state() == (0.25, 2.0, 0.25 * (1 + 1.5), 0)
    simulation.run(1.0)  # 0.25 (1 + 1.5 + 2) is above the threshold of 1
    assert simulation.spikes("cell")[0].tolist() == [31]
    assert state() == (0.25, 1.0, 0.0, 1)
    simulation.run(1.0)  # the synapse sees the step before the spike's arrival at 41: the trace is 9 steps old
    assert state() == (pytest.approx(0.25 - 0.1 * np.exp(-0.9 / 10), abs=1e-7), 1.5, 0.25, 1)


Ring = RewiringRule(
    "ring",
    "Forms synapses to the four nearest neighbours and removes all others.",
    select=models.UNIFORM,
    eliminate="distance_squared != 1",
    form="distance_squared == 1",
    initial="0.75f",
    bound="0.75",
    reach_squared=lambda values: 1,
)


def test_a_rewiring_rule_of_the_users_wires_what_it_says():
    grid = Grid(8, 8)
    network = Network(seed=1)
    network.add_population("a", grid, models.Poisson(rate_hz=1))
    network.add_population("b", grid, models.LIF())
    network.add_projection(
        "ab", "a", "b", models.FixedProbability(p=0.1), models.ExponentialCurrent(), 0.1,
        rewiring=Ring(attempts=200, block_side=4, every_ms=0.5),
    )  # fmt: skip
    simulation = Simulation(network, device="cpu", tile=2)
    simulation.run(1000.0)
    synapses = simulation.synapses("ab")
    pre_y, pre_x = np.divmod(synapses["pre"], 8)
    post_y, post_x = np.divmod(synapses["post"], 8)
    dx, dy = np.abs(pre_x - post_x), np.abs(pre_y - post_y)
    assert (np.minimum(dx, 8 - dx) ** 2 + np.minimum(dy, 8 - dy) ** 2 == 1).all()
    assert np.bincount(synapses["post"]).tolist() == [4] * 64
    formed = synapses["weight"] == F(0.75)
    assert formed.sum() > 4 * 64 * 0.8
    assert set(synapses["weight"][~formed].tolist()) <= {float(F(0.1))}


def test_a_snippet_that_does_not_compile_is_quoted():
    broken = NeuronModel("broken", "", state=(Variable("u"),), update="u = misspelt + 1.0f;")
    network = Network(seed=1)
    network.add_population("cells", 3, broken())
    with pytest.raises(DeviceError, match=r"(?s)could not compile the kernels \(source kept in .*misspelt"):
        Simulation(network, device=HostDevice(("-O0",)))
