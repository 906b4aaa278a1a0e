"""Signals ask a run to stop: all ranks stop at one step with a checkpoint, exit code 0, and nothing is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from ranks import hpcsnn_command, run_processes
from test_restart import PLAIN, RECORD, assert_same_run, succeeds

from hpcsnn.storage.checkpoints import committed

LONG = ["--set", "scale=2", "--set", "duration_ms=1e6", *RECORD, *PLAIN]


@contextmanager
def started(run, ranks):
    """A long run that is under way, and its ranks' processes."""
    command = hpcsnn_command("run", "topomap", *LONG, "--out", run, ranks=ranks)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            assert "each on cpu" in process.stdout.readline()
            time.sleep(0.5)
            pids = run_processes(process.pid)
            assert len(pids) == ranks
            yield process, pids
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("number", "ranks", "at"),
    [
        (signal.SIGTERM, 1, 0),
        (signal.SIGINT, 1, 0),
        (signal.SIGUSR1, 3, 0),
        (signal.SIGUSR2, 3, 2),
        (signal.SIGTERM, 2, 1),
        (signal.SIGINT, 2, None),
    ],
    ids=lambda value: value.name if isinstance(value, signal.Signals) else str(value),
)
def test_a_signal_on_any_rank_stops_all_at_one_step(number, ranks, at, tmp_path):
    run = tmp_path / "run"
    with started(run, ranks) as (process, pids):
        for pid in pids if at is None else [pids[at]]:
            os.kill(pid, number)
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 0, said
    summary = json.loads((run / "summary.json").read_text())
    assert (summary["completed"], summary["stopped_by"]) == (False, number.name)
    assert 0 < summary["steps"] == committed(run)[-1].step < 10_000_000
    assert f"stopped by {number.name} at " in said
    assert f"go on with: hpcsnn resume {run}" in said
    end_ms = summary["steps"] * 0.1 + 100
    straight = tmp_path / "straight"
    succeeds("resume", run, "--until", f"{end_ms}ms", *PLAIN)
    assert json.loads((run / "summary.json").read_text())["completed"]
    succeeds("run", "topomap", *LONG, "--set", f"duration_ms={end_ms}", "--out", straight)
    assert_same_run(straight, run)


def waits(pid, number):
    """Whether a signal was sent to a process and has not come to it yet."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    pending = [int(line.split()[1], 16) for line in status.splitlines() if line.startswith(("SigPnd", "ShdPnd"))]
    return any(mask >> (number - 1) & 1 for mask in pending)


@pytest.mark.parametrize("ranks", [1, 2])
def test_a_second_interrupt_stops_at_once(ranks, tmp_path):
    with started(tmp_path / "run", ranks) as (process, pids):
        for _ in range(2):
            for pid in pids:
                os.kill(pid, signal.SIGINT)
            # Two signals that wait for the same process are one; a stop takes much longer than to receive one.
            while any(waits(pid, signal.SIGINT) for pid in pids):
                time.sleep(0.0005)
        process.communicate(timeout=20)
    assert process.returncode != 0
    assert not (tmp_path / "run" / "summary.json").exists()
