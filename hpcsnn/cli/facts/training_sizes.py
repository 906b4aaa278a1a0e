"""What ``hpcsnn check`` says of a training: what it will need; its data are not read."""

from __future__ import annotations

from typing import Any

from hpcsnn.engine.learning.groups import check_even, tile_side
from hpcsnn.engine.learning.replicas import bytes_of_replica
from hpcsnn.network import Network
from hpcsnn.network.learning_fields import carried_bytes, played_bytes
from hpcsnn.planning.memory import estimate
from hpcsnn.training.configuration import TrainingConfiguration
from hpcsnn.training.trainer import samples_at_hand
from hpcsnn.training.unsupervised.layer_network import TILE, learning_projection


def training_sizes_of(configuration: TrainingConfiguration, ranks: int) -> dict[str, Any]:
    """Neurons, expected synapses and memory of a training on so many ranks; sizes of memory in bytes, of arrays alone.

    ``bytes_of`` is of the fullest rank, by what it holds; ``bytes_carried`` of it is the state that is carried on.
    """
    if configuration.unsupervised is not None:
        return _unsupervised_sizes_of(configuration, ranks)
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
        **_said(configuration, network),
        "planned_sample_steps": learning.sample_steps,
        "window_steps": learning.window_steps if learning.windowed else None,
        "ranks": ranks,
        "ranks_per_network": sharing,
        "most_samples_of_a_rank": share,
        "samples_at_hand": at_hand,
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


def _said(configuration: TrainingConfiguration, network: Network) -> dict[str, Any]:
    """What the configuration says itself."""
    return {
        "kind": "training",
        "description": configuration.description,
        "seed": network.seed,
        "dt_ms": network.dt_ms,
        "data": configuration.data_set.name,
        "sample_steps": configuration.sample_steps or None,
        "epochs": configuration.epochs,
        "batch": configuration.batch,
        "populations": {
            name: {"neurons": population.size, "model": population.model.name}
            for name, population in network.populations.items()
        },
    }


def _unsupervised_sizes_of(configuration: TrainingConfiguration, ranks: int) -> dict[str, Any]:
    """The same of an unsupervised rule: all ranks share one layer, and each has whole hypercolumns."""
    network, planned = configuration.network(), configuration.planned_network()
    layer = planned.hypercolumns
    assert layer is not None
    projection = learning_projection(network, configuration.readout)
    sizes = [estimate(planned, TILE, rank, ranks) for rank in range(ranks)]
    size = max(sizes, key=lambda one: one.n_bytes)
    share = layer.connections / layer.n_sources
    return {
        **_said(configuration, network),
        "planned_sample_steps": configuration.sample_steps,
        "window_steps": None,
        "ranks": ranks,
        "ranks_per_network": ranks,
        "most_samples_of_a_rank": configuration.batch,
        "samples_at_hand": configuration.batch,
        "projections": {
            projection.name: {
                "source": projection.source.name,
                "target": projection.target.name,
                "synapses": projection.target.size * layer.connections * layer.source_units,
                "connectivity": share,
                "rewiring": layer.rule.name,
            }
        },
        "bytes_of": {"neurons": size.n_bytes - size.learning, "hypercolumns": size.learning},
        "bytes_of_fullest_rank": size.n_bytes,
        "bytes_in_all": sum(one.n_bytes for one in sizes),
        "bytes_of_replica": 0,
    }
