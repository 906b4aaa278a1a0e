"""What a run directory says of its job: written whole, read back, and lost when it has been silent."""

from __future__ import annotations

import dataclasses
import json
import time
from dataclasses import replace

import pytest

from hpcsnn.errors import StorageError
from hpcsnn.jobs.job_files import HEARTBEAT_S, LOST_AFTER_S, JobFiles, JobPlan, State, Status

PLAN = JobPlan("slurm", 8, 2, "srun", "pmix", "gpu", 90.5, 3, "logs", 1.7e9, gpus_per_node=4, job_id="12_3")


@pytest.fixture
def files(tmp_path):
    return JobFiles(tmp_path / "run")


def test_a_plan_is_read_as_it_was_written(files):
    files.write_plan(PLAN)
    assert files.plan() == PLAN
    files.write_plan(replace(PLAN, job_id="13"))
    assert files.plan().job_id == "13"


@pytest.mark.parametrize("state", State)
def test_a_status_is_read_as_it_was_written_with_the_time(state, files):
    before = time.time()
    written = files.write_status(Status(state, "why", restarts=2, requeues=1, started=5.0, updated=0.0))
    assert files.status() == written
    assert (written.state, written.reason, written.restarts, written.requeues, written.started) == (
        state, "why", 2, 1, 5.0
    )  # fmt: skip
    assert before <= written.updated <= time.time()
    assert json.loads(files.status_file.read_text())["state"] == str(state), "a word, for whoever looks"


def test_nobody_has_said_anything_yet(files):
    assert files.status() is None
    with pytest.raises(StorageError, match=r"no job here \(there is no job/plan\.json\)$"):
        files.plan()


def test_a_plan_says_whether_figures_are_drawn(files):
    files.write_plan(dataclasses.replace(PLAN, figures=False))
    assert files.plan().figures is False
    files.plan_file.write_text(files.plan_file.read_text().replace("false", "0"))
    with pytest.raises(StorageError, match="figures: 0 is not allowed; must be a bool"):
        files.plan()


@pytest.mark.parametrize("text", ["{", "[]", '{"cluster": "slurm"}', "null"])
def test_a_plan_of_another_kind_is_told(text, files):
    files.write_plan(PLAN)
    files.plan_file.write_text(text)
    with pytest.raises(StorageError, match=r"plan\.json: cannot be read: "):
        files.plan()


@pytest.mark.parametrize(
    "text",
    [
        *("{", "[]", '{"state": "asleep"}', '{"reason": "x"}', '{"state": "failed", "x": 1}', "3"),
        *(f'{{"state": "running", "{name}": {value}}}' for name in ("updated", "started") for value in ('"x"', "NaN")),
        *('{"state": "running", "updated": 1e400}', '{"state": "running", "restarts": 1.5}'),
    ],
)
def test_a_status_of_another_kind_is_told(text, files):
    files.write_status(Status(State.RUNNING))
    files.status_file.write_text(text)
    with pytest.raises(StorageError, match=r"state\.json: cannot be read: "):
        files.status()


def test_a_job_is_over_when_nothing_comes_by_itself():
    over = {state for state in State if state.over}
    assert over == {State.COMPLETED, State.CANCELLED, State.STOPPED, State.FAILED}


@pytest.mark.parametrize("state", State)
def test_only_who_should_say_that_it_lives_is_lost_by_silence(state):
    now = time.time()
    assert not Status(state, updated=now).lost
    assert not Status(state, updated=now - LOST_AFTER_S + 30).lost
    silent = Status(state, updated=now - LOST_AFTER_S - 1)
    assert silent.lost == (state in (State.RUNNING, State.RESTARTING))
    assert HEARTBEAT_S < LOST_AFTER_S / 5, "a few heartbeats may be missed"


def test_a_cancel_is_asked_for_by_a_file(files):
    files.write_plan(PLAN)
    assert not files.cancel_file.exists()
    files.request_cancel()
    files.request_cancel()
    assert files.cancel_file.exists()
    assert files.cancel_file.parent == files.folder


def test_nothing_is_written_beyond_a_link(files, tmp_path):
    files.run.mkdir()
    files.folder.symlink_to(tmp_path)
    for write in (
        lambda: files.write_plan(PLAN),
        lambda: files.write_status(Status(State.FAILED)),
        files.request_cancel,
    ):
        with pytest.raises(StorageError, match="run/job: is a link to "):
            write()
    files.folder.unlink()
    files.write_plan(PLAN)
    files.cancel_file.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="Too many levels"):
        files.request_cancel()
    assert not (tmp_path / "elsewhere").exists()
