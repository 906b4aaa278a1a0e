"""Parameters that have one value a neuron: what every rank must agree on, and what tables must not depend on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.errors import ConfigurationError
from hpcsnn.models.base import Configured


def check_given(where: str, model: Configured, n_neurons: int, dt_ms: float) -> None:
    """Check values that are given; what is drawn is checked when it is, by the ranks that have the neurons.

    Raises:
        ConfigurationError: not one value a neuron, or values that do not go together.
    """
    given = {name: model.values[name] for name in model.of_neurons if isinstance(model.values[name], tuple)}
    for name, values in given.items():
        if len(values) != n_neurons:
            raise ConfigurationError(
                f"{where}.{name}: has {len(values)} values; must be one number or {n_neurons} values, one a neuron"
            )
    if given and len(given) == len(model.of_neurons):
        columns = {name: np.array(values, dtype=np.float64) for name, values in given.items()}
        model.constants_of_neurons(where, dt_ms, np.arange(n_neurons, dtype=np.int32), columns, n_neurons)


def constants_on_ranks(
    comm: Any,
    model: Configured,
    where: str,
    dt_ms: float,
    ids: NDArray[np.int32],
    drawn: Mapping[str, NDArray[np.float64]],
    n_neurons: int,
) -> dict[str, NDArray[Any]]:
    """`Configured.constants_of_neurons` for this rank's neurons; a collective call.

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
    everyone = [message] if comm is None else comm.allgather(message)
    if any(everyone):
        hint = ""
        if not all(isinstance(model.values[name], tuple) for name in model.of_neurons):
            hint = "; low and high of a normal distribution, or the ends of a uniform one, keep draws within bounds"
        raise ConfigurationError(next(said for said in everyone if said) + hint)
    return {name: values[np.argsort(by_id)] for name, values in constants.items()}


class ValuesForTables(dict[str, Any]):
    """Parameters and derived constants by name, without those that have one value a neuron: a table has one for all."""

    def __init__(self, configured: Configured, constants: Mapping[str, float | int]) -> None:
        values = {name: value for name, value in configured.values.items() if name not in configured.arrays}
        super().__init__(values | {name: constants[name] for name in configured.model.derived if name in constants})
        self._model = configured.model.name

    def __missing__(self, name: str) -> Any:
        raise ConfigurationError(
            f"{self._model}.{name}: one value a neuron is not allowed; a table of this model depends on it, so it must "
            "be one number"
        )
