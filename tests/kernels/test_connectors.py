"""The first wiring: exact where it is exact, in distribution where it is random."""

from __future__ import annotations

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from hpcsnn import ConfigurationError, Grid, Network, Simulation, models
from hpcsnn.configuration.files import parse_configuration
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


# -- so many synapses of each target, of each source, in all -----------------------------------------------------------


@pytest.mark.parametrize("degree", [0, 1, 7, 59, 60])
def test_every_target_has_its_in_degree_and_every_source_its_out_degree(degree):
    by_target = wired(models.FixedInDegree(in_degree=degree), 60, Grid(9, 5))
    assert (np.bincount(by_target["post"], minlength=45) == degree).all()
    by_source = wired(models.FixedOutDegree(out_degree=degree), Grid(9, 5), 60)
    assert (np.bincount(by_source["pre"], minlength=45) == degree).all()
    for synapses in (by_target, by_source):
        assert len(synapses["pre"]) == 45 * degree
        assert (synapses["weight"] == np.float32(0.5)).all()


@pytest.mark.parametrize("n_synapses", [0, 1, 400, 2699, 2700])
def test_so_many_pairs_in_all(n_synapses):
    synapses = wired(models.FixedTotal(n_synapses=n_synapses), 60, Grid(9, 5))
    assert len(synapses["pre"]) == n_synapses


@settings(max_examples=25)
@given(st.data())
def test_numbers_are_kept_whatever_the_sizes_and_tiles(data):
    n, m, seed = data.draw(st.integers(1, 30)), data.draw(st.integers(1, 30)), data.draw(st.integers(0, 2**64 - 1))
    tile = data.draw(st.sampled_from([1, 2, 8, 64]))
    target = Grid(m, data.draw(st.integers(1, 4)))
    degree, outgoing = data.draw(st.integers(0, n)), data.draw(st.integers(0, target.size))
    total = data.draw(st.integers(0, n * target.size))
    for connector, ends, number in (
        (models.FixedInDegree(in_degree=degree), "post", degree),
        (models.FixedOutDegree(out_degree=outgoing), "pre", outgoing),
        (models.FixedTotal(n_synapses=total), None, total),
    ):
        synapses = wired(connector, n, target, seed, tile)
        if ends is None:
            assert len(synapses["pre"]) == number
        else:
            of_each = np.bincount(synapses[ends], minlength=target.size if ends == "post" else n)
            assert (of_each == number).all()


SPARSE, DENSE = 0.1, 0.8


@pytest.mark.parametrize("share", [SPARSE, DENSE])
@pytest.mark.parametrize("kind", ["in", "out", "all"])
def test_all_pairs_are_alike_where_numbers_are_fixed(kind, share):
    """Each pair equally often, over 200 seeds; rows and columns that are not fixed spread as without replacement."""
    n, m, seeds = 30, 20, range(200)
    connector = {
        "in": models.FixedInDegree(in_degree=round(share * n)),
        "out": models.FixedOutDegree(out_degree=round(share * m)),
        "all": models.FixedTotal(n_synapses=round(share * n * m)),
    }[kind]
    hits, spread = np.zeros((n, m)), []
    for seed in seeds:
        synapses = wired(connector, n, m, seed)
        made = np.zeros((n, m))
        made[synapses["pre"], synapses["post"]] = 1
        hits += made
        spread.append(made.sum(axis=0 if kind == "out" else 1))
    variance = share * (1 - share)
    chi2 = ((hits - len(seeds) * share) ** 2).sum() / (len(seeds) * variance)
    # In each group whose number is fixed, chi2 (k - 1) / k has k - 1 degrees of freedom, for k pairs.
    groups, size = {"in": (m, n), "out": (n, m), "all": (1, n * m)}[kind]
    assert 1e-4 < stats.chi2.sf(chi2 * (size - 1) / size, groups * (size - 1)) < 1 - 1e-4
    # Degrees of the side that is free: binomial, or hypergeometric where all are fixed together.
    free = np.array(spread)
    trials = n if kind == "out" else m
    expected = trials * variance * ((n * m - trials) / (n * m - 1) if kind == "all" else 1.0)
    measured = ((free - trials * share) ** 2).mean()
    assert measured == pytest.approx(expected, abs=4 * expected * np.sqrt(2 / free.size))


def test_targets_draw_sets_of_sources_that_are_all_alike():
    """2 of 5 sources: each of the 10 sets a tenth of 20,000 targets, and neighbours draw by themselves."""
    for connector in (models.FixedInDegree(in_degree=2), models.FixedTotal(n_synapses=40_000)):
        synapses = wired(connector, 5, 20_000, seed=9)
        sets = np.zeros(20_000, dtype=int)
        np.add.at(sets, synapses["post"], 2 ** synapses["pre"])
        sets = sets[np.bincount(synapses["post"], minlength=20_000) == 2]
        kinds, counts = np.unique(sets, return_counts=True)
        assert len(kinds) == 10
        assert 1e-4 < stats.chisquare(counts).pvalue < 1 - 1e-4
        if connector.name == "fixed_in_degree":
            pairs = np.unique(np.stack([sets[:-1], sets[1:]]), axis=1, return_counts=True)[1]
            assert len(pairs) == 100
            assert 1e-4 < stats.chisquare(pairs).pvalue < 1 - 1e-4


# -- a population that is connected to itself --------------------------------------------------------------------------

N_CELLS = 24
TO_ITSELF = {
    "gaussian": (models.Gaussian, {"p_max": 0.9, "sigma": 1.5}),
    "fixed_probability": (models.FixedProbability, {"p": 0.6}),
    "all_to_all": (models.AllToAll, {}),
    "fixed_in_degree": (models.FixedInDegree, {"in_degree": 12}),
    "fixed_out_degree": (models.FixedOutDegree, {"out_degree": 12}),
    "fixed_total": (models.FixedTotal, {"n_synapses": 300}),
}


def to_itself(kind, seed=1, **given):
    make, usual = TO_ITSELF[kind]
    network = Network(seed=seed)
    network.add_population("cells", Grid(6, 4), models.LIF())
    network.add_projection("own", "cells", "cells", make(**{**usual, **given}), models.DeltaCurrent(), 0.5)
    simulation = Simulation(network, device=QUICK, tile=2)
    simulation.state.stores["own"].check()
    return simulation.synapses("own")


@pytest.mark.parametrize("kind", TO_ITSELF)
def test_self_connections_are_there_or_not_as_asked(kind):
    usual, without = (to_itself(kind, self_connections=allowed) for allowed in (True, False))
    assert (usual["pre"] == usual["post"]).any()
    assert not (without["pre"] == without["post"]).any()
    default = to_itself(kind)
    assert all((default[name] == usual[name]).all() for name in usual)
    if kind in ("gaussian", "fixed_probability", "all_to_all"):  # the others are drawn as ever
        others = usual["pre"] != usual["post"]
        assert (usual["pre"][others] == without["pre"]).all()
        assert (usual["post"][others] == without["post"]).all()


def test_numbers_are_kept_and_pairs_alike_without_self_connections():
    hits, seeds = {kind: np.zeros((N_CELLS, N_CELLS)) for kind in list(TO_ITSELF)[3:]}, range(150)
    for kind, counted in hits.items():
        for seed in seeds:
            synapses = to_itself(kind, seed, self_connections=False)
            counted[synapses["pre"], synapses["post"]] += 1
            degrees = {end: np.bincount(synapses[end], minlength=N_CELLS) for end in ("pre", "post")}
            fixed = {"fixed_in_degree": degrees["post"], "fixed_out_degree": degrees["pre"]}.get(kind)
            assert (fixed is None and len(synapses["pre"]) == 300) or (fixed == 12).all()
        others = ~np.eye(N_CELLS, dtype=bool)
        share = counted[others].mean() / len(seeds)
        chi2 = ((counted[others] - len(seeds) * share) ** 2).sum() / (len(seeds) * share * (1 - share))
        assert abs(chi2 - others.sum()) < 4 * np.sqrt(2 * others.sum())


@pytest.mark.parametrize("kind", ["fixed_in_degree", "fixed_out_degree"])
def test_all_others_are_the_most_that_a_neuron_can_have(kind):
    name = next(iter(TO_ITSELF[kind][1]))
    synapses = to_itself(kind, **{name: N_CELLS - 1, "self_connections": False})
    assert len(synapses["pre"]) == N_CELLS * (N_CELLS - 1)
    with pytest.raises(ConfigurationError, match=rf"^projections\.own\.connector\.{kind}\.{name}: 24 is not allowed; "):
        to_itself(kind, **{name: N_CELLS, "self_connections": False})


def test_self_connections_between_two_populations_are_refused():
    with pytest.raises(
        ConfigurationError,
        match=r"^projections\.ab\.connector\.all_to_all\.self_connections: False is not allowed from a to b; only",
    ):
        wired(models.AllToAll(self_connections=False))


def test_fixed_numbers_in_a_configuration():
    text = """
duration_ms: 20
populations:
  noise: {size: 40, model: {poisson: {rate_hz: 400}}}
  cells: {size: 30, model: lif}
projections:
  drive:
    {source: noise, target: cells, weight: 9, connector: {fixed_in_degree: {in_degree: 8}}, receptor: delta_current}
  own:
    source: cells
    target: cells
    weight: 0.1
    connector: {fixed_out_degree: {out_degree: 4, self_connections: false}}
    receptor: delta_current
  back:
    source: cells
    target: cells
    weight: -0.1
    connector: {fixed_total: {n_synapses: 55, self_connections: false}}
    receptor: delta_current
"""
    configuration = parse_configuration(yaml.safe_load(text))
    resolved = configuration.resolved()
    assert resolved["projections"]["own"]["connector"] == {
        "fixed_out_degree": {"out_degree": 4, "self_connections": False}
    }
    assert parse_configuration(resolved).resolved() == resolved
    simulation = Simulation(configuration.network(), device=QUICK)
    simulation.run(20.0)
    synapses = {name: simulation.synapses(name) for name in ("drive", "own", "back")}
    assert (np.bincount(synapses["drive"]["post"]) == 8).all()
    assert (np.bincount(synapses["own"]["pre"]) == 4).all()
    assert len(synapses["back"]["pre"]) == 55
    for name in ("own", "back"):
        assert not (synapses[name]["pre"] == synapses[name]["post"]).any()


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
