"""Neurons on no grid: wiring and rewiring in two and three dimensions, against NumPy's distances of rounded places."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from hpcsnn import ConfigurationError, Grid, Positions, Simulation, StorageError, models
from hpcsnn.analysis.statistics import projection_statistics
from hpcsnn.devices import HostDevice
from hpcsnn.engine.digest import simulation_digest
from hpcsnn.models import rewiring
from support.comparisons import checked_run
from support.unequal_networks import between_positions, over, somewhere

QUICK = HostDevice(("-O1",))
in_any_space = pytest.mark.parametrize("dimensions", [2, 3])


def distances(source, target):
    """Of all pairs in grid units, of places rounded to hundredths; shape (targets, sources)."""
    of, to = np.round(source.values, 2), np.round(target.values, 2)
    return np.sqrt(((to[:, None] - of[None]) ** 2).sum(axis=2))


def found(network, projection="ab", tile=8):
    simulation = Simulation(network, device=QUICK, tile=tile)
    synapses, ends = simulation.synapses(projection), network.projections[projection]
    there = np.zeros((ends.target.size, ends.source.size), dtype=int)
    np.add.at(there, (synapses["post"], synapses["pre"]), 1)
    return there


@in_any_space
@pytest.mark.parametrize("cut_off", [0.02, 0.5, 1.7, 20.0])
def test_all_up_to_the_cut_off_are_wired_and_no_other(dimensions, cut_off):
    """A Gaussian so wide that its chance is 1; clusters make cells of many and of none."""
    source, target = somewhere(90, dimensions, 5, 3.0), somewhere(70, dimensions, 6, 6.0)
    connector = models.Gaussian(p_max=1.0, sigma=1e9, cut_off=cut_off)
    squared = np.rint(distances(source, target) ** 2 * 1e4)
    assert (found(over(source, target, connector), tile=1) == (squared <= round(100 * cut_off) ** 2)).all()


@in_any_space
def test_each_pair_has_the_chance_of_its_distance(dimensions):
    source, target, seeds = somewhere(120, dimensions, 7, 4.0), somewhere(100, dimensions, 8, 4.0), range(30)
    connector = models.Gaussian(p_max=0.7, sigma=0.8, cut_off=2.0)
    hits = sum(found(over(source, target, connector, seed)) for seed in seeds)
    apart = distances(source, target)
    chance = np.where(apart <= 2.0 + 1e-9, 0.7 * np.exp(-(apart**2) / (2 * 0.8**2)), 0.0)
    assert not hits[chance == 0].any()
    bins = np.digitize(chance, [0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    z = []
    for each in np.unique(bins[chance > 0]):
        here = (bins == each) & (chance > 0)
        spread = np.sqrt(len(seeds) * (chance * (1 - chance))[here].sum())
        z.append((hits[here].sum() - len(seeds) * chance[here].sum()) / spread)
    assert stats.chi2.sf((np.array(z) ** 2).sum(), len(z)) > 1e-4
    projection = over(source, target, connector).projections["ab"]
    assert projection.expected_in_degree == pytest.approx(chance.sum() / 100)
    assert projection.largest_in_degree >= (chance > 0).sum(axis=1).max()


def test_neurons_at_one_place_are_wired_and_none_with_itself():
    places = Positions([[1.0, 2.0]] * 5 + [[1.004, 2.0], [1.006, 2.0]])
    network = over(places, places)
    connector = models.Gaussian(p_max=1.0, sigma=100.0, cut_off=0.005, self_connections=False)
    network.add_projection("bb", "b", "b", connector, models.DeltaCurrent(), 0.1)
    expected = np.zeros((7, 7), dtype=int)
    expected[:6, :6] = 1  # 1.004 is 1 to the resolution, 1.006 is 1.01
    assert (found(network, "bb") == expected - np.diag([1, 1, 1, 1, 1, 1, 0])).all()


@in_any_space
def test_what_rules_form_is_within_reach_and_no_tile_changes_a_bit(dimensions):
    network = between_positions(dimensions)
    simulation, *others = (checked_run(network, QUICK, 40.0, tile) for tile in (1, 4, 64))
    assert {simulation_digest(one) for one in others} == {simulation_digest(simulation)}
    for name, projection in network.projections.items():
        synapses = simulation.synapses(name)
        apart = distances(projection.source.grid.positions, projection.target.grid.positions)
        apart = apart[synapses["post"], synapses["pre"]]
        reach = 0.5 * np.sqrt(2 * np.log(0.3 * 2**32)) if name == "bb" else 1.5
        if projection.rewiring is not None:
            reach = 0.4 * np.sqrt(2 * np.log(0.6 * 2**32))
            *_, what = simulation.events(name).T
            assert (what == 0).any()
        assert apart.max() <= reach + 0.01
        said = projection_statistics(simulation, name)
        assert said["distance_mean"] == pytest.approx(apart.mean())
        assert said["sigma_aff"] == pytest.approx(np.sqrt((apart**2).mean() / dimensions))


@in_any_space
def test_an_attempt_forms_by_the_distance_between_places(dimensions):
    """Into rows without synapses, one update: of the pairs that are tried, as many as their chances say."""
    source, target = somewhere(60, dimensions, 3, 2.0), somewhere(50, dimensions, 4, 2.0)
    rule = models.Bamford(p_max=0.9, sigma=0.5, block_side=1, attempts=4)
    hits = np.zeros((50, 60))
    seeds = range(120)
    for seed in seeds:
        network = over(source, target, models.FixedProbability(p=0.0), seed, rewiring=rule)
        simulation = Simulation(network, device=QUICK)
        simulation.run(1.0)
        synapses = simulation.synapses("ab")
        np.add.at(hits, (synapses["post"], synapses["pre"]), 1)
    chance = (1 - (1 - 1 / 60) ** 4) * 0.9 * np.exp(-(distances(source, target) ** 2) / (2 * 0.5**2))
    bins = np.digitize(chance, [1e-6, 0.005, 0.01, 0.02, 0.03, 0.045])
    for each in np.unique(bins):
        here = bins == each
        expected = len(seeds) * chance[here].sum()
        assert abs(hits[here].sum() - expected) < 4.5 * np.sqrt(expected) + 1


def test_what_has_no_distances_is_refused():
    near, far = somewhere(20, 2, 1), somewhere(20, 2, 1, resolution=0.1)
    wide = Positions([[0.0, 0.0], [1e6, 0.0]])
    gaussian = models.Gaussian(p_max=0.5, sigma=1.0)
    refused = [
        (near, Grid(4, 5), gaussian, {}, "projections.ab: a has positions and b has none; distances need two grids"),
        (near, far, gaussian, {}, "projections.ab: positions of a with resolution 0.01 do not fit positions of b with "
         "resolution 0.1; distances need equal resolutions"),
        (near, somewhere(9, 3, 1), gaussian, {}, "with dimensions 2 do not fit positions of b with dimensions 3"),
        (near, near, gaussian, {"rewiring": rewiring.LocalProposals(block_side=1)},
         "rewiring.local_proposals: is not allowed between populations with positions, as it finds sources by"),
        (near, near, gaussian, {"rewiring": models.Bamford(p_max=0.5, sigma=1.0)},
         "rewiring.bamford.block_side: 16 is not allowed between populations with positions; must be 1"),
        (wide, wide, models.FixedProbability(p=0.5), {"rewiring": models.Bamford(p_max=0.5, sigma=1.0, block_side=1)},
         "rewiring.bamford: positions are too far from each other for a rule that looks at distances"),
        (near, near, models.Gaussian(p_max=0.5, sigma=20.0), {}, "connector.gaussian: squared distances up to"),
    ]  # fmt: skip
    for source, target, connector, options, said in refused:
        with pytest.raises(ConfigurationError) as told:
            over(source, target, connector, **options)
        assert said in str(told.value)
    over(near, Grid(4, 5), models.FixedProbability(p=0.1))  # which asks for no distances


def test_a_network_goes_on_at_the_same_places_and_at_no_others(tmp_path):
    """Bit for bit; other places, and the same to another resolution, are other networks."""

    def declared(places):
        rule = models.Bamford(p_max=0.6, sigma=0.4, block_side=1)
        return over(somewhere(60, 3, 1), places, models.Gaussian(p_max=0.5, sigma=1.0), rewiring=rule)

    target = somewhere(50, 3, 2)
    simulation = Simulation(declared(target), device=QUICK)
    simulation.run(10.0)
    simulation.save(tmp_path / "state")
    simulation.run(10.0)
    again = Simulation.load(tmp_path / "state", declared(target), device=QUICK, tile=2)
    again.run(10.0)
    assert simulation_digest(again) == simulation_digest(simulation)
    for other in (somewhere(50, 3, 3), Positions(target.values, 0.02)):
        network = over(Grid.of_positions(somewhere(60, 3, 1)), other, models.FixedProbability(p=0.1))
        with pytest.raises(StorageError, match="its positions, by their SHA-256, are "):
            Simulation.load(tmp_path / "state", network, device=QUICK)
