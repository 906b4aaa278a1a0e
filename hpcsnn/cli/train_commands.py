"""The commands that train a network, and say how good it is: train, evaluate."""

from pathlib import Path
from typing import Annotated

import typer

from hpcsnn.cli.common import (
    DataChoice,
    DeviceChoice,
    FigureChoice,
    JsonChoice,
    OutChoice,
    Overrides,
    OverwriteChoice,
    RoleChoice,
    RunPath,
    SummaryChoice,
    TrustChoice,
    checked_role,
    console_of,
    data_overrides,
    outlive_output,
    reported,
    say_json,
    speaks,
    world,
)
from hpcsnn.shipped_files import shipped_trainings

commands = typer.Typer()


@commands.command(
    epilog="Examples: `hpcsnn train digits` · `mpiexec -n 2 hpcsnn train fashion_mnist_deep_r --out runs/two` · "
    "`hpcsnn train digits --set epochs=20 --set connectivity=0.05 --set seed=2` · `hpcsnn train shd --data ~/data`"
)
def train(
    config: Annotated[
        str,
        typer.Argument(
            metavar="CONFIG",
            help="A YAML file with data and readout, or the name of a training that ships (such as digits).",
            autocompletion=shipped_trainings,
        ),
    ],
    overrides: Overrides = [],  # noqa: B006 (typer wants a list)
    data: DataChoice = None,
    out: OutChoice = None,
    overwrite: OverwriteChoice = False,
    device: DeviceChoice = "auto",
    checkpoint_every: Annotated[
        str | None,
        typer.Option(help="Wall time, such as 10min-wall: checkpoints within epochs too. Default: after each epoch."),
    ] = None,
    figures: FigureChoice = True,
    trust: TrustChoice = False,
    as_json: SummaryChoice = False,
) -> None:
    """Train a network on samples, test it, and leave its best and last state, metrics.jsonl and figures/.

    The data are a name in the configuration, such as digits or fashion_mnist; where a file is missing, the error says
    which, and what brings it. Held out for validation is the part `validation` of the training samples; the best state
    is the one that was best on them. Ctrl-C leaves a checkpoint, and `hpcsnn resume` goes on from it as if it had never
    stopped. Under `mpiexec -n N` the samples of a batch are split over N ranks: the answer is the same, bit for bit.
    With `--set ranks_per_network=2` two of them share a network that is too large for one.
    """
    outlive_output()
    ranks = world()
    with reported(ranks):
        from hpcsnn.cli.tables.of_trainings import print_training
        from hpcsnn.runs.experiment import Setting
        from hpcsnn.runs.training_run import run_training
        from hpcsnn.training.configuration import load_training

        overrides = [*overrides, *data_overrides(config, data)]
        if checkpoint_every is not None:
            overrides = [*overrides, f"checkpoint_every={checkpoint_every}"]
        configuration = load_training(config, overrides, trust=trust)
        folder = out or Path("runs") / Path(config).stem
        setting = Setting(ranks, device, console_of(ranks, as_json), figures)
        summary = run_training(configuration, folder, setting, overwrite)
        if ranks.rank == 0 and as_json:
            say_json(summary)
        elif speaks(ranks):
            print_training(folder, summary)


@commands.command(
    epilog="Examples: `hpcsnn evaluate runs/digits` · `hpcsnn evaluate runs/digits --checkpoint last` · "
    "`hpcsnn evaluate runs/shd --data ~/data`"
)
def evaluate(
    run: RunPath,
    checkpoint: RoleChoice = "best",
    data: DataChoice = None,
    device: DeviceChoice = "auto",
    trust: TrustChoice = False,
    as_json: JsonChoice = False,
) -> None:
    """Test a trained network again: accuracy, and for each class how often it is taken for itself and for what else."""
    outlive_output()
    ranks = world()
    with reported(ranks):
        from hpcsnn.cli.tables.of_trainings import print_evaluation
        from hpcsnn.runs.experiment import Setting
        from hpcsnn.runs.training_run import evaluate_training

        setting = Setting(ranks, device, console_of(ranks, as_json))
        evaluation = evaluate_training(run, setting, checked_role(checkpoint), trust, data)
        if ranks.rank == 0 and as_json:
            say_json({"run": str(run), "checkpoint": checkpoint, **evaluation})
        elif ranks.rank == 0:
            print_evaluation(run, checkpoint, evaluation)
