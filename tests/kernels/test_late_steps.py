"""The last steps that 32 bits count: runs near 2^30 and up to 2^31 - 1 do what they do at small steps."""

from __future__ import annotations

import numpy as np
import pytest

from hpcsnn import Network, Simulation, models
from hpcsnn.models import rewiring
from hpcsnn.testing.racing_threads import RacingThreads
from support.late_starts import jump

LAST = 2**31 - 1
N_STEPS = 60
EARLY = 1000
LATE = [2**30 - 5, 2**30 - N_STEPS // 2, LAST - N_STEPS]


def shifted(start: int, delay_ms=1.0) -> Network:
    """Given spikes drive cells through plastic synapses; one source is silent until late in the run."""
    network = Network(seed=1, dt_ms=1.0)
    times = {0: (3, 20, 21, 50), 1: (4, 5, 40), 2: (45,), 3: ()}
    neurons = [neuron for neuron, steps in times.items() for _ in steps]
    given = [float(start + step) for steps in times.values() for step in steps]
    network.add_population("given", 4, models.SpikeArray(neurons=neurons, times_ms=given), record_spikes=True)
    network.add_population("cells", 4, models.LIF(), record_spikes=True)
    network.add_projection(
        "plastic", "given", "cells", models.AllToAll(), models.DeltaCurrent(), 0.1, models.TripletSTDP(),
        delay_ms=delay_ms, rewiring=rewiring.Homeostatic(every_ms=1.0, updates_a_pairing=10**9, tau_calcium_ms=100.0),
    )  # fmt: skip
    network.add_projection("kick", "given", "cells", models.OneToOne(), models.DeltaCurrent(), 1000.0, delay_ms=2.0)
    return network


def outcome(start: int, device, delay_ms=1.0):
    """Spikes, weights, state and calcium after `N_STEPS` steps from `start`, with steps counted from there."""
    simulation = Simulation(shifted(start, delay_ms), device=device)
    simulation.run(1.0)  # each source draws its first spike
    jump(simulation, start, N_STEPS)
    simulation.run(float(N_STEPS))
    assert simulation.step == start + N_STEPS
    spikes = {}
    for name in ("given", "cells"):
        step, neuron = simulation.spikes(name)
        spikes[name] = list(zip((step.astype(np.int64) - start).tolist(), neuron.tolist(), strict=True))
    return spikes, simulation.synapses("plastic"), simulation.neurons("cells"), simulation.neurons("given")


@pytest.mark.parametrize("delay_ms", [1.0, models.Uniform(1.0, 6.0)], ids=["one_delay", "own_delays"])
@pytest.mark.parametrize("start", LATE)
@pytest.mark.parametrize("make", [lambda: "cpu", RacingThreads], ids=["host", "racing"])
def test_a_run_at_late_steps_is_the_run_at_early_ones(start, make, delay_ms):
    early, late = outcome(EARLY, make(), delay_ms), outcome(start, make(), delay_ms)
    assert early[0]["given"] == [(3, 0), (4, 1), (5, 1), (20, 0), (21, 0), (40, 1), (45, 2), (50, 0)]
    assert len(early[0]["cells"]) >= 5
    assert late[0] == early[0]
    for before, now in zip(early[1:], late[1:], strict=True):
        assert before.keys() == now.keys()
        for name in before:
            assert np.array_equal(before[name], now[name]), name
    assert np.ptp(early[1]["weight"]) > 0, "something was learnt"


@pytest.mark.parametrize("model", [models.Poisson(rate_hz=500.0), models.MovingGaussianPoisson(dwell_ms=300.0)])
def test_stimuli_go_on_to_the_last_step(model):
    """The last window ends where steps do: a spike every other ms a neuron, to the end."""
    network = Network(seed=2, dt_ms=1.0)
    if model.name != "poisson":
        model = models.MovingGaussianPoisson(dwell_ms=300.0, base_hz=500.0, peak_hz=0.0)
    network.add_population("noise", 256, model, record_spikes=True)
    simulation = Simulation(network, device="cpu")
    n_steps = 900
    jump(simulation, LAST - n_steps, n_steps)
    simulation.run(float(n_steps))
    step, _ = simulation.spikes("noise")
    assert simulation.step == LAST
    assert step.max() == LAST - 1
    window = 200 if model.name == "poisson" else 300
    first = -(-(LAST - n_steps) // window) * window  # nothing was drawn for the window that the run started in
    per_step = np.bincount(step.astype(np.int64) - first)
    assert len(per_step) == LAST - first
    mean, std = 256 * 0.5, np.sqrt(256 * 0.25)
    assert np.abs(per_step - mean).max() < 6 * std


@pytest.mark.parametrize("make", [lambda: "cpu", RacingThreads], ids=["host", "racing"])
def test_a_ring_of_spikes_may_have_more_entries_than_32_bits_count(make):
    """140,000 neurons and 16,384 slots; the pages that nothing touches cost nothing."""
    size, delay, at = 140_000, 10_000, 16_300
    assert at * size > 2**31
    network = Network(seed=1, dt_ms=0.1)
    spikes = models.SpikeArray(neurons=[0, 5, size - 1], times_ms=[at * 0.1] * 3)
    network.add_population("given", size, spikes, record_spikes=True)
    network.add_population("cells", size, models.LIF(), record_spikes=True)
    network.add_projection(
        "far", "given", "cells", models.OneToOne(), models.DeltaCurrent(), 1e4, models.AdditiveSTDP(w_max=2e4),
        delay_ms=delay * 0.1,
    )  # fmt: skip
    network.add_projection("back", "cells", "cells", models.OneToOne(), models.DeltaCurrent(), 1e-9, delay_ms=1000.0)
    try:
        simulation = Simulation(network, device=make())
    except MemoryError:
        pytest.skip("needs 19 GB of address space")
    simulation.run(0.1)
    jump(simulation, at - 2, delay)
    simulation.run(0.5)
    jump(simulation, at + delay - 2, delay)
    simulation.run(0.6)
    for name, step in (("given", at), ("cells", at + delay)):
        assert [array.tolist() for array in simulation.spikes(name)] == [[step] * 3, [0, 5, size - 1]]
    weight = simulation.synapses("far")["weight"]
    assert (weight[[0, 5, -1]] > 1e4).all()
    assert np.count_nonzero(weight != np.float32(1e4)) == 3
