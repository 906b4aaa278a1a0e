"""What a population starts with: state variables and parameters, one value a neuron where they differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.codegen.random_streams import Purpose, stream
from hpcsnn.devices.base import Executable
from hpcsnn.engine.neuron_parameters import constants_on_ranks
from hpcsnn.models.distributions import Normal, Uniform
from hpcsnn.network import Population

if TYPE_CHECKING:
    from hpcsnn.engine.state import RankState


def draw_parameters(state: RankState, executable: Executable, index: int, population: Population) -> None:
    """Fill the constants that have one value a neuron, of population number `index`; a collective call.

    Draws are numbered on from the state variables'.
    """
    model, ids = population.model, state.placements[population.name].global_id
    if not model.of_neurons:
        return
    states: Any = model.model
    drawn = {}
    for draw, name in enumerate(model.model.parameters, len(states.state)):
        if name in model.of_neurons:
            drawn[name] = _of_neurons(state, executable, index, population, draw, model.values[name])
    where = f"populations.{population.name}.model.{model.model.name}"
    constants = constants_on_ranks(state.comm, model, where, state.network.dt_ms, ids, drawn, population.size)
    for name, values in constants.items():
        array = state.arrays[f"{population.name}.model_{name}"]
        array[...] = state.device.upload(values.astype(array.dtype))


def draw_initial(state: RankState, executable: Executable, index: int, population: Population) -> None:
    """Fill the state variables of population number `index`."""
    model: Any = population.model.model
    for draw, variable in enumerate(model.state):
        value = population.initial.get(variable.name, variable.initial)
        values = _of_neurons(state, executable, index, population, draw, value)
        array = state.arrays[f"{population.name}.state_{variable.name}"]
        array[...] = state.device.upload(values.astype(array.dtype))


def _of_neurons(
    state: RankState, executable: Executable, index: int, population: Population, draw: int, value: Any
) -> NDArray[np.float64]:
    """One value a neuron of this rank from a number, a distribution or all neurons' values."""
    ids = state.placements[population.name].global_id
    if isinstance(value, (Normal, Uniform)):
        draws = np.full(len(ids), draw, dtype=np.int32)
        return value.values(state.words(executable, ids, stream(Purpose.INITIAL, index), draws))
    array = np.asarray(value, dtype=np.float64)
    return array[ids] if array.ndim else np.full(len(ids), float(array))
