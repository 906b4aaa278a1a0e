"""The runs below a folder and how each stands, from their files alone."""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from hpcsnn.cli.job_actions import wait_for
from hpcsnn.errors import StorageError
from hpcsnn.jobs.job_files import LOST_AFTER_S, JobFiles, JobPlan, State, Status
from hpcsnn.jobs.run_index import RunEntry, find_runs, followed, look_up, read_run, without_forgotten

PLAN = JobPlan("local", 2, 1, "mpiexec", "pmi2", "cpu", 60.0, 3, "logs", 1.7e9, job_id="17")


PROGRESS = {
    "updated": 1.7e9,
    "step": 5,
    "model_s": 0.5,
    "end_s": 1.0,
    "speed": 2.0,
    "left_s": 0.25,
    "synapses": 7,
    "rates_hz": {"a": 1.5},
}


def a_run(path, status=None, summary=None, progress=None, steps=(), configured=True):
    path.mkdir(parents=True)
    if configured:
        (path / "config.yaml").write_text("seed: 1\n")
    if status is not None:
        JobFiles(path).write_plan(PLAN)
        JobFiles(path).write_status(status)
    for name, value in (("summary", summary), ("progress", progress)):
        if value is not None:
            (path / f"{name}.json").write_text(json.dumps(value))
    for step in steps:
        (path / "checkpoints").mkdir(exist_ok=True)
        (path / "checkpoints" / f"{step:010d}.json").write_text("{}")
    return path


def test_runs_are_found_at_any_depth_and_in_order(tmp_path):
    for name in ("b", "a/deep/er", "a/x"):
        a_run(tmp_path / name)
    a_run(tmp_path / "queued", Status(State.QUEUED), configured=False)
    a_run(tmp_path / "b" / "inside")  # of a run is no run
    a_run(tmp_path / ".hidden" / "run")
    (tmp_path / "empty").mkdir()
    (tmp_path / "job").mkdir()
    (tmp_path / "linked").symlink_to(tmp_path / "b")
    found = [entry.path.relative_to(tmp_path).as_posix() for entry in find_runs(tmp_path)]
    assert found == ["a/deep/er", "a/x", "b", "queued"]
    assert [entry.path for entry in find_runs(tmp_path / "b")] == [tmp_path / "b"], "the folder itself may be one"
    with pytest.raises(StorageError, match="no such folder"):
        find_runs(tmp_path / "none")


@pytest.mark.parametrize(
    ("status", "summary", "state"),
    [
        (None, None, "unfinished"),
        (None, {"completed": True}, "completed"),
        (None, {"completed": False}, "stopped"),
        (Status(State.RUNNING), {"completed": True}, "running"),
        (Status(State.FAILED), None, "failed"),
    ],
)
def test_a_run_stands_as_its_job_says_or_else_its_files(status, summary, state, tmp_path):
    entry = read_run(a_run(tmp_path / "run", status, summary))
    assert entry.state == state
    assert look_up(tmp_path / "run") == entry


def test_a_summary_of_another_step_than_the_run_is_at_ends_nothing(tmp_path):
    summary = {"completed": True, "steps": 30}
    for step, state in ((30, "completed"), (20, "unfinished"), (40, "unfinished")):
        run = a_run(tmp_path / str(step), summary=summary, progress=PROGRESS | {"step": step}, steps=(30,))
        assert read_run(run).state == state
    assert read_run(a_run(tmp_path / "without", summary=summary)).state == "completed"


def test_checkpoints_progress_and_summary_are_those_of_the_files(tmp_path):
    run = a_run(tmp_path / "run", summary={"digest": "x"}, progress=PROGRESS, steps=(10, 200, 30))
    entry = read_run(run)
    assert (entry.checkpoint_step, entry.progress, entry.summary) == (200, PROGRESS, {"digest": "x"})
    assert read_run(a_run(tmp_path / "other")).checkpoint_step is None


@pytest.mark.parametrize("text", ["", "{", "[1]", "3", "\xff"])
def test_what_cannot_be_read_counts_as_not_there(text, tmp_path):
    run = a_run(tmp_path / "run", Status(State.RUNNING), {"completed": True}, {"step": 5})
    for name in ("summary.json", "progress.json", "job/plan.json"):
        (run / name).write_bytes(text.encode("latin-1"))
    entry = read_run(run)
    assert (entry.plan, entry.status, entry.progress, entry.summary) == (None, None, {}, {})
    assert entry.state == "unfinished"


def entry_of(status, plan=PLAN):
    return RunEntry(path=None, plan=plan, status=status, progress={}, summary={}, checkpoint_step=None)


def test_the_limit_runs_from_the_start_of_the_start():
    now = time.time()
    running = Status(State.RUNNING, started=now - 600, updated=now)
    assert entry_of(running).limit_left_s == pytest.approx(3000, abs=30)
    assert entry_of(replace(running, started=None)).limit_left_s == pytest.approx(3600, abs=30)
    assert entry_of(replace(running, state=State.QUEUED)).limit_left_s is None
    assert entry_of(running, plan=None).limit_left_s is None
    assert entry_of(None).limit_left_s is None


def test_a_silent_or_forgotten_job_is_lost():
    silent = Status(State.RUNNING, updated=time.time() - LOST_AFTER_S - 1)
    assert entry_of(silent).state == "lost"
    waiting = entry_of(Status(State.QUEUED))
    assert waiting.state == "queued"
    assert replace(waiting, forgotten=True).state == "lost"


@pytest.mark.parametrize("answer", ["17\n18_1\n", None])
def test_of_jobs_that_wait_in_slurm_those_it_does_not_know_are_forgotten(answer, monkeypatch):
    def squeue(command, **_):
        assert command[0] == "squeue"
        if answer is None:
            raise FileNotFoundError(command[0])
        return subprocess.CompletedProcess(command, 0, answer, "")

    monkeypatch.setattr(subprocess, "run", squeue)
    old, new, slurm = time.time() - 3600, time.time(), replace(PLAN, cluster="slurm")
    entries = [
        entry_of(Status(State.QUEUED, updated=old), replace(slurm, job_id="17")),
        entry_of(Status(State.QUEUED, updated=old), replace(slurm, job_id="18_1")),
        entry_of(Status(State.REQUEUED, updated=old), replace(slurm, job_id="19")),
        entry_of(Status(State.QUEUED, updated=new), replace(slurm, job_id="20")),  # it may be on its way there
        entry_of(Status(State.RUNNING, updated=old), replace(slurm, job_id="21")),  # whose files say enough
        entry_of(Status(State.QUEUED, updated=old), replace(PLAN, job_id="22")),
        entry_of(None, replace(slurm, job_id="23")),
    ]
    entries = [replace(entry, path=Path(entry.plan.job_id)) for entry in entries]
    forgotten = {entry.plan.job_id for entry in without_forgotten(entries) if entry.forgotten}
    assert forgotten == ({"19"} if answer else set()), "who does not answer has forgotten nobody"


def test_slurm_is_not_asked_where_none_waits_there(monkeypatch):
    def squeue(*_, **__):
        raise AssertionError("asked")

    monkeypatch.setattr(subprocess, "run", squeue)
    entries = [entry_of(Status(State.QUEUED, updated=time.time() - 3600)), entry_of(Status(State.RUNNING))]
    assert without_forgotten(entries) == entries


def test_a_run_is_followed_until_its_job_is_over(tmp_path, monkeypatch):
    run, waits = a_run(tmp_path / "run", Status(State.QUEUED)), []

    def goes_on(seconds):
        waits.append(seconds)
        JobFiles(run).write_status(Status([State.RUNNING, State.REQUEUED, State.COMPLETED][len(waits) - 1]))

    monkeypatch.setattr("hpcsnn.jobs.run_index.time.sleep", goes_on)
    assert [entry.state for entry in followed(run)] == ["queued", "running", "requeued", "completed"]
    assert wait_for(run) == ("completed", 0)


@pytest.mark.parametrize(
    ("state", "exit_code", "code"),
    [
        *((State.FAILED, 1, 1), (State.FAILED, 2, 2), (State.FAILED, 137, 3)),
        *((State.FAILED, None, 1), (State.CANCELLED, None, 1), (State.STOPPED, None, 1)),
    ],
)
def test_who_waits_for_a_job_ends_as_it_did(state, exit_code, code, tmp_path):
    assert wait_for(a_run(tmp_path / "run", Status(state, exit_code=exit_code))) == (state, code)


def test_who_waits_for_a_job_that_nobody_knows_any_more_may_try_again(tmp_path):
    run = a_run(tmp_path / "run", Status(State.RUNNING))
    plain = json.loads(JobFiles(run).status_file.read_text())
    JobFiles(run).status_file.write_text(json.dumps(plain | {"updated": time.time() - 2 * LOST_AFTER_S}))
    assert wait_for(run) == ("lost", 3)
