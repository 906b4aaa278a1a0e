"""The commands that measure scaling: hpcsnn scale strong, weak, dry-runs and report."""

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from hpcsnn.cli.common import Asked, JsonChoice, TrustChoice, launches, reported, takes
from hpcsnn.shipped_files import shipped_configurations

commands = typer.Typer(
    no_args_is_help=True,
    help="Measure strong and weak scaling, each run in fresh processes; tables, a figure, tested predictions.",
)


@dataclass(frozen=True)
class StudyAsked:
    """A study as the flags say it; each field is an argument or option of the commands that make one."""

    config: Annotated[
        str, typer.Argument(metavar="CONFIG", help="As for hpcsnn run.", autocompletion=shipped_configurations)
    ]
    ranks: Annotated[str, typer.Option(metavar="P,P,..", help="Numbers of ranks, such as 1,2,4,8.")]
    overrides: Annotated[list[str], typer.Option("--set", metavar="KEY=VALUE", help="As for hpcsnn run. Repeat.")] = (
        field(default_factory=list)
    )
    seeds: Annotated[
        int, typer.Option(help="Runs on each number of ranks: the configured seed and those behind it.")
    ] = 3
    duration: Annotated[
        str,
        typer.Option(
            metavar="TIME",
            help="Model time of each run. All of it counts: let it be much longer than rates take to settle.",
        ),
    ] = "1s"
    out: Annotated[
        Path | None, typer.Option(help="Folder of the study. Default: runs/CONFIG-strong, or runs/CONFIG-weak.")
    ] = None
    ranks_per_node: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Of ranks that share a node. Default: the profile's; else all are on one.",
            rich_help_panel="The job",
        ),
    ] = None


_launches = partial(launches, without=("nodes", "ranks"), cluster=None, max_restarts=1)
_studies = partial(takes, argument="wanted", kind=StudyAsked)


@commands.command(
    epilog="Examples: `hpcsnn scale strong topomap --set scale=16 --ranks 1,2 --seeds 3 --out runs/study` · "
    "`hpcsnn scale strong topomap --set scale=64 --ranks 16,64,256 --ranks-per-node 64 --cluster slurm --time 30min`"
)
@_launches
@_studies
def strong(wanted: StudyAsked, asked: Asked, trust: TrustChoice = False, as_json: JsonChoice = False) -> None:
    """Run one network on several numbers of ranks, and report; all answers must be the same, bit for bit.

    Without --cluster runs follow each other on this machine, never two at a time; on Slurm each number of ranks is a
    job array, whose members have their nodes for themselves. Each run is a fresh job with a directory of its own, which
    keeps neither checkpoints nor records. Interrupt it, or let it be killed: the same command goes on with the runs
    that are missing, and with more --ranks or --seeds it makes the study larger. It leaves results.jsonl (a line a
    run), table.md, table.csv and figures/scaling.png; see hpcsnn scale report.
    """
    with reported():
        from hpcsnn.cli.scale_actions import make_study

        make_study(wanted, None, asked, trust, as_json)


@commands.command(
    epilog="Examples: `hpcsnn scale weak topomap --per-rank 4096 --ranks 1,2 --out runs/weak` · "
    "`hpcsnn scale weak topomap --per-rank 16384 --ranks 1,4,16,64 --ranks-per-node 16 --cluster slurm`"
)
@_launches
@_studies
def weak(
    wanted: StudyAsked,
    asked: Asked,
    per_rank: Annotated[
        int, typer.Option(min=1, help="Neurons of the largest population for each rank; the others grow with it.")
    ],
    trust: TrustChoice = False,
    as_json: JsonChoice = False,
) -> None:
    """Run a network that grows with the number of ranks, and report: each rank has as many neurons.

    All grids grow by the same factors, from the network as it is configured, to the nearest that has --per-rank neurons
    a rank; which it is, is said. Connectors and rates stay. A network whose targets would have more synapses as it
    grows (fixed_probability, all_to_all), or of which certain neurons are named, is refused. For all else see hpcsnn
    scale strong.
    """
    with reported():
        from hpcsnn.cli.scale_actions import make_study

        make_study(wanted, per_rank, asked, trust, as_json)


@commands.command(
    "dry-runs",
    epilog="Examples: `hpcsnn scale dry-runs runs/study --ranks 64,4096` · "
    "`hpcsnn scale report runs/study --predict 64,4096`",
)
def dry_runs(
    study: Annotated[Path, typer.Argument(metavar="STUDY", help="The folder of a study with finished runs.")],
    ranks: Annotated[str, typer.Option(metavar="P,P,..", help="Numbers of ranks, such as 64,4096.")],
    duration: Annotated[str, typer.Option(metavar="TIME", help="Model time that is measured.")] = "500ms",
    warm_up: Annotated[str, typer.Option("--warm-up", metavar="TIME", help="Model time before that.")] = "100ms",
    at_a_time: Annotated[
        int | None,
        typer.Option(
            "--at-a-time",
            min=1,
            help="Dry runs at once, since busy cores slow each other. Default: as many as ranks shared a node in the "
            "study, and as there are cores.",
        ),
    ] = None,
    trust: TrustChoice = False,
    as_json: JsonChoice = False,
) -> None:
    """Run one rank of so many by itself, of a study's networks, and let predictions rest on that.

    As hpcsnn dry-run, of the rank with most to look after, for each seed of the study; and, where the study has runs of
    one rank, of one rank alone, which tells whether the machine is as fast as it was then. It leaves dry_runs.jsonl in
    the study in place of the one that was there: hpcsnn scale report --predict and hpcsnn check --suggest-ranks read
    it. On the machine that the study's runs were on.
    """
    with reported():
        from hpcsnn.cli.scale_actions import make_dry_runs

        make_dry_runs(study, ranks, (warm_up, duration), at_a_time, trust, as_json)


@commands.command(
    epilog="Examples: `hpcsnn scale report runs/study` · `hpcsnn scale report runs/study --predict 64,1024,16384`"
)
def report(
    study: Annotated[Path, typer.Argument(metavar="STUDY", help="The folder of a study.")],
    predict: Annotated[
        str | None,
        typer.Option(metavar="P,P,..", help="Numbers of ranks to predict, from a model fitted to the study."),
    ] = None,
    as_json: JsonChoice = False,
) -> None:
    """Write and show what a study came to: table.md, table.csv and figures/scaling.png, from results.jsonl.

    Median and range over seeds. With --predict also what is not measured: a non-negative model of what a neuron, a
    delivered spike, a message and so on cost, of steps and of construction, fitted to the runs; how far off it is for
    the most ranks of the study, when it is fitted to the others, stands beside every prediction; these are dashed in
    the figure, and in predicted.csv. Where hpcsnn scale dry-runs has tried a rank of so many, what it does itself is
    taken from there. Reads data alone.
    """
    with reported():
        from hpcsnn.cli.scale_actions import report_study

        report_study(study, predict, as_json)
