"""Signals ask a run to stop: all ranks stop at one step with a checkpoint, exit code 0, and nothing is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from hpcsnn.storage.checkpoints import committed
from support.processes import outcome, until
from support.ranks import hpcsnn_command, run_processes
from support.runs import PLAIN, RECORD, assert_same_run, succeeds

LONG = ["--set", "scale=2", "--set", "duration_ms=1e6", *RECORD, *PLAIN]


def masked(pid, mask, number):
    """Whether a process has a signal in a mask of its status: SigCgt of those it handles, ShdPnd of those that wait."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    masks = dict(line.split(":", 1) for line in status.splitlines())
    return bool(int(masks[mask], 16) >> (number - 1) & 1)


def waits(pid, number):
    """Whether a signal was sent to a process and has not come to it yet."""
    return masked(pid, "SigPnd", number) or masked(pid, "ShdPnd", number)


@contextmanager
def started(run, ranks):
    """A long run that is under way, its ranks ready for signals; and their processes."""
    command = hpcsnn_command("run", "topomap", *LONG, "--out", run, ranks=ranks)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            assert "each on cpu" in process.stdout.readline()
            pids = run_processes(process.pid)
            assert len(pids) == ranks
            until(lambda: all(masked(pid, "SigCgt", signal.SIGUSR2) for pid in pids))
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
        said, _ = outcome(process)
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


@pytest.mark.parametrize("ranks", [1, 2])
def test_a_second_interrupt_stops_at_once(ranks, tmp_path):
    # A stop takes much longer than to receive a signal, but the test may have to wait for the processor in between:
    # where the second interrupt found a run that had ended well, it comes to another one.
    for attempt in range(5):
        run = tmp_path / str(attempt)
        with started(run, ranks) as (process, pids):
            for _ in range(2):
                for pid in pids:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGINT)
                # Two signals that wait for the same process are one.
                while any(waits(pid, signal.SIGINT) for pid in pids):
                    time.sleep(0.0005)
            outcome(process)
        if not (run / "summary.json").exists():
            break
    assert process.returncode != 0
    assert not (run / "summary.json").exists()
