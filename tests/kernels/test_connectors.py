"""The first wiring: exact where it is exact, in distribution where it is random."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from hpcsnn import Grid, Network, Simulation, models
from hpcsnn.devices import HostDevice

QUICK = HostDevice(("-O1",))


def wired(connector, source=Grid(12, 10), target=Grid(12, 10), seed=1, tile=4, weight=0.5, **options):  # noqa: B008
    network = Network(seed=seed)
    network.add_population("a", source, models.Poisson(rate_hz=1))
    network.add_population("b", target, models.LIF())
    network.add_projection("ab", "a", "b", connector, models.ExponentialCurrent(), weight, **options)
    simulation = Simulation(network, device=QUICK, tile=tile)
    simulation.state.stores["ab"].check()
    synapses = simulation.synapses("ab")
    assert len(np.unique(synapses["post"].astype(np.int64) * 10**6 + synapses["pre"])) == len(synapses["pre"])
    return synapses


def test_one_to_one_leaves_out_those_without_a_partner():
    for n_source, n_target in ((7, 7), (5, 9), (9, 5)):
        synapses = wired(models.OneToOne(), n_source, n_target)
        assert synapses["pre"].tolist() == synapses["post"].tolist() == list(range(min(n_source, n_target)))


def test_all_to_all():
    synapses = wired(models.AllToAll(), 7, Grid(3, 2))
    assert list(zip(synapses["post"], synapses["pre"], strict=True)) == [(b, a) for b in range(6) for a in range(7)]
    assert (synapses["weight"] == np.float32(0.5)).all()


@settings(max_examples=25)
@given(st.data())
def test_a_list_is_what_was_listed(data):
    pairs = data.draw(st.sets(st.tuples(st.integers(0, 11), st.integers(0, 14)), max_size=60))
    pairs = data.draw(st.permutations(sorted(pairs)))
    weights = [data.draw(st.integers(-(2**20), 2**20)) / 2**20 for _ in pairs]
    listed = models.ExplicitList(pre=[a for a, _ in pairs], post=[b for _, b in pairs], weight=weights)
    synapses = wired(listed, 12, Grid(5, 3), tile=2)
    found = {(a, b): w for a, b, w in zip(*(synapses[k].tolist() for k in ("pre", "post", "weight")), strict=True)}
    assert found == dict(zip(pairs, weights, strict=True))


@pytest.mark.parametrize("p", [0.0, 0.003, 0.05, 0.6, 1.0])
def test_fixed_probability_draws_every_pair_alike(p):
    n_source, n_target, seeds = 300, 60, range(8)
    hits = np.zeros((n_target, n_source))
    for seed in seeds:
        synapses = wired(models.FixedProbability(p=p), n_source, n_target, seed=seed)
        hits[synapses["post"], synapses["pre"]] += 1
    if p in (0.0, 1.0):
        assert (hits == p * len(seeds)).all()
        return
    n = hits.size * len(seeds)
    assert abs(hits.sum() - n * p) < 4 * np.sqrt(n * p * (1 - p))
    for axis in (0, 1):  # no place in a row, and no row, is favoured
        counts = hits.sum(axis=axis)
        each = len(seeds) * hits.shape[axis]
        chi2 = ((counts - each * p) ** 2).sum() / (each * p * (1 - p))
        assert 1e-4 < stats.chi2.sf(chi2, len(counts)) < 1 - 1e-4


@pytest.mark.parametrize(("p_max", "sigma"), [(0.16, 2.5), (1.0, 1.0), (0.5, 30.0)])
def test_gaussian_follows_its_profile_on_the_torus(p_max, sigma):
    grid, seeds = Grid(16, 12), range(30)
    hits = np.zeros((grid.size, grid.size))
    for seed in seeds:
        synapses = wired(models.Gaussian(p_max=p_max, sigma=sigma), grid, grid, seed=seed)
        hits[synapses["post"], synapses["pre"]] += 1
    ids = np.arange(grid.size)
    x, y = ids % 16, ids // 16
    dx, dy = np.abs(x[:, None] - x[None]), np.abs(y[:, None] - y[None])
    squared = np.minimum(dx, 16 - dx) ** 2 + np.minimum(dy, 12 - dy) ** 2
    z = []
    for distance in np.unique(squared):
        p = p_max * np.exp(-distance / (2 * sigma**2))
        pairs = (squared == distance).sum() * len(seeds)
        found = hits[squared == distance].sum()
        if pairs * p < 5:
            assert found < 30
        elif p < 1:
            z.append((found - pairs * p) / np.sqrt(pairs * p * (1 - p)))
        else:
            assert found == pairs
    assert np.abs(z).max() < 4.5
    assert stats.chi2.sf((np.array(z) ** 2).sum(), len(z)) > 1e-4


def test_a_small_row_refuses_what_does_not_fit_when_it_may_not_grow():
    network = Network(seed=1)
    network.add_population("a", 10, models.Poisson(rate_hz=1))
    network.add_population("b", 5, models.LIF())
    network.add_projection(
        "ab", "a", "b", models.AllToAll(), models.ExponentialCurrent(), 1.0, capacity=4, rows_grow=False
    )
    simulation = Simulation(network, device=QUICK)
    store = simulation.state.stores["ab"]
    store.check()
    assert store.capacity == 4
    assert (store.n_synapses(), store.counter("refused")) == (20, 30)
