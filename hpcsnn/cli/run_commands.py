"""The commands that make a run here and now, and what it takes to make one: run, resume, check, compile, configs."""

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from hpcsnn.cli.common import (
    Asked,
    CheckpointChoice,
    ConfigPath,
    DataChoice,
    DeviceChoice,
    FigureChoice,
    JsonChoice,
    KeepChoice,
    OutChoice,
    Overrides,
    OverwriteChoice,
    RoleChoice,
    RunPath,
    SummaryChoice,
    TrustChoice,
    checked_choice,
    checked_role,
    checkpoint_overrides,
    console_of,
    data_overrides,
    launches,
    outlive_output,
    reported,
    say,
    say_json,
    speaks,
    world,
)
from hpcsnn.configuration.times import parse_time_ms
from hpcsnn.errors import ConfigurationError
from hpcsnn.shipped_files import shipped_configurations, shipped_of_any_kind, shipped_trainings
from hpcsnn.terminal import terminal

commands = typer.Typer()

AnyConfigPath = Annotated[
    str,
    typer.Argument(
        metavar="CONFIG",
        help="A YAML file, or the name of a configuration that ships: of a run or of a training.",
        autocompletion=shipped_of_any_kind,
    ),
]


@commands.command(
    epilog="Examples: `hpcsnn run topomap` · `mpiexec -n 4 hpcsnn run configs/topomap.yaml --out runs/four` · "
    "`hpcsnn run topomap --set scale=4 --set seed=7 --set duration_ms=5000 --device cpu` · "
    "`hpcsnn run --from runs/topomap@30s --set populations.source.model.peak_hz=80` · `hpcsnn run --from runs/digits`"
)
def run(
    config: ConfigPath = None,
    overrides: Overrides = [],  # noqa: B006 (typer wants a list)
    out: OutChoice = None,
    overwrite: OverwriteChoice = False,
    go_on: Annotated[
        bool, typer.Option("--continue", help="Go on with this run if it is there already, and begin it if not.")
    ] = False,
    device: DeviceChoice = "auto",
    checkpoint_every: CheckpointChoice = None,
    keep: KeepChoice = None,
    origin: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="RUN[@TIME]",
            help="Fork a run: go on from its checkpoint of this model time (30s; default: the newest) with what --set "
            "says. Of a training: run its network.",
        ),
    ] = None,
    checkpoint: RoleChoice = "best",
    samples: Annotated[int, typer.Option(min=1, help="With --from a training: how many test samples are played.")] = 10,
    data: DataChoice = None,
    figures: FigureChoice = True,
    measure: Annotated[
        bool,
        typer.Option(
            "--measure",
            help="Leave summary.json alone, with machine, versions and times of messages: no checkpoint, no figures.",
        ),
    ] = False,
    trust: TrustChoice = False,
    as_json: SummaryChoice = False,
) -> None:
    """Run an experiment; leaves config.yaml, summary.json, network.zarr and figures/ in the run directory.

    With --from a run it is a fork: the same network in the state that it had, from there on with the parameters that
    --set gives, which stand in its config.yaml as a change at this time. With --from a training it is the trained
    network: its source plays the first test samples one after the other, without a pause or a reset between them, or
    does what --set populations.SOURCE.model says; the spikes of all neurons are recorded.
    Spikes are in records/ where a population has record_spikes: true, rewiring where a projection has record_events:
    true, and variables of neurons and synapses where record names them; hpcsnn.open_run reads them in Python.
    Start it under `mpiexec -n N` to use N ranks: the answer is the same, bit for bit.
    """
    outlive_output()
    ranks = world()
    with reported(ranks):
        from hpcsnn.cli.tables.of_runs import print_summary
        from hpcsnn.configuration.files import load_configuration
        from hpcsnn.ranks.world import on_first_rank
        from hpcsnn.runs.experiment import Setting, resume_experiment, run_experiment
        from hpcsnn.runs.resuming import goes_on
        from hpcsnn.runs.stored.forks import lay_out, prepare_fork
        from hpcsnn.runs.stored.kinds import is_training
        from hpcsnn.storage.run_directory import RunDirectory

        overrides = [*overrides, *checkpoint_overrides(checkpoint_every, keep)]
        if (config is None) == (origin is None):
            raise ConfigurationError("run: give a CONFIG, or --from RUN")
        if go_on and (overwrite or origin is not None):
            raise ConfigurationError("--continue: is not allowed with --overwrite or --from")
        if measure and (go_on or origin is not None):
            raise ConfigurationError(
                "--measure: is not allowed with --continue or --from: what it leaves is a whole run's"
            )
        source, time_ms = (None, None) if origin is None else _origin(origin)
        training = source is not None and is_training(source)
        if data is not None and not training:
            raise ConfigurationError("--data: is not allowed without --from a training; a run has no data")
        setting = Setting(ranks, device, console_of(ranks, as_json), figures and not measure, measure)
        if source is not None and not training:
            fork = on_first_rank(ranks, lambda: prepare_fork(source, time_ms, overrides, trust))
            folder = out or Path("runs") / fork.name()
            on_first_rank(ranks, lambda: lay_out(fork, folder, overwrite))
            summary = resume_experiment(folder, setting, trust=trust)
        else:
            if source is not None:
                if time_ms is not None:
                    raise ConfigurationError(f"--from {origin}: a training has no times; --checkpoint says which")
                from hpcsnn.runs.stored.training import StoredTraining

                stored = StoredTraining(source)
                configuration = stored.as_run(checked_role(checkpoint), samples, overrides, trust, data)
                name = f"{source.resolve().name}-run"
            else:
                assert config is not None
                configuration, name = load_configuration(config, overrides, trust=trust), Path(config).stem
            folder = out or Path("runs") / name
            if go_on and on_first_rank(ranks, lambda: goes_on(RunDirectory(folder), configuration, trust)):
                summary = resume_experiment(folder, setting, configuration.duration_ms, trust=trust)
            else:  # what is there without a checkpoint, if --continue finds it, is as good as nothing
                summary = run_experiment(configuration, folder, setting, overwrite or go_on)
        if ranks.rank == 0 and as_json:
            say_json(summary)
        elif speaks(ranks) and not summary.get("nothing_to_do"):
            print_summary(folder, summary)


def _origin(text: str) -> tuple[Path, float | None]:
    """A run directory, and after an @ a model time in ms."""
    run, at, time = text.rpartition("@")
    if not at or Path(text).exists():
        return Path(text), None
    return Path(run), parse_time_ms("--from", time)


@commands.command(
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
        int | None,
        typer.Option("--from", metavar="STEP", help="Go on from this checkpoint; the next one replaces later ones."),
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Of a training: new number of epochs.")] = None,
    data: DataChoice = None,
    figures: FigureChoice = True,
    trust: TrustChoice = False,
    as_json: SummaryChoice = False,
) -> None:
    """Go on with a run or a training from its newest good checkpoint, on any number of ranks, as if never stopped.

    May change: the end, ranks, device, tile size, how often to write checkpoints. Nothing else.
    """
    if asked.cluster is not None:
        with reported():
            from hpcsnn.cli.job_actions import resume_run

            for name, value in (("--epochs", epochs), ("--data", data), ("--json", as_json or None)):
                if value is not None:
                    raise ConfigurationError(f"{name}: is not allowed with --cluster; resume without it, or train anew")
            until_ms = None if until is None else parse_time_ms("--until", until)
            resume_run(run, until_ms, from_step, asked, trust, figures)
            return
    outlive_output()
    ranks = world()
    with reported(ranks):
        from hpcsnn.cli.tables.of_runs import print_summary
        from hpcsnn.cli.tables.of_trainings import print_training
        from hpcsnn.configuration.files import trains
        from hpcsnn.runs.experiment import Setting, resume_experiment
        from hpcsnn.runs.training_run import resume_training
        from hpcsnn.storage.run_directory import RunDirectory

        RunDirectory(run).check_run()
        training = trains(run / "config.yaml")
        _check_resume_options(run, training, until, from_step, epochs, data)
        until_ms = None if until is None else parse_time_ms("--until", until)
        setting = Setting(ranks, asked.device, console_of(ranks, as_json), figures)
        if training:
            summary = resume_training(run, setting, epochs, trust, data)
        else:
            summary = resume_experiment(run, setting, until_ms, from_step, trust)
        if ranks.rank == 0 and as_json:
            say_json(summary)
        elif speaks(ranks) and not summary.get("nothing_to_do"):
            (print_training if training else print_summary)(run, summary)


def _check_resume_options(
    run: Path, training: bool, until: str | None, from_step: int | None, epochs: int | None, data: Path | None
) -> None:
    """Refuse options that speak of the other kind of run."""
    of_runs, of_trainings = {"--until": until, "--from": from_step}, {"--epochs": epochs, "--data": data}
    wrong = [name for name, value in (of_runs if training else of_trainings).items() if value is not None]
    if wrong:
        kind, other = "a training: its end is --epochs", "no training, has no data and ends at --until"
        raise ConfigurationError(f"{wrong[0]}: is not allowed; {run} is {kind if training else other}")


@commands.command(
    epilog="Examples: `hpcsnn check my.yaml --ranks 64` · `hpcsnn check topomap --set scale=64 --suggest-ranks "
    "--study runs/study`"
)
def check(
    config: AnyConfigPath,
    overrides: Overrides = [],  # noqa: B006
    ranks: Annotated[int, typer.Option(min=1, help="Number of ranks to plan for.")] = 1,
    suggest_ranks: Annotated[
        bool, typer.Option("--suggest-ranks", help="Say how many ranks pay, and why not more, by a study.")
    ] = False,
    study: Annotated[
        Path | None,
        typer.Option(
            metavar="STUDY", help="Of hpcsnn scale, on the machine that is meant. Default: runs/CONFIG-strong or -weak."
        ),
    ] = None,
    least_efficiency: Annotated[
        float, typer.Option("--least-efficiency", metavar="PART", help="Of ranks that pay, beside one rank.")
    ] = 0.5,
    trust: TrustChoice = False,
    as_json: JsonChoice = False,
) -> None:
    """Validate a configuration of a run or a training, print sizes and memory per rank, run nothing.

    With --suggest-ranks say how many ranks pay instead: the most, in powers of two, whose predicted efficiency is at
    least --least-efficiency, by a model that is fitted to a study (hpcsnn scale), with its error.
    """
    with reported():
        from hpcsnn.configuration.files import load_configuration, trains

        if study is not None and not suggest_ranks:
            raise ConfigurationError("--study: is not allowed without --suggest-ranks")
        if trains(config):
            if suggest_ranks:
                raise ConfigurationError(f"--suggest-ranks: is not allowed; {config} is a training")
            from hpcsnn.cli.facts.training_sizes import training_sizes_of
            from hpcsnn.cli.tables.of_trainings import print_training_sizes
            from hpcsnn.training.configuration import load_training

            training = load_training(config, overrides, trust=trust)
            with training.places.told():
                sizes = training_sizes_of(training, ranks)
            (say_json if as_json else print_training_sizes)(sizes)
            return
        from hpcsnn.cli.facts.sizes import sizes_of
        from hpcsnn.cli.tables.of_runs import print_sizes

        configuration = load_configuration(config, overrides, trust=trust)
        if suggest_ranks:
            from hpcsnn.cli.facts.suggestion import suggestion_of
            from hpcsnn.cli.tables.of_studies import print_suggestion

            suggestion = suggestion_of(config, configuration, study, least_efficiency)
            (say_json if as_json else print_suggestion)(suggestion)
            return
        with configuration.places.told():
            sizes = sizes_of(configuration, ranks)
        (say_json if as_json else print_sizes)(sizes)


@commands.command(
    epilog="Examples: `hpcsnn compile topomap` · `srun --partition cpu hpcsnn compile my.yaml --ranks 64` · "
    "`hpcsnn compile topomap --vary projections.ff.synapse=static,additive_stdp` · "
    "`hpcsnn compile digits --device gpu --compute-capability 80,90`",
)
def compile(
    config: AnyConfigPath,
    overrides: Overrides = [],  # noqa: B006
    vary: Annotated[
        list[str], typer.Option(metavar="KEY=VALUES", help="As for hpcsnn sweep: the kernels of all its runs. Repeat.")
    ] = [],  # noqa: B006
    data: DataChoice = None,
    ranks: Annotated[
        int | None, typer.Option(min=1, help="Ranks to compile for. Default: one, and any number of several.")
    ] = None,
    device: Annotated[str, typer.Option(metavar="cpu|gpu", help="What to compile for.")] = "cpu",
    compute_capability: Annotated[
        str | None,
        typer.Option(metavar="CC[,CC]", help="Of the GPUs, such as 80,90; needs no GPU. Default: of the GPU here."),
    ] = None,
    trust: TrustChoice = False,
    as_json: JsonChoice = False,
) -> None:
    """Compile the kernels of a run or a training into the cache, for nodes that have no compiler; runs nothing.

    Prints each file, whether it was there already, and how long it took. The cache is `$HPCSNN_CACHE`, else
    `~/.cache/hpcsnn`: compile where the nodes will look. Sizes, parameters and seeds are not compiled in, so one file
    serves them all; other models, rules or kinds of parameters are other files. For CPUs, compile on a node like those
    that will run, or set `CXXFLAGS=-march=x86-64-v3` here and there, which all recent processors can run.
    """
    with reported():
        from hpcsnn.jobs.sweeps import Sweep, parse_vary
        from hpcsnn.runs.compiling import capabilities_of, compile_for_gpus, compile_on_host, programs_of

        for_gpus = checked_choice("--device", device, ("cpu", "gpu")) == "gpu"
        if compute_capability is not None and not for_gpus:
            raise ConfigurationError("--compute-capability: is not allowed without --device gpu")
        capabilities = capabilities_of(compute_capability) if for_gpus else []
        sweep = Sweep(Path(), config, [*overrides, *data_overrides(config, data)], dict(map(parse_vary, vary)))
        members = (sweep.configuration(settings, trust) for _, settings in sweep.members())
        programs = (program for member in members for program in programs_of(member, ranks))
        compiled = compile_for_gpus(programs, capabilities) if for_gpus else compile_on_host(programs)
        if as_json:
            say_json([asdict(one) for one in compiled])
            return
        for one in compiled:
            how = "there already" if one.took_s is None else f"compiled in {one.took_s:.1f} s"
            say(f"{one.what}: {how}: {one.path}")


@commands.command()
def configs(as_json: JsonChoice = False) -> None:
    """List the configurations that ship with hpcsnn."""
    with reported():
        from rich.table import Table

        from hpcsnn.configuration.files import load_configuration
        from hpcsnn.training.configuration import load_training

        of_runs = {name: load_configuration(name).description for name in shipped_configurations()}
        of_trainings = {name: load_training(name).description for name in shipped_trainings()}
        if as_json:
            say_json({"run": of_runs, "train": of_trainings})
            return
        for heading, described in (("hpcsnn run", of_runs), ("\nhpcsnn train", of_trainings)):
            table = Table(box=None, show_header=False)
            for name, description in described.items():
                table.add_row(name, description)
            terminal().print(heading, table, sep="\n")
