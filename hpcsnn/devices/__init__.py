"""Devices that kernels run on."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from hpcsnn.errors import ConfigurationError, DeviceError
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

    ``auto`` takes a GPU for each rank, if there are as many, else the CPU core; ``gpu`` insists (ranks may then share
    a GPU).

    Raises:
        ConfigurationError: a choice that is not one.
        DeviceError: ``gpu``, and a rank can use none: on all ranks, with the reason.
    """
    if not isinstance(choice, (str, type)) and hasattr(choice, "upload") and hasattr(choice, "load"):
        return choice
    if not isinstance(choice, str) or choice not in CHOICES:
        raise ConfigurationError(f"device: {choice!r} is not allowed; must be one of {', '.join(CHOICES)}, or a Device")
    from hpcsnn.devices.host import HostDevice

    if choice == "cpu":
        return HostDevice()
    from hpcsnn.devices.gpus import Gpus, find_gpus, has_card, taken

    ranks = communicator or Alone()
    expected = choice == "gpu" or has_card()
    seen = ranks.gather(find_gpus() if expected else Gpus())
    because = next((one.none_because for one in seen if not one.identities), "")
    if all(one.identities for one in seen):
        shared_out = taken([one.identities for one in seen])
        if choice == "gpu" or max(users for _, users in shared_out) == 1:
            from hpcsnn.devices.cuda import CudaDevice

            return CudaDevice(shared_out[ranks.rank][0])
        because = f"{len({gpu for one in seen for gpu in one.identities})} for {ranks.size} ranks (--device gpu shares)"
    if choice == "gpu":
        raise DeviceError(f"device: 'gpu' asked for, but there is none to use: {because}; or use --device cpu")
    return HostDevice(no_gpu=because)
