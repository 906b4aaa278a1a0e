"""A run that goes on and on takes no more memory and no more descriptors than it did after a while."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from support.processes import outcome
from support.ranks import hpcsnn_command
from support.runs import PLAIN, RECORD, newest_step

LOOKS_EVERY_S = 0.5
# Freed memory that C's library keeps for each of its threads, and what differs from one copy to the next.
SLACK_KB = 12_000


def held_by(pid):
    """Private memory of a process in kB, and how many descriptors it has open."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(status["RssAnon"].split()[0]), len(list(Path(f"/proc/{pid}/fd").iterdir()))


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("wall_s", [60, 600])
def test_memory_and_descriptors_stay_what_they_are(wall_s, tmp_path):
    """Checkpoints come by model time, so that each copy and each segment is as large as the last, however fast."""
    run = tmp_path / "run"
    often = ["--set", "duration_ms=1e7", "--checkpoint-every", "500ms", *RECORD, *PLAIN]
    command = hpcsnn_command("run", "topomap", *often, "--out", run)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            held, start = [], time.monotonic()
            while time.monotonic() - start < wall_s:
                time.sleep(LOOKS_EVERY_S)
                assert process.poll() is None
                held.append(held_by(process.pid))
            process.terminate()
            said, _ = outcome(process)
        finally:
            process.kill()
    assert process.returncode == 0, said
    assert newest_step(run) > 20 * 5000, "too few checkpoints to tell"
    parts = [held[len(held) * k // 3 : len(held) * (k + 1) // 3] for k in range(3)]
    memory, descriptors = ([max(one[kind] for one in part) for part in parts] for kind in (0, 1))
    assert memory[2] < memory[1] + SLACK_KB, memory
    assert descriptors[2] <= descriptors[1] + 8, descriptors
