"""Jobs on Slurm, on this machine, or in this very process: submitit's executors behind one function."""

from __future__ import annotations

import math
import os
import re
import shlex
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import submitit

from hpcsnn.atomic_files import refuse_link
from hpcsnn.configuration.files import write_configuration
from hpcsnn.configuration.schema import NetworkConfiguration
from hpcsnn.errors import ConfigurationError, SimulationError
from hpcsnn.jobs.job_files import JobFiles, JobPlan, State, Status
from hpcsnn.jobs.local_controller import LocalExecutor
from hpcsnn.jobs.rank_processes import choose_launch
from hpcsnn.jobs.slurm_answers import said_by
from hpcsnn.jobs.supervisor import JobFailedError, Supervisor
from hpcsnn.planning.request import Request
from hpcsnn.planning.site_profiles import ONE_LINE, SiteProfile

Cluster = Literal["slurm", "local", "debug"]
CLUSTERS: tuple[Cluster, ...] = ("slurm", "local", "debug")
# A run is requeued until it is done; submitit wants a number.
_REQUEUES = 1_000_000
# What a user tells sbatch by the environment, where no flag and no profile says it: who pays and where it runs. Slurm
# reads it before the script, so that what is about limits, signals or requeues would go over what runs depend on.
_DEFAULTS = ("ACCOUNT", "PARTITION", "QOS", "CONSTRAINT", "RESERVATION", "CLUSTERS", "WCKEY")
_OF_SLURM = ("SLURM_CONF", "SLURM_CLUSTERS")
# Members of an array where Slurm does not say how many there may be: its own default.
_ARRAY_SIZE = 1001
# Another memory than that of each node.
_MEMORY = {"mem-per-cpu", "mem-per-gpu"}
# Keys of a profile that are options of sbatch by the same names.
_OPTIONS = ("partition", "account", "qos", "constraint")


def check_cluster(cluster: str | None) -> Cluster:
    """A cluster that there is.

    Raises:
        ConfigurationError: there is none of this name.
    """
    if cluster not in CLUSTERS:
        raise ConfigurationError(f"--cluster: {cluster!r} is not allowed; must be one of {', '.join(CLUSTERS)}")
    return cluster  # type: ignore[return-value]


def check_reachable(cluster: Cluster) -> None:
    """See that jobs can be submitted from here.

    Raises:
        ConfigurationError: they cannot; says what is missing.
    """
    missing = [name for name in ("sbatch", "srun") if cluster == "slurm" and shutil.which(name) is None]
    if missing:
        raise ConfigurationError(
            f"--cluster: 'slurm' is not allowed; there is no {' and no '.join(missing)} on PATH: log in to a node that "
            "submits jobs, or use --cluster local"
        )


def prepare(run: Path, configuration: NetworkConfiguration, plan: JobPlan) -> None:
    """Write what a job's supervisor will read: the configuration and the plan."""
    files = JobFiles(run)
    refuse_link(files.folder)
    files.folder.mkdir(parents=True, exist_ok=True)
    files.cancel_file.unlink(missing_ok=True)
    write_configuration(files.configuration, configuration)
    files.write_plan(plan)
    files.write_status(Status(State.QUEUED))


def make_plan(
    cluster: Cluster, request: Request, profile: SiteProfile, logs: Path, *, device: str = "auto", **how: Any
) -> JobPlan:
    """The plan that a request and a profile come to; `how` holds the rest of `JobPlan`'s fields.

    A job that asks for GPUs, and then finds none, is not to run on CPUs for its whole time: it insists on them, unless
    it is told otherwise.

    Raises:
        ConfigurationError: ranks that cannot be started so, or a folder that no batch script can name.
        StorageError: the folder of logs, or the one it is in, is a link.
    """
    for folder in (logs.parent, logs):
        refuse_link(folder)
    if cluster == "slurm":
        _check_line("--out", logs)
    return JobPlan(
        cluster=cluster,
        ranks=request.ranks,
        nodes=request.nodes,
        launch=choose_launch(profile.mpi, cluster, request.nodes),
        mpi_plugin=profile.mpi_plugin,
        mpiexec=profile.mpiexec or "",
        time_min=request.time_min,
        gpus_per_node=request.gpus_per_node,
        device="gpu" if device == "auto" and request.gpus_per_node else device,
        logs=str(logs),
        submitted=time.time(),
        **how,
    )


def submit(
    cluster: Cluster, runs: Sequence[Path], request: Request, profile: SiteProfile, logs: Path, **how: Any
) -> list[str]:
    """Submit a job for each prepared run directory, on Slurm as one array if there are several; their ids.

    Args:
        how: ``name`` of the jobs, ``max_parallel`` of an array.

    Raises:
        SimulationError: the scheduler refused; its words, which the runs' status has too.
    """
    supervisors = [Supervisor(run.resolve()) for run in runs]
    if cluster == "debug":
        return [_done_here(supervisor) for supervisor in supervisors]
    try:
        if cluster == "local":
            executor = _executor(cluster, request, profile, logs)
            with _detached(), _outside_of_jobs(keeps=()):
                jobs = [executor.submit(supervisor) for supervisor in supervisors]
        else:
            jobs = _submitted_to_slurm(supervisors, request, profile, logs, **how)
    except BaseException as error:
        for run in runs:
            JobFiles(run).write_status(Status(State.FAILED, f"not submitted: {error}"))
        if isinstance(error, submitit.core.utils.FailedJobError):
            raise SimulationError(f"the job was not taken: {error}") from None
        raise
    for run, job in zip(runs, jobs, strict=True):
        files = JobFiles(run)
        files.write_plan(replace(files.plan(), job_id=str(job.job_id)))
    return [str(job.job_id) for job in jobs]


def _submitted_to_slurm(
    supervisors: Sequence[Supervisor], request: Request, profile: SiteProfile, logs: Path, **how: Any
) -> list[Any]:
    """Jobs of Slurm: one, or arrays of as many members as it takes."""
    size = _largest_array() if len(supervisors) > 1 else 1
    chunks = [supervisors[first : first + size] for first in range(0, len(supervisors), size)]
    how["max_parallel"] = max(1, (how.get("max_parallel") or 256) // len(chunks))
    jobs = []
    for chunk in chunks:
        executor = _executor("slurm", request, profile, logs, **how)
        together = executor.batch() if len(chunk) > 1 else nullcontext()
        with _outside_of_jobs(_kept_for_sbatch(profile)), together:
            jobs += [executor.submit(supervisor) for supervisor in chunk]
    return jobs


def _largest_array() -> int:
    """How many members Slurm lets a job array have."""
    said = said_by("scontrol", "show", "config")
    found = re.search(r"^MaxArraySize\s*=\s*(\d+)", said or "", flags=re.MULTILINE)
    return max(1, int(found[1])) if found else _ARRAY_SIZE


def _done_here(supervisor: Supervisor) -> str:
    """Carry a run out in this process."""
    try:
        supervisor()
    except JobFailedError as error:
        raise SimulationError(str(error)) from None
    return str(os.getpid())


@contextmanager
def _detached() -> Iterator[None]:
    """What is started in here outlives this terminal, and holds none of its files open."""
    kept = {number: os.dup(number) for number in (0, 1, 2)}
    nothing = os.open(os.devnull, os.O_RDWR)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    sys.stdout.flush()
    try:
        for number in kept:
            os.dup2(nothing, number)
        yield
    finally:
        for number, copy in kept.items():
            os.dup2(copy, number)
            os.close(copy)
        os.close(nothing)
        signal.signal(signal.SIGHUP, before)


def _kept_for_sbatch(profile: SiteProfile) -> tuple[str, ...]:
    """Variables that sbatch may see: where Slurm is, and the user's defaults of what is not said otherwise."""
    said = {name.upper() for name in _OPTIONS if getattr(profile, name)}
    said |= {name.upper() for name in profile.sbatch}
    return (*_OF_SLURM, *(f"SBATCH_{name}" for name in _DEFAULTS if name not in said))


@contextmanager
def _outside_of_jobs(keeps: Sequence[str]) -> Iterator[None]:
    """Without what the job that this process may be in would hand on to another, but for variables to keep."""
    kept = {name: os.environ[name] for name in keeps if name in os.environ}
    with submitit.helpers.clean_env():
        os.environ.update(kept)
        yield


class _ToBeShown(submitit.SlurmExecutor):  # type: ignore[misc]
    """submitit's executor where there need be no Slurm: it submits nothing."""

    @classmethod
    def affinity(cls) -> int:
        """Of use everywhere."""
        return 1


def sbatch_script(request: Request, profile: SiteProfile, logs: Path, name: str) -> str:
    """The script that would be submitted."""
    executor = _executor("slurm", request, profile, logs, _ToBeShown, name=name)
    return str(executor._make_submission_file_text(executor._submitit_command_str, "dry-run"))


def _executor(
    cluster: Cluster,
    request: Request,
    profile: SiteProfile,
    logs: Path,
    of_slurm: type[submitit.SlurmExecutor] = submitit.SlurmExecutor,
    **how: Any,
) -> Any:
    """submitit's executor with everything set."""
    if cluster == "local":
        local = LocalExecutor(folder=logs, max_num_timeout=_REQUEUES)
        local.update_parameters(
            timeout_min=request.time_min, signal_delay_s=request.grace_s, setup=_setup(profile) or None
        )
        return local
    _check_line("--out", logs)
    executor = of_slurm(folder=logs, max_num_timeout=_REQUEUES)
    options: dict[str, Any] = {name: getattr(profile, name) for name in _OPTIONS} | {"setup": _setup(profile) or None}
    executor.update_parameters(
        job_name=_label(how.get("name", "hpcsnn")),
        time=math.ceil(request.time_min),
        nodes=request.nodes,
        ntasks_per_node=request.ranks_per_node,
        mem=None if _MEMORY & profile.sbatch.keys() else f"{request.memory_gb}GB",
        wckey=None,  # submitit's own would be refused where keys are checked
        gpus_per_node=request.gpus_per_node or None,
        signal_delay_s=request.grace_s,
        stderr_to_stdout=False,
        array_parallelism=how.get("max_parallel") or 256,
        # The supervisor is one task on the first node; it starts the ranks in a step of their own.
        srun_args=["--nodes=1", "--ntasks=1", "--overlap", "--cpu-bind=none", "--mpi=none"],
        additional_parameters={"requeue": True, **profile.sbatch},
        **{key: value for key, value in options.items() if value is not None},
    )
    return executor


def _check_line(where: str, path: Path) -> None:
    """Refuse a path that would end its line of the script: what follows would be a command."""
    if not str(path).isprintable():
        raise ConfigurationError(f"{where}: {str(path)!r} is not allowed; {ONE_LINE}")


def _label(name: str) -> str:
    """A job's name: it names nothing but the job, so what no line can hold may go."""
    return "".join(sign if sign.isprintable() else "_" for sign in name)


def _setup(profile: SiteProfile) -> list[str]:
    return [*(f"module load {shlex.quote(module)}" for module in profile.modules), *profile.setup]
