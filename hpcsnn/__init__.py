"""hpcsnn: a distributed simulator of spiking neural networks whose wiring changes while they run."""

from hpcsnn import models
from hpcsnn.engine.simulation import Simulation
from hpcsnn.errors import ConfigurationError, DeviceError, HpcsnnError, SimulationError, StorageError
from hpcsnn.network import Grid, Network, Population, Projection

__version__ = "0.1.0"

__all__ = [
    "ConfigurationError",
    "DeviceError",
    "Grid",
    "HpcsnnError",
    "Network",
    "Population",
    "Projection",
    "Simulation",
    "SimulationError",
    "StorageError",
    "models",
]
