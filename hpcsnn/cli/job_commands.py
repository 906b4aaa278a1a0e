"""The commands that launch runs and look after them: submit, sweep, jobs, watch, logs, cancel."""

from pathlib import Path
from typing import Annotated, Any

import typer

from hpcsnn.cli.common import (
    FAILED,
    Asked,
    CheckpointChoice,
    DataChoice,
    FigureChoice,
    JsonChoice,
    KeepChoice,
    RunPath,
    TrustChoice,
    checkpoint_overrides,
    data_overrides,
    launches,
    reported,
    say,
    say_json,
)
from hpcsnn.errors import ConfigurationError
from hpcsnn.shipped_files import shipped_of_any_kind
from hpcsnn.terminal import terminal

commands = typer.Typer()

Overrides = Annotated[list[str], typer.Option("--set", metavar="KEY=VALUE", help="As for hpcsnn run. Repeat.")]
RootPath = Annotated[Path, typer.Argument(metavar="[FOLDER]", help="Where to look for runs.")]

# A run that may be killed at any time is worth little without checkpoints.
_CHECKPOINT_EVERY = "10min-wall"


@commands.command(
    epilog="Examples: `hpcsnn submit topomap --nodes 4 --gpus-per-node 4 --time 2h --partition gpu` · "
    "`hpcsnn submit topomap --cluster local --ranks 2` · `hpcsnn submit topomap --set scale=16 --dry-run`"
)
@launches
def submit(
    asked: Asked,
    config: Annotated[
        str, typer.Argument(metavar="CONFIG", help="As for hpcsnn run.", autocompletion=shipped_of_any_kind)
    ],
    overrides: Overrides = [],  # noqa: B006 (typer wants a list)
    data: DataChoice = None,
    out: Annotated[Path | None, typer.Option(help="Run directory. Default: runs/ and a free name.")] = None,
    checkpoint_every: CheckpointChoice = None,
    keep: KeepChoice = None,
    figures: FigureChoice = True,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the job and submit nothing.")] = False,
    wait: Annotated[
        bool,
        typer.Option(
            "--wait",
            help="End when the job has ended, with 0 if the run is complete, else its exit code. Ctrl-C ends the "
            "waiting, not the job.",
        ),
    ] = False,
    trust: TrustChoice = False,
    as_json: JsonChoice = False,
) -> None:
    """Submit a run or a training as a job, which is requeued and restarted until it is done; prints its number."""
    with reported():
        from hpcsnn.cli.job_actions import submit_run, wait_for
        from hpcsnn.training.configuration import load_either

        overrides = [*overrides, *data_overrides(config, data), *checkpoint_overrides(checkpoint_every, keep)]
        configuration = load_either(config, overrides, trust=trust)
        if configuration.checkpoint_every in (None, "epoch"):
            configuration = load_either(config, [*overrides, f"checkpoint_every={_CHECKPOINT_EVERY}"], trust=trust)
        told: dict[str, Any] = {**submit_run(configuration, out, Path(config).stem, asked, dry_run, figures)}
        if not as_json:
            say(
                "\n".join([f"{told['run']}: {told['request']}", told["script"]])
                if dry_run
                else "  ".join(told.values())
            )
        code = 0
        if wait and not dry_run:
            told["state"], code = wait_for(Path(told["run"]))
            told["exit_code"] = code
        if as_json:
            say_json(told)
        if code:
            raise typer.Exit(code)


@commands.command(
    epilog="Examples: `hpcsnn sweep topomap --vary seed=1..10 --vary scale=1,2,4 --max-parallel 8` · "
    "`hpcsnn sweep --report runs/topomap-sweep`"
)
@launches
def sweep(
    asked: Asked,
    config: Annotated[
        str | None,
        typer.Argument(metavar="[CONFIG]", help="As for hpcsnn run.", autocompletion=shipped_of_any_kind),
    ] = None,
    vary: Annotated[
        list[str], typer.Option(metavar="KEY=VALUES", help="seed=1..10, scale=1,2,4. Repeat: all combinations.")
    ] = [],  # noqa: B006
    overrides: Overrides = [],  # noqa: B006
    data: DataChoice = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the sweep. Default: runs/CONFIG-sweep.")] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Show the results of a sweep; submit nothing.")
    ] = None,
    max_parallel: Annotated[int | None, typer.Option(min=1, help="Runs at a time. Default: 256; locally 1.")] = None,
    checkpoint_every: CheckpointChoice = None,
    keep: KeepChoice = None,
    figures: Annotated[bool, typer.Option(help="Draw figures of each run too; the report has its own.")] = False,
    trust: TrustChoice = False,
    as_json: JsonChoice = False,
) -> None:
    """Submit a run for each combination of values, as one job array, but for those finished or under way."""
    with reported():
        if report is not None:
            from hpcsnn.cli.facts.sweeps import results_of
            from hpcsnn.cli.tables.of_jobs import print_sweep

            results = results_of(report)
            if as_json:
                say_json(results)
            else:
                print_sweep(results, terminal())
            return
        if config is None or not vary:
            raise ConfigurationError("sweep: give a CONFIG and what to --vary, or --report FOLDER")
        overrides = [*overrides, *data_overrides(config, data), *checkpoint_overrides(checkpoint_every, keep)]
        if not any(override.startswith("checkpoint_every=") for override in overrides):
            overrides = [*overrides, f"checkpoint_every={_CHECKPOINT_EVERY}"]
        from hpcsnn.cli.job_actions import submit_sweep

        folder = out or Path("runs") / f"{Path(config).stem}-sweep"
        tell = _unsaid if as_json else say
        told = submit_sweep(config, overrides, vary, folder, max_parallel, asked, trust, figures, tell)
        if as_json:
            say_json(told)


@commands.command()
def jobs(
    root: RootPath = Path("runs"),
    as_json: JsonChoice = False,
) -> None:
    """List the runs below a folder: state, progress, speed, starts, time left of limit and of work, checkpoint."""
    with reported():
        from hpcsnn.jobs.run_index import find_runs

        entries = find_runs(root)
        if as_json:
            from hpcsnn.cli.facts.jobs import standing_of

            say_json([standing_of(entry) for entry in entries])
        elif entries:
            from hpcsnn.cli.tables.of_jobs import jobs_table

            terminal().print(jobs_table(entries, root))
        else:
            say(f"{root}: no runs")


@commands.command()
def watch(
    run: RunPath,
    as_json: JsonChoice = False,
) -> None:
    """Follow a run, from anywhere that sees its files, until its job is over; with --json, say then how it stands."""
    with reported():
        from hpcsnn.cli.facts.jobs import standing_of
        from hpcsnn.cli.tables.of_jobs import watch_run
        from hpcsnn.jobs.job_files import State

        _check_run(run)
        entry = watch_run(run, terminal(quiet=as_json))
        if as_json:
            say_json(standing_of(entry))
        if entry.state not in (State.COMPLETED, State.STOPPED):
            raise typer.Exit(FAILED)


@commands.command()
def logs(
    run: RunPath,
    errors: Annotated[bool, typer.Option("--errors", help="Standard error in place of standard output.")] = False,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the job is over.")] = False,
    as_json: JsonChoice = False,
) -> None:
    """Print what a run's job has written so far."""
    with reported():
        from hpcsnn.cli.job_actions import print_logs, written

        if as_json:
            say_json(written(run, errors, follow))
        else:
            print_logs(run, errors, follow)


@commands.command()
def cancel(run: RunPath) -> None:
    """End a run's job: if it is running, at a checkpoint."""
    with reported():
        from hpcsnn.cli.job_actions import cancel_run

        say(cancel_run(run))


def _check_run(run: Path) -> None:
    from hpcsnn.jobs.job_files import JobFiles
    from hpcsnn.storage.run_directory import RunDirectory

    if not JobFiles(run).plan_file.is_file():
        RunDirectory(run).check_run()


def _unsaid(line: str) -> None:
    """Say nothing: it stands in a document."""
