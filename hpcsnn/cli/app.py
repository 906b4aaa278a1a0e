"""The command line."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from hpcsnn._version import __version__
from hpcsnn.cli import rule_commands
from hpcsnn.cli.common import FAILED, ConfigPath, DeviceChoice, Overrides, RunPath, reported, world
from hpcsnn.cli.job_commands import register
from hpcsnn.cli.job_options import Asked, launches
from hpcsnn.configuration.files import load_configuration, shipped_configurations
from hpcsnn.configuration.times import parse_time_ms
from hpcsnn.errors import StorageError

app = typer.Typer(
    help="Simulate spiking neural networks whose wiring changes while they run, on one or many MPI ranks.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)

FigureChoice = Annotated[bool, typer.Option(help="Draw figures at the end.")]


@app.command(
    epilog="Examples: `hpcsnn run topomap` · `mpiexec -n 4 hpcsnn run configs/topomap.yaml --out runs/four` · "
    "`hpcsnn run topomap --set scale=4 --set seed=7 --set duration_ms=5000 --device cpu`"
)
def run(
    config: ConfigPath,
    overrides: Overrides = [],  # noqa: B006 (typer wants a list)
    out: Annotated[
        Path | None, typer.Option(help="Run directory. Default: runs/ and the configuration's name.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a run that is there already.")] = False,
    device: DeviceChoice = "auto",
    checkpoint_every: Annotated[
        str | None,
        typer.Option(help="Model time, such as 10s, or wall time, such as 10min-wall. Default: at the end only."),
    ] = None,
    keep: Annotated[int | None, typer.Option(help="How many of the newest checkpoints stay. Default: 3.")] = None,
    figures: FigureChoice = True,
) -> None:
    """Run an experiment; leaves config.yaml, summary.json, network.zarr and figures/ in the run directory.

    Start it under `mpiexec -n N` to use N ranks: the answer is the same, bit for bit.
    """
    ranks = world()
    with reported(ranks):
        from hpcsnn.cli.run_tables import print_summary
        from hpcsnn.runs.experiment import Setting, run_experiment

        if checkpoint_every is not None:
            overrides = [*overrides, f"checkpoint_every={checkpoint_every}"]
        if keep is not None:
            overrides = [*overrides, f"checkpoint_keep={keep}"]
        configuration = load_configuration(config, overrides)
        folder = out or Path("runs") / Path(config).stem
        setting = Setting(ranks, device, Console(quiet=ranks.rank != 0), figures)
        summary = run_experiment(configuration, folder, setting, overwrite)
        if ranks.rank == 0:
            print_summary(folder, summary)


@app.command(
    epilog="Examples: `hpcsnn resume runs/topomap` · `mpiexec -n 4 hpcsnn resume runs/topomap --until 120s` · "
    "`hpcsnn resume runs/topomap --from 100000`"
)
@partial(launches, cluster=None)
def resume(
    asked: Asked,
    run: RunPath,
    until: Annotated[
        str | None, typer.Option(help="New end in model time, such as 120s. Default: as configured.")
    ] = None,
    from_step: Annotated[
        int | None, typer.Option("--from", metavar="STEP", help="Go on from this checkpoint; later ones go.")
    ] = None,
    figures: FigureChoice = True,
) -> None:
    """Go on with a run from its newest good checkpoint, on any number of ranks, as if it had never stopped.

    May change: the end, ranks, device, tile size, how often to write checkpoints. Nothing else.
    """
    if asked.cluster is not None:
        with reported():
            from hpcsnn.cli.job_actions import resume_run

            until_ms = None if until is None else parse_time_ms("--until", until)
            resume_run(run, until_ms, from_step, asked)
            return
    ranks = world()
    with reported(ranks):
        from hpcsnn.cli.run_tables import print_summary
        from hpcsnn.runs.experiment import Setting, resume_experiment

        until_ms = None if until is None else parse_time_ms("--until", until)
        setting = Setting(ranks, asked.device, Console(quiet=ranks.rank != 0), figures)
        summary = resume_experiment(run, setting, until_ms, from_step)
        if ranks.rank == 0:
            print_summary(run, summary)


@app.command()
def digest(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run directories.")],
) -> None:
    """Print one SHA-256 a run, anew from what is stored: equal for equal bits of all neurons, synapses and spikes."""
    with reported():
        from hpcsnn.storage.network_store import StoredNetwork
        from hpcsnn.storage.run_directory import RunDirectory

        for path in runs:
            directory = RunDirectory(path)
            said = directory.read_summary()["digest"]
            found = StoredNetwork(directory.network).digest()
            if found != said:
                raise StorageError(
                    f"{path}: the stored network has digest {found}, its summary says {said}: one of them was changed"
                )
            typer.echo(f"{found}  {path}")


@app.command()
def check(
    config: ConfigPath,
    overrides: Overrides = [],  # noqa: B006
    ranks: Annotated[int, typer.Option(min=1, help="Number of ranks to plan for.")] = 1,
) -> None:
    """Validate a configuration, print sizes and memory a rank, run nothing."""
    with reported():
        configuration = load_configuration(config, overrides)
        from hpcsnn.cli.run_tables import print_sizes

        print_sizes(configuration, ranks)


@app.command()
def plot(run: RunPath) -> None:
    """Draw the figures of a stored run again."""
    with reported():
        from hpcsnn.analysis.figures import draw_figures
        from hpcsnn.storage.run_directory import RunDirectory

        directory = RunDirectory(run)
        directory.read_summary()
        for path in draw_figures(directory.network, directory.figures):
            typer.echo(str(path))


@app.command(
    epilog="Examples: `hpcsnn analyze runs/topomap` · `hpcsnn analyze runs/topomap --scheduler tcp://node1:8786`"
)
def analyze(
    run: RunPath,
    scheduler: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Dask scheduler whose workers see the run directory. Default: the threads of this process.",
        ),
    ] = None,
) -> None:
    """Analyse every checkpoint and rewiring event of a run; leaves report.html, analysis.zarr and figures.

    Map quality against chance, degrees, weights, reach, formations and eliminations over time. To see more than the
    end, run with --checkpoint-every and a large --keep, and with record_events.
    """
    with reported():
        from hpcsnn.analysis.report import write_report

        typer.echo(str(write_report(run, Console(), scheduler)))


@app.command()
def info(run: RunPath) -> None:
    """Say what a run directory holds: state of the run, checkpoints, records."""
    with reported():
        from hpcsnn.cli.run_tables import print_checkpoints

        print_checkpoints(run)


@app.command()
def verify(run: RunPath) -> None:
    """Compare every file of every checkpoint with its manifest."""
    with reported():
        from hpcsnn.storage.checkpoints import committed

        there = committed(run)
        if not there:
            raise StorageError(f"{run}: no checkpoint here")
        damaged = []
        for checkpoint in there:
            try:
                typer.echo(f"step {checkpoint.step}: {checkpoint.verify()} files as written")
            except StorageError as error:
                damaged.append(checkpoint.step)
                typer.echo(f"step {checkpoint.step}: {error}")
        if damaged:
            good = [str(checkpoint.step) for checkpoint in there if checkpoint.step not in damaged]
            way_out = f"resume --from {good[-1]}" if good else "no other checkpoint is whole: start the run again"
            raise StorageError(f"{run}: {len(damaged)} of {len(there)} checkpoints damaged; {way_out}")


@app.command()
def diff(
    one: Annotated[Path, typer.Argument(metavar="RUN", help="A run directory.")],
    other: Annotated[Path, typer.Argument(metavar="OTHER", help="Another.")],
) -> None:
    """Compare the newest states of two runs, array by array; exit code 1 if they differ."""
    with reported():
        from hpcsnn.cli.run_tables import print_differences

        if print_differences(one, other):
            raise typer.Exit(FAILED)


@app.command()
def configs() -> None:
    """List the configurations that ship with hpcsnn."""
    with reported():
        table = Table(box=None, show_header=False)
        for name in shipped_configurations():
            table.add_row(name, load_configuration(name).description)
        Console().print(table)


@app.callback(invoke_without_command=True)
def _version(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        typer.echo(f"hpcsnn {__version__}")
        raise typer.Exit


register(app)
rule_commands.register(app)

if __name__ == "__main__":
    app()
