"""What the commands show in a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.table import Table

from hpcsnn.configuration.schema import Configuration
from hpcsnn.errors import StorageError
from hpcsnn.planning.memory import estimate, shown_bytes
from hpcsnn.storage.checkpoints import committed, manifests_aside
from hpcsnn.storage.run_directory import RunDirectory
from hpcsnn.terminal import terminal

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


def print_summary(folder: Path, summary: dict[str, Any]) -> None:
    """What a run gave: speed, digest, rates and the main statistics of each projection; warnings."""
    console = terminal()
    wall_per_model_s = summary["wall_per_model_s"]
    steps, before = summary["steps"], summary["resumed_from_step"]
    simulated_s = summary["model_s"] * (steps - before) / max(steps, 1)
    console.print(
        f"{simulated_s:g} s of model time in {summary['wall_s']:.2f} s"
        + (f" ({1 / wall_per_model_s:.3g} x real time)" if wall_per_model_s else "")
        + (f", to {summary['model_s']:g} s" if before else "")
        + f"; digest {summary['digest'][:16]}…; results in {folder}",
        highlight=False,
    )
    if not summary["completed"]:
        console.print(
            f"stopped by {summary['stopped_by']} at {summary['model_s']:g} s; go on with: hpcsnn resume {folder}",
            style="yellow",
            soft_wrap=True,
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


def print_sizes(configuration: Configuration, ranks: int) -> None:
    """What a configuration will need: neurons, expected synapses and memory per rank."""
    console = terminal()
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
        model = " + ".join([population.model.name, *(one.current.name for one in population.stimulations)])
        populations.add_row(name, f"{grid.nx} x {grid.ny}", f"{grid.size:,}", model, f"{most:,}", f"{known:,}")
    console.print(populations)
    columns = ("from", "to", "synapses", "in-degree", "delay (ms)", "input", "rewiring")
    projections = Table("projection", *columns, **_PLAIN)
    for name, projection in network.projections.items():
        degree = projection.expected_in_degree
        ends = (projection.source.name, projection.target.name)
        rule = projection.rewiring.name if projection.rewiring else "-"
        synapses = f"{degree * projection.target.size:,.0f}"
        ends_steps = [projection.delay_steps, *([projection.delays.last_steps] if projection.delays else [])]
        delays_ms = " .. ".join(f"{steps * network.dt_ms:g}" for steps in ends_steps)
        delays_ms += f" + {projection.dendritic_delay_ms:g} dendritic" if projection.dendritic_steps else ""
        input_in = f"{projection.input_format.n_bits} bits"
        projections.add_row(name, *ends, synapses, f"{degree:.2f}", delays_ms, input_in, rule)
    console.print(projections)
    for name, projection in network.projections.items():
        if not projection.input_format.vectorised:
            console.print(
                f"note: projections.{name}: weights from {projection.input_format.smallest:g} up to "
                f"{projection.weight_bound:g} take sums of input beyond 2^51 of their unit, which make the update of "
                f"{projection.target.name} slow where the processor has no AVX-512",
                style="yellow",
                soft_wrap=True,
            )
    console.print(
        f"{ranks} rank{'s' if ranks > 1 else ''}, "
        f"spikes exchanged every {network.min_delay_steps() * network.dt_ms:g} ms; "
        f"about {shown_bytes(largest.n_bytes)} of arrays on the largest rank, "
        f"{shown_bytes(sum(size.n_bytes for size in sizes))} in all (beside 150 MB for each Python process); "
        f"a checkpoint takes a copy of {shown_bytes(largest.checkpoint)} on that rank",
        highlight=False,
    )


def print_checkpoints(run: Path) -> None:
    """What a run directory holds.

    Raises:
        StorageError: no run there.
    """
    directory = RunDirectory(run)
    there = committed(run)
    directory.check_run()
    console = terminal()
    state = "unfinished (no summary)"
    if directory.summary.is_file():
        try:
            summary = directory.read_summary()
            done = "completed" if summary["completed"] else f"stopped by {summary['stopped_by']}"
            state = f"{done} at {summary['model_s']:g} s, {summary['ranks']} ranks, digest {summary['digest'][:16]}…"
        except (StorageError, KeyError, TypeError, ValueError):  # a file that anybody may have changed
            state = "unfinished (no summary that can be read)"
    console.print(f"{run}: {state}", highlight=False)
    table = Table("checkpoint (step)", "model time (s)", "files", "size", "record segments", "configuration", **_PLAIN)
    for checkpoint in there:
        try:
            manifest = checkpoint.manifest()
        except StorageError as error:
            table.add_row(str(checkpoint.step), str(error))
            continue
        size = sum(size for size, _ in manifest["files"].values())
        seconds = checkpoint.step * manifest["configuration"]["dt_ms"] * 1e-3
        files = str(len(manifest["files"]))
        segments, configuration = str(len(manifest["segments"])), manifest["configuration_sha256"][:8]
        table.add_row(str(checkpoint.step), f"{seconds:g}", files, shown_bytes(size), segments, configuration)
    console.print(table)
    for left in manifests_aside(run):
        console.print(f"set aside, since it could not be read: {left}", highlight=False, soft_wrap=True)
