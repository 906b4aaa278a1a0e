"""The shipped rules do what their papers say: closed forms, mean fields and statistics, from runs of many attempts."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.stats import chisquare

from hpcsnn import Grid, Network, Simulation, models
from hpcsnn.configuration.files import load_configuration
from hpcsnn.devices import HostDevice
from hpcsnn.models import rewiring

PLAIN = HostDevice(("-O1",))


def rewired(rule, grid=16, source=None, dt_ms=1.0, weight=0.2, p=0.0, seed=1, connector=None):
    """A projection whose weights only the rule changes, between equal grids; targets never spike."""
    network = Network(seed=seed, dt_ms=dt_ms)
    network.add_population("a", Grid(grid, grid), source or models.Poisson(rate_hz=1e-6))
    network.add_population("b", Grid(grid, grid), models.LIF(V_threshold_mV=1e9))
    network.add_projection(
        "ab", "a", "b", connector or models.FixedProbability(p=p), models.ExponentialCurrent(), weight,
        rewiring=rule, record_events=True, delay_ms=dt_ms,
    )  # fmt: skip
    return Simulation(network, device=PLAIN)


def pairs(simulation):
    synapses = simulation.synapses("ab")
    return synapses["pre"], synapses["post"]


def squared_distance(pre, post, side):
    dx, dy = np.abs(pre % side - post % side), np.abs(pre // side - post // side)
    return np.minimum(dx, side - dx) ** 2 + np.minimum(dy, side - dy) ** 2


def test_bamford_2010_settles_where_births_and_deaths_are_equal():
    """An attempt at a target fills a free place with (1 - k/S) g(d) / N (1 - occupied), empties each with p / S."""
    places, p, n, sigma, p_max = 12, 0.03, 256, 2.0, 0.9
    rule = rewiring.Bamford2010(
        p_max=p_max, sigma=sigma, max_in_degree=places, p_eliminate=p, attempts=2000, weak_below=0.1
    )
    simulation = rewired(rule)
    d2 = squared_distance(np.arange(n), np.zeros(n, int), 16)
    chance, k = p_max * np.exp(-d2 / (2 * sigma**2)), 5.0
    for _ in range(200):  # the in-degree that its own occupancies add up to
        odds = (1 - k / places) * chance * places / (n * p)
        k = 0.5 * k + 0.5 * (odds / (1 + odds)).sum()
    odds = (1 - k / places) * chance * places / (n * p)
    occupancy = odds / (1 + odds)
    assert 0.3 < k / places < 0.8
    assert occupancy.max() > 0.2, "both what saturates and what does not is tested"
    # A synapse lives for S / p attempts at its target, of which there are 7.8 an update.
    simulation.run(400)
    degree, found, n_samples = [], np.zeros(d2.max() + 1), 30
    for _ in range(n_samples):
        simulation.run(60)
        pre, post = pairs(simulation)
        degree.append(len(pre) / n)
        found += np.bincount(squared_distance(pre, post, 16), minlength=len(found))
    assert np.mean(degree) == pytest.approx(k, rel=0.02)
    assert np.bincount(pairs(simulation)[1], minlength=n).max() <= places
    at_distance = np.bincount(d2)
    for squared in np.flatnonzero(at_distance):
        expected = at_distance[squared] * occupancy[d2 == squared][0] * n * n_samples
        if expected > 500:
            assert found[squared] == pytest.approx(expected, rel=0.03, abs=5 * np.sqrt(expected)), squared


def formations_a_neuron(rule, grid):
    """In a second, and four relative standard errors of it."""
    simulation = rewired(rule, grid)
    simulation.run(1000)
    formed = simulation.state.stores["ab"].counter("formed")
    return formed / grid**2, 4 / np.sqrt(formed)


def test_local_proposals_form_as_much_in_any_network_and_uniform_ones_do_not():
    # What forms is soon gone, so that nearly all places are free: an update tries 0.39 targets of 1.
    common = {"attempts": 100, "max_in_degree": 1000, "p_eliminate": 1.0, "p_eliminate_weak": 1.0, "sigma": 2.0}
    local = rewiring.LocalProposals(**common, p_form=0.02)
    (small, error), (large, smaller_error) = (formations_a_neuron(local, grid) for grid in (16, 32))
    assert large == pytest.approx(small, rel=error + smaller_error)
    # Attempts a target times p_form, less those whose synapse is there.
    assert small == pytest.approx(1000 * 100 / 256 * 0.02, rel=0.1)
    uniform = rewiring.Bamford2010(**common, p_max=0.3)
    (small, error), (large, smaller_error) = (formations_a_neuron(uniform, grid) for grid in (16, 32))
    assert large == pytest.approx(small / 4, rel=error + smaller_error)


def test_last_to_fire_takes_those_that_just_fired_in_proportion_to_their_rates():
    generator, n_steps, recent = np.random.default_rng(5), 1500, 5
    rate = np.where(np.arange(256) % 2 == 0, 0.004, 0.02)  # a step
    spiked = generator.random((n_steps, 256)) < rate
    steps, neurons = np.nonzero(spiked)
    source = models.SpikeArray(neurons=neurons.tolist(), times_ms=steps.astype(float).tolist())
    rule = rewiring.LastToFire(p_max=1.0, sigma=800.0, recent_ms=float(recent), max_in_degree=10**6, attempts=2)
    # A first wiring without bounds makes spikes of the whole network candidates, and so does the rule's reach.
    simulation = rewired(rule, source=source, p=1e-9)
    simulation.run(n_steps)
    events = simulation.events("ab")
    formed = events[events[:, 3] == 0]
    assert len(formed) > 1500
    window = np.array([spiked[max(0, step - recent) : step].any(axis=0) for step in range(n_steps)])
    assert window[formed[:, 0], formed[:, 1]].all(), "no spike of a partner has arrived in the window"
    # Each that fired has the same chance, less the targets that it has already.
    share = np.mean([window[step, 1::2].sum() / window[step].sum() for step in formed[:, 0]])
    fast = (formed[:, 1] % 2 == 1).mean()
    assert fast == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / len(formed)) + 0.01)
    assert share == pytest.approx(0.02 / 0.024, abs=0.02)


def test_last_to_fire_is_never_distracted_by_spikes_beyond_its_reach():
    """The one source within reach is taken although many further ones fire, and the first wiring has no bounds."""
    fire = [(0, step) for step in range(50)] + [(100 + k, step) for k in range(100) for step in range(50)]
    source = models.SpikeArray(neurons=[a for a, _ in fire], times_ms=[float(b) for _, b in fire])
    rule = rewiring.LastToFire(p_max=1.0, sigma=0.2, attempts=2000)  # of a reach of 1
    simulation = rewired(rule, source=source, p=1e-9)
    simulation.run(3)
    formed = simulation.events("ab")
    assert next((pre, post) for _, pre, post, _ in formed.tolist() if pre == 0) == (0, 0)
    assert set(squared_distance(formed[:, 1], formed[:, 2], 16).tolist()) <= {0, 1}
    assert len(formed) == pytest.approx(101, abs=10), "every one of them finds its own target in 24 attempts"


def stationary_mean(noise, fall, n_iterations=1500):
    """Of X <- max(0, X - fall + noise u), u uniform in (-1, 1): what DEEP R does between two updates (Lindley)."""
    cell = fall / 4
    half, n = round(noise / cell), 1200
    density = np.zeros(n)
    density[0] = 1.0
    for _ in range(n_iterations):
        wide = np.cumsum(np.concatenate([np.zeros(2 * half), density, np.zeros(2 * half)]))
        spread = (wide[2 * half :] - np.concatenate([[0.0], wide[: -2 * half - 1]]))[: n + 2 * half] / (2 * half + 1)
        below = half + 4  # cells at and below zero, after the fall of 4 cells
        new = np.zeros(n)
        new[0] = spread[: below + 1].sum()
        rest = spread[below + 1 :][: n - 1]
        new[1 : 1 + len(rest)] = rest
        density = new / new.sum()
    return float((density * np.arange(n)).sum() * cell)


def test_deep_r_keeps_total_and_signs_and_has_the_mean_of_its_diffusion():
    """The density falls as exp(-w decay / T), of mean T / decay, less what steps of finite length take from it."""
    temperature, decay = 0.01, 0.5
    simulation = rewired(rewiring.DeepR(temperature=temperature, decay=decay, p_positive=0.3), weight=0.0, p=0.1)
    total = len(pairs(simulation)[0])
    signs: dict[tuple[int, int], bool] = {}
    means = []
    for sample in range(60):
        simulation.run(1 if sample < 10 else 40)  # every update at first
        synapses = simulation.synapses("ab")
        assert len(synapses["pre"]) == total
        for pre, post, weight in zip(*(column.tolist() for column in synapses.values()), strict=True):
            if weight:
                assert signs.setdefault((pre, post), weight > 0) == (weight > 0)
        means.append(np.abs(synapses["weight"]).mean())
    positive = np.mean(list(signs.values()))
    assert positive == pytest.approx(0.3, abs=4 * np.sqrt(0.21 / len(signs)))
    expected = stationary_mean(np.sqrt(6e-3 * temperature), decay * 1e-3)
    assert np.mean(means[20:]) == pytest.approx(expected, rel=0.02)
    # How far updates of 1 ms are from the diffusion: by less than the length of a step, which falls with its root.
    step = np.sqrt(2e-3 * temperature)
    assert abs(expected - temperature / decay) < 0.7 * step
    strengths = np.abs(simulation.synapses("ab")["weight"])
    tail = strengths[strengths > step] - step
    assert np.mean(tail) == pytest.approx(temperature / decay, rel=5 / np.sqrt(len(tail))), "an exponential tail"


def growth(calcium, eta, set_point):
    middle, width = (eta + set_point) / 2, (set_point - eta) / (2 * np.sqrt(np.log(2)))
    return 2 * np.exp(-(((calcium - middle) / width) ** 2)) - 1


def test_homeostatic_elements_grow_as_the_curve_says():
    # Neuron i has i spikes at first, which calcium never forgets: i * beta, from none to twice the set-point.
    n_spikes = np.arange(256) % 41
    fire = [(neuron, float(step)) for neuron in range(256) for step in range(n_spikes[neuron])]
    source = models.SpikeArray(neurons=[a for a, _ in fire], times_ms=[b for _, b in fire])
    rule = rewiring.Homeostatic(
        every_ms=1.0, updates_a_pairing=10**6, tau_calcium_ms=1e8, beta_calcium=0.01,
        axon_set_point=0.2, axon_eta=0.05, axon_growth_per_s=5.0, dendrite_growth_per_s=2.0,
    )  # fmt: skip
    simulation = rewired(rule, source=source)
    simulation.run(100)
    before = simulation.neurons("a")["ab.source.axon_elements"]
    simulation.run(2000)
    after = simulation.neurons("a")["ab.source.axon_elements"]
    rate = growth(n_spikes * 0.01, 0.05, 0.2)
    assert rate.max() > 0.99
    assert rate.min() < -0.9
    assert np.abs(rate[n_spikes == 20]).max() < 1e-12, "at the set-point nothing grows"
    np.testing.assert_allclose(after, np.maximum(before + 5.0 * 2.0 * rate, 0), atol=2e-3)
    silent = 2.0 * 2.1 * growth(0.0, 0.0, 0.05)  # eta 0: at half its height where there is no calcium at all
    np.testing.assert_allclose(simulation.neurons("b")["ab.target.dendrite_elements"], max(silent, 0.0), atol=1e-4)


def test_homeostatic_pairs_no_more_than_there_are_and_anyone_with_anyone():
    # With eta below 0 neurons without any calcium grow too.
    eta = {f"{side}_eta": models.Parameter(-0.05, "calcium", "") for side in ("axon", "dendrite")}
    rule = dataclasses.replace(rewiring.Homeostatic, parameters=rewiring.Homeostatic.parameters | eta)(
        every_ms=1.0, updates_a_pairing=50, axon_growth_per_s=100.0, dendrite_growth_per_s=80.0,
        tau_calcium_ms=100.0, beta_calcium=0.02, vacant_loss=0.3,
    )  # fmt: skip
    source = models.Poisson(rate_hz=20.0)
    table, most = np.zeros((8, 8)), 0
    for seed in range(4):
        simulation = rewired(rule, source=source, seed=seed)
        for _ in range(8):
            simulation.run(50)
            pre, post = pairs(simulation)
            axon = simulation.neurons("a")["ab.source.axon_elements"]
            dendrite = simulation.neurons("b")["ab.target.dendrite_elements"]
            assert (np.bincount(pre, minlength=256) <= np.floor(axon)).all()
            assert (np.bincount(post, minlength=256) <= np.floor(dendrite)).all()
            most = max(most, np.bincount(post).max())
        events = simulation.events("ab")
        formed = events[events[:, 3] == 0]
        # Sources differ in how much they fire: who meets whom is what must not depend on places.
        np.add.at(table, ((formed[:, 1] - formed[:, 2]) % 8, (formed[:, 1] // 16 - formed[:, 2] // 16) % 8), 1)
    assert most > 3
    assert table.sum() > 5000
    assert chisquare(table.ravel()).pvalue > 1e-3


def test_patch_swaps_find_the_patches_that_drive_the_target():
    """Rows of the input are patches; a moving bump drives each target by the input at its own place."""
    configuration = load_configuration("patch_swaps", ["duration_ms=15000"])
    simulation = Simulation(configuration.network(), device="cpu")
    simulation.run(200.0)
    own = np.arange(64) // 8

    def active():
        synapses = simulation.synapses("listens")
        patches = np.zeros((64, 8))
        np.add.at(patches, (synapses["post"], synapses["pre"] // 8), synapses["active"])
        assert set(np.unique(patches)) == {0.0, 8.0}, "a patch is active as a whole"
        assert (patches.sum(axis=1) == 16).all(), "two patches a target"
        return patches > 0

    before = active()[np.arange(64), own].mean()
    simulation.run(15_000.0)
    after = active()
    assert before < 0.6
    assert after[np.arange(64), own].mean() > 0.95
    beside = after[np.arange(64), (own + 1) % 8] | after[np.arange(64), (own - 1) % 8]
    assert beside.mean() > 0.9, "the other patch is the next most telling: a neighbour"
    # Silent synapses kept their statistics: the weight of the own row is the largest, active or not.
    synapses = simulation.synapses("listens")
    weight = np.zeros((64, 8))
    np.add.at(weight, (synapses["post"], synapses["pre"] // 8), synapses["weight"])
    assert (weight.argmax(axis=1) == own).mean() > 0.95


def test_sums_do_not_wait_for_a_pairing():
    """The ranks meet in every update for them, and pair in every tenth."""
    rule = dataclasses.replace(
        rewiring.Homeostatic, select=models.UNIFORM, form="in_degree < 5 ? 0.2f : 0.0f", sums={"total": "in_degree"}
    )
    simulation = rewired(rule(every_ms=1.0, updates_a_pairing=10))
    for _ in range(15):
        simulation.run(1.0)
        (total,) = simulation.state.read("ab.sum_total")
        assert total == len(pairs(simulation)[0])
    assert total > 5
