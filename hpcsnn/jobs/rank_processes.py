"""How the ranks of a run are started inside a job: by ``mpiexec`` or by ``srun``, and told to stop."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections import deque
from pathlib import Path

from hpcsnn.errors import ConfigurationError, DeviceError
from hpcsnn.jobs.job_files import JobPlan
from hpcsnn.planning.site_profiles import MpiLaunch
from hpcsnn.ranks.exit_codes import SUPERVISED, told_exit_code
from hpcsnn.ranks.promised_ranks import EXPECTED_RANKS

_LAST_LINES = 40
# Exit codes of ranks that a launcher or a batch system ended.
KILLED = (128 + signal.SIGTERM, 128 + signal.SIGKILL)
# Until a run handles them, stop signals are ignored: a time limit may come while ranks start up.
_RANK = (
    "import signal; [signal.signal(number, signal.SIG_IGN) for number in (signal.SIGUSR1, signal.SIGUSR2)]; "
    "from hpcsnn.cli.app import app; app()"
)


def find_mpiexec(asked: str = "") -> str:
    """What starts ranks: what a profile asks for, else the mpiexec beside this Python (from a wheel) or on PATH.

    Raises:
        DeviceError: there is none.
    """
    if asked:
        there = shutil.which(asked)
        if there is None:
            raise DeviceError(f"mpiexec: {asked!r} of the profile is no program here; load the module that brings it")
        return there
    beside = Path(sys.executable).parent / "mpiexec"
    found = str(beside) if beside.exists() else shutil.which("mpiexec")
    if found is None:
        raise DeviceError(
            "no mpiexec beside this Python or on PATH; pip install 'hpcsnn[mpich]', or load your site's MPI module"
        )
    return found


def choose_launch(asked: MpiLaunch, cluster: str, nodes: int) -> str:
    """``srun`` or ``mpiexec``: one node needs no more than mpiexec, several need what starts ranks on all of them.

    Raises:
        ConfigurationError: srun outside of Slurm.
    """
    if asked == "srun" and cluster != "slurm":
        raise ConfigurationError(f"mpi: 'srun' is not allowed with --cluster {cluster}; use mpiexec or auto")
    if asked != "auto":
        return asked
    return "srun" if cluster == "slurm" and nodes > 1 else "mpiexec"


def _is_open_mpi(mpiexec: str) -> bool:
    said = subprocess.run([mpiexec, "--version"], capture_output=True, text=True, check=False)
    return "Open MPI" in said.stdout + said.stderr or "OpenRTE" in said.stdout


def command_line(plan: JobPlan, arguments: list[str]) -> list[str]:
    """The command that runs ``hpcsnn ARGUMENTS`` on the plan's ranks."""
    own = [sys.executable, "-c", _RANK, *arguments]
    if plan.launch == "srun":
        share = ["--overlap", f"--nodes={plan.nodes}", f"--ntasks={plan.ranks}"]
        if plan.gpus_per_node:
            share.append(f"--gpus-per-node={plan.gpus_per_node}")
        spread = [f"--ntasks-per-node={plan.ranks // plan.nodes}", "--cpu-bind=none"]
        return ["srun", *share, *spread, f"--mpi={plan.mpi_plugin}", "--kill-on-bad-exit=1", *own]
    if plan.ranks == 1:
        return own
    mpiexec = find_mpiexec(plan.mpiexec)
    open_mpi = ["--oversubscribe", "--bind-to", "none"] if _is_open_mpi(mpiexec) else []
    return [mpiexec, *open_mpi, "-n", str(plan.ranks), *own]


def environment(plan: JobPlan) -> dict[str, str]:
    """What the ranks' environment has beside this process's."""
    ours = {EXPECTED_RANKS: str(plan.ranks), SUPERVISED: "1"}
    if plan.launch == "mpiexec":
        if plan.nodes == 1:
            ours["HYDRA_BOOTSTRAP"] = "fork"  # it would ask Slurm for a step that the supervisor already fills
        else:  # as the job has it: the supervisor's own step is one task, and MPICH's mpiexec would not survive that
            ours["SLURM_TASKS_PER_NODE"] = f"{plan.ranks // plan.nodes}(x{plan.nodes})"
        if os.geteuid() == 0:
            ours |= {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    # What belongs to the supervisor's own step would mislead the ranks' MPI.
    own = ("SLURM_CPU_BIND", "SLURM_MPI_TYPE", "SUBMITIT_", "PMI_", "PMIX_")
    return {name: value for name, value in os.environ.items() if not name.startswith(own)} | ours


def _ignore_stop_signals() -> None:
    """In the child before it becomes the launcher: MPICH's mpiexec would die of SIGUSR2."""
    for number in (signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)


class RankProcesses:
    """The running ranks; what they write goes to this process's output, and the end of their errors is remembered."""

    def __init__(self, plan: JobPlan, arguments: list[str]) -> None:
        _remove_stale_segments()
        self._plan = plan
        self._process = subprocess.Popen(
            command_line(plan, arguments),
            env=environment(plan),
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            preexec_fn=_ignore_stop_signals,
        )
        self._said: deque[str] = deque(maxlen=_LAST_LINES)
        self._told: int | None = None
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            sys.stderr.write(line)
            sys.stderr.flush()
            told = told_exit_code(line.rstrip())
            if told is None:
                self._said.append(line.rstrip())
            else:
                self._told = told

    def ended(self) -> int | None:
        """The exit code, as a shell gives it (128 + n for signal n); None while the ranks run.

        Of ranks that the launcher killed, since one of them had failed, the code that this one told.
        """
        code = self._process.poll()
        if code is None:
            return None
        self._reader.join(timeout=2.0)
        code = 128 - code if code < 0 else code
        return self._told if code in KILLED and self._told is not None else code

    def ask_to_stop(self) -> None:
        """Let the ranks agree on a step, write a checkpoint there, and end.

        SIGUSR1 is what every mpiexec and srun hands on. To be repeated until they have ended: starting ranks ignore it.
        """
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGUSR1)

    def kill(self) -> None:
        """End the launcher, and with it the ranks."""
        if self._process.poll() is None:
            self._process.terminate()

    @property
    def error(self) -> str:
        """The last error that a rank told in words; empty if none did, as when a launcher failed."""
        return next((line.removeprefix("error: ") for line in reversed(self._said) if line.startswith("error: ")), "")

    def complaint(self) -> str:
        """The last error that the ranks printed, or their last line; empty if they said nothing."""
        return self.error or next((line for line in reversed(self._said) if line.strip()), "")


def _remove_stale_segments() -> None:
    """Shared memory of killed steps: MPICH names it after job and step, and hangs where it meets an old one."""
    for segment in Path("/dev/shm").glob("mpich_shm_*"):
        try:
            if segment.stat().st_uid == os.geteuid() and not _mapped(segment):
                segment.unlink()
        except OSError:  # another process's, or gone
            continue


def _mapped(segment: Path) -> bool:
    """Whether a process of ours still uses a file in memory."""
    for maps in Path("/proc").glob("[0-9]*/maps"):
        try:
            if segment.name in maps.read_text():
                return True
        except OSError:
            continue
    return False
