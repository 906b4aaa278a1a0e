"""Whether a network fits into the memory that its ranks have, before any of it is allocated."""

from __future__ import annotations

import os
import platform
import resource
from pathlib import Path

from hpcsnn.errors import DeviceError
from hpcsnn.network import Network
from hpcsnn.planning.memory import estimate, shown_bytes
from hpcsnn.ranks.communicator import Communicator

_PROCESSES = Path("/proc")
_GROUPS = Path("/sys/fs/cgroup")
# What takes less memory, of a run and of a training.
_FEWER = "more ranks on more nodes, fewer synapses, or shorter delays"
_FEWER_OF_TRAINING = (
    "window_steps, fewer ranks on a node, ranks that share a network (ranks_per_network), fewer synapses, or shorter "
    "samples"
)


def check_memory(network: Network, tile: int, ranks: Communicator, ranks_per_network: int | None = None) -> None:
    """See that the arrays of all ranks fit, each into its process and together into their machines; a collective call.

    Args:
        ranks_per_network: neighbouring ranks that have one network between them; None: all ranks.

    Raises:
        DeviceError: they do not; with the estimate and what there is. The same on all ranks.
        ConfigurationError: more ranks than tiles, a tile side that is not allowed.
    """
    sharing = ranks_per_network or ranks.size
    needed = estimate(network, tile, ranks.rank % sharing, sharing).n_bytes
    fewer = _FEWER if network.learning is None else _FEWER_OF_TRAINING
    everyone = ranks.gather((platform.node(), needed, free_of_process(), free_of_machine()))
    for rank, (_, n_bytes, free, _) in enumerate(everyone):
        if free is not None and n_bytes > free:
            raise DeviceError(_does_not_fit(f"rank {rank}", n_bytes, "its limit (ulimit -v)", free, fewer))
    for machine, _, _, free in everyone:
        together = [n_bytes for one, n_bytes, *_ in everyone if one == machine]
        if free is not None and sum(together) > free:
            whose = f"{len(together)} rank{'s' if len(together) > 1 else ''} on {machine}"
            raise DeviceError(_does_not_fit(whose, sum(together), "the machine", free, fewer))


def free_of_process() -> int | None:
    """Bytes that this process may still allocate by its own limit; None: no limit."""
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit == resource.RLIM_INFINITY:
        return None
    try:
        pages = int((_PROCESSES / "self" / "statm").read_text().split()[0])
    except (OSError, ValueError):
        return limit
    return max(0, limit - pages * os.sysconf("SC_PAGE_SIZE"))


def free_of_machine() -> int | None:
    """Bytes that are free on this machine, or in the control group that a batch system put this process into.

    None: the system does not say.
    """
    found = [free for free in (_available(), *_free_in_groups()) if free is not None]
    return min(found, default=None)


def _available() -> int | None:
    try:
        for line in (_PROCESSES / "meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return None


def _free_in_groups() -> list[int | None]:
    """Of this process's control group and those around it (version 2), those that have a limit."""
    try:
        lines = (_PROCESSES / "self" / "cgroup").read_text().splitlines()
    except OSError:
        return []
    own = next((line.removeprefix("0::/") for line in lines if line.startswith("0::/")), None)
    if own is None:
        return []
    group = _GROUPS / own
    return [_free_in(folder) for folder in (group, *group.parents) if folder.is_relative_to(_GROUPS)]


def _free_in(group: Path) -> int | None:
    try:
        limit = (group / "memory.max").read_text().strip()
        used = int((group / "memory.current").read_text())
        # Cached files count as used, and go where memory is asked for.
        cached = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        return None if limit == "max" else max(0, int(limit) - used + int(cached.get("inactive_file", 0)))
    except (OSError, ValueError):
        return None


def _does_not_fit(whose: str, needed: int, where: str, free: int, fewer: str) -> str:
    return (
        f"memory: {whose} would need about {shown_bytes(needed)}, and {where} has {shown_bytes(free)} left; use "
        f"{fewer} (hpcsnn check says how large a rank is)"
    )
