"""Ranks and what started them: they end with it and at an interrupt, whatever they do, and leave none of its files."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from hpcsnn.storage.checkpoints import committed
from support.processes import outcome, soon, until
from support.ranks import hpcsnn_command, run_processes
from support.runs import PLAIN, newest_step, succeeds

LONG = ["--set", "duration_ms=1e6", "--checkpoint-every", "1s-wall", *PLAIN]
# A rank that lives on is one that would for ever.
SOON_S = 20


@contextmanager
def started(run, ready):
    """A long run on two ranks, from when something is true of their processes; the launcher, and the ranks."""
    command = hpcsnn_command("run", "topomap", *LONG, "--out", run, ranks=2)
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
        held = [str(link.readlink()) for link in Path(f"/proc/{parent(pids[0])}/fd").iterdir()]
        mapped = [line.split(maxsplit=5)[5] for line in Path(f"/proc/{pids[0]}/maps").read_text().splitlines()
                  if "/dev/shm/" in line]  # fmt: skip
        files = [name for name in [*held, *mapped] if name.startswith(("/tmp/hydra_", "/dev/shm/mpich_"))]
    assert len(files) >= 2, "both are files of MPICH's"
    assert all(name.endswith(" (deleted)") for name in files)


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
