"""Ranks and what started them: they end with it and at an interrupt, whatever they do, and leave none of its files."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from hpcsnn.storage.checkpoints import committed
from support.processes import PROGRAMS, outcome, soon, until
from support.ranks import hpcsnn_command, run_processes
from support.runs import PLAIN, newest_step, succeeds

LONG = ["--set", "duration_ms=1e6", "--checkpoint-every", "1s-wall", *PLAIN]
# A rank that lives on is one that would for ever.
SOON_S = 20


SCRIPT = """
import sys, time
from pathlib import Path
from mpi4py import MPI
from hpcsnn import Network, Simulation
from hpcsnn.models import LIF

network = Network()
network.add_population("cells", 256, LIF())
simulation = Simulation(network, MPI.COMM_WORLD, "cpu")
Path(sys.argv[1], f"rank_{simulation.rank}").touch()
time.sleep(600)
"""


def started(run, ready):
    """A long run on two ranks, from when something is true of their processes; the launcher, and the ranks."""
    return on_two_ranks(hpcsnn_command("run", "topomap", *LONG, "--out", run, ranks=2), ready)


@contextmanager
def on_two_ranks(command, ready):
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            until(lambda: len(run_processes(process.pid)) == 2 or process.poll() is not None)
            pids = run_processes(process.pid)
            until(lambda: all(map(ready, pids)) or process.poll() is not None)
            yield process, pids
        finally:
            process.kill()


def runs(pid):
    """Whether there is such a process, and it has not just ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def parent(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def has_checkpoint(run):
    return lambda _: bool(committed(run))


def test_ranks_end_with_what_started_them_and_the_run_goes_on(tmp_path):
    run = tmp_path / "run"
    with started(run, has_checkpoint(run)) as (process, pids):
        (proxy,) = {parent(pid) for pid in pids}
        assert proxy != process.pid, "mpiexec has a process of its own for the ranks of a node"
        start = time.monotonic()
        os.kill(proxy, signal.SIGKILL)
        until(lambda: not any(map(runs, pids)), SOON_S)
        assert soon(time.monotonic() - start, SOON_S)
    succeeds("resume", run, "--until", f"{newest_step(run) * 0.1 + 10}ms", *PLAIN)


def test_nothing_of_a_running_mpi_is_left_where_it_might_stay(tmp_path):
    run = tmp_path / "run"
    with started(run, has_checkpoint(run)) as (_, pids):
        files = files_of_mpi(pids[0])
    assert len(files) >= 2, "both are files of MPICH's"
    assert all(name.endswith(" (deleted)") for name in files)


def files_of_mpi(pid):
    """The files that a rank of MPICH's and what started it have open or mapped."""
    held = [str(link.readlink()) for link in Path(f"/proc/{parent(pid)}/fd").iterdir()]
    mapped = [line.split(maxsplit=5)[5] for line in Path(f"/proc/{pid}/maps").read_text().splitlines()
              if "/dev/shm/" in line]  # fmt: skip
    return [name for name in [*held, *mapped] if name.startswith(("/tmp/hydra_", "/dev/shm/mpich_"))]


def test_the_ranks_of_a_script_leave_nothing_either_and_end_with_what_started_them(tmp_path):
    script = tmp_path / "hpcsnn"  # by which its processes are found
    script.write_text(SCRIPT)
    command = [str(PROGRAMS / "mpiexec"), "-n", "2", sys.executable, str(script), str(tmp_path)]
    both = [tmp_path / "rank_0", tmp_path / "rank_1"]
    with on_two_ranks(command, lambda _: all(path.exists() for path in both)) as (_, pids):
        files = files_of_mpi(pids[0])
        assert len(files) >= 2
        assert all(name.endswith(" (deleted)") for name in files)
        os.kill(parent(pids[0]), signal.SIGKILL)
        until(lambda: not any(map(runs, pids)), SOON_S)


@pytest.mark.parametrize("mapped", ["python", "libmpi", "numpy", "numcodecs"])
def test_two_interrupts_before_a_run_can_note_them_end_all_ranks(mapped, tmp_path):
    """What Ctrl-C sends, once ranks have come so far as to load something; they may wait for each other in MPI."""
    run = tmp_path / "run"
    with started(run, lambda pid: runs(pid) and mapped in Path(f"/proc/{pid}/maps").read_text()) as (process, pids):
        for _ in range(2):
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGINT)
            time.sleep(0.05)
        said, _ = outcome(process, SOON_S)
    assert process.returncode != 0, said
    assert not (run / "summary.json").exists()
    until(lambda: not any(map(runs, pids)), SOON_S)
