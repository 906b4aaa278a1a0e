"""The topographic map against the published model run in another simulator: means over seeds, at 10 s and 60 s."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from hpcsnn.analysis.topography import grid_displacement
from hpcsnn.configuration.files import load_configuration
from hpcsnn.engine.simulation import Simulation

REFERENCE = json.loads((Path(__file__).parent / "data" / "reference_statistics.json").read_text())["modes"]
CONFIGURATIONS = {"full": "topomap", "stdp_only": "topomap_stdp_only", "rewiring_only": "topomap_rewiring_only"}
SEEDS = range(1, 17)
TIMES_MS = (0, 10_000, 60_000)
STATISTICS = [
    *("n", "in_mean", "in_std", "out_std", "w_mean", "w_std", "frac_below", "dist_mean"),
    *("sigma_aff", "sigma_aff_w", "sigma_aff_pn", "sigma_aff_pn_w"),
]


def slow_statistics(synapses, grid):
    """The reference's definitions, written out once more from the lists of synapses."""
    pre, post, weight = synapses["pre"], synapses["post"], synapses["weight"].astype(float)
    dx, dy = grid_displacement(grid, pre, post)
    squared = (dx**2 + dy**2).astype(float)
    spread, weighted_spread = [], []
    for neuron in np.unique(post):
        own = post == neuron
        spread.append(np.sqrt(squared[own].mean() / 2))
        if weight[own].sum() > 0:
            weighted_spread.append(np.sqrt((weight[own] * squared[own]).sum() / weight[own].sum() / 2))
    return {
        "n": len(pre),
        "in_mean": len(pre) / grid.size,
        "in_std": np.bincount(post, minlength=grid.size).std(),
        "out_std": np.bincount(pre, minlength=grid.size).std(),
        "w_mean": weight.mean(),
        "w_std": weight.std(),
        "frac_below": (synapses["weight"] < np.float32(0.1)).mean(),
        "dist_mean": np.sqrt(squared).mean(),
        "sigma_aff": np.sqrt(squared.mean() / 2),
        "sigma_aff_w": np.sqrt((weight * squared).sum() / weight.sum() / 2),
        "sigma_aff_pn": np.mean(spread),
        "sigma_aff_pn_w": np.mean(weighted_spread),
    }


@cache
def runs(mode):
    """Per seed: statistics of each projection at each time, and rates."""
    results = []
    for seed in SEEDS:
        network = load_configuration(CONFIGURATIONS[mode], [f"seed={seed}"]).network()
        simulation = Simulation(network, device="cpu")
        at = {}
        for time_ms in TIMES_MS:
            simulation.run(time_ms - simulation.time_ms)
            at[time_ms] = {
                name: slow_statistics(simulation.synapses(name), projection.target.grid)
                for name, projection in network.projections.items()
            }
        rates = {name: simulation.rates_hz(name) for name in network.populations}
        results.append((at, rates))
    return results


def assert_agrees(ours, reference, what):
    """|difference of means| < 4 SD sqrt(1/n + 1/m), SD the larger of both sides' (with room for float32 constants)."""
    ours = np.asarray(ours, dtype=float)
    spread = max(reference["std"], ours.std(ddof=1))
    allowed = 4 * spread * np.sqrt(1 / len(ours) + 1 / reference["n"]) + 1e-6
    difference = abs(ours.mean() - reference["mean"])
    assert difference < allowed, f"{what}: {ours.mean():.6g}, reference {reference['mean']:.6g}, allowed {allowed:.2g}"


@pytest.mark.parametrize("time_ms", TIMES_MS)
@pytest.mark.parametrize("projection", ["ff", "lat"])
@pytest.mark.parametrize("mode", CONFIGURATIONS)
def test_connectivity_agrees_with_the_reference(mode, projection, time_ms):
    reference = REFERENCE[mode]["over_time"][str(time_ms)][projection]
    for statistic in STATISTICS:
        ours = [at[time_ms][projection][statistic] for at, _ in runs(mode)]
        assert_agrees(ours, reference[statistic], f"{mode} {projection} {statistic} at {time_ms} ms")


@pytest.mark.parametrize("population", ["source", "target"])
@pytest.mark.parametrize("mode", CONFIGURATIONS)
def test_rates_agree_with_the_reference(mode, population):
    reference = REFERENCE[mode]["rates"][population]
    assert_agrees([rates[population].mean() for _, rates in runs(mode)], reference["rate_hz"], f"{mode} {population}")
    last = [rates[population][-100:].mean() for _, rates in runs(mode)]
    assert_agrees(last, reference["rate_last_10s_hz"], f"{mode} {population}, last 10 s")
    early = np.mean([rates[population][:100].mean() for _, rates in runs(mode)])
    assert early == pytest.approx(reference["first_10s_hz_mean"], rel=0.1 if population == "target" else 0.01)


def test_rewiring_only_follows_its_closed_form():
    """Every slot is an independent two-state chain: p(t) = q + (g - q) exp(-(10 / N^2) (g + e) t / ms)."""
    n, eliminate = 256, 0.0068
    for name, p_max, sigma in (("ff", 0.16, 2.5), ("lat", 1.0, 1.0)):
        for time_ms in TIMES_MS:
            axis = np.minimum(np.arange(16), 16 - np.arange(16))
            squared = axis[:, None] ** 2 + axis[None, :] ** 2
            g = p_max * np.exp(-squared / (2 * sigma**2))
            q = g / (g + eliminate)
            p = q + (g - q) * np.exp(-(10 / n**2) * (g + eliminate) * time_ms)
            expected, spread = n * p.sum(), np.sqrt(n * (p * (1 - p)).sum())
            counts = [at[time_ms][name]["n"] for at, _ in runs("rewiring_only")]
            error = 4 * spread / np.sqrt(len(counts))
            assert abs(np.mean(counts) - expected) < error, (name, time_ms, np.mean(counts), expected, error)
            widths = [at[time_ms][name]["sigma_aff"] for at, _ in runs("rewiring_only")]
            width = np.sqrt((p * squared).sum() / p.sum() / 2)
            spread = REFERENCE["rewiring_only"]["over_time"][str(time_ms)][name]["sigma_aff"]["std"]
            assert abs(np.mean(widths) - width) < 4 * spread / np.sqrt(len(widths)), (name, time_ms)
