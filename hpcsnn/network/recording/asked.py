"""What is to be recorded of neurons and synapses beside spikes and events: of which, and how often."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.checked_numbers import Limits, truth_value, whole_number, whole_numbers, whole_steps
from hpcsnn.errors import ConfigurationError, shown, unknown_name
from hpcsnn.network.grid import Grid

_RANGE = re.compile(r"(\d+)\.\.(\d+)")
_ALLOWED = (
    'must be "all", a list of ids, a range such as "0..99", {every: n} for every n-th, or '
    "{rectangle: [x0, y0, x1, y1]} of the grid, x1 and y1 not in it"
)


@dataclass(frozen=True)
class Recording:
    """A variable is recorded at the end of every so many steps, of all neurons or of those with some ``ids``; or of all
    synapses that lead to them.

    Attributes:
        every_steps: from one record to the next; the first is at the end of this many steps.
        ids: global ids, ascending, int32; None: all.
        average: mean, least and most of the neurons alone.
    """

    every_steps: int
    ids: NDArray[np.int32] | None = None
    average: bool = False


def asked_by_variable(where: str, given: object) -> dict[Any, Any]:
    """What ``record`` asks for, by variable; None: nothing.

    Raises:
        ConfigurationError: it is no mapping; the message begins with `where`.
    """
    if given is not None and not isinstance(given, Mapping):
        raise ConfigurationError(f"{where}: {shown(given)} is not allowed; must be every_ms by variable")
    return dict(given or {})


def asked_spikes(where: str, given: object, all_spikes: bool, grid: Grid) -> tuple[bool, NDArray[np.int32] | None]:
    """Whether spikes are recorded, and of which neurons by id, ascending; None: of all.

    Args:
        given: ``record``'s ``spikes``: true, false, ``"all"`` or ``{neurons: 0..99}``; None: nothing is said.
        all_spikes: ``record_spikes``, which asks for all.

    Raises:
        ConfigurationError: neurons that are not allowed, or fewer than all beside ``record_spikes``.
    """
    if given is None:
        return all_spikes, None
    ids = None
    if isinstance(given, Mapping):
        for key in given:
            if key != "neurons":
                raise ConfigurationError(unknown_name(where, key, ("neurons",)))
        if "neurons" not in given:
            raise ConfigurationError(f"{where}.neurons: missing; whose spikes are recorded")
        ids = chosen_neurons(f"{where}.neurons", given["neurons"], grid)
    elif not isinstance(given, (bool, np.bool_)) and not (isinstance(given, str) and given == "all"):
        raise ConfigurationError(
            f'{where}: {shown(given)} is not allowed; must be true, false, "all", or {{neurons: ..}} with ids'
        )
    wanted = bool(given) or isinstance(given, Mapping)
    if all_spikes and (ids is not None or not wanted):
        raise ConfigurationError(
            f"{where}: {shown(given)} is not allowed beside record_spikes: true, which records all; leave one out"
        )
    return wanted, ids


def configured_spikes(name: str, population: Mapping[str, Any], grid: Grid) -> NDArray[np.int32] | None:
    """Ids of those whose spikes are recorded, as a run's configuration has the population; None: all, or none."""
    given, all_spikes = population.get("record", {}).get("spikes"), bool(population.get("record_spikes"))
    return asked_spikes(f"populations.{name}.record.spikes", given, all_spikes, grid)[1]


def parsed_recording(where: str, given: object, grid: Grid, dt_ms: float, of_synapses: bool = False) -> Recording:
    """What ``{every_ms: 1, neurons: [0, 5], average: true}`` asks for; a number is ``every_ms`` alone, of all neurons.

    Args:
        grid: of the neurons.
        of_synapses: neurons are ``targets``, and there are no averages.

    Raises:
        ConfigurationError: a key or a value that is not allowed; the message begins with `where`.
    """
    wanted = dict(given) if isinstance(given, Mapping) else {"every_ms": given}
    whose = "targets" if of_synapses else "neurons"
    keys = ("every_ms", whose) if of_synapses else ("every_ms", whose, "average")
    for key in wanted:
        if key not in keys:
            raise ConfigurationError(unknown_name(where, key, keys))
    if "every_ms" not in wanted:
        raise ConfigurationError(f"{where}.every_ms: missing; how often the variable is recorded, in ms")
    every_steps = whole_steps(f"{where}.every_ms", wanted["every_ms"], dt_ms, least=1)
    average = truth_value(f"{where}.average", wanted.get("average", False))
    return Recording(every_steps, chosen_neurons(f"{where}.{whose}", wanted.get(whose, "all"), grid), average)


def chosen_neurons(where: str, given: object, grid: Grid) -> NDArray[np.int32] | None:
    """Ids of a choice of neurons of a grid, ascending and each once, shape (n,); None: all of them.

    Args:
        given: ``"all"``, ids, a range of them (``"0..99"``, the last one included), a list of both, ``{"every": n}``,
            or ``{"rectangle": [x0, y0, x1, y1]}``: x0 <= x < x1 and y0 <= y < y1.

    Raises:
        ConfigurationError: neither, no neuron at all, or one that the grid does not have.
    """
    if isinstance(given, np.ndarray) and given.ndim == 0:
        given = given[()]
    if isinstance(given, str) and given == "all":
        return None
    if isinstance(given, Mapping):
        ids = _of_grid(where, given, grid)
    elif isinstance(given, (str, list, tuple, int, np.integer, np.ndarray)) and not isinstance(given, bool):
        parts = [given] if isinstance(given, (str, int, np.integer)) else list(given)
        ids = np.concatenate([np.empty(0, np.int64), *(_listed(where, part, grid.size) for part in parts)])
    else:
        raise ConfigurationError(f"{where}: {shown(given)} is not allowed; {_ALLOWED}")
    if not len(ids):
        raise ConfigurationError(f"{where}: {shown(given)} is not allowed; it is no neuron")
    return np.unique(ids).astype(np.int32)


def _listed(where: str, part: object, size: int) -> NDArray[np.int64]:
    """Of an id, or of a range of ids."""
    limits = Limits(minimum=0, maximum=size - 1)
    if not isinstance(part, str):
        return np.array([whole_number(where, part, limits)], np.int64)
    found = _RANGE.fullmatch(part.replace(" ", ""))
    if found is None:
        raise ConfigurationError(f"{where}: {shown(part)} is not allowed; {_ALLOWED}")
    first, last = (whole_number(where, int(end), limits) for end in found.groups())
    return np.arange(first, last + 1)


def _of_grid(where: str, given: Mapping[Any, Any], grid: Grid) -> NDArray[np.int64]:
    match dict(given):
        case {"every": n} if len(given) == 1:
            return np.arange(0, grid.size, whole_number(f"{where}.every", n, Limits(minimum=1)))
        case {"rectangle": corners} if len(given) == 1:
            ends = whole_numbers(f"{where}.rectangle", corners, Limits(minimum=0)).tolist()
            if len(ends) != 4 or ends[2] > grid.nx or ends[3] > grid.ny:
                raise ConfigurationError(
                    f"{where}.rectangle: {shown(corners)} is not allowed; must be [x0, y0, x1, y1] with "
                    f"x1 <= {grid.nx} and y1 <= {grid.ny}"
                )
            x, y = np.arange(ends[0], ends[2]), np.arange(ends[1], ends[3])
            return np.asarray(y[:, None] * grid.nx + x).ravel()
    raise ConfigurationError(f"{where}: {shown(given)} is not allowed; {_ALLOWED}")
