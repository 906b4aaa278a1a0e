"""The weights by which errors come back to hidden neurons, where they are not the readout's own."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.codegen.random_streams import Purpose, Tag, stream
from hpcsnn.devices.base import Executable
from hpcsnn.engine.arrays import RankArrays
from hpcsnn.models.parameters import Normal
from hpcsnn.network.learning import hidden_populations
from hpcsnn.network.learning_fields import SIDE_BY_SIDE, feedback_arrays


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
        state.write(f"learning.{name}.feedback", _side_by_side(drawn))


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


def _side_by_side(values: NDArray[Any]) -> NDArray[np.float32]:
    """Values (neurons, outputs) as kernels have them: blocks of neurons, in each the neurons of an output together."""
    n_neurons, n_outputs = values.shape
    blocks = np.zeros((-(-n_neurons // SIDE_BY_SIDE), n_outputs, SIDE_BY_SIDE), dtype=np.float32)
    neurons = np.arange(n_neurons)
    blocks[neurons // SIDE_BY_SIDE, :, neurons % SIDE_BY_SIDE] = values
    return blocks.ravel()
