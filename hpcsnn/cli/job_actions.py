"""What ``hpcsnn submit``, ``sweep``, ``resume --cluster``, ``logs`` and ``cancel`` do."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hpcsnn.cli.common import FAILED, FAULT, REFUSED, Asked, say
from hpcsnn.cli.facts.jobs import written_by
from hpcsnn.configuration.schema import NetworkConfiguration
from hpcsnn.configuration.times import parse_limit_min, parse_time_ms
from hpcsnn.errors import ConfigurationError, StorageError
from hpcsnn.jobs.executors import Cluster, check_cluster, check_reachable, make_plan, prepare, sbatch_script, submit
from hpcsnn.jobs.job_files import JobFiles, JobPlan, State
from hpcsnn.jobs.run_index import followed, look_up, read_run, without_forgotten
from hpcsnn.jobs.sweeps import Sweep, parse_vary
from hpcsnn.planning.request import Request, make_request
from hpcsnn.planning.site_profiles import SiteProfile, load_profile, with_flags
from hpcsnn.runs.resuming import prepare_resume
from hpcsnn.storage.checkpoints import beyond
from hpcsnn.storage.run_directory import RunDirectory
from hpcsnn.training.configuration import load_either

# How often to look whether a job is over.
_LOOK_EVERY_S = 0.5


def submit_run(
    configuration: NetworkConfiguration,
    out: Path | None,
    name: str,
    asked: Asked,
    dry_run: bool = False,
    figures: bool = True,
) -> dict[str, str]:
    """Submit one new run; its job and its directory, or what would be submitted."""
    cluster, profile, request = launch_setting(configuration, asked)
    run = out or _free_folder((profile.scratch or Path("runs")) / name)
    logs = run.resolve() / "job" / "logs"
    if dry_run:
        size = f"{request.ranks} ranks on {request.nodes} nodes, {request.memory_gb} GB per node"
        script = sbatch_script(request, profile, logs, name) if cluster == "slurm" else f"cluster: {cluster}"
        return {"run": str(run), "request": size, "script": script}
    RunDirectory(run).check_free(overwrite=False)
    check_reachable(cluster)
    if JobFiles(run).submitted():
        raise StorageError(
            f"{run}: a job was submitted here already; give another --out, or hpcsnn resume {run} --cluster {cluster}"
        )
    prepare(run, configuration, _plan(asked, cluster, profile, request, logs, figures))
    (job,) = submit(cluster, [run], request, profile, logs, name=name)
    return {"job_id": job, "run": str(run)}


def wait_for(run: Path) -> tuple[str, int]:
    """Wait until a run's job is over: its state, and the exit code of who waits.

    That is 0 of a run that is complete, and of one that failed the code with which its ranks ended; 1 of one that was
    cancelled or stopped, and 3 of one that nobody knows any more, or whose ranks were killed.
    """
    *_, entry = followed(run)
    if entry.state == State.COMPLETED:
        return entry.state, 0
    if entry.state == "lost":
        return entry.state, FAULT
    code = entry.status.exit_code if entry.status is not None else None
    return entry.state, FAILED if code in (None, 0) else code if code in (FAILED, REFUSED) else FAULT


def _free_folder(wanted: Path) -> Path:
    """`wanted`, or with the first number behind it that is not taken."""
    names = (wanted if n == 1 else wanted.with_name(f"{wanted.name}-{n}") for n in range(1, 1_000_000))
    return next(path for path in names if not path.exists())


def resume_run(
    run: Path,
    until_ms: float | None,
    from_step: int | None,
    asked: Asked,
    trust: bool = False,
    figures: bool = True,
) -> None:
    """Submit a job that goes on with a run, from its newest good checkpoint or from that of a step."""
    directory, files = RunDirectory(run), JobFiles(run)
    entry = look_up(run)
    if entry.status is not None and not entry.status.state.over and entry.state != "lost":
        raise StorageError(f"{run}: its job is {entry.state}; hpcsnn cancel {run} first, or wait for it")
    there = directory.configuration if directory.configuration.is_file() else files.configuration
    if not there.is_file():
        directory.check_run()
    configuration = load_either(
        there, [] if until_ms is None else [f"duration_ms={until_ms!r}"], trust=trust, of_run=True
    )
    cluster, profile, request = launch_setting(configuration, asked)
    check_reachable(cluster)
    replaces: list[list[int]] = []
    if configuration.TRAINS and (until_ms is not None or from_step is not None):
        raise ConfigurationError(f"--until, --from: are not allowed; {run} is a training, which has neither")
    if from_step is not None:
        with directory.lock():  # to see whether it can be done; the job does it
            prepare_resume(directory, until_ms, from_step, trust)
            replaces = beyond(run, from_step)
    if directory.configuration.is_file():
        directory.write_configuration(configuration)
    logs = run.resolve() / "job" / "logs"
    plan = replace(_plan(asked, cluster, profile, request, logs, figures), from_step=from_step, replaces=replaces)
    prepare(run, configuration, plan)
    (job,) = submit(cluster, [run], request, profile, logs, name=run.name)
    say(f"{job}  {run}")


def submit_sweep(
    config: str,
    overrides: list[str],
    vary: list[str],
    folder: Path,
    max_parallel: int | None,
    asked: Asked,
    trust: bool = False,
    figures: bool = False,
    tell: Callable[[str], None] = say,
) -> dict[str, Any]:
    """Submit every member that is neither finished nor under way, and `tell` of it line by line.

    Returns:
        ``folder``, and ``runs``: of each its directory and the ``job_id`` that it was submitted as, None: it was not.
    """
    sweep = Sweep(folder, config, overrides, dict(parse_vary(text) for text in vary))
    configurations = {run: sweep.configuration(settings, trust) for run, settings in sweep.members()}
    entries = without_forgotten([read_run(run) for run in configurations])
    missing = [entry.path for entry in entries if entry.to_submit]
    cluster, profile, request = launch_setting(_largest(list(configurations.values())), asked)
    check_reachable(cluster)
    sweep.write()
    tell(f"{folder}: {len(configurations)} runs, {len(configurations) - len(missing)} finished or under way")
    job_of: dict[Path, str] = {}
    logs = folder.resolve() / "job" / "logs"

    def prepared(run: Path) -> Path:
        prepare(run, configurations[run], _plan(asked, cluster, profile, request, logs, figures))
        return run

    if cluster == "slurm" and missing:
        for run in missing:
            prepared(run)
        ids = submit(cluster, missing, request, profile, logs, name=folder.name, max_parallel=max_parallel)
        tell(f"{ids[0].partition('_')[0]}  {len(missing)} runs as one array; hpcsnn jobs {folder}")
        job_of = dict(zip(missing, ids, strict=True))
    for started, run in enumerate(missing if cluster != "slurm" else ()):
        while started - sum(_over(one) for one in missing[:started]) >= (max_parallel or 1):
            time.sleep(_LOOK_EVERY_S)
        (job_of[run],) = submit(cluster, [prepared(run)], request, profile, logs)
        tell(f"{job_of[run]}  {run}")
    runs = [{"run": str(run), "job_id": job_of.get(run)} for run in configurations]
    return {"folder": str(folder), "runs": runs}


def _over(run: Path) -> bool:
    status = JobFiles(run).status()
    return status is not None and (status.state.over or status.lost)


def _largest(configurations: Sequence[NetworkConfiguration]) -> NetworkConfiguration:
    """The member that needs most: a job array asks for one size."""
    return max(configurations, key=lambda one: sum(p.size for p in one.network().populations.values()))


def launch_setting(configuration: NetworkConfiguration, asked: Asked) -> tuple[Cluster, SiteProfile, Request]:
    """Cluster, profile and request that flags and profile come to."""
    profile = load_profile(asked.profile)
    profile = with_flags(profile, partition=asked.partition, account=asked.account)
    request = make_request(
        configuration,
        profile,
        nodes=asked.nodes,
        ranks=asked.ranks,
        gpus_per_node=asked.gpus_per_node,
        time_min=parse_limit_min("--time", asked.time),
        grace_s=None if asked.grace is None else int(parse_time_ms("--grace", asked.grace) / 1e3),
    )
    return check_cluster(asked.cluster), profile, request


def _plan(asked: Asked, cluster: Cluster, profile: SiteProfile, request: Request, logs: Path, figures: bool) -> JobPlan:
    """The plan of a job that was asked for with these flags."""
    of_ranks = {"max_restarts": asked.max_restarts, "figures": figures}
    return make_plan(cluster, request, profile, logs, device=asked.device, **of_ranks)


def log_of(run: Path, errors: bool) -> tuple[str, Path]:
    """A run's job, and the file of its standard output or error, which may not be there yet."""
    plan = JobFiles(run).plan()
    return plan.job_id, Path(plan.logs) / f"{plan.job_id}_0_log.{'err' if errors else 'out'}"


def written(run: Path, errors: bool, follow: bool) -> dict[str, Any]:
    """Standard output or error of all starts of a run's job, oldest first; to `follow`, once the job is over.

    Raises:
        StorageError: nothing is written.
    """
    while follow and not _over(run):
        time.sleep(_LOOK_EVERY_S)
    job, path = log_of(run, errors)
    if not path.is_file():
        raise StorageError(f"{path}: nothing written yet")
    return written_by(run, job, path)


def print_logs(run: Path, errors: bool, follow: bool) -> None:
    """Standard output or error of all starts of a run's job, oldest first."""
    _, path = log_of(run, errors)
    if not path.is_file() and not follow:
        raise StorageError(f"{path}: nothing written yet")
    place = 0
    while True:
        if path.is_file():
            with path.open(errors="replace") as stream:
                stream.seek(place)
                say(stream.read(), nl=False)
                place = stream.tell()
        if not follow or _over(run):
            return
        time.sleep(_LOOK_EVERY_S)


def cancel_run(run: Path) -> str:
    """Ask for the end of a run's job; what was done, in words."""
    files = JobFiles(run)
    plan, status = files.plan(), files.status()
    if status is None or status.state.over:
        raise StorageError(f"{run}: nothing to cancel; its job is {status.state if status else 'unknown'}")
    if status.state in (State.RUNNING, State.RESTARTING) and not status.lost:
        files.request_cancel()
        return f"{run}: asked to stop at a checkpoint; hpcsnn watch {run} shows when it has"
    if plan.cluster == "slurm" and plan.job_id and not look_up(run).forgotten:
        done = subprocess.run(["scancel", plan.job_id], capture_output=True, text=True, check=False)
        if done.returncode:
            raise StorageError(f"{run}: scancel {plan.job_id}: {done.stderr.strip()}")
    else:
        files.request_cancel()
    files.write_status(replace(status, state=State.CANCELLED, reason="before it began"))
    return f"{run}: cancelled"
