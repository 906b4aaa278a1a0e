"""Built-in models by name: every one that a module defines, one kind each, and each can be given by its description."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

import hpcsnn.models
from hpcsnn.configuration.schema import configured
from hpcsnn.models.base import Model
from hpcsnn.models.registry import KINDS, registered

NAMED = [(kind, name) for kind in KINDS for name in registered(kind)]


def defined():
    """Every model that any module of `hpcsnn.models` holds."""
    found = {}
    for module in pkgutil.walk_packages(hpcsnn.models.__path__, "hpcsnn.models."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, Model):
                found[id(value)] = value
    return list(found.values())


def test_every_model_is_registered_once_under_its_name():
    models = defined()
    assert len(models) >= 20
    for model in models:
        kinds = [kind for kind, classes in KINDS.items() if isinstance(model, classes)]
        assert len(kinds) == 1, model.name
        assert registered(kinds[0])[model.name] is model, "two of one name would hide each other"
    assert sum(len(registered(kind)) for kind in KINDS) == len(models)


def of_defaults(model):
    """Values for what must be given."""
    values = {name: 0.5 for name, parameter in model.parameters.items() if parameter.default is None}
    return values | {name: [] for name in model.data}


@pytest.mark.parametrize(("kind", "name"), NAMED, ids=[name for _, name in NAMED])
def test_a_model_is_what_its_description_says(kind, name):
    model = registered(kind)[name]
    given = model(**of_defaults(model))
    again = configured(kind, "here", given.described())
    assert (again.model, dict(again.values)) == (given.model, dict(given.values))
    assert name.isidentifier()
    assert name == name.lower()
    assert model.doc.endswith(".")
    assert all(parameter.doc for parameter in model.parameters.values())


@pytest.mark.parametrize(("kind", "name"), NAMED, ids=[name for _, name in NAMED])
@pytest.mark.parametrize("dt_ms", [0.1, 1.0])
def test_constants_of_defaults_are_numbers_of_their_types(kind, name, dt_ms):
    model = registered(kind)[name]
    constants = model(**of_defaults(model)).constants(dt_ms)
    types = dict(model.constant_types())
    assert set(constants) == set(types)
    for constant, value in constants.items():
        if types[constant] == "float":
            assert abs(value) < 1e30
        else:
            assert value == int(value)
            assert 0 <= value <= 2**32
