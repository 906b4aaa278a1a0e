"""Ranks killed at random moments, checkpoint writing included: the run goes on from what was committed, bit for bit."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest
import yaml

from hpcsnn.storage.checkpoints import committed
from support.processes import outcome, until
from support.ranks import hpcsnn, hpcsnn_command, run_processes
from support.runs import PLAIN, RECORD, assert_same_run, newest_step, succeeds

END_MS = 20_000
# Checkpoints follow each other so closely that one is being written most of the time.
OFTEN = ["--set", "scale=3", "--set", f"duration_ms={END_MS}", "--checkpoint-every", "40ms", *RECORD, *PLAIN]


def kill_one_rank(command, run, chance):
    """Start a run, send SIGKILL to one of its ranks at some moment; True if that ended it."""
    before = newest_step(run)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    # While it starts, soon after its first line, or once it has come further, however long that takes here.
    moment = chance.choice(["start", "begun", "begun", "further", "further"])
    if moment != "start":
        process.stdout.readline()
    # On a busy machine mpiexec takes its time to start them: with nobody to kill, the run would go on to its end.
    until(lambda: run_processes(process.pid) or process.poll() is not None)
    if moment == "further":
        until(lambda: newest_step(run) not in (0, before) or process.poll() is not None)
    time.sleep(chance.uniform(0.0, 1.0))
    ranks = run_processes(process.pid)
    if ranks:
        os.kill(chance.choice(ranks), signal.SIGKILL)
    outcome(process)
    return process.returncode != 0


def kill_and_resume(run, n_kills, seed):
    chance = random.Random(seed)
    begin = hpcsnn_command("run", "topomap", *OFTEN, "--out", run, ranks=2)
    kills = 0
    steps = [0]
    while kills < n_kills:
        there = committed(run)
        go_on = hpcsnn_command("resume", run, *PLAIN, ranks=chance.choice((1, 2, 3)))
        again = [*begin, "--overwrite"] if run.exists() else begin
        kills += kill_one_rank(go_on if there else again, run, chance)
        steps.append(newest_step(run))
        assert steps[-1] < END_MS * 10, "the run ended before enough of its ranks were killed"
        for checkpoint in committed(run):
            checkpoint.verify()
    assert steps[-1] > 0, "no checkpoint was ever committed"
    configuration = yaml.safe_load((run / "config.yaml").read_text())
    (run / "config.yaml").write_text(yaml.safe_dump({**configuration, "checkpoint_every": None}))
    succeeds("resume", run, *PLAIN, ranks=2)
    return steps


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    run = tmp_path_factory.mktemp("straight") / "run"
    size = ["--set", "scale=3", "--set", f"duration_ms={END_MS}"]
    succeeds("run", "topomap", *size, *RECORD, *PLAIN, "--out", run)
    return run


@pytest.mark.parametrize(("n_kills", "seed"), [(5, 1), pytest.param(50, 2, marks=pytest.mark.slow)])
def test_killed_at_random_moments_and_resumed(straight, n_kills, seed, tmp_path):
    steps = kill_and_resume(tmp_path / "run", n_kills, seed)
    assert steps == sorted(steps), "a committed checkpoint was lost"
    assert_same_run(straight, tmp_path / "run")


def test_killed_while_it_writes_a_checkpoint(tmp_path):
    """The half of a checkpoint that is left is not taken for one, and is cleared away."""
    run = tmp_path / "run"
    process = subprocess.Popen(hpcsnn_command("run", "topomap", *OFTEN, "--out", run), stdout=subprocess.DEVNULL)

    def stopped_while_it_writes():
        """Stopped first, looked at then: so there is no moment between seeing and killing."""
        assert process.poll() is None
        if not committed(run) or not list((run / "checkpoints").glob("*.partial")):
            return []
        process.send_signal(signal.SIGSTOP)
        until(lambda: state_of(process.pid) in "TZ")
        left = list((run / "checkpoints").glob("*.partial"))
        if not left:
            process.send_signal(signal.SIGCONT)
        return left

    left = until(stopped_while_it_writes, every_s=0.001)
    process.kill()
    process.wait()
    assert list((run / "checkpoints").glob("*.partial")) == left
    newest = committed(run)[-1].step
    done = succeeds("resume", run, "--until", f"{newest * 0.1 + 100}ms", *PLAIN)
    assert f"from {newest * 1e-4:g} s" in done.stdout
    assert list((run / "checkpoints").glob("*.partial")) == []


def test_a_second_writer_is_refused_and_harms_nothing(tmp_path):
    run = tmp_path / "run"
    without_end = ["--set", "duration_ms=1e6"]
    command = hpcsnn_command("run", "topomap", *OFTEN, *without_end, "--out", run, ranks=2)
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    until(lambda: committed(run) or process.poll() is not None)
    assert process.poll() is None
    for arguments in (("resume", run), ("run", "topomap", "--overwrite", "--out", run)):
        for ranks in (1, 2):
            done = hpcsnn(*arguments, *PLAIN, ranks=ranks)
            assert done.returncode == 3
            assert f"error: {run}: another hpcsnn is writing here; wait for it, or stop it" in done.stderr
    # A rank that outlives its fellows' end keeps the next job out as well: nothing it writes can mix with theirs.
    ranks = run_processes(process.pid)
    assert len(ranks) == 2
    first = next(pid for pid in ranks if b"PMI_RANK=0" in Path(f"/proc/{pid}/environ").read_bytes())
    (other,) = set(ranks) - {first}
    os.kill(process.pid, signal.SIGSTOP)  # so that mpiexec does not see to it
    for parent in descendants_between(process.pid, first):
        os.kill(parent, signal.SIGSTOP)
    os.kill(other, signal.SIGSTOP)
    os.kill(first, signal.SIGKILL)
    done = hpcsnn("resume", run, *PLAIN)
    assert "another hpcsnn is writing here" in done.stderr
    os.kill(other, signal.SIGKILL)
    for parent in descendants_between(process.pid, first):
        os.kill(parent, signal.SIGKILL)
    process.kill()
    process.wait()
    assert hpcsnn("resume", run, "--until", f"{committed(run)[-1].step * 0.1 + 10}ms", *PLAIN).returncode == 0


def state_of(pid):
    """A letter, as ps shows it: T is stopped, Z a process that has ended."""
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


def descendants_between(ancestor, pid):
    """Processes from a rank up to `ancestor`, both left out: MPI's own."""
    chain = []
    while (pid := int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])) not in (ancestor, 1):
        chain.append(pid)
    return chain
