"""A model as configurations name it: its name, or ``{name: {parameter: value}}``."""

from __future__ import annotations

import dataclasses
from typing import Any

from hpcsnn.configuration.data_files import lists_of_file
from hpcsnn.errors import ConfigurationError, unknown_name
from hpcsnn.models.base import Configured
from hpcsnn.models.registry import KINDS, registered
from hpcsnn.models.user_files import FOLDER, FROM_FILE, is_reference, user_model

# Checked where used: pydantic's words for a union help nobody.
ModelSpec = Any
_OWN_MODELS = " A model of your own is file.py:Name."


def named_values(
    where: str, spec: object, one: str = "model", its: str = "parameters", named: str = "the name of a model"
) -> tuple[str, dict[str, Any]]:
    """Name and values of ``name`` or ``{name: {parameter: value}}``.

    Args:
        one, its, named: what messages call the thing, what is below it, and its name.

    Raises:
        ConfigurationError: neither; the message begins with `where`.
    """
    if isinstance(spec, str):
        return spec, {}
    if not isinstance(spec, dict) or len(spec) != 1:
        given = sorted(map(str, spec)) if isinstance(spec, dict) and spec else spec
        raise ConfigurationError(f"{where}: {given!r} is not allowed; give one {one}, with its {its} below it")
    ((name, values),) = spec.items()
    if not isinstance(name, str):
        raise ConfigurationError(f"{where}: {name!r} is not allowed; must be {named}")
    if values is not None and not isinstance(values, dict):
        raise ConfigurationError(f"{where}.{name}: {values!r} is not allowed; give {its} as name: value")
    return name, dict(values or {})


def configured(kind: str, where: str, spec: ModelSpec) -> Configured[Any]:
    """The model that a configuration names, with its parameters.

    Raises:
        ConfigurationError: an unknown model or parameter, a value that is not allowed, or not one model.
    """
    name, values = named_values(where, spec)
    models, reference = registered(kind), ""
    data_file: dict[str, str] = {}
    if is_reference(name):
        model, file, attribute = user_model(where, name, KINDS[kind])
        reference = f"{FOLDER}/{file.name}:{attribute}"
    elif name in models:
        model = models[name]
    else:
        raise ConfigurationError(unknown_name(where, name, models) + _OWN_MODELS)
    if model.data and FROM_FILE in values:
        values, data_file = lists_of_file(f"{where}.{model.name}", model, values)
    return dataclasses.replace(model.configure(f"{where}.{model.name}", values), reference=reference, file=data_file)
