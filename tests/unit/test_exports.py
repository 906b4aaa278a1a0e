"""What users import: every name that is promised is there, and every model that ships has one."""

from __future__ import annotations

import pkgutil
from importlib import import_module

import pytest

import hpcsnn
import hpcsnn.testing
from hpcsnn import models
from hpcsnn.models.base import Model
from hpcsnn.models.registry import KINDS, registered

REGISTERED = [model for kind in KINDS for model in registered(kind).values()]


@pytest.mark.parametrize("model", REGISTERED, ids=lambda model: model.name)
def test_every_model_of_the_registry_is_exported_once(model):
    assert len([name for name in models.__all__ if getattr(models, name) is model]) == 1


def test_the_registry_knows_every_model_that_a_module_defines():
    modules = [import_module(found.name) for found in pkgutil.walk_packages(models.__path__, "hpcsnn.models.")]
    assert len(modules) > 15
    defined = {value.name: value for module in modules for value in vars(module).values() if isinstance(value, Model)}
    assert defined == {model.name: model for model in REGISTERED}


@pytest.mark.parametrize("module", [hpcsnn, models, hpcsnn.testing], ids=lambda module: module.__name__)
def test_every_name_that_is_promised_is_there(module):
    assert len(set(module.__all__)) == len(module.__all__)
    assert not [name for name in module.__all__ if not hasattr(module, name)]
