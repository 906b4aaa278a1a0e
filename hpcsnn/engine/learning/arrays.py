"""The arrays of `hpcsnn.network.learning_fields` on a rank, bound to the struct that kernels of training see."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from hpcsnn.engine.arrays import RankArrays
from hpcsnn.network import Network, Population, Projection
from hpcsnn.network.learning import (
    feedback_projection,
    hidden_populations,
    kept_variables,
    longest_delay_steps,
    trained_projections,
)
from hpcsnn.network.learning_fields import (
    LearningRoom,
    learner_fields,
    sample_fields,
    trained_fields,
)


def learning_room(network: Network, **counts: int) -> LearningRoom:
    """How much there is for a population or projection of so many neurons, slots, ..

    Behind the last step stands one more than delays look ahead: what a source that never spiked adds is there, 0.
    Behind a window's last step stand as many steps of the next window before that.
    """
    learning = network.learning
    assert learning is not None
    n_outputs = network.populations[learning.readout].size
    ahead = 1 + longest_delay_steps(network)
    if learning.windowed:
        ahead, counts["window_steps"] = 2 * ahead, learning.window_steps or 0
    return LearningRoom(learning.sample_steps, ahead, n_outputs, network.replicas, **counts)


def bind_learning(state: RankArrays) -> None:
    """Fill the struct `Learning` of a network that learns, and make its arrays, but for the slots of synapses."""
    network, learning = state.network, state.network.learning
    assert learning is not None
    part, room = state.struct.learning, learning_room(network)
    part.sample_steps, part.n_outputs, part.ahead = room.sample_steps, room.n_outputs, room.ahead
    part.outputs_stride, part.replicas, part.learns = room.outputs_stride, room.replicas, 1
    if room.window_steps is not None:
        part.window_steps, part.carried_steps = room.window_steps, room.ahead // 2
        part.never = part.window_steps + part.carried_steps
    state.allocate(part, "learning", sample_fields(), room)
    for prefix, configured in (("rule_", learning.rule), ("optimiser_", learning.optimiser), ("loss_", learning.loss)):
        for name, value in configured.constants(network.dt_ms).items():
            setattr(part, prefix + name, value)
    hidden = [one.name for one in hidden_populations(network)]
    for name, population in network.populations.items():
        learner = getattr(part, f"population_{name}")
        placement = state.placements[name]
        room = learning_room(network, n_neurons=placement.n_own, n_sources=placement.n_known)
        state.allocate(learner, f"learning.{name}", learner_fields(network, population), room)
        if not population.is_source:
            _begins(learner, network, population)
        if name in hidden:
            _pull(learner, network, population)
    for projection in trained_projections(network):
        trained = getattr(part, f"projection_{projection.name}")
        trained.weight_limit = np.nextafter(np.float32(projection.weight_bound), np.float32(0.0))
        # Where synapses have delays of their own, kernels add these.
        shared = projection.delay_steps if projection.delays is None else 0
        trained.shift = shared - (1 if learning.mlgenn else 0)


def _begins(learner: Any, network: Network, population: Population) -> None:
    kept = kept_variables(network, population)
    for variable in population.state:
        if variable.name not in kept:
            begins: Any = population.initial.get(variable.name, variable.initial)
            setattr(learner, f"begins_{variable.name}", begins)


def _pull(learner: Any, network: Network, population: Population) -> None:
    """Where and when hidden neurons hear errors, and the rate that they are pulled to, in spikes a step."""
    assert network.learning is not None
    rule, back = network.learning.rule.values, feedback_projection(network, population)
    shared = 1 if back is None else back.delay_steps if back.delays is None else 0
    learner.feedback_shift = -1 if network.learning.mlgenn else shared
    learner.rate_target = rule.get("rate_hz", 0.0) * network.dt_ms * 1e-3
    learner.rate_pull = rule.get("regularisation", 0.0)
    learner.local_kept = math.exp(-network.dt_ms / rule["tau_local_ms"]) if "tau_local_ms" in rule else 0.0


def _is_online(state: RankArrays) -> bool:
    return state.network.learning is not None and state.network.learning.online


def fit_trained(state: RankArrays, projection: Projection) -> None:
    """Room for what training keeps of each synapse, slot, and entry of the projection's lists, as it is wired now.

    Gradients are 0 before and after.
    """
    name, owner, arrays = projection.name, f"learning.{projection.name}", state.arrays
    in_degree, n_synapses = arrays[f"{name}.in_degree"], int(arrays[f"{name}.in_degree"].sum(dtype=np.int64))
    n_slots, n_entries = (len(arrays[f"{name}.{one}"]) for one in ("source", "outgoing"))
    # After each batch: the common case is asked by what may outgrow its room, of slots the sums that only some keep.
    needed = (("gradient", n_synapses), ("amount", n_entries), ("sum", n_slots))[: 3 if _is_online(state) else 2]
    if not all(f"{owner}.{one}" in arrays and len(arrays[f"{owner}.{one}"]) >= n for one, n in needed):
        room = learning_room(
            state.network,
            n_neurons=len(in_degree),
            n_synapses=n_synapses,
            n_slots=n_slots,
            n_entries=n_entries,
            n_sources=state.placements[projection.source.name].n_known,
        )
        fields = trained_fields(state.network, projection)
        state.allocate(getattr(state.struct.learning, f"projection_{name}"), owner, fields, room)
    state.device.xp.cumsum(in_degree, dtype=np.int32, out=arrays[f"{owner}.first_gradient"][1:])
