"""Grids of different sides in one projection: wiring and rewiring against distances by plain fractions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from hpcsnn import Grid, Simulation, models
from hpcsnn.analysis.displacement import distances_of, has_places
from hpcsnn.analysis.rewiring_events import EventCount
from hpcsnn.analysis.statistics import projection_statistics
from hpcsnn.devices import HostDevice
from hpcsnn.engine.digest import simulation_digest
from hpcsnn.models import Connector, Parameter, RewiringRule, Table, rewiring
from hpcsnn.models.chance_tables import thresholds
from hpcsnn.models.distance_profiles import gaussian_profile, gaussian_reach
from support.comparisons import checked_run
from support.unequal_networks import GRIDS, over, rewired, somewhere, squared_distances

QUICK = HostDevice(("-O1",))
each_grids = pytest.mark.parametrize("grids", list(GRIDS))


def check_counts(found, expected, n_trials):
    """Counts of events that happen in each of `n_trials` trials with the chances `expected`, by likeness of chance."""
    assert not found[expected == 0].any()
    z = []
    for chance in np.unique(np.round(expected[expected > 0], 12)):
        here = np.isclose(expected, chance, rtol=1e-9, atol=1e-12)
        trials, hits = n_trials * here.sum(), found[here].sum()
        if trials * chance > 5:
            z.append((hits - trials * chance) / np.sqrt(trials * chance * (1 - chance)))
    assert len(z) > 2
    assert np.abs(z).max() < 4.5
    assert stats.chi2.sf((np.array(z) ** 2).sum(), len(z)) > 1e-4


@each_grids
def test_gaussian_follows_its_profile_between_unequal_grids(grids):
    source, target = GRIDS[grids]
    p_max, sigma, seeds = 0.5, 1.3, range(25)
    hits = np.zeros((target.size, source.size))
    for seed in seeds:
        simulation = Simulation(over(source, target, models.Gaussian(p_max=p_max, sigma=sigma), seed), device=QUICK)
        synapses = simulation.synapses("ab")
        np.add.at(hits, (synapses["post"], synapses["pre"]), 1)
    assert hits.max() <= len(seeds), "no pair twice"
    chances = p_max * np.exp(-squared_distances(source, target) / (2 * sigma**2))
    check_counts(hits, np.where(chances >= 2.0**-32, chances, 0.0), len(seeds))
    projection = over(source, target).projections["ab"]
    assert projection.expected_in_degree == pytest.approx(chances.sum() / target.size, rel=1e-6)


def all_near(source, target):
    p = Connector(
        "all_near",
        "Every source up to so far away.",
        parameters={"furthest": Parameter(1, "grid units", "distance", ctype="int", minimum=0)},
        tables={"p": Table("Probability", lambda context: thresholds(np.ones(context.values["furthest"] ** 2 + 1)))},
        connect="connect.by_distance(random, p, n_p);",
        reach_squared=lambda values: values["furthest"] ** 2,
        expected_in_degree=lambda values, n_sources, n_targets: 12,
    )
    synapses = Simulation(over(source, target, p(furthest=2)), device=QUICK, tile=2).synapses("ab")
    found = np.zeros((target.size, source.size), dtype=bool)
    found[synapses["post"], synapses["pre"]] = True
    assert found.sum() == len(synapses["pre"])
    return found


@pytest.mark.parametrize("borders", ["periodic", "open"])
@pytest.mark.parametrize(
    ("of", "to"), [((5, 4), (5, 4)), ((3, 4), (7, 2)), ((9, 2), (3, 3)), ((1, 1), (6, 5)), ((8, 8), (2, 1))],
    ids=lambda sides: "x".join(map(str, sides)),
)  # fmt: skip
def test_a_connector_of_ones_own_names_all_within_reach_and_no_other(of, to, borders):
    source, target = Grid(*of, borders), Grid(*to, borders)
    assert (all_near(source, target) == (squared_distances(source, target) <= 4)).all()


def formed(network, updates_ms, n_targets, n_sources):
    """How often each pair formed a synapse."""
    simulation = Simulation(network, device=QUICK)
    simulation.run(updates_ms)
    _, pre, post, what = simulation.events("ab").T
    hits = np.zeros((n_targets, n_sources))
    np.add.at(hits, (post[what == 0], pre[what == 0]), 1)
    return hits


Fleeting = RewiringRule(
    "fleeting",
    "What forms goes in the next update, so that all updates are alike.",
    parameters={"p_max": Parameter(0.5, "", "chance"), "sigma": Parameter(1.0, "grid units", "width", above=0.0)},
    tables={"p_form": Table("Probability", lambda context: thresholds(gaussian_profile(context.values)))},
    select=rewiring.UNIFORM,
    update="",
    form="distance_squared < n_p_form ? p_form[distance_squared] : false",
    eliminate="true",
    reach_squared=gaussian_reach,
)


@each_grids
def test_a_tried_pair_forms_by_its_distance(grids):
    """An attempt is on each pair alike: it forms by chance, and goes when it is tried again."""
    source, target = GRIDS[grids]
    side = 1 if target.ny == 1 else 4
    rule = Fleeting(p_max=0.5, sigma=1.0, attempts=40, block_side=side)
    network = over(source, target, models.FixedProbability(p=0.0), rewiring=rule, record_events=True)
    updates = 3000
    hits = formed(network, float(updates), target.size, source.size)
    chances = 0.5 * np.exp(-squared_distances(source, target) / 2)
    chances[chances < 2.0**-32] = 0.0
    tried = 1 - (1 - 1 / (source.size * side**2)) ** 40  # in an update, a pair
    # Of a pair, being empty is a chain of two states: formed with tried * chances, empty again with tried.
    left = 1 - tried * (1 + chances)
    empty = updates / (1 + chances) + chances / (1 + chances) * (1 - left**updates) / (1 - left)
    check_counts(hits, tried * chances * empty / updates, updates)


@each_grids
def test_local_proposals_come_from_near_sources_by_their_distance(grids):
    """Into an empty place comes the source that was drawn: of a target, as often as its share of the Gaussian."""
    source, target = GRIDS[grids]
    sigma, side, first = 1.2, 1 if target.ny == 1 else 4, 1.0
    rule = rewiring.LocalProposals(sigma=sigma, attempts=1, block_side=side, max_in_degree=10**6)
    hits = np.zeros((target.size, source.size))
    for seed in range(80):
        network = over(source, target, models.FixedProbability(p=0.0), seed, rewiring=rule, record_events=True)
        hits += formed(network, first, target.size, source.size)
    squared = squared_distances(source, target)
    shares = np.exp(-squared / (2 * sigma**2))
    assert not hits[shares < 2.0**-32].any()
    expected = hits.sum(axis=1, keepdims=True) * shares / shares.sum(axis=1, keepdims=True)
    edges = np.quantile(np.repeat(squared.ravel(), hits.ravel().astype(int)), [0.15, 0.3, 0.5, 0.7, 0.85])
    of = np.searchsorted(edges, squared.ravel(), side="right")
    counts, wanted = (np.bincount(of, weights=each.ravel(), minlength=6) for each in (hits, expected))
    assert counts.sum() > 300
    seen = wanted > 5
    assert stats.chi2.sf(((counts - wanted)[seen] ** 2 / wanted[seen]).sum(), seen.sum() - 1) > 1e-4


@each_grids
def test_all_that_a_rule_forms_is_within_its_reach_and_no_tile_changes_a_bit(grids):
    source, target = GRIDS[grids]
    squared, network = squared_distances(source, target), rewired(grids)
    simulation, *others = (checked_run(network, QUICK, 40.0, tile) for tile in (1, 4, 64))
    assert {simulation_digest(one) for one in others} == {simulation_digest(simulation)}
    for name, projection in network.projections.items():
        synapses, fineness = simulation.synapses(name), projection.lattice.fineness
        furthest = squared[synapses["post"], synapses["pre"]].max()
        assert 0 < furthest * fineness**2 <= projection.reach_squared + 1e-6
        assert name == "ab" or (simulation.events(name)[:, 3] == 0).any()


@each_grids
def test_summaries_and_counts_of_events_have_distances_in_grid_units(grids):
    source, target = GRIDS[grids]
    squared = squared_distances(source, target)
    network = over(source, target, rewiring=models.Bamford(
        p_max=0.6, sigma=1.1, attempts=30, block_side=1 if target.ny == 1 else 4), record_events=True)  # fmt: skip
    simulation = Simulation(network, device=QUICK)
    simulation.run(30.0)
    found, synapses = projection_statistics(simulation, "ab"), simulation.synapses("ab")
    apart, size = squared[synapses["post"], synapses["pre"]], np.abs(synapses["weight"].astype(np.float64))
    axes = 1 if target.ny == 1 else 2
    assert found["sigma_aff"] == pytest.approx(np.sqrt(apart.mean() / axes))
    assert found["sigma_aff_weighted"] == pytest.approx(np.sqrt((apart * size).sum() / size.sum() / axes))
    assert found["distance_mean"] == pytest.approx(np.sqrt(apart).mean())
    events = simulation.events("ab")
    counted = EventCount("ab", distances_of(network.projections["ab"]), 0.1, np.array([0.0, 30.0]), 3).of(events)
    expected = np.bincount(np.rint(np.sqrt(squared[events[:, 2], events[:, 1]])).astype(int))
    assert np.trim_zeros(counted.sum(axis=(0, 1)), "b").tolist() == expected.tolist()
    assert not has_places(source, target), "maps are of equal grids"


Keeper = RewiringRule(
    "keeper",
    "What is too long goes, and each target asks for a source, which comes if it is within reach.",
    parameters={
        "longest": Parameter(1.0, "grid units", "length of a synapse that stays", above=0.0),
        "farthest": Parameter(2, "grid units", "of new ones", ctype="int", minimum=0),
    },
    select=models.ALL_SYNAPSES,
    eliminate="distance_squared > longest * longest",
    per_target="row.propose((int)(((uint64)random() * (uint32)n_sources) >> 32));",
    initial={"weight": "distance_squared > 0 ? 0.1f : 0.2f"},
    reach_squared=lambda values: values["farthest"] ** 2,
)


@pytest.mark.parametrize("where", [*GRIDS, "in space"])
def test_rules_that_look_at_all_synapses_or_propose_know_distances_too(where):
    source, target = GRIDS.get(where) or (somewhere(60, 3, 1, 3.0), somewhere(50, 3, 2, 3.0))
    network = over(
        source, target, models.FixedProbability(p=0.3), rewiring=Keeper(longest=1.2, farthest=2), record_events=True
    )
    simulation = checked_run(network, QUICK, 30.0)
    lattice, synapses = network.projections["ab"].lattice, simulation.synapses("ab")
    _, pre, post, what = simulation.events("ab").T
    formed = np.sqrt(lattice.squared_distances(pre, post)[what == 0]) / lattice.fineness
    assert 1.2 < formed.max() <= 2
    # Of the last update: what has just formed may still be too long.
    apart = np.sqrt(lattice.squared_distances(synapses["pre"], synapses["post"])) / lattice.fineness
    assert len(apart) > 50
    assert (apart <= 2).all()
    assert (apart <= 1.2).mean() > 0.6
