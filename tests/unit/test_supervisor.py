"""What a job does with its ranks, which are stood in for, as the time is: start, go on, give up, stop in time."""

from __future__ import annotations

import dataclasses
import json
import pickle
import signal
import time

import pytest

from hpcsnn.errors import StorageError
from hpcsnn.jobs import supervisor
from hpcsnn.jobs.job_files import JobFiles, JobPlan, State, Status
from hpcsnn.jobs.supervisor import JobFailedError, Supervisor
from hpcsnn.storage.checkpoints import beyond

PLAN = JobPlan("local", 2, 1, "mpiexec", "pmi2", "gpu", 60.0, 2, "logs", 0.0)


class Clock:
    """Time that passes by being slept."""

    def __init__(self):
        self.now = time.time()

    def time(self):
        return self.now

    monotonic = time

    def sleep(self, seconds):
        self.now += seconds


class Ranks:
    """Starts of the ranks, one after the other: each runs for so many looks, does something, and ends with a code."""

    def __init__(self, *starts, plan=PLAN):
        self.plan = plan
        self.starts, self.arguments, self.asked, self.killed = list(starts), [], 0, 0

    def __call__(self, plan, arguments):
        assert plan == self.plan
        self.arguments.append(arguments)
        (self.looks, self.does, self.code, self.error), *self.starts = self.starts
        return self

    def ended(self):
        self.looks -= 1
        if self.looks > 0:
            return None
        if self.does is not None:
            does, self.does = self.does, None
            does()
        return self.code

    def ask_to_stop(self):
        self.asked += 1
        self.looks = min(self.looks, 3)

    def kill(self):
        self.killed += 1

    def complaint(self):
        return self.error or "its last line"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A prepared run; signals are as they were afterwards."""
    monkeypatch.setattr(supervisor, "time", Clock())
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR2, signal.SIGCONT)}
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    files = JobFiles(tmp_path)
    files.write_plan(PLAN)
    files.write_status(Status(State.QUEUED))
    yield files
    for number, handler in before.items():
        signal.signal(number, handler)


def carried_out(run, monkeypatch, *starts, plan=PLAN):
    ranks = Ranks(*starts, plan=plan)
    monkeypatch.setattr(supervisor, "RankProcesses", ranks)
    job = Supervisor(run.run)
    return job, ranks


def completes(run, **summary):
    return lambda: (run.run / "summary.json").write_text(json.dumps({"completed": True, "stopped_by": None, **summary}))


def checkpoints(run):
    def does():
        (run.run / "checkpoints").mkdir(exist_ok=True)
        (run.run / "checkpoints" / "0000000010.json").write_text("{}")

    return does


def test_a_run_that_completes_is_over(run, monkeypatch):
    job, ranks = carried_out(run, monkeypatch, (5, completes(run), 0, ""))
    assert job() == "completed"
    status = run.status()
    assert (status.state, status.restarts, status.requeues) == (State.COMPLETED, 0, 0)
    options = ["--device", "gpu", "--trust"]
    assert ranks.arguments == [["run", str(run.configuration), "--out", str(run.run), "--overwrite", *options]]


def test_a_job_that_was_asked_for_no_figures_draws_none(run, monkeypatch):
    plan = dataclasses.replace(PLAN, figures=False)
    run.write_plan(plan)
    job, ranks = carried_out(run, monkeypatch, (5, completes(run), 0, ""), plan=plan)
    assert job() == "completed"
    assert ranks.arguments[0][-3:] == ["gpu", "--trust", "--no-figures"]


def test_a_measured_run_begins_anew_whatever_is_there(run, monkeypatch):
    plan = dataclasses.replace(PLAN, measured=True, figures=False)
    run.write_plan(plan)
    checkpoints(run)()
    job, ranks = carried_out(run, monkeypatch, (3, None, 137, ""), (5, completes(run), 0, ""), plan=plan)
    assert job() == "completed"
    (one, other) = ranks.arguments
    assert one == other
    assert one[:5] == ["run", str(run.configuration), "--out", str(run.run), "--overwrite"]
    assert {"--measure", "--no-figures"} <= set(one)


@pytest.mark.parametrize(("requeues", "fails"), [(0, False), (1, False), (2, True)])
def test_a_measured_run_is_not_requeued_without_end(requeues, fails, run, monkeypatch):
    """Since it begins anew each time, it would never end if it takes longer than its limit."""
    plan = dataclasses.replace(PLAN, measured=True)
    run.write_plan(plan)
    run.write_status(Status(State.REQUEUED, requeues=requeues))
    stopped = completes(run, completed=False, stopped_by="SIGUSR1")
    job, ranks = carried_out(run, monkeypatch, (10**6, stopped, 0, ""), plan=plan)
    if fails:
        with pytest.raises(
            JobFailedError, match=r"stopped 3 times by a time limit .* give it a longer --time, or a short"
        ):
            at_its_limit(job, ranks, monkeypatch)
        assert run.status().state is State.FAILED
    else:
        assert at_its_limit(job, ranks, monkeypatch).function.run == run.run
        assert (run.status().state, run.status().requeues) == (State.REQUEUED, requeues + 1)


def test_what_cannot_be_listed_is_not_overwritten(run, monkeypatch):
    there, looks = supervisor.committed, []

    def listed(path):
        looks.append(path)
        if len(looks) == 1:
            raise StorageError("checkpoints: the system cannot read it now")
        return there(path)

    checkpoints(run)()
    monkeypatch.setattr(supervisor, "committed", listed)
    job, ranks = carried_out(run, monkeypatch, (3, completes(run), 0, ""))
    assert job() == "completed"
    assert ranks.arguments == [["resume", str(run.run), "--device", "gpu", "--trust"]]
    assert run.status().restarts == 1


def test_a_job_goes_on_from_a_step_until_there_is_a_checkpoint_of_its_own(run, monkeypatch):
    checkpoints(run)()
    plan = dataclasses.replace(PLAN, from_step=5, replaces=beyond(run.run, 5))
    run.write_plan(plan)

    def replaces():
        (run.run / "checkpoints" / "0000000010.json").write_text("{ }")

    job, ranks = carried_out(
        run, monkeypatch, (3, None, 137, ""), (3, replaces, 137, ""), (3, completes(run), 0, ""), plan=plan
    )
    assert job() == "completed"
    resume, options = ["resume", str(run.run)], ["--device", "gpu", "--trust"]
    assert ranks.arguments == [*2 * [[*resume, "--from", "5", *options]], [*resume, *options]]


def test_a_lost_rank_is_made_good_from_the_last_checkpoint(run, monkeypatch):
    job, ranks = carried_out(
        run, monkeypatch, (3, checkpoints(run), 137, ""), (3, None, 3, ""), (3, completes(run), 0, "")
    )
    assert job() == "completed"
    assert run.status().restarts == 2
    assert [arguments[0] for arguments in ranks.arguments] == ["run", "resume", "resume"]
    assert ranks.arguments[1] == ["resume", str(run.run), "--device", "gpu", "--trust"]


def test_it_gives_up_after_so_many_restarts(run, monkeypatch):
    job, ranks = carried_out(run, monkeypatch, *[(2, None, 139, "")] * 3)
    with pytest.raises(
        JobFailedError, match=r"exit code 139: its last line; restarted 2 times already \(--max-restarts\)"
    ):
        job()
    assert run.status().state is State.FAILED
    assert "restarted 2 times already" in run.status().reason
    assert run.status().exit_code == 139
    assert len(ranks.arguments) == 3


@pytest.mark.parametrize("code", [1, 2])
def test_an_error_told_in_words_is_not_tried_again(code, run, monkeypatch):
    job, ranks = carried_out(run, monkeypatch, (2, None, code, "scale: 0 is not allowed"))
    with pytest.raises(JobFailedError, match=r"^scale: 0 is not allowed$"):
        job()
    assert (run.status().state, run.status().reason) == (State.FAILED, "scale: 0 is not allowed")
    assert run.status().exit_code == code
    assert len(ranks.arguments) == 1


def test_a_launcher_that_failed_without_a_word_is_tried_again(run, monkeypatch):
    job, ranks = carried_out(run, monkeypatch, (2, None, 1, ""), (2, completes(run), 0, ""))
    assert job() == "completed"
    assert len(ranks.arguments) == 2


def test_a_cancelled_job_stops_at_a_checkpoint(run, monkeypatch):
    job, ranks = carried_out(run, monkeypatch, (10**6, completes(run, completed=False, stopped_by="SIGUSR1"), 0, ""))
    slept = supervisor.time.sleep

    def cancelled_meanwhile(seconds):
        slept(seconds)
        if not ranks.asked:
            run.request_cancel()

    monkeypatch.setattr(supervisor.time, "sleep", cancelled_meanwhile)
    assert job() == "cancelled"
    assert (run.status().state, run.status().reason) == (State.CANCELLED, "on request")
    assert ranks.asked >= 1
    assert not run.cancel_file.exists(), "so that it can be resumed"


def test_a_job_that_was_cancelled_before_it_began_starts_nothing(run, monkeypatch):
    job, ranks = carried_out(run, monkeypatch)
    run.request_cancel()
    assert job() == "cancelled"
    assert ranks.arguments == []


@pytest.mark.parametrize(("by", "state"), [("SIGINT", State.STOPPED), ("SIGTERM", State.CANCELLED)])
def test_ranks_that_somebody_stopped_are_not_started_again(by, state, run, monkeypatch):
    job, ranks = carried_out(run, monkeypatch, (2, completes(run, completed=False, stopped_by=by), 0, ""))
    assert job() == str(state)
    assert run.status().state is state
    assert len(ranks.arguments) == 1


def at_its_limit(job, ranks, monkeypatch):
    """Carry a job out whose time limit comes while its ranks run; what it is submitted again with."""
    submissions = []

    def limit(_):
        if not submissions and not ranks.asked:
            submissions.append(job.checkpoint())
            raise InterruptedError

    monkeypatch.setattr(supervisor.time, "sleep", limit)
    with pytest.raises(InterruptedError):
        job()
    return submissions[0]


def test_a_time_limit_stops_the_ranks_and_hands_back_the_job(run, monkeypatch):
    stopped = completes(run, completed=False, stopped_by="SIGUSR1")
    job, ranks = carried_out(run, monkeypatch, (10**6, stopped, 0, ""))
    submission = at_its_limit(job, ranks, monkeypatch)
    status = run.status()
    assert (status.state, status.requeues) == (State.REQUEUED, 1)
    assert submission.function.run == run.run
    assert ranks.asked >= 1


def test_it_goes_on_with_its_counts_where_it_was_requeued_or_lost(run, monkeypatch):
    for state, restarts in ((State.REQUEUED, 1), (State.RUNNING, 2)):
        run.write_status(Status(state, restarts=1, requeues=4))
        job, _ = carried_out(run, monkeypatch, (2, completes(run), 0, ""))
        assert job() == "completed"
        status = run.status()
        assert (status.restarts, status.requeues) == (restarts, 4), "nobody asked for a start after RUNNING"
        (run.run / "summary.json").unlink()


def test_a_pickle_of_it_is_the_run_directory_alone(run):
    again = pickle.loads(pickle.dumps(Supervisor(run.run)))
    assert again.run == run.run
    assert len(pickle.dumps(again)) < 500


def test_an_error_of_its_own_ends_the_ranks_too(run, monkeypatch):
    job, ranks = carried_out(run, monkeypatch, (10**6, None, 0, ""))

    def broken(_):
        raise MemoryError

    monkeypatch.setattr(supervisor.time, "sleep", broken)
    with pytest.raises(MemoryError):
        job()
    assert ranks.killed == 1
