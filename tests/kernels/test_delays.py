"""Delays, those that differ between synapses and dendritic ones: when spikes arrive, and what may not matter."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from hpcsnn import Grid, Network, Simulation, models
from hpcsnn.codegen.program import generate
from hpcsnn.devices import HostDevice
from hpcsnn.engine.digest import input_fingerprint, simulation_digest
from hpcsnn.models import Normal, Uniform
from support.comparisons import assert_same
from support.models import Pulse
from support.networks import busy
from support.nvrtc import ptx_of
from support.oracle import Oracle

QUICK = HostDevice(("-O1",))
GRID = Grid(8, 8)


@pytest.mark.parametrize("dendritic", [0, 1, 9])
def test_a_spike_arrives_at_each_target_after_the_synapses_own_delay(dendritic):
    """One spike and 50 targets that add up what comes: the input of each changes in one step, the documented one."""
    n, spike_step = 50, 10
    network = Network(seed=4)
    network.add_population("one", 1, models.SpikeArray(neurons=[0, 0], times_ms=[1.0, 1.2]))
    counter = models.NeuronModel("counter", "", state=(models.Variable("total"),), update="total += input_current;")
    network.add_population("cells", n, counter())
    network.add_projection(
        "s",
        "one",
        "cells",
        models.AllToAll(),
        Pulse(),
        0.25,
        delay_ms=Uniform(0.5, 3.0),
        dendritic_delay_ms=0.1 * dendritic,
    )
    simulation = Simulation(network, device=QUICK)
    synapses = simulation.synapses("s")
    delays = dict(zip(synapses["post"].tolist(), synapses["delay_steps"].tolist(), strict=True))
    assert set(delays) == set(range(n))
    assert len(set(delays.values())) > 15
    for step in range(60):
        simulation.run(0.1)
        spikes = (spike_step + dendritic, spike_step + 2 + dendritic)
        expected = [0.25 * sum(step >= at + delays[i] for at in spikes) for i in range(n)]
        assert simulation.neurons("cells")["total"].tolist() == expected, step


def test_the_synapse_sees_the_spike_after_the_smallest_delay():
    """Depression by a post spike of known age: STDP is the same whatever the synapse's own delay; input is not."""
    n = 30
    network = Network(seed=2)
    network.add_population("given", 2, models.SpikeArray(neurons=[0, 1], times_ms=[1.0, 3.0]))
    network.add_population("cells", n, models.LIF(), record_spikes=True)
    first, second = ({"pre": [k] * n, "post": list(range(n)), "weight": [w] * n} for k, w in ((0, 50_000.0), (1, 0.1)))
    current = models.ExponentialCurrent(tau_ms=0.1)
    network.add_projection("kick", "given", "cells", models.ExplicitList(**first), current, 1.0)
    stdp = models.AdditiveSTDP(w_max=0.2, a_minus=0.05, tau_minus_ms=10.0)
    listed = models.ExplicitList(**second)
    network.add_projection("s", "given", "cells", listed, current, 0.1, stdp, delay_ms=Uniform(0.8, 4.0))
    simulation = Simulation(network, device=QUICK)
    simulation.run(3.7)
    steps, _ = simulation.spikes("cells")
    assert steps.tolist() == [11] * n
    assert (simulation.synapses("s")["weight"] == np.float32(0.1)).all()
    simulation.run(0.2)  # in step 30 + 8 the synapses see the end of step 37, 26 steps after the neurons' spikes
    synapses = simulation.synapses("s")
    assert len(set(synapses["delay_steps"].tolist())) > 10
    np.testing.assert_allclose(synapses["weight"], 0.1 - 0.05 * np.exp(-2.6 / 10), rtol=1e-6)
    assert len(set(synapses["weight"].tolist())) == 1


@pytest.mark.parametrize(
    ("delay_ms", "first", "last", "cumulative"),
    [
        (Uniform(0.47, 1.62), 5, 16, stats.uniform(0.47, 1.15).cdf),
        (Normal(1.5, 0.4), 1, 31, stats.norm(1.5, 0.4).cdf),
        (Normal(1.5, 0.4, low=1.2, high=2.0), 12, 20, stats.norm(1.5, 0.4).cdf),
        (Uniform(0.7, 0.7), 7, 7, None),
        (Normal(0.7, 0.0), 7, 7, None),
    ],
)
def test_delays_follow_their_distribution(delay_ms, first, last, cumulative):
    """Chi-square over whole steps; what lies beyond an end is at the end."""
    n = 200
    network = Network(seed=11)
    network.add_population("a", n, models.Poisson(rate_hz=1))
    network.add_population("b", n, models.LIF())
    network.add_projection("ab", "a", "b", models.AllToAll(), Pulse(), 0.1, delay_ms=delay_ms)
    assert network.min_delay_steps() == first
    synapses = Simulation(network, device=QUICK).synapses("ab")
    drawn = synapses["delay_steps"]
    assert drawn.dtype == np.int32
    assert drawn.min() >= first
    assert drawn.max() <= last
    if cumulative is None:
        return
    at_most = np.concatenate([[0.0], cumulative((np.arange(first, last) + 0.5) * 0.1), [1.0]])
    expected, seen = n * n * np.diff(at_most), np.bincount(drawn, minlength=last + 1)[first:]
    rare = expected < 10
    expected = np.append(expected[~rare], expected[rare].sum()) if rare.any() else expected
    seen = np.append(seen[~rare], seen[rare].sum()) if rare.any() else seen
    assert stats.chisquare(seen, expected).pvalue > 1e-3
    table = drawn.reshape(n, n).astype(float)
    for means in (table.mean(axis=0), table.mean(axis=1)):  # neither source nor target has a delay of its own
        assert means.std() < 1.3 * drawn.std() / np.sqrt(n)


@pytest.mark.parametrize("delays", [{}, {"dendritic_ms": 1.3}, {"delay_ms": 0.3, "own_ms": 0.1, "dendritic_ms": 0.7}])
def test_a_busy_network_bit_by_bit(delays):
    network = busy(capacity=1, **delays)
    simulation, oracle = Simulation(network, device="cpu", tile=2), Oracle(network)
    assert_same(network, simulation, oracle)
    before = set(zip(*(oracle.synapses("own")[end].tolist() for end in ("pre", "post")), strict=True))
    for n_steps in (7, 93, 400):
        simulation.run(0.1 * n_steps)
        oracle.run(n_steps)
        assert_same(network, simulation, oracle)
    after = set(zip(*(oracle.synapses("own")[end].tolist() for end in ("pre", "post")), strict=True))
    assert min(len(before - after), len(after - before)) > 50
    assert len(oracle.spikes("cells")) > 100
    for name, store in simulation.state.stores.items():
        store.check()
        ahead = simulation.state.input_in_flight(name)
        ids = simulation.placements["cells"].global_id
        assert sum(np.count_nonzero(values) for values in ahead) > 20
        assert len(ahead) == network.projections[name].input_ring.n_ahead
        for k, values in enumerate(ahead):
            expected = oracle.input[name].get(oracle.step + k, [0] * GRID.size)
            np.testing.assert_array_equal(values, np.array(expected)[ids])


SPREADS = st.sampled_from([0.4, Uniform(0.1, 0.9), Uniform(1.0, 3.3), Normal(0.5, 0.5), Normal(2, 3, low=1, high=4)])


@settings(max_examples=12)
@given(
    SPREADS, SPREADS, st.sampled_from([0.0, 0.1, 1.9]), st.integers(0, 2**64 - 1), st.sampled_from([1, 4, 8]),
    st.sampled_from([None, 2]),
)  # fmt: skip
def test_random_delays_bit_by_bit(drive_ms, own_ms, dendritic_ms, seed, tile, capacity):
    network = busy(drive_ms, own_ms, seed, capacity, dendritic_ms)
    simulation, oracle = Simulation(network, device=QUICK, tile=tile), Oracle(network)
    for n_steps in (13, 80):
        simulation.run(0.1 * n_steps)
        oracle.run(n_steps)
        assert_same(network, simulation, oracle)


def test_a_distribution_of_one_delay_is_that_delay():
    results = []
    for delay_ms in (0.7, Uniform(0.7, 0.7)):
        simulation = Simulation(busy(delay_ms, delay_ms), device=QUICK)
        simulation.run(80.0)
        results.append((simulation.neurons("cells"), simulation.synapses("own"), simulation.spikes("cells")))
    (neurons, synapses, spikes), (drawn_neurons, drawn_synapses, drawn_spikes) = results
    np.testing.assert_array_equal(spikes, drawn_spikes)
    assert len(spikes[0]) > 50
    assert (drawn_synapses.pop("delay_steps") == 7).all()
    for ours, theirs in ((neurons, drawn_neurons), (synapses, drawn_synapses)):
        assert ours.keys() == theirs.keys()
        for name in ours:
            np.testing.assert_array_equal(ours[name], theirs[name])


def test_wide_input_keeps_its_bits_in_the_ring():
    """64-bit fixed point: a weight so small beside the number of sources that 32 bits would not do."""
    network = Network(seed=3)
    network.add_population("noise", 8000, models.Poisson(rate_hz=20))
    network.add_population("cells", 3, models.LIF())
    projection = network.add_projection(
        "s", "noise", "cells", models.AllToAll(), models.ExponentialCurrent(), 0.01, delay_ms=Uniform(0.2, 1)
    )
    assert projection.input_scale()[0] == "int64"
    simulation = Simulation(network, device=QUICK)
    simulation.run(3.0)
    ids = simulation.placements["cells"].global_id
    ahead = simulation.state.input_in_flight("s")
    assert min(np.abs(values).min() for values in ahead[:3]) > 2**31
    before = input_fingerprint(ids, ahead)
    for bit in (1, 2**40):
        ahead[2][1] ^= bit
        assert input_fingerprint(ids, ahead) != before
        ahead[2][1] ^= bit


def test_the_digest_feels_input_in_flight():
    simulation = Simulation(busy(), device=QUICK)
    simulation.run(10.0)
    before = simulation_digest(simulation)
    ring = simulation.state.read("drive.input")
    ring[np.flatnonzero(ring)[0]] += 1
    simulation.state.write("drive.input", ring)
    assert simulation_digest(simulation) != before


@pytest.mark.parametrize("compute_capability", [80])
def test_kernels_with_delays_compile_for_gpus(compute_capability):
    source = generate(busy(), 2).kernels
    assert "int* synapse_delay_steps;" in source
    assert "dendritic" not in source
    for dendritic in (busy(dendritic_ms=0.5), busy(0.3, 0.1, dendritic_ms=0.5)):
        assert "fma.rn.f32" not in ptx_of(generate(dendritic, 2).kernels, compute_capability)
    assert "fma.rn.f32" not in ptx_of(source, compute_capability)
    assert "delay_steps_of" not in generate(busy(0.3, 0.1), 2).kernels


RULES = [
    models.rewiring.DeepR(temperature=5.0, every_ms=0.5),
    models.rewiring.LocalProposals(every_ms=0.5, sigma=1.5, block_side=4, attempts=30),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.model.name)
def test_synapses_of_every_kind_of_rule_have_the_delay_of_their_pair(rule):
    """Whether synapses go by themselves, in lists or by a hook, and whatever a rule writes to its variables."""
    network = Network(seed=9)
    network.add_population("noise", GRID, models.Poisson(rate_hz=200))
    network.add_population("cells", GRID, models.LIF())
    projection = network.add_projection(
        "s", "noise", "cells", models.Gaussian(p_max=0.3, sigma=1.5), models.ExponentialCurrent(), 0.05,
        delay_ms=Uniform(0.3, 2.0), rewiring=rule, capacity=2,
    )  # fmt: skip
    simulation, oracle = Simulation(network, device=QUICK, tile=4), Oracle(network)
    simulation.run(40.0)
    assert simulation.state.stores["s"].counter("formed") > 50
    simulation.state.stores["s"].check()
    synapses = simulation.synapses("s")
    pairs = zip(synapses["pre"].tolist(), synapses["post"].tolist(), strict=True)
    assert synapses["delay_steps"].tolist() == [oracle.delay_steps(0, projection, *pair) for pair in pairs]
