"""The command that looks at one rank of many: hpcsnn dry-run."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from hpcsnn.cli.common import JsonChoice, Overrides, TrustChoice, reported, say_json
from hpcsnn.shipped_files import shipped_configurations

commands = typer.Typer()

_WORST = "worst"


@commands.command(
    "dry-run",
    epilog="Examples: `hpcsnn dry-run topomap --set scale=512 --ranks 4096` · "
    "`hpcsnn dry-run topomap --set scale=64 --ranks 256 --rank 17 --json`",
)
def dry_run(
    config: Annotated[
        str, typer.Argument(metavar="CONFIG", help="As for hpcsnn run.", autocompletion=shipped_configurations)
    ],
    ranks: Annotated[int, typer.Option(min=1, help="Of how many ranks.")],
    rank: Annotated[
        str,
        typer.Option(
            metavar=f"R|{_WORST}",
            help="Which one: a number from 0, or the one that has the most neurons to look after.",
        ),
    ] = _WORST,
    duration: Annotated[str, typer.Option(metavar="TIME", help="Model time that is measured.")] = "500ms",
    warm_up: Annotated[str, typer.Option("--warm-up", metavar="TIME", help="Model time before that.")] = "100ms",
    rates: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN",
            help="A run of this network at any scale: others' neurons spike at the rates in its summary, each for "
            "itself. Default: as this rank's own at like places. Needed where no distance bounds the wiring.",
        ),
    ] = None,
    overrides: Overrides = [],  # noqa: B006
    trust: TrustChoice = False,
    as_json: JsonChoice = False,
) -> None:
    """Run one rank of any number by itself, and say what it takes: time, memory, what it would send.

    On this processor, whatever the number of ranks: the rank keeps its own part of the network, as it would among the
    others, and its neighbours' spikes are made up: from its own at like places, or at given rates. What it cannot tell
    is how long it would wait for others. Nothing is written, and nothing is recorded. Refused where ranks meet for a
    rule of rewiring, such as homeostatic.
    """
    with reported():
        from hpcsnn.cli.tables.of_dry_runs import print_dry_run
        from hpcsnn.configuration.files import load_configuration
        from hpcsnn.configuration.times import parse_time_ms
        from hpcsnn.planning.dry_run import busiest_rank, checked_rank, dry_run, rates_of
        from hpcsnn.runs.progress import name_phases
        from hpcsnn.terminal import terminal

        configuration = load_configuration(config, overrides, trust=trust)
        with configuration.places.told(), name_phases(terminal(quiet=as_json)):
            network = configuration.network()
            number = busiest_rank(network, configuration.tile, ranks) if rank == _WORST else checked_rank(rank, ranks)
            times = parse_time_ms("--warm-up", warm_up), parse_time_ms("--duration", duration)
            rates_hz = None if rates is None else rates_of(rates, network)
            found = asdict(dry_run(configuration, number, ranks, *times, rates_hz))
        (say_json if as_json else print_dry_run)(found)
