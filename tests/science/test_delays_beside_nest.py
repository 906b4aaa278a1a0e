"""Plasticity with a delay beside NEST, whose constant delay is dendritic: the same weights, pair for pair."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hpcsnn import Network, Simulation, models
from hpcsnn.devices import HostDevice
from support.pairs import DT_MS, STDP, weight_after

ROOT = Path(__file__).parents[2]
QUICK = HostDevice(("-O1",))
ONE_STEP, TEN_MS = 1, 100
# Post after pre, in steps.
APART = (-200, -101, -100, -99, -50, -2, -1, 0, 1, 2, 50, 150)


def nest_makes(weights=(), arrivals=()):
    """The weights of (pre, post, delay in steps), and how long after a spike each delay is felt, by another process."""
    if subprocess.run([sys.executable, "-c", "import nest"], capture_output=True, check=False).returncode:
        pytest.skip("needs NEST (pip install nest-simulator, which has wheels for Linux on x86-64 and for macOS)")
    cases = {
        "weight_after": [
            {"pre": pre, "post": post, "delay": delay, "dt_ms": DT_MS, "weight": 0.5, **STDP}
            for pre, post, delay in weights
        ],
        "felt_after": [{"delay": delay, "dt_ms": DT_MS} for delay in arrivals],
    }
    done = subprocess.run(
        [sys.executable, "-m", "scaling.peers.nest_delays"],
        input=json.dumps(cases), capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout.splitlines()[-1])
    return made["weight_after"], made["felt_after"]


def spikes_at_random(delay, seed):
    """Some fifty spikes of each side in 200 ms, of which no pair meets in one step: NEST counts more of such."""
    rng = np.random.default_rng(seed)
    pre, post = (sorted(set(rng.integers(150, 2150, 50).tolist())) for _ in range(2))
    return pre, [step for step in post if step + delay not in pre], delay


def test_all_of_the_delay_in_the_dendrite_is_nests_delay():
    """delay_ms of one step, which is none to plasticity, and dendritic_delay_ms what NEST calls the delay."""
    cases = [([400], [400 + apart], delay) for delay in (ONE_STEP, TEN_MS) for apart in APART]
    cases += [spikes_at_random(delay, seed) for delay in (1, 3, 20, 100) for seed in (1, 2)]
    ours = np.array([weight_after(pre, post, ONE_STEP, delay, QUICK) for pre, post, delay in cases])
    np.testing.assert_allclose(ours, nest_makes(cases)[0], atol=1e-6)
    moved = ours - 0.5
    assert (moved > 5e-5).sum() > 5 and (moved < -5e-5).sum() > 5 and (moved == 0).sum() == 2


def test_what_a_spike_brings_is_felt_when_it_is_in_nest():
    """The whole of NEST's delay in the dendrite: the soma feels it at the same time, too."""
    delays = (1, 3, 10)
    ours = []
    for delay in delays:
        network = Network(seed=1, dt_ms=DT_MS)
        network.add_population("a", 1, models.SpikeArray(neurons=[0], times_ms=[20 * DT_MS]))
        network.add_population("b", 1, models.LIF(), {"V_mV": -70.0})
        network.add_projection(
            "s", "a", "b", models.OneToOne(), models.ExponentialCurrent(), 1.0, dendritic_delay_ms=delay * DT_MS
        )
        simulation, step = Simulation(network, device=QUICK), 0
        while simulation.neurons("b")["V_mV"][0] == -70.0:
            simulation.run(DT_MS)
            step += 1
        ours.append(step - 21)  # the spike is of the 21st step
    assert ours == nest_makes(arrivals=delays)[1]


def test_a_delay_in_the_axon_is_not_nests_delay():
    """The closed form of `delay_ms` alone: the presynaptic spike is late, where NEST's postsynaptic one is."""
    pre, post = [400], [450]  # 5 ms after
    ((theirs,), _) = nest_makes([(pre, post, TEN_MS)])
    assert theirs - 0.5 == pytest.approx(STDP["a_plus"] * np.exp(-15 / STDP["tau_plus_ms"]), rel=1e-3)
    ours = weight_after(pre, post, TEN_MS, 0, QUICK)
    assert ours - 0.5 == pytest.approx(-STDP["a_minus"] * np.exp(-4.9 / STDP["tau_minus_ms"]), rel=1e-3)


def test_only_the_difference_of_the_two_ends_counts():
    """With an axonal delay beside it, NEST's is the dendritic one beyond it: three splits of each case."""
    cases = [spikes_at_random(7, seed) for seed in range(4)]
    theirs, _ = nest_makes(cases)
    for axonal in (0, 1, 25):
        ours = [weight_after(pre, post, ONE_STEP + axonal, delay + axonal, QUICK) for pre, post, delay in cases]
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
