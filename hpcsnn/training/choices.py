"""What a training's configuration chooses by name, ``{adam: {learning_rate: 0.001}}``: loss, optimiser, learning."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from hpcsnn.errors import ConfigurationError, unknown_name

# By name what makes one, from arguments that all have defaults.
Choices = Mapping[str, Callable[..., Any]]


def split_choice(where: str, spec: object) -> tuple[str, dict[str, Any]]:
    """Name and values of ``name`` or ``{name: {argument: value}}``.

    Raises:
        ConfigurationError: neither; the message begins with `where`.
    """
    if isinstance(spec, str):
        return spec, {}
    if not isinstance(spec, Mapping) or len(spec) != 1:
        given = sorted(map(str, spec)) if isinstance(spec, Mapping) and spec else spec
        raise ConfigurationError(f"{where}: {given!r} is not allowed; give one name, with its values below it")
    ((name, values),) = spec.items()
    if not isinstance(name, str):
        raise ConfigurationError(f"{where}: {name!r} is not allowed; must be a name")
    if values is not None and not isinstance(values, Mapping):
        raise ConfigurationError(f"{where}.{name}: {values!r} is not allowed; give values as name: value")
    return name, dict(values or {})


def chosen(where: str, spec: object, choices: Choices) -> Any:
    """What a configuration chooses, made.

    Raises:
        ConfigurationError: an unknown name or argument, or a value that is not allowed; begins with `where`.
    """
    name, values = split_choice(where, spec)
    make = choices.get(name)
    if make is None:
        raise ConfigurationError(unknown_name(where, name, choices))
    known = inspect.signature(make).parameters
    for argument in values:
        if argument not in known:
            raise ConfigurationError(unknown_name(f"{where}.{name}", argument, known))
    try:
        return make(**values)
    except ConfigurationError as error:
        raise ConfigurationError("\n".join(f"{where}.{name}.{line}" for line in str(error).splitlines())) from None


def described_choice(where: str, spec: object, choices: Choices) -> dict[str, dict[str, Any]]:
    """The same with every default written out, as plain YAML types.

    Raises:
        ConfigurationError: as `chosen`.
    """
    made = chosen(where, spec, choices)
    name, _ = split_choice(where, spec)
    return {name: {argument: getattr(made, argument) for argument in inspect.signature(choices[name]).parameters}}
