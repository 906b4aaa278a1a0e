"""What ``hpcsnn check`` says: what a configuration will need."""

from __future__ import annotations

from typing import Any

from hpcsnn.configuration.schema import Configuration
from hpcsnn.network import Projection
from hpcsnn.planning.memory import estimate


def sizes_of(configuration: Configuration, ranks: int) -> dict[str, Any]:
    """Neurons, expected synapses and memory of a run on so many ranks; sizes of memory in bytes, of arrays alone."""
    network = configuration.network()
    sizes = [estimate(network, configuration.tile, rank, ranks) for rank in range(ranks)]
    largest = max(sizes, key=lambda size: size.n_bytes)
    return {
        "kind": "run",
        "description": configuration.description,
        "seed": network.seed,
        "dt_ms": network.dt_ms,
        "steps": network.steps(configuration.duration_ms),
        "ranks": ranks,
        "exchange_every_ms": network.exchange_steps() * network.dt_ms,
        "populations": {
            name: {
                "grid": [population.grid.nx, population.grid.ny],
                "neurons": population.size,
                "model": " + ".join([population.model.name, *(one.current.name for one in population.stimulations)]),
                "most_of_a_rank": max(size.neurons[name] for size in sizes),
                "most_known_to_a_rank": max(size.known[name] for size in sizes),
            }
            for name, population in network.populations.items()
        },
        "projections": {
            name: _of_projection(projection, network.dt_ms) for name, projection in network.projections.items()
        },
        "bytes_of_largest_rank": largest.n_bytes,
        "bytes_in_all": sum(size.n_bytes for size in sizes),
        "bytes_of_checkpoint_copy": largest.checkpoint,
    }


def _of_projection(projection: Projection, dt_ms: float) -> dict[str, Any]:
    degree, form = projection.expected_in_degree, projection.input_format
    steps = [projection.delay_steps, *([projection.delays.last_steps] if projection.delays else [])]
    return {
        "source": projection.source.name,
        "target": projection.target.name,
        "synapses": degree * projection.target.size,
        "in_degree": degree,
        "delays_ms": [step * dt_ms for step in steps],
        "dendritic_delay_ms": projection.dendritic_delay_ms if projection.dendritic_steps else 0.0,
        "input_bits": form.n_bits,
        "input_vectorised": form.vectorised,
        "smallest_weight": form.smallest,
        "largest_weight": projection.weight_bound,
        "rewiring": projection.rewiring.name if projection.rewiring else None,
    }
