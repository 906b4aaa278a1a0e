"""What is shown of jobs, from their files."""

from __future__ import annotations

import io
import time

from rich.console import Console

from hpcsnn.cli.tables.of_jobs import jobs_table, run_view
from hpcsnn.jobs import job_files
from hpcsnn.jobs.job_files import State, Status
from hpcsnn.jobs.run_index import find_runs, read_run
from support.job_files import PROGRESS, a_run


def text_of(renderable, width=80):
    console = Console(width=width, file=io.StringIO())
    console.print(renderable)
    return console.file.getvalue()


def test_jobs_and_watch_fit_eighty_columns(tmp_path):
    started = time.time() - 60
    running = Status(State.RUNNING, restarts=1, requeues=2, started=started)
    a_run(tmp_path / "one", running, PROGRESS)
    a_run(tmp_path / "deep" / "two", Status(State.FAILED, "projections.ff.weight: too large"))
    a_run(tmp_path / "three", Status(State.QUEUED))
    entries = find_runs(tmp_path)
    table = text_of(jobs_table(entries, tmp_path))
    assert max(map(len, table.splitlines())) <= 80
    rows = {line.split()[0]: line.split() for line in table.splitlines()[1:]}
    assert rows["one"][1:7] == ["17", "running", "25%", "2.5", "x", "4"]
    least_s = 3600 - (time.time() - started)  # what is left of an hour by now; the table was made a moment ago
    minutes, seconds = rows["one"][7].split(":")
    assert least_s - 1 <= 60 * int(minutes) + int(seconds) <= 59 * 60
    assert rows["deep/two"][2] == "failed"
    assert rows["three"][2] == "queued"
    view = text_of(run_view(read_run(tmp_path / "one"), 80))
    assert max(map(len, view.splitlines())) <= 80
    bars = [line for line in view.splitlines() if line.strip() and set(line.strip()) <= set("━╸╺")]
    assert len(bars) == 1, "a line of its own"
    for words in ("15.00 of 60 s at 2.5 x real time", "12,345", "target 7.5 Hz", "1 after a crash, 2 after", "0:18"):
        assert words in view
    assert "too large" in text_of(run_view(read_run(tmp_path / "deep" / "two"), 80))


def test_a_supervisor_that_is_silent_counts_as_lost(tmp_path, monkeypatch):
    run = a_run(tmp_path / "run", Status(State.RUNNING))
    assert read_run(run).state == "running"
    monkeypatch.setattr(job_files, "LOST_AFTER_S", -1.0)
    assert read_run(run).state == "lost"
