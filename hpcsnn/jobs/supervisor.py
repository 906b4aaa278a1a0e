"""What a job does: start the ranks, watch them, go on after a crash, stop in time for a requeue.

One process per job, on its first node, whatever the cluster: submitit runs it, restarts it after a requeue, and calls
`Supervisor.checkpoint` when a time limit or a preemption is near. What becomes of the run is in ``job/state.json``.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import FrameType

from submitit.helpers import DelayedSubmission

from hpcsnn.configuration.files import trains
from hpcsnn.errors import ConfigurationError, HpcsnnError, StorageError
from hpcsnn.jobs.job_files import HEARTBEAT_S, JobFiles, JobPlan, State, Status
from hpcsnn.jobs.rank_processes import KILLED, RankProcesses
from hpcsnn.jobs.slurm_answers import said_by
from hpcsnn.storage.checkpoints import beyond, committed
from hpcsnn.storage.run_directory import RunDirectory
from hpcsnn.storage.training_checkpoints import TrainingCheckpoints

_POLL_S = 0.1
_REPEAT_S = 1.0
_LONGEST_PAUSE_S = 60.0
# Exit codes of `hpcsnn run` and `resume` that another try would only repeat: an error that is told in words. Once one
# rank ends so, the launcher kills those that have not told it yet, and its own code may be that of a killed rank.
_DETERMINISTIC = (1, 2)
_FAULT = 3
# How often a measured run, which has no checkpoints, is requeued.
_MOST_BEGUN_ANEW = 2
# Slurm ends a job whose node was lost as it ends one that was cancelled, and then starts it again.
_FROM_OUTSIDE = "ended from outside; if a node was lost, it starts again by itself"


class JobFailedError(RuntimeError):
    """A run that ended and will not be tried again; its reason is in ``job/state.json`` too."""


class Supervisor:
    """A callable for submitit. It holds nothing but the run directory: all else is read from there at each start."""

    def __init__(self, run: Path) -> None:
        self.run = run
        self._ranks: RankProcesses | None = None
        self._told_to_end = False
        self._beat = 0.0
        self._code: int | None = None

    def __getstate__(self) -> dict[str, Path]:
        return {"run": self.run}

    def __setstate__(self, state: dict[str, Path]) -> None:
        self.__init__(state["run"])  # type: ignore[misc]

    def __call__(self) -> str:
        """Carry the run to its end, or to where nothing more can be done here.

        Returns:
            The state in which it ended.

        Raises:
            JobFailedError: it cannot go on.
        """
        self._files = JobFiles(self.run)
        signal.signal(signal.SIGTERM, self._on_terminate)
        before = replace(self._files.status() or Status(State.QUEUED), exit_code=None)
        restarts = before.restarts
        if before.state not in (State.QUEUED, State.REQUEUED):  # nobody asked for another start: a node was lost
            restarts += 1
        self._status = replace(before, state=State.RUNNING, reason="", restarts=restarts, started=time.time())
        plan = self._files.plan()
        print(f"{socket.gethostname()}: {plan.ranks} ranks by {plan.launch}, restarts so far {restarts}", flush=True)
        try:
            return self._carry_on(plan)
        except BaseException:
            if self._ranks is not None:
                self._ranks.kill()
            raise

    def _carry_on(self, plan: JobPlan) -> str:
        while True:
            if self._to_end():
                self._write_ended_from_outside()
                return str(self._status.state)
            self._write(State.RUNNING)
            try:
                code = self._run_once(plan)
                reason = f"the ranks ended with exit code {code}: {self._complaint()}"
            except StorageError as error:  # what may be there cannot be read now: it is not taken for nothing
                code, reason = _FAULT, str(error)
            self._code = code
            if self._over(code):
                return str(self._status.state)
            self._status = replace(self._status, restarts=self._status.restarts + 1)
            if self._status.restarts > plan.max_restarts:
                self._fail(f"{reason}; restarted {plan.max_restarts} times already (--max-restarts)")
            self._write(State.RESTARTING, reason)
            self._pause(min(2.0 ** (self._status.restarts - 1), _LONGEST_PAUSE_S))

    def checkpoint(self) -> DelayedSubmission | None:
        """Stop the ranks at a checkpoint, for a requeue (submitit calls this in the handler of its signal)."""
        for number in (signal.SIGUSR2, signal.SIGTERM, signal.SIGCONT):
            signal.signal(number, signal.SIG_IGN)  # Slurm repeats them; one is enough
        print("stopping the ranks: a time limit or a preemption is near", flush=True)
        code = self._code = self._stop_ranks()
        if self._files.cancel_file.exists() or code in _DETERMINISTIC or (code == 0 and self._completed()):
            raise SystemExit(0 if self._over(code) else 1)
        if self._files.plan().measured and self._status.requeues >= _MOST_BEGUN_ANEW:
            self._fail(
                f"stopped {self._status.requeues + 1} times by a time limit or a preemption; a measured run begins "
                "anew each time: give it a longer --time, or a shorter --duration"
            )
        self._status = replace(self._status, requeues=self._status.requeues + 1)
        self._write(State.REQUEUED, "stopped for a time limit or a preemption")
        return DelayedSubmission(Supervisor(self.run))

    # -- one start of the ranks ----------------------------------------------------------------------------------------

    def _run_once(self, plan: JobPlan) -> int:
        """Start the ranks and wait for their end; the exit code."""
        self._ranks = RankProcesses(plan, self._arguments(plan))
        while (code := self._ranks.ended()) is None:
            time.sleep(_POLL_S)
            self._heartbeat()
            if self._to_end():
                if not self._files.cancel_file.exists() and not self._still_runs_in_slurm():
                    self._write(State.CANCELLED, _FROM_OUTSIDE)  # at once: there may be no time after the ranks' end
                return self._stop_ranks()
        return code

    def _arguments(self, plan: JobPlan) -> list[str]:
        # Whoever submitted the job was asked then; here nobody can be, and a node may see another home.
        options = ["--device", plan.device, "--trust", *([] if plan.figures else ["--no-figures"])]
        if plan.measured:
            return ["run", str(self._files.configuration), "--out", str(self.run), "--overwrite", "--measure", *options]
        if self._trains():
            if TrainingCheckpoints(self.run).has():
                return ["resume", str(self.run), *options]
            return ["train", str(self._files.configuration), "--out", str(self.run), "--overwrite", *options]
        if not committed(self.run):
            return ["run", str(self._files.configuration), "--out", str(self.run), "--overwrite", *options]
        # Once there is a new checkpoint, those beyond are others, and the newest is the one to go on from.
        if plan.from_step is not None and beyond(self.run, plan.from_step) == plan.replaces:
            options = ["--from", str(plan.from_step), *options]
        return ["resume", str(self.run), *options]

    def _trains(self) -> bool:
        """Whether it is a training; whoever reads a configuration that cannot be read says so."""
        try:
            return trains(self._files.configuration)
        except ConfigurationError:
            return False

    def _stop_ranks(self) -> int:
        if self._ranks is None:
            return 0
        asked = 0.0
        while (code := self._ranks.ended()) is None:
            if time.monotonic() - asked > _REPEAT_S:
                self._ranks.ask_to_stop()
                asked = time.monotonic()
            time.sleep(_POLL_S)
            self._heartbeat()
        return code

    def _over(self, code: int) -> bool:
        """Whether that was the end, which is then written down."""
        if code == 0 and self._completed():
            self._write(State.COMPLETED)
            return True
        stopped_by = self._stopped_by() if code == 0 else None
        if self._to_end() or stopped_by == "SIGTERM":
            self._write_ended_from_outside()
            return True
        if stopped_by is not None:
            self._write(State.STOPPED, f"by {stopped_by}")
            return True
        if code in (*_DETERMINISTIC, *KILLED) and self._ranks is not None and self._ranks.error:
            self._fail(self._ranks.error)
        return False

    def _fail(self, reason: str) -> None:
        self._status = replace(self._status, exit_code=self._code)
        self._write(State.FAILED, reason)
        raise JobFailedError(reason)

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self._to_end():
            time.sleep(_POLL_S)
            self._heartbeat()

    # -- what is known -------------------------------------------------------------------------------------------------

    def _to_end(self) -> bool:
        """Whether the job was told to end, by a signal or by `hpcsnn cancel`."""
        return self._told_to_end or self._files.cancel_file.exists()

    def _write_ended_from_outside(self) -> None:
        if self._files.cancel_file.exists():
            self._files.cancel_file.unlink()
            self._write(State.CANCELLED, "on request")
        elif self._still_runs_in_slurm():  # the grace time of a preemption that sends no other signal
            self._status = replace(self._status, requeues=self._status.requeues + 1)
            self._write(State.REQUEUED, "preempted")
            said_by("scontrol", "requeue", os.environ["SLURM_JOB_ID"])
        else:
            self._write(State.CANCELLED, _FROM_OUTSIDE)

    def _still_runs_in_slurm(self) -> bool:
        """Whether Slurm says that this job runs: it does not of one that was cancelled, or whose node was lost.

        Slurm is asked only of what Slurm started: a local job may be within an allocation of the user's.
        """
        if self._files.plan().cluster != "slurm" or "SLURM_JOB_ID" not in os.environ:
            return False
        return "JobState=RUNNING" in (said_by("scontrol", "-o", "show", "job", os.environ["SLURM_JOB_ID"]) or "")

    def _on_terminate(self, _number: int, _frame: FrameType | None) -> None:
        self._told_to_end = True

    def _complaint(self) -> str:
        return self._ranks.complaint() if self._ranks else ""

    def _summary(self) -> dict[str, object]:
        try:
            return RunDirectory(self.run).read_summary()
        except HpcsnnError:
            return {}

    def _completed(self) -> bool:
        return bool(self._summary().get("completed"))

    def _stopped_by(self) -> str | None:
        stopped_by = self._summary().get("stopped_by")
        return None if stopped_by is None else str(stopped_by)

    def _write(self, state: State, reason: str = "") -> None:
        self._status = self._files.write_status(replace(self._status, state=state, reason=reason))
        self._beat = time.monotonic()

    def _heartbeat(self) -> None:
        if time.monotonic() - self._beat > HEARTBEAT_S:  # whatever becomes of the time of day
            with suppress(StorageError):  # a moment's trouble with the file system is no reason to end a run
                self._status = self._files.write_status(self._status)
                self._beat = time.monotonic()
