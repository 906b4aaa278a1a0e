"""What a population starts with: state variables and parameters, one value per neuron where they differ; all replicas
of a network alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.codegen.random_streams import Purpose, stream
from hpcsnn.devices.base import Executable
from hpcsnn.engine.arrays import RankArrays
from hpcsnn.errors import ConfigurationError
from hpcsnn.models.base import Configured
from hpcsnn.models.parameters import Normal, Uniform
from hpcsnn.network import Population
from hpcsnn.network.population import current_prefix
from hpcsnn.ranks.communicator import Communicator

# Of a population's model, and of each current: no model has as many variables and parameters.
_DRAWS_OF_ONE = 1 << 16


def draw_parameters(state: RankArrays, executable: Executable, index: int, population: Population) -> None:
    """Fill the constants that have one value per neuron, of population number `index` and of the currents onto it; a
    collective call.

    The model's draws are numbered on from the state variables', those of current k from (k + 1) 2^16.
    """
    name, ids = population.name, state.placements[population.name].global_id
    models: list[tuple[str, Configured[Any], str, int]] = [
        (f"model.{population.model.name}", population.model, "model_", len(population.state))
    ]
    for number, current in enumerate(one.current for one in population.stimulations):
        place = f"stimulate[{number}].{current.name}"
        models.append((place, current, current_prefix(number), (number + 1) * _DRAWS_OF_ONE))
    for where, model, prefix, first in models:
        if not model.of_neurons:
            continue
        drawn = {
            parameter: _of_neurons(state, executable, index, population, draw, model.values[parameter])
            for draw, parameter in enumerate(model.model.parameters, first)
            if parameter in model.of_neurons
        }
        of = (f"populations.{name}.{where}", model, population.size)
        constants = constants_on_ranks(state.communicator, *of, state.network.dt_ms, ids, drawn)
        for constant, values in constants.items():
            state.write_replicas(f"{name}.{prefix}{constant}", values)


def draw_initial(state: RankArrays, executable: Executable, index: int, population: Population) -> None:
    """Fill the state variables of population number `index`."""
    for draw, variable in enumerate(population.state):
        value = population.initial.get(variable.name, variable.initial)
        values = _of_neurons(state, executable, index, population, draw, value)
        if variable.ctype != "float":
            values = np.rint(values)  # as distributed delays are
        state.write_replicas(f"{population.name}.state_{variable.name}", values)


def _of_neurons(
    state: RankArrays, executable: Executable, index: int, population: Population, draw: int, value: Any
) -> NDArray[np.float64]:
    """One value per neuron of this rank from a number, a distribution or all neurons' values."""
    ids = state.placements[population.name].global_id
    if isinstance(value, (Normal, Uniform)):
        draws = np.full(len(ids), draw, dtype=np.int32)
        return value.values(state.words(executable, ids, stream(Purpose.INITIAL, index), draws))
    array = np.asarray(value, dtype=np.float64)
    return array[ids] if array.ndim else np.full(len(ids), float(array))


def constants_on_ranks(
    communicator: Communicator,
    where: str,
    model: Configured[Any],
    n_neurons: int,
    dt_ms: float,
    ids: NDArray[np.int32],
    drawn: Mapping[str, NDArray[np.float64]],
) -> dict[str, NDArray[Any]]:
    """`Configured.constants_of_neurons` for this rank's neurons, of `n_neurons` in all; a collective call.

    Raises:
        ConfigurationError: on all ranks, with the message of the first rank that has a value that is not allowed.
    """
    constants: dict[str, NDArray[Any]] = {}
    message = None
    by_id = np.argsort(ids)
    try:
        in_order = {name: values[by_id] for name, values in drawn.items()}
        constants = model.constants_of_neurons(where, dt_ms, ids[by_id], in_order, n_neurons)
    except ConfigurationError as error:
        message = str(error)
    everyone = communicator.gather(message)
    if any(everyone):
        hint = ""
        if not all(isinstance(model.values[name], tuple) for name in model.of_neurons):
            hint = "; low and high of a normal distribution, or the ends of a uniform one, keep draws within bounds"
        raise ConfigurationError(next(said for said in everyone if said) + hint)
    return {name: values[np.argsort(by_id)] for name, values in constants.items()}
