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

    A model's parameter may be named without the model: ``populations.source.model.peak_hz``.

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
    place[last] = value
    return [*taken, last]


def _below(place: dict[str, Any], step: str | None, taken: list[str], said: str) -> dict[str, Any]:
    """What is below a key, or is to be; the key is noted. None: no key."""
    if step is None:
        return place
    if is_reference(step):
        step = next((name for name in place if name == step or name.endswith(f"/{step}")), step)
    taken.append(step)
    below = place.get(step)
    if isinstance(below, str) or below is None:  # a model by its name alone, or nothing yet
        below = place[step] = {} if below is None else {below: {}}
    if not isinstance(below, dict):
        raise ConfigurationError(f"{said}: {step} is {below!r} and has nothing below it")
    return below


def _model_left_out(taken: list[str], place: dict[str, Any], step: str) -> str | None:
    """The model whose parameter `step` is, where the key does not name it."""
    of_part = len(taken) == 3 and taken[0] in ("populations", "projections") and taken[2] in KINDS
    of_training = len(taken) == 1 and taken[0] in OF_TRAININGS
    if not (of_part or of_training) or len(place) != 1:
        return None
    (model,) = place
    return None if step == model or is_reference(step) or step in registered(taken[-1]) else model
