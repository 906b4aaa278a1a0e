"""How errors come back to hidden neurons: by weights that are not the readout's own, or from another rank."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.codegen.random_streams import Purpose, Tag, stream
from hpcsnn.devices.base import Executable
from hpcsnn.engine.arrays import RankArrays
from hpcsnn.engine.state import RankState
from hpcsnn.models.parameters import Normal
from hpcsnn.network.learning import feedback_projection, hidden_populations
from hpcsnn.network.learning_fields import SIDE_BY_SIDE, feedback_arrays
from hpcsnn.ranks.exchange.source_values import SourceValues


def draw_feedback(state: RankArrays, executable: Executable) -> None:
    """For each hidden neuron and output one weight, normal with variance 1 / outputs."""
    network = state.network
    assert network.learning is not None
    n = network.populations[network.learning.readout].size
    for index, (name, population) in enumerate(network.populations.items()):
        if population not in hidden_populations(network):
            continue
        ids = state.placements[name].global_id
        outputs = np.tile(np.arange(n, dtype=np.int32), len(ids))
        number = stream(Purpose.INITIAL, index) | Tag.FEEDBACK << 24
        words = state.words(executable, np.repeat(ids, n), number, outputs)
        drawn = Normal(0.0, n**-0.5).values(words).reshape(len(ids), n)
        state.write(f"learning.{name}.feedback", _side_by_side(drawn.astype(np.float32)))


def read_feedback(state: RankArrays, population: str) -> dict[str, NDArray[np.float32]]:
    """``feedback`` and the optimiser's variables of a hidden population, shape (neurons, outputs), both by id."""
    neurons, outputs = _by_id(state, population)
    found = {}
    for name in feedback_arrays(state.network):
        blocks = state.read(f"learning.{population}.{name}").reshape(-1, len(outputs), SIDE_BY_SIDE)
        values = blocks.transpose(0, 2, 1).reshape(-1, len(outputs))[: len(neurons)]
        found[name] = values[neurons][:, outputs]
    return found


def write_feedback(state: RankArrays, population: str, values: dict[str, NDArray[Any]]) -> None:
    """Put what `read_feedback` gave in place."""
    neurons, outputs = _by_id(state, population)
    for name, by_id in values.items():
        own = np.empty_like(by_id)
        own[np.ix_(neurons, outputs)] = by_id
        state.write(f"learning.{population}.{name}", _side_by_side(own))


def _by_id(state: RankArrays, population: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where neurons and outputs stand, in the order of their ids."""
    assert state.network.learning is not None
    ends = (population, state.network.learning.readout)
    neurons, outputs = (np.argsort(state.placements[end].global_id) for end in ends)
    return neurons, outputs


def _side_by_side(values: NDArray[Any]) -> NDArray[Any]:
    """Values (neurons, outputs) as kernels have them: blocks of neurons, in each the neurons of an output together."""
    n_neurons, n_outputs = values.shape
    blocks = np.zeros((-(-n_neurons // SIDE_BY_SIDE), n_outputs, SIDE_BY_SIDE), dtype=values.dtype)
    neurons = np.arange(n_neurons)
    blocks[neurons // SIDE_BY_SIDE, :, neurons % SIDE_BY_SIDE] = values
    return blocks.ravel()


class SharedFeedback:
    """The readout's weights, which the first of the ranks that share a network has, as hidden neurons of all of them
    hear errors through them: what the kernels ``feedback_*`` do where a rank has the whole network.

    Args:
        state: of this rank; every rank makes one, a collective call.
    """

    def __init__(self, state: RankState) -> None:
        self._state = state
        self._ways = [
            (one, projection, SourceValues(state.communicator, state.placements[one.name]))
            for one in hidden_populations(state.network)
            if (projection := feedback_projection(state.network, one)) is not None
        ]

    def tell(self) -> None:
        """Let every rank have the weights of its own neurons as they are now; a collective call."""
        state = self._state
        for hidden, projection, values in self._ways:
            slots, _, _ = state.stores[projection.name].pairs()
            source = state.read(f"{projection.name}.source")[slots]
            output = slots >> int(state.projection_part(projection.name).row_shift)
            columns = {"feedback": "weight"} | ({"feedback_steps": "delay_steps"} if projection.delays else {})
            for kept, column in columns.items():
                of_synapses = state.read(f"{projection.name}.synapse_{column}")
                known = np.zeros((state.placements[hidden.name].n_known, projection.target.size), of_synapses.dtype)
                known[source, output] = of_synapses[slots]
                state.write(f"learning.{hidden.name}.{kept}", _side_by_side(values.added_up(known)))


def share_errors(state: RankArrays) -> None:
    """The errors of a sample, as hidden neurons hear them, from the readout's rank to all; a collective call."""
    hidden = (f"learning.{one.name}" for one in hidden_populations(state.network))
    names = [f"{owner}.filtered_error" for owner in ("learning", *hidden)]
    assert state.network.learning is not None
    if state.network.learning.rule.model.mentions("error"):
        names.append("learning.error")
    names = [name for name in names if name in state.arrays]
    first = state.communicator.rank == 0
    errors = state.communicator.broadcast([state.read(name) for name in names] if first else [])
    if not first:
        for name, values in zip(names, errors, strict=True):
            state.write(name, values)
