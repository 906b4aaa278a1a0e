"""What a run is judged by: rates, degrees, weights, and how far synapses reach (one pass over each rank's synapses).

Names follow the topographic-map literature: sigma_aff is the spread of the afferents, sqrt(mean d^2 / 2) over all
synapses (Bamford, Murray & Willshaw 2010), d the distance in grid units; sqrt(mean d^2) where neurons are in one row.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.analysis.displacement import distances_of
from hpcsnn.engine.simulation import Simulation
from hpcsnn.network.fields import COUNTERS

_RECENT_MS = 10_000.0


def population_statistics(simulation: Simulation, name: str) -> dict[str, Any]:
    """``size``, ``spikes``, ``rate_hz`` over the whole run and ``rate_last_10s_hz`` (or over what there is)."""
    population = simulation.network.populations[name]
    spikes = int(simulation.sum_over_ranks(np.array([simulation.state.total_spikes(name)]))[0])
    seconds = simulation.time_ms * 1e-3
    rates = simulation.rates_hz(name)
    rate_hz = spikes / (population.size * seconds) if seconds > 0 else 0.0
    bins = round(_RECENT_MS / (simulation.state.bin_steps * simulation.network.dt_ms))
    return {
        "size": population.size,
        "spikes": spikes,
        "rate_hz": rate_hz,
        "rate_last_10s_hz": float(rates[-bins:].mean()) if len(rates) else rate_hz,
    }


def out_degrees(simulation: Simulation, projection: str, pre: NDArray[Any]) -> NDArray[np.int64]:
    """Out-degrees of a share of the sources (by id), summed over ranks; the shares of all ranks cover all sources."""
    n = simulation.network.projections[projection].source.size
    source, count = np.unique(pre, return_counts=True)
    bounds = np.arange(simulation.n_ranks + 1) * n // simulation.n_ranks
    cuts = np.searchsorted(source, bounds)
    parts = [(source[a:b] - low, count[a:b]) for a, b, low in zip(cuts[:-1], cuts[1:], bounds[:-1], strict=True)]
    degrees = np.zeros(bounds[simulation.rank + 1] - bounds[simulation.rank], dtype=np.int64)
    for index, counts in simulation.communicator.swap(parts):
        degrees[index] += counts
    return degrees


def projection_statistics(simulation: Simulation, name: str) -> dict[str, Any]:
    """The statistics of ``summary.json``; distances are None where there are none between the two populations. A
    collective call."""
    projection = simulation.network.projections[name]
    synapses = simulation.synapses(name)
    weight = synapses["weight"].astype(np.float64)
    store = simulation.state.stores[name]
    in_degree = np.unique(synapses["post"], return_counts=True)[1].astype(np.float64)
    out_degree = out_degrees(simulation, name, synapses["pre"]).astype(np.float64)
    sums = {
        "n": float(len(weight)),
        "in_squared": (in_degree**2).sum(),
        "out_squared": (out_degree**2).sum(),
        "weight": weight.sum(),
        "below": float((np.abs(weight) < 0.5 * projection.weight_bound).sum()),
        **{counter: float(store.counter(counter)) for counter in COUNTERS},
    }
    lattice = distances_of(projection)
    if lattice is not None:
        squared = lattice.squared_distances(synapses["pre"], synapses["post"]) / float(lattice.fineness**2)
        sums |= {
            "squared": squared.sum(),
            "weight_size": np.abs(weight).sum(),
            "weighted_squared": (np.abs(weight) * squared).sum(),
            "distance": np.sqrt(squared).sum(),
        }
    total = dict(zip(sums, simulation.sum_over_ranks(np.array(list(sums.values()))), strict=True))
    n = total["n"]
    mean_in, mean_out = n / projection.target.size, n / projection.source.size

    def per(value: str, whole: float) -> float | None:
        return float(total[value] / whole) if whole > 0 else None

    return {
        "synapses": int(n),
        "in_degree_mean": mean_in,
        "in_degree_std": float(np.sqrt(max(total["in_squared"] / projection.target.size - mean_in**2, 0.0))),
        "out_degree_std": float(np.sqrt(max(total["out_squared"] / projection.source.size - mean_out**2, 0.0))),
        "weight_mean": per("weight", n),
        "weight_below_half": per("below", n),
        "sigma_aff": _spread(per("squared", n), lattice.dimensions) if lattice else None,
        "sigma_aff_weighted": _spread(per("weighted_squared", total["weight_size"]), lattice.dimensions)
        if lattice
        else None,
        "distance_mean": per("distance", n) if lattice else None,
        **{counter: int(total[counter]) for counter in COUNTERS},
    }


def _spread(mean_square: float | None, dimensions: int) -> float | None:
    return None if mean_square is None else float(np.sqrt(mean_square / dimensions))
