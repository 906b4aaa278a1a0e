"""Built-in models by name: every one that a module defines, one kind each, and each can be given by its description."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

import hpcsnn.models
from hpcsnn import ConfigurationError
from hpcsnn.configuration.model_specs import configured
from hpcsnn.models.base import Model
from hpcsnn.models.registry import KINDS, registered
from support.small_configurations import FILE

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
    lacking = {name: one for name, one in model.parameters.items() if one.default is None}
    values = {name: 1 if one.ctype == "int" else 0.5 for name, one in lacking.items()}
    if getattr(model, "must_end", False):
        values["to_ms"] = 5.0
    return values | {name: [] if name != "file" else FILE for name in model.data}


@pytest.mark.parametrize(("kind", "name"), NAMED, ids=[name for _, name in NAMED])
def test_a_model_is_what_its_description_says(kind, name):
    model = registered(kind)[name]
    given = model(**of_defaults(model))
    again = configured(kind, "here", given.described())
    assert again.model is given.model
    assert again.described() == given.described()
    assert name.isidentifier()
    assert name == name.lower()
    assert model.doc.endswith(".")
    assert all(parameter.doc for parameter in model.parameters.values())


WHOLE = [
    (model, name)
    for kind, of_kind in NAMED
    for model in [registered(kind)[of_kind]]
    for name, parameter in model.parameters.items()
    if parameter.ctype == "int"
]


@pytest.mark.parametrize(("model", "name"), WHOLE, ids=[f"{model.name}.{name}" for model, name in WHOLE])
@pytest.mark.parametrize("value", [2**31, 2**32 + 1, -1, 1e300, 2.0**31, -(2**31), 0.5, float("nan")])
def test_a_whole_parameter_that_32_bits_do_not_hold_is_refused_with_it(model, name, value):
    """4294967297 would be 1 in 32 bits."""
    with pytest.raises(ConfigurationError) as error:
        model(**of_defaults(model) | {name: value})
    said = str(error.value)
    assert said.startswith(f"{model.name}.{name}: {value!r} is not allowed; ")
    assert said.endswith(("kernels hold numbers up to 2^31 - 1", f"must be {model.parameters[name].allowed()}"))


@pytest.mark.parametrize(("model", "name"), WHOLE, ids=[f"{model.name}.{name}" for model, name in WHOLE])
def test_the_largest_whole_parameter_arrives_or_is_refused(model, name):
    try:
        configured = model(**of_defaults(model) | {name: 2**31 - 1})
    except ConfigurationError as error:
        assert "2147483647 is not allowed; must be" in str(error)
    else:
        assert configured.constants(0.1)[name] == 2**31 - 1
    assert len(WHOLE) >= 12


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
