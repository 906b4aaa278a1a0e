"""The network struct of one rank, and by name the device arrays that it points at."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.codegen.constants import Control
from hpcsnn.codegen.learning.structs import whole_struct
from hpcsnn.devices.base import Device, Executable
from hpcsnn.network import Network
from hpcsnn.network.fields import Field
from hpcsnn.ranks.communicator import Communicator
from hpcsnn.ranks.partition import Placement

_CONTROL = {name: index for index, (name, *_) in enumerate(Control._fields_)}


class RankArrays:
    """Arrays by name, such as ``target.state_V_mV``: the owner's name, a dot, and the name in the table of fields.

    Args:
        network, placements: what is simulated and which part of it is here.
        device: where the arrays live.
        communicator: the ranks.
    """

    def __init__(
        self, network: Network, placements: dict[str, Placement], device: Device, communicator: Communicator
    ) -> None:
        self.network, self.placements, self.device, self.communicator = network, placements, device, communicator
        self.struct: Any = whole_struct(network).ctype()()
        self.arrays: dict[str, Any] = {}

    def population_part(self, name: str) -> Any:
        """The struct of a population."""
        return getattr(self.struct, f"population_{name}")

    def projection_part(self, name: str) -> Any:
        """The struct of a projection."""
        return getattr(self.struct, f"projection_{name}")

    def bind(self, part: Any, owner: str, field: str, array: Any) -> None:
        """Let a field of a struct point at a device array, which then has the name ``owner.field``."""
        self.arrays[f"{owner}.{field}" if owner else field] = array
        setattr(part, field, self.device.address(array))

    def allocate(self, part: Any, owner: str, fields: Iterable[Field], room: Any) -> None:
        """Make the arrays that start with one value in every entry."""
        for field in fields:
            if field.made or field.length is None:
                continue
            n, words = field.length(room), field.dtype
            if field.ctype == "Trace":  # value and step of the last spike, which devices keep as two words
                silent = np.zeros(n, dtype=words)
                silent["last"] = field.first
                array = self.device.upload(silent.view(np.int32))
            elif field.first:
                array = self.device.upload(np.full(n, field.first, dtype=words))
            else:
                array = self.device.zeros(n, words)
            self.bind(part, owner, field.name, array)

    def read(self, name: str, spare: NDArray[Any] | None = None) -> NDArray[Any]:
        """A NumPy copy of the array bound as `name`; see `Device.download`."""
        return self.device.download(self.arrays[name], spare)

    def write(self, name: str, values: NDArray[Any]) -> None:
        """Set the first entries of the array bound as `name`."""
        self.arrays[name][: len(values)] = self.device.upload(values)

    def write_replicas(self, name: str, values: NDArray[Any]) -> None:
        """Set the array bound as `name`, which has a value of each neuron, in all replicas alike."""
        array = self.arrays[name]
        array[...] = self.device.upload(np.resize(values, len(array)).astype(array.dtype))

    def change(self, name: str, change: Callable[[NDArray[Any]], None]) -> None:
        """Let the host change the array bound as `name`: where it is, if memory is shared."""
        array = self.arrays[name]
        values = self.device.release(array)
        change(values)
        if values is not array:
            self.write(name, values)

    def control(self, name: str) -> int:
        """One field of the control block."""
        return int(self.arrays["control"][_CONTROL[name]])

    def set_control(self, name: str, value: int) -> None:
        """Set one field of the control block."""
        self.arrays["control"][_CONTROL[name]] = value

    def n_bytes(self) -> int:
        """Bytes of all arrays."""
        return sum(int(array.nbytes) for array in self.arrays.values())

    def words(
        self,
        executable: Executable,
        ids: NDArray[np.int32],
        stream_number: int,
        draws: NDArray[np.int32],
        step: int = 0,
    ) -> NDArray[np.uint32]:
        """One random word for each of `ids` and `draws`, both of shape (n,), as the kernels draw them."""
        part, n = self.struct.random_words, len(ids)
        where = [self.device.upload(array) for array in (ids, draws)]
        words = self.device.zeros(n, np.uint32)
        part.n, part.step, part.stream = n, step, stream_number
        part.ids, part.draws, part.words = (self.device.address(array) for array in (*where, words))
        executable.run("draw_words", n)
        return self.device.download(words).view(np.uint32)
