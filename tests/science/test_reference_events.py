"""Formations and eliminations per second and by distance, against the published model run in another simulator."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from hpcsnn.analysis.topography import grid_displacement
from hpcsnn.configuration.files import load_configuration
from hpcsnn.engine.simulation import Simulation

REFERENCE = json.loads((Path(__file__).parent / "data" / "reference_events.json").read_text())["modes"]
CONFIGURATIONS = {"full": "topomap", "rewiring_only": "topomap_rewiring_only"}
SEEDS = range(1, 13)
WEAK = 1  # what an event says of a synapse that went because its weight was low
N_DISTANCES = 12


@cache
def counts(mode):
    """Per seed and projection: counts by second and by distance, as the reference names them."""
    record = [f"projections.{name}.record_events=true" for name in ("ff", "lat")]
    results = []
    for seed in SEEDS:
        network = load_configuration(CONFIGURATIONS[mode], [f"seed={seed}", *record]).network()
        simulation = Simulation(network, device="cpu")
        simulation.run(60_000)
        of_seed = {}
        for name in ("ff", "lat"):
            step, pre, post, what = simulation.events(name).T
            second = step // 10_000
            distance = np.rint(np.hypot(*grid_displacement(network.populations["target"].grid, pre, post))).astype(int)
            of_seed[name] = {
                "form": np.bincount(second[what == 0], minlength=60),
                "elim": np.bincount(second[what > 0], minlength=60),
                "elim_dep": np.bincount(second[what == WEAK], minlength=60),
                "form_by_d": np.bincount(distance[what == 0], minlength=N_DISTANCES),
                "elim_by_d": np.bincount(distance[what > 0], minlength=N_DISTANCES),
            }
        results.append(of_seed)
    return results


@pytest.mark.parametrize("kind", ["form", "elim", "elim_dep", "form_by_d", "elim_by_d"])
@pytest.mark.parametrize("projection", ["ff", "lat"])
@pytest.mark.parametrize("mode", CONFIGURATIONS)
def test_events_agree_with_the_reference(mode, projection, kind):
    """Every count within 4.5 standard errors, and all of them together no further off than chance has it."""
    reference = REFERENCE[mode][projection][kind]
    ours = np.array([of_seed[projection][kind] for of_seed in counts(mode)])
    expected = np.array(reference["mean"])
    assert ours.shape[1] == len(expected)
    # Counts of rare, nearly independent events: no less spread than Poisson's.
    pooled = (ours.sum(axis=0) + reference["n"] * expected) / (len(ours) + reference["n"])
    variance = np.maximum(np.maximum(pooled, ours.var(axis=0, ddof=1)), 0.2)
    z = (ours.mean(axis=0) - expected) / np.sqrt(variance * (1 / len(ours) + 1 / reference["n"]))
    worst = int(np.abs(z).argmax())
    assert np.abs(z).max() < 4.5, f"{kind}[{worst}]: {ours[:, worst].mean():.4g}, reference {expected[worst]:.4g}"
    assert (z**2).mean() < 1 + 4 * np.sqrt(2 / len(z)), f"mean z^2 {(z**2).mean():.3g}"
    total, spread = ours.sum(axis=1), max(ours.sum(axis=1).std(ddof=1), np.sqrt(pooled.sum()))
    assert abs(total.mean() - expected.sum()) <= 4 * spread * np.sqrt(1 / len(ours) + 1 / reference["n"])
