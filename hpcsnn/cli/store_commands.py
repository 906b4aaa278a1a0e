"""The commands that read what a run has left: digest, info, verify, diff, plot, analyze."""

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from hpcsnn.cli.common import FAILED, RunPath, TrustChoice, reported, say
from hpcsnn.errors import ConfigurationError, StorageError
from hpcsnn.terminal import terminal

commands = typer.Typer()


@commands.command()
def digest(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run directories.")],
) -> None:
    """Print one SHA-256 a run, anew from what is stored: equal for equal bits of all neurons, synapses and spikes."""
    with reported():
        from hpcsnn.storage.network_store import StoredNetwork
        from hpcsnn.storage.run_directory import RunDirectory

        for path in runs:
            directory = RunDirectory(path)
            summary, network = directory.read_summary(), StoredNetwork(directory.network)
            if summary.get("steps") != network.step:
                raise StorageError(
                    f"{path}: the stored network is of step {network.step}, its summary of step "
                    f"{summary.get('steps')}: hpcsnn resume {path} brings them together"
                )
            found, said = network.digest(), summary.get("digest")
            if found != said:
                raise StorageError(
                    f"{path}: the stored network has digest {found}, its summary says {said}: one of them was changed"
                )
            say(f"{found}  {path}")


@commands.command()
def info(run: RunPath) -> None:
    """Say what a run directory holds: state of the run, checkpoints, records."""
    with reported():
        from hpcsnn.cli.run_tables import print_checkpoints
        from hpcsnn.cli.train_tables import print_trained
        from hpcsnn.configuration.files import trains

        training = False
        with suppress(ConfigurationError):  # what is there is told all the same
            training = trains(run / "config.yaml")
        (print_trained if training else print_checkpoints)(run)


@commands.command()
def verify(run: RunPath) -> None:
    """Compare every file of every checkpoint with its manifest; network.zarr is mended if it names another one."""
    with reported():
        from hpcsnn.errors import DamageError, RunBusyError
        from hpcsnn.storage.checkpoints import committed
        from hpcsnn.storage.run_directory import RunDirectory

        there = committed(run)
        if not there:
            raise StorageError(f"{run}: no checkpoint here")
        damaged = []
        for checkpoint in there:
            try:
                say(f"step {checkpoint.step}: {checkpoint.verify()} files as written")
            except DamageError as error:
                if not checkpoint.manifest_path.exists():  # a run that goes on has just removed it
                    continue
                damaged.append(checkpoint.step)
                say(f"step {checkpoint.step}: {error}")
        if damaged:
            good = [str(checkpoint.step) for checkpoint in there if checkpoint.step not in damaged]
            way_out = f"resume --from {good[-1]}" if good else "no other checkpoint is whole: start the run again"
            raise StorageError(f"{run}: {len(damaged)} of {len(there)} checkpoints damaged; {way_out}")
        directory = RunDirectory(run)
        if not directory.names_newest():
            with suppress(RunBusyError), directory.lock():  # whoever writes there sees to it
                say(directory.repair_network() or f"{directory.network}: names the newest checkpoint already")


@commands.command()
def diff(
    one: Annotated[Path, typer.Argument(metavar="RUN", help="A run directory.")],
    other: Annotated[Path, typer.Argument(metavar="OTHER", help="Another.")],
) -> None:
    """Compare the newest states of two runs, array by array; exit code 1 if they differ."""
    with reported():
        from hpcsnn.cli.run_tables import print_differences

        if print_differences(one, other):
            raise typer.Exit(FAILED)


@commands.command()
def plot(run: RunPath) -> None:
    """Draw the figures of a stored run again."""
    with reported():
        from hpcsnn.analysis.figures import draw_figures
        from hpcsnn.storage.run_directory import RunDirectory

        directory = RunDirectory(run)
        directory.read_summary()
        for path in draw_figures(directory.network, directory.figures):
            say(str(path))


@commands.command(
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
    trust: TrustChoice = False,
) -> None:
    """Analyse every checkpoint and rewiring event of a run; leaves report.html, analysis.zarr and figures.

    Map quality against chance, degrees, weights, reach, formations and eliminations over time. To see more than the
    end, run with --checkpoint-every and a large --keep, and with record_events.
    """
    with reported():
        from hpcsnn.analysis.report import write_report

        say(str(write_report(run, terminal(), scheduler, trust)))
