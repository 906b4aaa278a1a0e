"""The commands that read what a run has left: digest, info, verify, diff, compare, plot, analyze."""

from pathlib import Path
from typing import Annotated

import typer

from hpcsnn.analysis.drawing.style import FORMATS
from hpcsnn.cli.common import FAILED, JsonChoice, RunPath, TrustChoice, checked_choice, reported, say, say_json
from hpcsnn.phases import doing
from hpcsnn.terminal import terminal

commands = typer.Typer()


@commands.command()
def digest(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run directories.")],
    as_json: JsonChoice = False,
) -> None:
    """Print one SHA-256 a run, anew from what is stored: equal for equal bits of all neurons, synapses and spikes.

    Of a training it is that of its last state: weights, wiring, biases, and the optimiser's variables.
    """
    with reported():
        from hpcsnn.runs.stored.kinds import stored_run

        if as_json:
            say_json([{"run": str(path), "digest": stored_run(path).digest()} for path in runs])
            return
        for path in runs:
            say(f"{stored_run(path).digest()}  {path}")


@commands.command()
def info(run: RunPath, as_json: JsonChoice = False) -> None:
    """Say what a run directory holds: state of the run, checkpoints, records."""
    with reported():
        from hpcsnn.cli.facts.stored import holdings_of, training_holdings_of
        from hpcsnn.cli.tables.of_runs import print_checkpoints
        from hpcsnn.cli.tables.of_trainings import print_trained
        from hpcsnn.runs.stored.kinds import is_training

        training = is_training(run)
        held = (training_holdings_of if training else holdings_of)(run)
        (say_json if as_json else print_trained if training else print_checkpoints)(held)


@commands.command()
def verify(run: RunPath, as_json: JsonChoice = False) -> None:
    """Compare every file of every checkpoint with its manifest; network.zarr is mended if it names another one."""
    with reported():
        from hpcsnn.runs.stored.kinds import stored_run

        if not as_json:
            stored_run(run).verify(say)
            return
        said: list[str] = []
        whole = False
        try:
            stored_run(run).verify(said.append)
            whole = True
        finally:
            say_json({"run": str(run), "whole": whole, "said": said})


@commands.command()
def diff(
    one: Annotated[Path, typer.Argument(metavar="RUN", help="A run directory.")],
    other: Annotated[Path, typer.Argument(metavar="OTHER", help="Another, of the same kind.")],
    as_json: JsonChoice = False,
) -> None:
    """Compare the newest states of two runs, array by array; exit code 1 if they differ.

    Of two trainings their last states, and their configurations.
    """
    with reported():
        from hpcsnn.runs.stored.kinds import compared

        said, state = compared(one, other)
        if as_json:
            say_json({"equal": not said, "state": state or None, "differences": said})
        for line in [] if as_json else said or [f"equal {state}"]:
            terminal().print(line, highlight=False, soft_wrap=True)
        if said:
            raise typer.Exit(FAILED)


@commands.command(epilog="Example: `hpcsnn compare runs/topomap runs/topomap-2`")
def compare(
    one: Annotated[Path, typer.Argument(metavar="A", help="The directory of a run or a training that has ended.")],
    other: Annotated[Path, typer.Argument(metavar="B", help="Another, of the same kind.")],
    figures: Annotated[bool, typer.Option(help="Draw both over time, into A's figures.")] = True,
    file_format: Annotated[str, typer.Option("--format", metavar="|".join(FORMATS), help="Of the file.")] = "png",
    as_json: JsonChoice = False,
) -> None:
    """Show two runs or trainings beside each other: numbers of their summaries, configurations, and a figure of both.

    The figure has the rates of populations; if both are analysed (hpcsnn analyze), also synapses, weights and map
    quality over time; of trainings loss and accuracy.
    """
    with reported():
        from hpcsnn.cli.facts.comparison import as_plain
        from hpcsnn.cli.tables.of_runs import print_comparison
        from hpcsnn.runs.stored.comparison import compare as compared_with

        chosen = checked_choice("--format", file_format, FORMATS)
        found = compared_with(one, other)
        figure = found.draw(chosen) if figures else None
        if as_json:
            say_json(as_plain(found) | {"figure": figure})
            return
        print_comparison(as_plain(found))
        if figure is not None:
            say(str(figure))


@commands.command(epilog="Example: `hpcsnn plot runs/topomap --format pdf`")
def plot(
    run: RunPath,
    file_format: Annotated[str, typer.Option("--format", metavar="|".join(FORMATS), help="Of the files.")] = "png",
    trust: TrustChoice = False,
    as_json: JsonChoice = False,
) -> None:
    """Draw the figures of a stored run or training again; of a training, the data are loaded for it."""
    with reported():
        from hpcsnn.runs.progress import name_phases
        from hpcsnn.runs.stored.kinds import stored_run

        chosen = checked_choice("--format", file_format, FORMATS)
        with name_phases(terminal(stderr=as_json)), doing("drawing figures"):
            drawn = stored_run(run).draw(chosen, trust)
        if as_json:
            say_json({"run": str(run), "figures": [str(path) for path in drawn]})
            return
        for path in drawn:
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
    file_format: Annotated[
        str, typer.Option("--format", metavar="|".join(FORMATS), help="Of files of figures, beside the page's own SVG.")
    ] = "svg",
    trust: TrustChoice = False,
    as_json: JsonChoice = False,
) -> None:
    """Analyse every checkpoint and rewiring event of a run; leaves report.html, analysis.zarr and figures.

    Map quality against chance, degrees, weights, reach, formations and eliminations over time. To see more than the
    end, run with --checkpoint-every and a large --keep, and with record_events.
    """
    with reported():
        from hpcsnn.runs.stored.kinds import stored_run
        from hpcsnn.storage.run_directory import RunDirectory

        chosen = checked_choice("--format", file_format, FORMATS)
        page = stored_run(run).analyse(terminal(stderr=as_json), scheduler, chosen, trust)
        if as_json:
            say_json({"run": str(run), "report": str(page), "analysis": str(RunDirectory(run).analysis)})
        else:
            say(str(page))
