"""What ``hpcsnn check`` says of a training: what it will need; its data are not read."""

from __future__ import annotations

from typing import Any

from hpcsnn.engine.learning.groups import check_even, tile_side
from hpcsnn.engine.learning.replicas import bytes_of_replica
from hpcsnn.network.learning_fields import carried_bytes, played_bytes
from hpcsnn.planning.memory import estimate
from hpcsnn.training.configuration import TrainingConfiguration
from hpcsnn.training.trainer import samples_at_hand


def training_sizes_of(configuration: TrainingConfiguration, ranks: int) -> dict[str, Any]:
    """Neurons, expected synapses and memory of a training on so many ranks; sizes of memory in bytes, of arrays alone.

    ``bytes_of`` is of the fullest rank, by what it holds; ``bytes_carried`` of it is the state that is carried on.
    """
    network = configuration.planned_network()
    sharing = check_even(configuration.ranks_per_network, ranks)
    # Every group of ranks has the whole network, and its share of a batch.
    sizes = [estimate(network, tile_side(network, sharing), rank, sharing) for rank in range(sharing)]
    learning = network.learning
    assert learning is not None
    size = max(sizes, key=lambda one: one.n_bytes)
    at_hand, n_groups = samples_at_hand(learning.sample_steps), ranks // sharing
    played, share = played_bytes(network, at_hand), -(-configuration.batch // n_groups)
    # Those of training, and while there is an evaluation its own.
    carried = 2 * carried_bytes(network, share) if learning.carries_state else 0
    of = {
        "neurons": size.n_bytes - size.wiring - size.learning,
        "synapses": size.wiring,
        "kept": size.learning,
        **({"carried": carried} if learning.carries_state else {}),
        "played": played,
    }
    return {
        "kind": "training",
        "description": configuration.description,
        "seed": network.seed,
        "dt_ms": network.dt_ms,
        "data": configuration.data_set.name,
        "sample_steps": configuration.sample_steps or None,
        "planned_sample_steps": learning.sample_steps,
        "window_steps": learning.window_steps if learning.windowed else None,
        "epochs": configuration.epochs,
        "batch": configuration.batch,
        "ranks": ranks,
        "ranks_per_network": sharing,
        "most_samples_of_a_rank": share,
        "samples_at_hand": at_hand,
        "populations": {
            name: {"neurons": population.size, "model": population.model.name}
            for name, population in network.populations.items()
        },
        "projections": {
            name: {
                "source": projection.source.name,
                "target": projection.target.name,
                "synapses": (n := sum(one.synapses[name] for one in sizes)),
                "connectivity": n / (projection.source.size * projection.target.size),
                "rewiring": projection.rewiring.name if projection.rewiring else None,
            }
            for name, projection in network.projections.items()
        },
        "bytes_of": of,
        "bytes_of_fullest_rank": sum(of.values()),
        "bytes_in_all": n_groups * sum(one.n_bytes for one in sizes) + ranks * (played + carried),
        "bytes_of_replica": bytes_of_replica(network),
    }
