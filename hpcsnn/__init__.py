"""hpcsnn: a distributed simulator of spiking neural networks whose wiring changes while they run."""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

from hpcsnn._version import __version__ as __version__

if TYPE_CHECKING:
    from hpcsnn import models
    from hpcsnn.errors import ConfigurationError, DeviceError, HpcsnnError, SimulationError, StorageError
    from hpcsnn.network import Grid, Network, Population, Positions, Projection
    from hpcsnn.runs.scripted.simulation import Simulation
    from hpcsnn.runs.stored.opened_run import open_run

# Whoever imports it says where its records go, if anywhere.
logging.getLogger(__name__).addHandler(logging.NullHandler())

__all__ = [
    "ConfigurationError",
    "DeviceError",
    "Grid",
    "HpcsnnError",
    "Network",
    "Population",
    "Positions",
    "Projection",
    "Simulation",
    "SimulationError",
    "StorageError",
    "models",
    "open_run",
]

# Where each name is. It is loaded when it is asked for: a command that needs no simulation waits for none.
_HOME = {
    **dict.fromkeys(("Grid", "Network", "Population", "Positions", "Projection"), "hpcsnn.network"),
    **dict.fromkeys(
        ("ConfigurationError", "DeviceError", "HpcsnnError", "SimulationError", "StorageError"), "hpcsnn.errors"
    ),
    "Simulation": "hpcsnn.runs.scripted.simulation",
    "open_run": "hpcsnn.runs.stored.opened_run",
}


def __getattr__(name: str) -> Any:
    if name == "models":
        return import_module("hpcsnn.models")
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'hpcsnn' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
