"""The product against the oracle: the same bits on the topographic map and on random small networks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn import Grid, Network, Simulation, models
from hpcsnn.devices import HostDevice
from hpcsnn.network.grid import BORDERS
from support.comparisons import assert_same
from support.draws import philox
from support.networks import topographic_map
from support.oracle import Oracle


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ((0, 0, 0, 0), 0, (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((0xFFFFFFFF,) * 4, 2**64 - 1, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            0x299F31D0A4093822,
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_philox_gives_the_published_numbers(counter, key, expected):
    assert philox(*counter, key) == expected


def test_the_topographic_map_bit_by_bit():
    # More attempts and input than in the paper, so that all that can happen happens in 120 ms.
    busy = {"populations__source__model__moving_gaussian_poisson__base_hz": 60}
    for name in ("ff", "lat"):
        busy[f"projections__{name}__rewiring__bamford__attempts"] = 500
        busy[f"projections__{name}__rewiring__bamford__p_eliminate"] = 0.1
        busy[f"projections__{name}__synapse__additive_stdp__a_minus"] = 0.03
    network = topographic_map(seed=3, **busy)
    simulation, oracle = Simulation(network, device="cpu"), Oracle(network)
    assert_same(network, simulation, oracle)
    before = {name: oracle.synapses(name)["weight"] for name in ("ff", "lat")}
    for n_steps in (3, 197, 1000):
        simulation.run(0.1 * n_steps)
        oracle.run(n_steps)
        assert_same(network, simulation, oracle)
    assert len(oracle.spikes("target")) > 300
    for name in ("ff", "lat"):
        store = simulation.state.stores[name]
        assert min(store.counter("formed"), store.counter("eliminated")) > 30
        weights = oracle.synapses(name)["weight"]
        assert len(before[name])
        assert ((weights > 0) & (weights < np.float32(0.2))).sum() > 100, "depression and potentiation both happened"


def test_narrow_wiring_bit_by_bit():
    """Where few slots are within reach, only attempts on these are drawn."""
    narrow = {"seed": 5, "populations__source__model__moving_gaussian_poisson__base_hz": 60}
    for part in ("connector.gaussian", "rewiring.bamford"):
        narrow |= {f"projections.ff.{part}.sigma": 0.9, f"projections.ff.{part}.p_max": 0.9}
    narrow |= {"projections.ff.rewiring.bamford.attempts": 300, "projections.ff.rewiring.bamford.p_eliminate": 0.3}
    network = topographic_map(**narrow)
    simulation, oracle = Simulation(network, device="cpu", tile=4), Oracle(network)
    assert len(oracle.within_reach(network.projections["ff"])) < 128
    for n_steps in (197, 500):
        simulation.run(0.1 * n_steps)
        oracle.run(n_steps)
        assert_same(network, simulation, oracle)
    store = simulation.state.stores["ff"]
    assert min(store.counter("formed"), store.counter("eliminated")) > 100


GRIDS = st.tuples(st.integers(1, 3), st.integers(1, 3), st.sampled_from(BORDERS)).map(
    lambda drawn: Grid(4 * drawn[0], 4 * drawn[1], drawn[2])
)
DELAYS = st.sampled_from([0.1, 0.2, 0.7, 1.2])
# Numbers that float32 holds.
WEIGHTS = st.floats(-1, 1, width=32, allow_subnormal=False)
WEIGHTS_PLASTIC = st.floats(0, 0.1875, width=32, allow_subnormal=False)
DENDRITIC_DELAYS = st.sampled_from([0.0, 0.0, 0.1, 0.8])


@st.composite
def sources(draw, n):
    kind = draw(st.sampled_from(["poisson", "moving", "given"]))
    if kind == "poisson":
        return models.Poisson(rate_hz=draw(st.sampled_from([50.0, 300.0, 2000.0])))
    if kind == "moving":
        return models.MovingGaussianPoisson(
            base_hz=draw(st.sampled_from([10.0, 500.0])),
            peak_hz=1500.0,
            dwell_ms=draw(st.sampled_from([0.3, 2.0])),
            field_side=draw(st.sampled_from([4, 5])),
            positions=draw(st.integers(1, 4)),
        )
    spikes = draw(st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, 60)), max_size=40, unique=True))
    return models.SpikeArray(neurons=[i for i, _ in spikes], times_ms=[0.1 * step for _, step in spikes])


@st.composite
def connectors(draw, n_sources, n_targets, one_grid):
    kind = draw(
        st.sampled_from(
            ["gaussian", "random", "listed", "one", "all", "number"]
            if one_grid
            else ["random", "listed", "all", "number"]
        )
    )
    if kind == "gaussian":
        return models.Gaussian(p_max=draw(st.floats(0.1, 1)), sigma=draw(st.floats(0.3, 3)))
    if kind == "random":
        return models.FixedProbability(p=draw(st.floats(0, 1)))
    if kind == "number":
        return models.FixedInDegree(in_degree=draw(st.integers(0, n_sources)))
    if kind == "listed":
        pairs = sorted(
            draw(st.sets(st.tuples(st.integers(0, n_sources - 1), st.integers(0, n_targets - 1)), max_size=30))
        )
        weights = [float(np.float32(draw(st.just(0.0) | st.floats(1e-6, 0.199)))) for _ in pairs]
        return models.ExplicitList(pre=[a for a, _ in pairs], post=[b for _, b in pairs], weight=weights)
    return models.OneToOne() if kind == "one" else models.AllToAll()


@st.composite
def networks(draw):
    """Two populations, an input projection and a recurrent one; few structures, so that few are compiled."""
    network = Network(seed=draw(st.integers(0, 2**64 - 1)))
    grid = draw(GRIDS)
    one_grid = draw(st.booleans())
    source_grid = grid if one_grid else Grid(draw(st.integers(1, 9)), draw(st.integers(1, 5)))
    network.add_population("input", source_grid, draw(sources(source_grid.size)), record_spikes=True)
    lif = models.LIF(
        tau_m_ms=draw(st.floats(2, 30)), refractory_ms=draw(st.sampled_from([0.0, 0.3, 1.0])), V_threshold_mV=-66.0
    )
    initial = draw(st.sampled_from([models.Normal(-68, 3), models.Uniform(-75, -60), -69.0]))
    network.add_population("cells", grid, lif, {"V_mV": initial}, record_spikes=True)
    for name, source, on_grid in (("ff", "input", one_grid), ("rec", "cells", True)):
        plastic = draw(st.booleans())
        conductance = draw(st.booleans())
        receptor = models.ExponentialConductance(tau_ms=2.0) if conductance else models.ExponentialCurrent(tau_ms=1.0)
        rule = None
        if on_grid and draw(st.booleans()):
            rule = models.Bamford(
                p_max=draw(st.floats(0.2, 1)), sigma=draw(st.floats(0.5, 4)), attempts=draw(st.integers(1, 80)),
                block_side=draw(st.sampled_from([1, 2, 4])), every_ms=draw(st.sampled_from([0.1, 0.5])),
                p_eliminate=draw(st.floats(0, 1)),
            )  # fmt: skip
        network.add_projection(
            name, source, "cells", draw(connectors(network.populations[source].size, grid.size, on_grid)), receptor,
            round(draw(st.floats(0, 0.2) if plastic else st.floats(-1, 1)), 5),
            models.AdditiveSTDP(drop_older_pairs=draw(st.integers(0, 1))) if plastic else models.Static(),
            delay_ms=draw(DELAYS), rewiring=rule, capacity=draw(st.sampled_from([None, 1, 3])),
            dendritic_delay_ms=draw(DENDRITIC_DELAYS),
        )  # fmt: skip
    return network


CASES = given(networks(), st.sampled_from([1, 2, 4, 8]), st.lists(st.integers(0, 30), min_size=1, max_size=3))


@settings(max_examples=24)
@CASES
def test_random_networks_bit_by_bit(network, tile, runs):
    compare(network, tile, runs)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@settings(max_examples=300)
@CASES
def test_three_hundred_random_networks_bit_by_bit(network, tile, runs):
    compare(network, tile, runs)


def compare(network, tile, runs):
    """Both side by side, after each of the runs."""
    simulation, oracle = Simulation(network, device=HostDevice(("-O1",)), tile=tile), Oracle(network)
    assert_same(network, simulation, oracle)
    for n_steps in runs:
        simulation.run(0.1 * n_steps)
        oracle.run(n_steps)
        assert_same(network, simulation, oracle)
        for store in simulation.state.stores.values():
            store.check()
