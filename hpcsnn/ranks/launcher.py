"""What a rank has to do with the process that started it: it does not outlive it, and leaves none of its files.

Of files: MPICH 4's mpiexec (Hydra) keeps the machine's topology for ``MPI_Init`` in ``/tmp/hydra_hwloc_xmlfile_*``,
whatever TMPDIR says, and MPICH has its ranks' shared memory in ``/dev/shm/mpich_shm_*``. Both stay where ranks are
killed or abort.
"""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path

_LOOKS_EVERY_S = 0.5
_TOPOLOGY = re.compile(r"/tmp/hydra_hwloc_xmlfile_\w+")
_SHARED_MEMORY = re.compile(r"/dev/shm/mpich_shm_\w+")
_LOOKING = threading.Event()


def end_with(launcher: int) -> None:
    """Kill this process soon after its parent has ended, as a rank of it.

    A rank waits in MPI for others that were killed with their launcher, and nobody is left to end it. A thread looks,
    since the kernel's own notice (PR_SET_PDEATHSIG) means the end of the parent's thread that made the process.
    Called again, this does nothing.

    Args:
        launcher: the parent's number, from before there were other ranks to wait for.
    """

    def look() -> None:
        while os.getppid() == launcher:
            time.sleep(_LOOKS_EVERY_S)
        os.kill(os.getpid(), signal.SIGKILL)

    if _LOOKING.is_set():
        return
    _LOOKING.set()
    threading.Thread(target=look, name="end with launcher", daemon=True).start()


def remove_files(launcher: int) -> None:
    """Remove the files that MPI needs no more once all ranks have come out of ``MPI_Init``; each rank may call.

    Args:
        launcher: the parent of this rank and of the others on this node.
    """
    proc = Path("/proc")
    with suppress(OSError):  # no such system, or a launcher that is not ours to look at
        held = "\n".join(str(link.readlink()) for link in (proc / str(launcher) / "fd").iterdir())
        _remove(_TOPOLOGY.findall(held))
    with suppress(OSError):
        _remove(_SHARED_MEMORY.findall((proc / "self" / "maps").read_text()))


def _remove(names: list[str]) -> None:
    for name in set(names):
        with suppress(OSError):  # another rank was faster
            Path(name).unlink()
