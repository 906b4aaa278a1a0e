"""Where in plain data a dotted key is, such as ``projections.ff.synapse.w_max``, and how it is set."""

from __future__ import annotations

import re
from typing import Any

from hpcsnn.configuration.yaml_text import MOST_DEPTH
from hpcsnn.errors import ConfigurationError
from hpcsnn.models.registry import KINDS, OF_TRAININGS, registered
from hpcsnn.models.user_files import is_reference


def put(raw: dict[str, Any], key: str, value: object, said: str) -> list[str]:
    """Set what a dotted key names in plain data; the keys that lead there.

    A model's parameter may be named without the model: ``populations.source.model.peak_hz``. What is in a list is named
    by its number: ``populations.cells.stimulate.0.amplitude``.

    Args:
        said: what messages call the key.

    Raises:
        ConfigurationError: it leads below something that has nothing below it, or is nested too deep.
    """
    *path, last = re.split(r"\.(?!py:)", key)
    if len(path) > MOST_DEPTH:
        raise ConfigurationError(f"{said}: is nested more than {MOST_DEPTH} deep")
    place: Any = raw
    taken: list[str] = []
    for step in path:
        place = _below(place, _model_left_out(taken, place, step), taken, said)
        place = _below(place, step, taken, said)
    place = _below(place, _model_left_out(taken, place, last), taken, said)
    if isinstance(place, list):
        _in_list(place, last, taken, said)
        place[int(last)] = value
        return taken
    place[last] = value
    return [*taken, last]


def _below(place: Any, step: str | None, taken: list[str], said: str) -> Any:
    """What is below a key, or is to be; the key is noted. None: no key."""
    if step is None:
        return place
    if isinstance(place, list):
        return _in_list(place, step, taken, said)
    if is_reference(step):
        step = next((name for name in place if name == step or name.endswith(f"/{step}")), step)
    taken.append(step)
    below = place.get(step)
    if isinstance(below, str) or below is None:  # a model by its name alone, or nothing yet
        below = place[step] = {} if below is None else {below: {}}
    if isinstance(below, list) and step == "stimulate":
        return below
    if not isinstance(below, dict):
        raise ConfigurationError(f"{said}: {step} is {below!r} and has nothing below it")
    return below


def _in_list(place: list[Any], step: str, taken: list[str], said: str) -> dict[str, Any]:
    """The model of this number in a list of them."""
    if not step.isdecimal() or len(step) > 9 or int(step) >= len(place):
        there = f"must be a number in 0 .. {len(place) - 1}" if place else "the list is empty"
        raise ConfigurationError(f"{said}: {step!r} is not allowed; {there}")
    if isinstance(place[int(step)], str):
        place[int(step)] = {place[int(step)]: {}}
    below = place[int(step)]
    if not isinstance(below, dict):
        raise ConfigurationError(f"{said}: {step} is {below!r} and has nothing below it")
    taken.append(step)
    return below


def _model_left_out(taken: list[str], place: Any, step: str) -> str | None:
    """The model whose parameter `step` is, where the key does not name it."""
    depth = 4 if taken[2:3] == ["stimulate"] else 3  # currents have a number
    of_part = len(taken) == depth and taken[0] in ("populations", "projections") and taken[2] in KINDS
    of_training = len(taken) == 1 and taken[0] in OF_TRAININGS
    if not (of_part or of_training) or len(place) != 1:
        return None
    (model,) = place
    kind = taken[2] if of_part else taken[0]
    return None if step == model or is_reference(step) or step in registered(kind) else model
