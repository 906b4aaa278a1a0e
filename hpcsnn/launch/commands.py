"""The commands that launch runs and look after them: submit, sweep, jobs, watch, logs, cancel."""

from __future__ import annotations

import inspect
import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer
from rich.console import Console

from hpcsnn.config import Configuration, load_configuration
from hpcsnn.devices import CHOICES
from hpcsnn.errors import StorageError
from hpcsnn.model_time import parse_time_ms

Overrides = Annotated[list[str], typer.Option("--set", metavar="KEY=VALUE", help="As for hpcsnn run. Repeat.")]
RootPath = Annotated[Path, typer.Argument(metavar="[FOLDER]", help="Where to look for runs.")]
RunPath = Annotated[Path, typer.Argument(metavar="RUN", help="A run directory.")]

# A run that may be killed at any time is worth little without checkpoints.
_CHECKPOINT_EVERY = "10min-wall"


@dataclass(frozen=True)
class Asked:
    """How to launch, as the flags say; each field is an option of every command that launches."""

    cluster: Annotated[
        str | None,
        typer.Option(metavar="slurm|local|debug", help="A Slurm cluster, this machine, or this very process."),
    ] = "slurm"
    nodes: Annotated[int, typer.Option(min=1, help="Nodes.")] = 1
    ranks: Annotated[
        int | None, typer.Option(min=1, help="MPI ranks in all. Default: one a GPU, else by the network's size.")
    ] = None
    gpus_per_node: Annotated[
        int | None, typer.Option(min=0, help="GPUs of each node. Default: the profile's, else none.")
    ] = None
    time: Annotated[
        str, typer.Option(metavar="TIME", help="Limit of one start, such as 2h; the run is requeued until it is done.")
    ] = "1h"
    grace: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="How long before the limit to stop at a checkpoint. Default: by size."),
    ] = None
    partition: Annotated[str | None, typer.Option(help="Slurm partition. Default: the profile's.")] = None
    account: Annotated[str | None, typer.Option(help="Slurm account. Default: the profile's.")] = None
    profile: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Of ~/.config/hpcsnn/clusters.yaml; default if there is one."),
    ] = None
    max_restarts: Annotated[int, typer.Option(min=0, help="How often to go on after a crash.")] = 3
    device: Annotated[str, typer.Option(metavar="|".join(CHOICES), help="As for hpcsnn run.")] = "auto"


def launches(command: Callable[..., None], **defaults: Any) -> Callable[..., None]:
    """Give a command the options of `Asked`, in place of its argument ``asked``; `defaults` go before `Asked`'s own."""
    kinds = get_type_hints(Asked, include_extras=True)
    for kind in kinds.values():
        kind.__metadata__[0].rich_help_panel = "The job"
    own = [p for p in inspect.signature(command, eval_str=True).parameters.values() if p.name != "asked"]
    options = [
        inspect.Parameter(
            option.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=defaults.get(option.name, option.default),
            annotation=kinds[option.name],
        )
        for option in fields(Asked)
    ]

    def with_options(**given: Any) -> None:
        asked = Asked(**{option.name: given.pop(option.name) for option in options})
        command(**given, asked=asked)

    own = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]
    with_options.__name__, with_options.__doc__ = command.__name__, command.__doc__
    with_options.__signature__ = inspect.Signature([*own, *options])  # type: ignore[attr-defined]
    with_options.__annotations__ = {parameter.name: parameter.annotation for parameter in (*own, *options)}
    return with_options


def register(app: typer.Typer, reported: Callable[[], Any]) -> None:
    """Add the commands to the command line; `reported` turns errors into messages."""

    @app.command(
        epilog="Examples: `hpcsnn submit topomap --nodes 4 --gpus-per-node 4 --time 2h --partition gpu` · "
        "`hpcsnn submit topomap --cluster local --ranks 2` · `hpcsnn submit topomap --set scale=16 --dry-run`"
    )
    @launches
    def submit(
        asked: Asked,
        config: Annotated[str, typer.Argument(metavar="CONFIG", help="As for hpcsnn run.")],
        overrides: Overrides = [],  # noqa: B006 (typer wants a list)
        out: Annotated[Path | None, typer.Option(help="Run directory. Default: runs/ and a free name.")] = None,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the job and submit nothing.")] = False,
    ) -> None:
        """Submit a run as a job, which is requeued and restarted until it is done; prints job and run directory."""
        with reported():
            configuration = _with_checkpoints(load_configuration(config, overrides), config, overrides)
            submit_run(configuration, out, Path(config).stem, asked, dry_run)

    @app.command(
        epilog="Examples: `hpcsnn sweep topomap --vary seed=1..10 --vary scale=1,2,4 --max-parallel 8` · "
        "`hpcsnn sweep --report runs/topomap-sweep`"
    )
    @launches
    def sweep(
        asked: Asked,
        config: Annotated[str | None, typer.Argument(metavar="[CONFIG]", help="As for hpcsnn run.")] = None,
        vary: Annotated[
            list[str], typer.Option(metavar="KEY=VALUES", help="seed=1..10, scale=1,2,4. Repeat: all combinations.")
        ] = [],  # noqa: B006
        overrides: Overrides = [],  # noqa: B006
        out: Annotated[Path | None, typer.Option(help="Folder of the sweep. Default: runs/CONFIG-sweep.")] = None,
        report: Annotated[
            Path | None, typer.Option(metavar="FOLDER", help="Show the results of a sweep; submit nothing.")
        ] = None,
        max_parallel: Annotated[
            int | None, typer.Option(min=1, help="Runs at a time. Default: 256; locally 1.")
        ] = None,
    ) -> None:
        """Submit a run for each combination of values, as one job array, but for those finished or under way."""
        with reported():
            from hpcsnn.errors import ConfigurationError
            from hpcsnn.launch.sweep_commands import report_sweep, submit_sweep

            if report is not None:
                report_sweep(report, Console())
                return
            if config is None or not vary:
                raise ConfigurationError("sweep: give a CONFIG and what to --vary, or --report FOLDER")
            if not any(override.startswith("checkpoint_every=") for override in overrides):
                overrides = [*overrides, f"checkpoint_every={_CHECKPOINT_EVERY}"]
            folder = out or Path("runs") / f"{Path(config).stem}-sweep"
            submit_sweep(config, overrides, vary, folder, max_parallel, asked)

    @app.command()
    def jobs(
        root: RootPath = Path("runs"),
        as_json: Annotated[bool, typer.Option("--json", help="For programs: one JSON list.")] = False,
    ) -> None:
        """List the runs below a folder: state, progress, speed, starts, time left of limit and of work, checkpoint."""
        with reported():
            from hpcsnn.launch.display import as_plain, jobs_table
            from hpcsnn.launch.registry import find_runs

            entries = find_runs(root)
            if as_json:
                typer.echo(json.dumps([as_plain(entry) for entry in entries], indent=1))
            elif entries:
                Console().print(jobs_table(entries, root))
            else:
                typer.echo(f"{root}: no runs")

    @app.command()
    def watch(run: RunPath) -> None:
        """Follow a run, from anywhere that sees its files, until its job is over."""
        with reported():
            from hpcsnn.launch.display import watch_run
            from hpcsnn.launch.job_files import State

            _check_run(run)
            entry = watch_run(run, Console())
            if entry.state not in (State.COMPLETED, State.STOPPED):
                raise typer.Exit(1)

    @app.command()
    def logs(
        run: RunPath,
        errors: Annotated[bool, typer.Option("--errors", help="Standard error in place of standard output.")] = False,
        follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the job is over.")] = False,
    ) -> None:
        """Print what a run's job has written so far."""
        with reported():
            print_logs(run, errors, follow)

    @app.command()
    def cancel(run: RunPath) -> None:
        """End a run's job: if it is running, at a checkpoint."""
        with reported():
            typer.echo(cancel_run(run))


def _with_checkpoints(configuration: Configuration, config: str, overrides: list[str]) -> Configuration:
    if configuration.checkpoint_every is not None:
        return configuration
    return load_configuration(config, [*overrides, f"checkpoint_every={_CHECKPOINT_EVERY}"])


def _check_run(run: Path) -> None:
    from hpcsnn.launch.job_files import JobFiles
    from hpcsnn.storage.run_directory import RunDirectory

    if not JobFiles(run).plan_file.is_file():
        RunDirectory(run).check_run()


def launch_setting(configuration: Configuration, asked: Asked) -> tuple[Any, Any, Any]:
    """Cluster, profile and request that flags and profile come to."""
    from hpcsnn.launch.executors import check_cluster
    from hpcsnn.launch.profiles import load_profile
    from hpcsnn.launch.request import make_request

    profile = load_profile(asked.profile)
    given = {"partition": asked.partition, "account": asked.account}
    profile = profile.model_copy(update={key: value for key, value in given.items() if value is not None})
    request = make_request(
        configuration,
        profile,
        nodes=asked.nodes,
        ranks=asked.ranks,
        gpus_per_node=asked.gpus_per_node,
        time_min=parse_time_ms("--time", asked.time) / 60e3,
        grace_s=None if asked.grace is None else int(parse_time_ms("--grace", asked.grace) / 1e3),
    )
    return check_cluster(asked.cluster), profile, request


def submit_run(configuration: Configuration, out: Path | None, name: str, asked: Asked, dry_run: bool = False) -> None:
    """Submit one new run."""
    from hpcsnn.launch.executors import make_plan, prepare, sbatch_script, submit
    from hpcsnn.storage.run_directory import RunDirectory

    cluster, profile, request = launch_setting(configuration, asked)
    run = out or _free_folder((profile.scratch or Path("runs")) / name)
    logs = (run / "job" / "logs").resolve()
    if dry_run:
        typer.echo(f"{run}: {request.ranks} ranks on {request.nodes} nodes, {request.memory_gb} GB a node")
        typer.echo(sbatch_script(request, profile, logs, name) if cluster == "slurm" else f"cluster: {cluster}")
        return
    RunDirectory(run).check_free(overwrite=False)
    if (run / "job").exists():
        raise StorageError(f"{run}: a job was submitted here already; give another --out, or hpcsnn resume {run}")
    how = {"device": asked.device, "max_restarts": asked.max_restarts}
    prepare(run, configuration, make_plan(cluster, request, profile, logs, **how))
    (job,) = submit(cluster, [run], request, profile, logs, name=name)
    typer.echo(f"{job}  {run}")


def resume_run(run: Path, until_ms: float | None, from_step: int | None, asked: Asked) -> None:
    """Submit a job that goes on with a run, from its newest good checkpoint or from that of a step."""
    from hpcsnn.launch.executors import make_plan, prepare, submit
    from hpcsnn.launch.job_files import JobFiles
    from hpcsnn.launch.registry import look_up
    from hpcsnn.resuming import prepare_resume
    from hpcsnn.storage.run_directory import RunDirectory

    directory, files = RunDirectory(run), JobFiles(run)
    entry = look_up(run)
    if entry.status is not None and not entry.status.state.over and entry.state != "lost":
        raise StorageError(f"{run}: its job is {entry.state}; hpcsnn cancel {run} first, or wait for it")
    there = directory.configuration if directory.configuration.is_file() else files.configuration
    if not there.is_file():
        directory.check_run()
    configuration = load_configuration(there, [] if until_ms is None else [f"duration_ms={until_ms!r}"])
    cluster, profile, request = launch_setting(configuration, asked)
    if from_step is not None:
        with directory.lock():
            prepare_resume(directory, until_ms, from_step)
    if directory.configuration.is_file():
        directory.write_configuration(configuration.resolved())
    logs = (run / "job" / "logs").resolve()
    how = {"device": asked.device, "max_restarts": asked.max_restarts}
    prepare(run, configuration, make_plan(cluster, request, profile, logs, **how))
    (job,) = submit(cluster, [run], request, profile, logs, name=run.name)
    typer.echo(f"{job}  {run}")


def _free_folder(wanted: Path) -> Path:
    """`wanted`, or with the first number behind it that is not taken."""
    names = (wanted if n == 1 else wanted.with_name(f"{wanted.name}-{n}") for n in range(1, 1_000_000))
    return next(path for path in names if not path.exists())


def print_logs(run: Path, errors: bool, follow: bool) -> None:
    """Standard output or error of all starts of a run's job, oldest first."""
    from hpcsnn.launch.job_files import JobFiles

    files = JobFiles(run)
    plan = files.plan()
    kind = "err" if errors else "out"
    path = Path(plan.logs) / f"{plan.job_id}_0_log.{kind}"
    if not path.is_file() and not follow:
        raise StorageError(f"{path}: nothing written yet")
    place = 0
    while True:
        if path.is_file():
            with path.open(errors="replace") as stream:
                stream.seek(place)
                typer.echo(stream.read(), nl=False)
                place = stream.tell()
        status = files.status()
        if not follow or (status is not None and (status.state.over or status.lost)):
            return
        time.sleep(0.5)


def cancel_run(run: Path) -> str:
    """Ask for the end of a run's job; what was done, in words."""
    from dataclasses import replace

    from hpcsnn.launch.job_files import JobFiles, State
    from hpcsnn.launch.registry import look_up

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
