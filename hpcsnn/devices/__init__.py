"""Devices that kernels run on."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from hpcsnn.errors import ConfigurationError
from hpcsnn.ranks.communicator import Alone, Communicator

if TYPE_CHECKING:
    from hpcsnn.devices.base import Device, Executable
    from hpcsnn.devices.host import HostDevice

__all__ = ["CHOICES", "Device", "Executable", "HostDevice", "choose_device"]

CHOICES = ("auto", "cpu", "gpu")

# Loaded when they are asked for: the command line needs no compiler to say what may be chosen.
_HOME = {"Device": "hpcsnn.devices.base", "Executable": "hpcsnn.devices.base", "HostDevice": "hpcsnn.devices.host"}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'hpcsnn.devices' has no attribute {name!r}")


def choose_device(choice: str | Device, communicator: Communicator | None = None) -> Device:
    """The device for this rank, or the one that is given; a collective call.

    ``auto`` takes one GPU for each rank of a node, if there are as many, else the CPU core; ``gpu`` insists (ranks may
    then share a GPU).

    Raises:
        ConfigurationError: a choice that is not one.
        DeviceError: ``gpu`` without CuPy or without a GPU.
    """
    if not isinstance(choice, (str, type)) and hasattr(choice, "upload") and hasattr(choice, "load"):
        return choice
    if not isinstance(choice, str) or choice not in CHOICES:
        raise ConfigurationError(f"device: {choice!r} is not allowed; must be one of {', '.join(CHOICES)}, or a Device")
    from hpcsnn.devices.host import HostDevice

    if choice == "cpu":
        return HostDevice()
    from hpcsnn.devices import cuda

    ranks = communicator or Alone()
    local_rank, local_size = ranks.among_node()
    if choice == "gpu":
        return cuda.CudaDevice(local_rank)
    usable = all(ranks.gather(cuda.gpu_count() >= local_size))
    return cuda.CudaDevice(local_rank) if usable else HostDevice()
