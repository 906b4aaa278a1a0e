"""The interface behind which hosts and GPUs look alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    from hpcsnn.codegen.program import Program
    from hpcsnn.devices.measures import Measures
    from hpcsnn.ranks.communicator import Communicator
    from hpcsnn.ranks.exchange.plan import ExchangePlan


class KernelState(Protocol):
    """What kernels work on: the network struct of one rank, and by name the device arrays behind its pointers.

    ``exchange`` is how the rank swaps spikes with others, if there are any.
    """

    struct: Any
    arrays: dict[str, Any]
    device: Device
    communicator: Communicator
    exchange: ExchangePlan | None

    def control(self, name: str) -> int:
        """One field of the control block."""

    def set_control(self, name: str, value: int) -> None:
        """Set one field of the control block."""

    def read(self, name: str) -> NDArray[Any]:
        """A NumPy copy of a named array."""


class Executable(Protocol):
    """A compiled program, bound to the state of one rank.

    ``defers`` says whether what `later` gives is still to be done, or was done at once; ``steps_a_sequence`` is what
    the steps up to which `advance` is asked to run are best a multiple of.
    """

    defers: bool
    steps_a_sequence: int

    @property
    def measures(self) -> Measures:
        """Wall seconds spent in each phase of the steps, and how long steps took."""

    def run(self, kernel: str, items: int) -> None:
        """Run one set-up kernel over `items` items and wait for it."""

    def later(self, kernel: str, items: int) -> Callable[[], None]:
        """Run one set-up kernel with the network struct as it is now: at the call of what this returns, from whatever
        thread, or already here where memory is the device's own."""

    def exchange_seconds(self, n: int) -> float:
        """Wall seconds of an exchange of no spikes between ranks, over `n` of them; a collective call."""

    def advance(self, until_step: int) -> int:
        """Run the schedule up to `until_step`; a `HaltReason`: RUNNING, or why it stopped before.

        After a halt whose cause was mended, and its ``halt`` cleared, the next call goes on at the very stage.
        """


class Device(Protocol):
    """Memory and a compiler.

    ``xp`` is the array module (NumPy, CuPy) that its arrays belong to; ``calls_mpi`` says whether spikes are swapped
    from compiled code, by addresses of MPI's functions, or else through `hpcsnn.ranks.exchange.staged`.
    """

    name: str
    calls_mpi: bool
    xp: Any

    @property
    def compiled_with(self) -> str:
        """What a user can set of how kernels are compiled, for messages."""

    def zeros(self, n: int, dtype: DTypeLike) -> Any:
        """A zeroed array of n entries, aligned for the widest vector loads."""

    def room(self, n: int, dtype: DTypeLike, spare: NDArray[Any] | None) -> Any:
        """An array of n entries of any content; on the host in the memory of `spare`, if that has come from here."""

    def upload(self, array: NDArray[Any]) -> Any:
        """A copy of a NumPy array on the device."""

    def download(self, array: Any, spare: NDArray[Any] | None = None) -> NDArray[Any]:
        """A NumPy copy of a device array, in the memory of `spare`, an earlier copy of it, if that is given."""

    def release(self, array: Any) -> NDArray[Any]:
        """The entries as a NumPy array, without a copy where memory is shared: the device is done with it."""

    def address(self, array: Any) -> int:
        """Where kernels find it."""

    def side_by_side(self, wanted: int, bytes_each: int) -> int:
        """How many of `wanted` samples are best simulated at a time, where each takes so much memory; at least 1."""

    def load(self, program: Program, state: KernelState) -> Executable:
        """Compile `program` (or find it compiled) and bind it to `state`."""
