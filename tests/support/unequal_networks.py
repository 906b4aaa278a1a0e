"""Networks whose populations lie over each other on grids of different sides, or are on no grid."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn import Grid, Network, Positions, models
from hpcsnn.models import rewiring

# Sides that divide each other, that do not, more sources and fewer, far longer than any reach, and one row.
GRIDS = {
    "twice as fine": (Grid(8, 8), Grid(16, 16)),
    "coarser": (Grid(24, 16, "open"), Grid(16, 12, "open")),
    "side by side": (Grid(15, 4), Grid(16, 8)),
    "long": (Grid(64, 4), Grid(96, 8)),
    "one row": (Grid(50, 1, "open"), Grid(20, 1, "open")),
}


def squared_distances(source: Grid, target: Grid) -> NDArray[np.float64]:
    """Of all pairs in the target's grid unit, neurons being in the middle of their cells; shape (targets, sources)."""
    squared = np.zeros((target.size, source.size))
    sides = ((target.nx, source.nx), (target.ny, source.ny))
    for axis, (n_targets, n_sources) in enumerate(sides):
        of, to = (np.divmod(np.arange(grid.size), grid.nx)[1 - axis] for grid in (source, target))
        scale = Fraction(n_targets, n_sources)
        places = np.array([float((int(one) + Fraction(1, 2)) * scale - Fraction(1, 2)) for one in of])
        apart = np.abs(to[:, None] - places)
        squared += (apart if target.borders == "open" else np.minimum(apart, n_targets - apart)) ** 2
    return squared


def over(
    source: Grid | Positions, target: Grid | Positions, connector: Any = None, seed: int = 1, **options: Any
) -> Network:
    """Poisson sources over neurons, plastic synapses between them."""
    network = Network(seed=seed)
    network.add_population("a", source, models.Poisson(rate_hz=80), record_spikes=True)
    network.add_population("b", target, models.LIF(), {"V_mV": models.Normal(-60, 4)}, record_spikes=True)
    connector = connector or models.Gaussian(p_max=0.5, sigma=1.3)
    network.add_projection(
        "ab", "a", "b", connector, models.ExponentialConductance(), 0.15, models.AdditiveSTDP(), **options
    )
    return network


def rewired(grids: str) -> Network:
    """Between two grids of `GRIDS` each rule that knows distances, and none."""
    source, target = GRIDS[grids]
    blocks = {"attempts": 30, "block_side": 1 if target.ny == 1 else 4}
    near, few = {"p_max": 0.6, "sigma": 1.1}, {"max_in_degree": 12}
    rules = (
        models.Bamford(**near, **blocks),
        rewiring.Bamford2010(**near, **blocks, **few),
        rewiring.LastToFire(**near, **blocks, **few, recent_ms=2.0),
        rewiring.LocalProposals(sigma=1.2, **blocks, **few),
    )
    return _with_rules(over(source, target, delay_ms=1.0), rules, models.Gaussian(p_max=0.3, sigma=1.0))


def _with_rules(network: Network, rules: Any, connector: Any) -> Network:
    """With a projection more for each rule, which has the rule's name."""
    for rule in rules:
        network.add_projection(
            rule.name, "a", "b", connector, models.ExponentialConductance(), 0.1, models.AdditiveSTDP(),
            models.Uniform(1.0, 2.5), rule, record_events=True,
        )  # fmt: skip
    return network


def unequal_grids() -> Network:
    """One of them, for the lists of networks that have everything."""
    return rewired("twice as fine")


def somewhere(n: int, dimensions: int, seed: int, side: float = 7.0, resolution: float = 0.01) -> Positions:
    """Neurons anywhere in a square or cube, sorted along one axis, so that near numbers are near."""
    values = np.random.default_rng(seed).random((n, dimensions)) * side
    return Positions(values[np.argsort(values[:, 0])] - side / 3, resolution)


def between_positions(dimensions: int) -> Network:
    """Each rule that knows distances between any places, and none; sources in clusters and far from some targets."""
    blocks, near, few = {"attempts": 8, "block_side": 1}, {"p_max": 0.6, "sigma": 0.4}, {"max_in_degree": 12}
    rules = (
        models.Bamford(**near, **blocks),
        rewiring.Bamford2010(**near, **blocks, **few),
        rewiring.LastToFire(**near, **blocks, **few, recent_ms=2.0),
    )
    source, target = somewhere(150, dimensions, 1, 5.0), somewhere(130, dimensions, 2)
    connector = models.Gaussian(p_max=0.5, sigma=1.0, cut_off=1.5)
    network = _with_rules(over(source, target, connector, delay_ms=1.0), rules, connector)
    own = models.Gaussian(p_max=0.3, sigma=0.5, self_connections=False)
    network.add_projection("bb", "b", "b", own, models.ExponentialConductance(), 0.05, delay_ms=1.0)
    return network


def in_space() -> Network:
    """One of them, for the lists of networks that have everything."""
    return between_positions(3)


def everywhere() -> list[Network]:
    """Of all of them."""
    return [*map(rewired, GRIDS), *map(between_positions, (2, 3))]
