"""Every data set that is known, by name."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module

from hpcsnn.errors import check_known
from hpcsnn.training.data import sets
from hpcsnn.training.data.data_set import DataSet


@cache
def data_sets() -> dict[str, DataSet]:
    """Every data set, by name: each `DataSet` that a module of `hpcsnn.training.data.sets` defines."""
    names = sorted(found.name for found in pkgutil.iter_modules(sets.__path__, f"{sets.__name__}."))
    modules = [import_module(name) for name in names]
    found = [value for module in modules for value in vars(module).values() if isinstance(value, DataSet)]
    return {each.name: each for each in sorted(found, key=lambda each: each.name)}


def find_data_set(name: object) -> DataSet:
    """The data set of this name.

    Raises:
        ConfigurationError: there is none; names those that there are.
    """
    known = data_sets()
    return known[check_known("data", name, known)]
