"""What a measured run says beside how long it took: where it ran, on what, and how long messages take there."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from hpcsnn._version import __version__
from hpcsnn.configuration.schema import Configuration
from hpcsnn.devices.processors import processor
from hpcsnn.errors import ConfigurationError
from hpcsnn.ranks.communicator import Communicator
from hpcsnn.ranks.ping import median_s, ping
from hpcsnn.ranks.promised_ranks import promised_ranks

_PACKAGES = ("numpy", "mpi4py", "cupy-cuda13x", "cupy-cuda12x")


def measurable(configuration: Configuration) -> Configuration:
    """The same run without what a measured one does not keep: recorded spikes, variables and events, and checkpoints.

    None of it is part of the answer.
    """
    populations = {
        name: one.model_copy(update={"record_spikes": False, "record": {}})
        for name, one in configuration.populations.items()
    }
    projections = {
        name: one.model_copy(update={"record_events": False, "record": {}})
        for name, one in configuration.projections.items()
    }
    return configuration.model_copy(
        update={"populations": populations, "projections": projections, "checkpoint_every": None}
    )


def check_measurable(configuration: Configuration) -> None:
    """See that a run needs no checkpoint and records nothing.

    Raises:
        ConfigurationError: it does; names the key.
    """
    said: dict[str, Any] = {"checkpoint_every": configuration.checkpoint_every}
    said |= {f"populations.{name}.record_spikes": one.record_spikes for name, one in configuration.populations.items()}
    said |= {f"populations.{name}.record": one.record for name, one in configuration.populations.items()}
    said |= {f"projections.{name}.record_events": one.record_events for name, one in configuration.projections.items()}
    said |= {f"projections.{name}.record": one.record for name, one in configuration.projections.items()}
    for where, value in said.items():
        if value:
            raise ConfigurationError(
                f"{where}: {value!r} is not allowed; a measured run keeps no checkpoint and no record"
            )
    changes = [one.at_ms for one in configuration.changes if one.at_ms < configuration.duration_ms]
    if changes:
        raise ConfigurationError(
            f"duration_ms: {configuration.duration_ms:g} is not allowed in a measured run; the network changes at "
            f"{changes[0]:g} ms: must end before"
        )


def measured_here(ranks: Communicator, exchange_seconds: Callable[[int], float]) -> dict[str, Any]:
    """``machine`` (hosts, versions, launcher, binding) and ``ping`` of a measured run's summary; a collective call.

    ``exchange_seconds`` tells how long exchanges of the run take; see `hpcsnn.devices.base.Executable`.
    """
    nodes = dict(ranks.gather((platform.node(), _node())))
    cores = ranks.gather((platform.node(), sorted(os.sched_getaffinity(0))))
    promise = promised_ranks(os.environ)
    return {
        "machine": {
            "nodes": [{"host": host, **facts} for host, facts in sorted(nodes.items())],
            "versions": {"hpcsnn": __version__, "python": platform.python_version(), **_versions(), "mpi": _mpi(ranks)},
            "launcher": "none" if promise is None else str(promise),
            "binding": _binding(cores),
        },
        "ping": [*_exchanges(ranks, exchange_seconds), *ping(ranks)],
    }


def _exchanges(ranks: Communicator, exchange_seconds: Callable[[int], float]) -> list[dict[str, Any]]:
    """How long an exchange of no spikes takes."""
    if ranks.size == 1:
        return []
    seconds = median_s(ranks, exchange_seconds)
    return [{"kind": "exchange", "ranks": ranks.size, "bytes": 0, "seconds": seconds}]


def _node() -> dict[str, Any]:
    return {
        "cpu": processor(),
        "cores": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": platform.platform(),
    }


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _mpi(ranks: Communicator) -> str:
    """Name and version of the MPI library, where ranks speak by one."""
    if ranks.mpi is None:
        return "none"
    from mpi4py import MPI

    return " ".join(str(MPI.Get_library_version()).split("\n")[0].split())[:80]


def _binding(cores: list[tuple[str, list[int]]]) -> str:
    """Whether ranks have cores of their own: ``none`` where those of a node may run on the same ones, else which."""
    taken: set[tuple[str, int]] = set()
    for host, own in cores:
        if taken & {(host, core) for core in own}:
            return f"none: {len(own)} cores of its node for each rank"
        taken |= {(host, core) for core in own}
    return "; ".join(f"{host}: {','.join(map(str, own))}" for host, own in cores[:64])
