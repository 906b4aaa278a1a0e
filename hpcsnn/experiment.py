"""One run from configuration to run directory: what ``hpcsnn run`` does on every rank."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from rich.console import Console

import hpcsnn
from hpcsnn.analysis.statistics import DisplacementMap, displacement_map, population_statistics, projection_statistics
from hpcsnn.config import Configuration
from hpcsnn.digest import simulation_digest
from hpcsnn.errors import HpcsnnError
from hpcsnn.progress import Progress
from hpcsnn.simulation import Simulation
from hpcsnn.storage.network_store import write_displacement, write_network
from hpcsnn.storage.run_directory import RunDirectory

_Result = TypeVar("_Result")


def run_experiment(
    configuration: Configuration,
    out: Path,
    comm: Any,
    device: str = "auto",
    overwrite: bool = False,
    console: Console | None = None,
    figures: bool = True,
) -> dict[str, Any]:
    """Run a configuration to its end and leave a run directory; a collective call.

    Returns:
        The summary, as in ``summary.json``, on every rank.

    Raises:
        HpcsnnError: configuration, device, storage or simulation errors.
    """
    console = console or Console(quiet=True)
    directory = RunDirectory(out)
    rank = 0 if comm is None else comm.Get_rank()
    network = configuration.network()
    on_first_rank(comm, lambda: directory.create(overwrite))
    simulation = Simulation(network, comm, device, configuration.tile, configuration.exchange_block)
    if rank == 0:
        directory.write_configuration(configuration.resolved())
        ranks = f"{simulation.n_ranks} rank{'s' if simulation.n_ranks > 1 else ''}"
        console.print(f"{out}: {ranks}, each on {simulation.device.name}", highlight=False)
    start_maps = _maps(simulation)
    with Progress(console, configuration.duration_ms, quiet=rank != 0) as progress:
        simulation.run(configuration.duration_ms, observe=progress.update)
    summary = summarised(simulation)
    write_network(directory.network, simulation)

    def finish() -> None:
        for when, maps in (("start", start_maps), ("end", end_maps)):
            for name, displacement in maps.items():
                write_displacement(directory.network, name, when, displacement)
        directory.write_summary(summary)
        if figures:
            from hpcsnn.analysis.figures import draw_figures  # matplotlib takes a second that few ranks need to spend

            with console.status("drawing figures"):
                draw_figures(directory.network, directory.figures)

    end_maps = _maps(simulation)
    on_first_rank(comm, finish)
    return summary


def on_first_rank(comm: Any, work: Callable[[], _Result]) -> _Result:
    """Do `work` on rank 0 and hand its result, or its error, to all ranks."""
    result: _Result | None = None
    error: HpcsnnError | None = None
    if comm is None or comm.Get_rank() == 0:
        try:
            result = work()
        except HpcsnnError as caught:
            error = caught
    if comm is not None:
        result, error = comm.bcast((result, error))
    if error is not None:
        raise error
    return result  # type: ignore[return-value]


def _maps(simulation: Simulation) -> dict[str, DisplacementMap]:
    maps = {name: displacement_map(simulation, name) for name in simulation.network.projections}
    return {name: displacement for name, displacement in maps.items() if displacement is not None}


def summarised(simulation: Simulation) -> dict[str, Any]:
    """The contents of ``summary.json``; a collective call. Phases are means over ranks, in wall seconds."""
    network = simulation.network
    phases = simulation.phase_seconds
    mean = simulation.sum_over_ranks(np.array(list(phases.values()))) / simulation.n_ranks
    seconds = simulation.time_ms * 1e-3
    return {
        "hpcsnn": hpcsnn.__version__,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "seed": network.seed,
        "ranks": simulation.n_ranks,
        "device": simulation.device.name,
        "steps": simulation.step,
        "model_s": seconds,
        "wall_s": simulation.advance_s,
        "wall_per_model_s": simulation.advance_s / seconds if seconds > 0 else None,
        "phases": dict(zip(phases, mean.tolist(), strict=True)),
        "digest": simulation_digest(simulation),
        "populations": {name: population_statistics(simulation, name) for name in network.populations},
        "projections": {name: projection_statistics(simulation, name) for name in network.projections},
    }
