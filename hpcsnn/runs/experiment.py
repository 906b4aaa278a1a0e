"""One run from configuration to run directory, and its resumption: ``hpcsnn run`` and ``resume``, on every rank."""

from __future__ import annotations

import logging
import os
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from hpcsnn.analysis.displacement import DisplacementMap, write_displacement
from hpcsnn.analysis.drawing.of_run import draw_figures
from hpcsnn.analysis.drawing.processes import Drawing
from hpcsnn.configuration.schema import Configuration
from hpcsnn.configuration.times import Every
from hpcsnn.devices import Device, HostDevice, choose_device
from hpcsnn.engine.simulation import Simulation
from hpcsnn.errors import ConfigurationError
from hpcsnn.phases import doing
from hpcsnn.planning.available_memory import check_memory
from hpcsnn.planning.measuring import check_measurable, measured_here
from hpcsnn.ranks.communicator import Alone, Communicator
from hpcsnn.ranks.world import on_first_rank
from hpcsnn.runs.checkpointing import Checkpointer
from hpcsnn.runs.progress import Progress, end_written, name_phases, phases_written
from hpcsnn.runs.resuming import prepare_resume
from hpcsnn.runs.stopping import StopSignals
from hpcsnn.runs.summary import displacement_maps, regularities, summarised
from hpcsnn.storage.checkpoints import Checkpoint
from hpcsnn.storage.leftovers import remove_leftovers
from hpcsnn.storage.restore import restore
from hpcsnn.storage.run_directory import RunDirectory

_log = logging.getLogger(__name__)
# How often a run is looked at, in s of wall time, and how often while a checkpoint is written: ranks go on with it
# together, in four stages, and where checkpoints are close the next one waits for it.
_SHOWN_EVERY_S, _POLLED_EVERY_S = 0.25, 0.02
# Recorded variables that a rank keeps in memory: beyond, a checkpoint takes them to disk.
_MOST_RECORDED = 1 << 28


@dataclass(frozen=True)
class Setting:
    """What a run is carried out with, apart from its configuration.

    A run that is ``measured`` keeps nothing but what it took: no checkpoint, no map of displacements, no figures.
    """

    ranks: Communicator = field(default_factory=Alone)
    device: str = "auto"
    console: Console = field(default_factory=lambda: Console(quiet=True))
    figures: bool = True
    measured: bool = False

    def say(self, words: str) -> None:
        """Print a line, once for all ranks."""
        if self.ranks.rank == 0:
            self.console.print(words, highlight=False, soft_wrap=True)

    def warn(self, words: str) -> None:
        """Print a warning, or log it where nothing is printed, for the rank that found it."""
        if self.console.quiet:
            _log.warning("%s", words)
        self.console.print(f"warning: {words}", style="yellow", soft_wrap=True, highlight=False)


def run_experiment(
    configuration: Configuration, out: Path, setting: Setting, overwrite: bool = False
) -> dict[str, Any]:
    """Run a configuration to its end and leave a run directory; a collective call.

    Returns:
        The summary, as in ``summary.json``, on every rank.

    Raises:
        HpcsnnError: configuration, device, storage or simulation errors.
    """
    directory = RunDirectory(out)
    if setting.measured:
        check_measurable(configuration)
    with ExitStack() as stack:
        stack.enter_context(name_phases(setting.console))
        on_first_rank(setting.ranks, lambda: directory.check_free(overwrite))
        drawing = _drawing(stack, setting)
        simulation = _simulation(configuration, setting)
        # Only now, so that what cannot run leaves no folder.
        lock_for_all(stack, directory, setting)
        on_first_rank(setting.ranks, lambda: directory.clear(overwrite))
        stack.enter_context(phases_written(directory, quiet=setting.ranks.rank != 0))
        _announce(simulation, directory, setting, "")
        start_maps = {} if setting.measured else displacement_maps(simulation)
        on_first_rank(setting.ranks, lambda: _begin(directory, configuration, start_maps))
        checkpointer = Checkpointer(simulation, directory, configuration.resolved(), configuration.checkpoint_keep)
        return _carry_out(stack, drawing, simulation, directory, configuration, checkpointer, setting)


def resume_experiment(
    run: Path,
    setting: Setting,
    until_ms: float | None = None,
    from_step: int | None = None,
    trust: bool = False,
) -> dict[str, Any]:
    """Go on from a checkpoint of a run, on whatever ranks and device there are now; a collective call.

    Args:
        until_ms: new end of the run in model time; None: as configured.
        from_step: the checkpoint's step; None: the newest good one.
        trust: execute the Python files that the run names, if it is not one that this user began.

    Returns:
        The summary, on every rank; of a run that was at its end already as it is there, with ``nothing_to_do``.

    Raises:
        HpcsnnError: nothing to go on from, a change of the configuration that is not allowed, and all that
            `run_experiment` raises.

    Nothing is removed before there is a new checkpoint. A run that is at its end stays as it is.
    """
    directory = RunDirectory(run)
    with ExitStack() as stack:
        stack.enter_context(name_phases(setting.console))
        on_first_rank(setting.ranks, directory.check_run)
        lock_for_all(stack, directory, setting)
        plan = on_first_rank(setting.ranks, lambda: prepare_resume(directory, until_ms, from_step, trust))
        configuration = plan.configuration
        if setting.ranks.rank == 0:
            for warning in plan.warnings:
                setting.warn(warning)
        if plan.summary is not None:
            end_s = plan.checkpoint.step * configuration.dt_ms * 1e-3
            setting.say(f"{directory.path}: complete at {end_s:g} s: nothing to do; --until goes on")
            on_first_rank(setting.ranks, lambda: directory.write_configuration(configuration))
            on_first_rank(setting.ranks, lambda: remove_leftovers(directory.path))
            return {**plan.summary, "nothing_to_do": True}
        stack.enter_context(phases_written(directory, quiet=setting.ranks.rank != 0))
        drawing = _drawing(stack, setting)
        simulation = _simulation(configuration.at(plan.checkpoint.step), setting)
        with doing("reading the checkpoint"):
            restore(simulation, plan.checkpoint.network())
        _announce(simulation, directory, setting, f"from {simulation.time_ms * 1e-3:g} s, ")
        on_first_rank(setting.ranks, lambda: directory.write_configuration(configuration))
        checkpointer = Checkpointer(
            simulation,
            directory,
            configuration.resolved(),
            configuration.checkpoint_keep,
            plan.manifest["segments"],
            plan.manifest["record_files"],
            plan.checkpoint,
            plan.unreadable,
            plan.replaced,
        )
        return _carry_out(stack, drawing, simulation, directory, configuration, checkpointer, setting)


def _simulation(configuration: Configuration, setting: Setting) -> Simulation:
    with configuration.places.told():
        return _made(configuration, setting)


def _made(configuration: Configuration, setting: Setting) -> Simulation:
    network = configuration.network()
    for name, projection in network.projections.items():
        rule = projection.rule
        if rule is not None and rule.trigger == "call":
            raise ConfigurationError(
                f"projections.{name}.rewiring.{rule.name}: updates when it is called (Simulation.rewire, in Python), "
                "and a run from a configuration never calls; give the rule another trigger"
            )
    device = choose_device(setting.device, setting.ranks)
    if isinstance(device, HostDevice):  # a GPU's memory is its own
        check_memory(network, configuration.tile, setting.ranks)
    return Simulation(
        network,
        setting.ranks,
        device,
        configuration.tile,
        configuration.exchange_block,
        exchange=configuration.exchange,
    )


def lock_for_all(stack: ExitStack, directory: RunDirectory, setting: Setting) -> None:
    """Let the ranks of this job, and nobody else, write to a run as long as the stack is open; a collective call."""
    on_first_rank(setting.ranks, lambda: stack.enter_context(directory.lock()))
    if setting.ranks.rank != 0:
        stack.enter_context(directory.lock(first=False))


def _announce(simulation: Simulation, directory: RunDirectory, setting: Setting, where: str) -> None:
    ranks = f"{simulation.n_ranks} rank{'s' if simulation.n_ranks > 1 else ''}"
    setting.say(f"{directory.path}: {where}{ranks}, each on {simulation.device.name}")
    say_why_no_gpu(simulation.device, setting)


def say_why_no_gpu(device: Device, setting: Setting) -> None:
    """Where there is a GPU in the machine, and it is not used though nobody asked for a CPU."""
    if isinstance(device, HostDevice) and device.no_gpu:
        setting.say(f"not on a GPU: {device.no_gpu}")


def _begin(directory: RunDirectory, configuration: Configuration, maps: dict[str, DisplacementMap]) -> None:
    directory.write_configuration(configuration)
    for name, displacement in maps.items():
        write_displacement(directory.displacement, name, "start", displacement)


def _drawing(stack: ExitStack, setting: Setting) -> Drawing | None:
    """What draws figures, if there is a core that no rank has, by which it is made ready while others work."""
    spare = len(os.sched_getaffinity(0)) > setting.ranks.size
    return stack.enter_context(Drawing()) if setting.figures and setting.ranks.rank == 0 and spare else None


def _carry_out(
    stack: ExitStack,
    drawing: Drawing | None,
    simulation: Simulation,
    directory: RunDirectory,
    configuration: Configuration,
    checkpointer: Checkpointer,
    setting: Setting,
) -> dict[str, Any]:
    """Advance to the configured end, with checkpoints on the way and one at the end, and leave summary and figures."""
    first_step, started = simulation.step, time.perf_counter()
    with Progress(setting.console, configuration.duration_ms, directory, quiet=setting.ranks.rank != 0) as progress:
        progress.update(simulation)  # where it begins, so that the first rates are of something
        simulation, stopped_by = _advance(simulation, directory, configuration, checkpointer, setting, progress)
        progress.update(simulation, last=True)
    # As whoever waits for it counts: with what the steps waited for checkpoints on the way.
    wall_s, stall_s = time.perf_counter() - started, checkpointer.stall_s
    maps, regularity, measured = {}, {}, {}
    if setting.measured:
        with doing("measuring messages between ranks"):
            measured = measured_here(setting.ranks, simulation.executable.exchange_seconds)
    else:
        with doing("writing the last checkpoint"):
            checkpointer.begin()
            checkpointer.poll(wait=True)
            on_first_rank(setting.ranks, checkpointer.finish)
        maps = displacement_maps(simulation)
        regularity = on_first_rank(setting.ranks, lambda: regularities(simulation.network, directory))
    summary = {
        **summarised(simulation, regularity, wall_s),
        "completed": stopped_by is None,
        "stopped_by": stopped_by,
        "resumed_from_step": first_step,
        **configuration.model_dump(mode="json", include={"changes", "forked_from"}),
        "checkpoints": checkpointer.report() | {"stall_s": stall_s},
        **measured,
    }
    seconds = (simulation.step - first_step) * simulation.network.dt_ms * 1e-3
    summary["wall_per_model_s"] = wall_s / seconds if seconds > 0 else None

    def finish() -> None:
        for name, displacement in maps.items():
            write_displacement(directory.displacement, name, "end", displacement)
        directory.write_summary(summary)
        for name, values in summary["projections"].items():
            if values["refused"]:
                setting.warn(
                    f"projections.{name}: {values['refused']:,} synapses were refused because a row was full and "
                    f"rows_grow is off; raise projections.{name}.capacity or let rows grow"
                )
        if setting.figures:
            with doing("drawing figures"):
                draw_figures(directory.network, directory.figures, drawing=drawing or stack.enter_context(Drawing()))
        end_written(directory, stopped_by)

    on_first_rank(setting.ranks, finish)
    return summary


def _advance(
    simulation: Simulation,
    directory: RunDirectory,
    configuration: Configuration,
    checkpointer: Checkpointer,
    setting: Setting,
    progress: Progress,
) -> tuple[Simulation, str | None]:
    """Up to the end, or to where all ranks agree to stop: the simulation that got there, and then the signal's name."""
    end = simulation.network.steps(configuration.duration_ms)
    every = Every.parse(configuration.checkpoint_every) if configuration.checkpoint_every else Every()
    period = simulation.network.steps(every.model_ms) if every.model_ms else None
    changes = configuration.steps_of_changes()
    records = bool(simulation.network.recorded)
    last_wall = time.monotonic()
    with StopSignals(setting.ranks) as signals:
        stopped_by: str | None = None
        last_shown = 0.0

        def observe(simulation: Simulation) -> bool:
            nonlocal last_wall, last_shown, stopped_by
            checkpointer.poll()
            if on_first_rank(setting.ranks, lambda: time.monotonic() - last_shown >= _SHOWN_EVERY_S):
                progress.update(simulation)
                last_shown = time.monotonic()
            due = every.wall_s is not None and time.monotonic() - last_wall >= every.wall_s
            full = records and any(setting.ranks.gather(simulation.recorded_bytes > _MOST_RECORDED))
            if full or (every.wall_s is not None and on_first_rank(setting.ranks, lambda: due)):
                checkpointer.begin()
                last_wall = time.monotonic()
            stopped_by = signals.agreed()
            return stopped_by is not None

        if period is not None and simulation.step == 0:
            checkpointer.begin()  # what the wiring was before anything happened to it
        while simulation.step < end and stopped_by is None:
            step = simulation.step
            until = end if period is None else min(end, (step // period + 1) * period)
            until = min([until, *(change for change in changes if change > step)])
            every_s = _POLLED_EVERY_S if checkpointer.under_way else _SHOWN_EVERY_S
            simulation.run((until - step) * simulation.network.dt_ms, observe, every_s, progress=False)
            if period is not None and simulation.step % period == 0 and simulation.step < end:
                checkpointer.begin()
            if simulation.step in changes and simulation.step < end and stopped_by is None:
                simulation = _changed(simulation, directory, configuration, checkpointer, setting)
        return simulation, stopped_by


def _changed(
    simulation: Simulation,
    directory: RunDirectory,
    configuration: Configuration,
    checkpointer: Checkpointer,
    setting: Setting,
) -> Simulation:
    """The network with other parameters, in the same state: what a run resumed from a checkpoint of this step has."""
    step = simulation.step
    with doing(f"changing parameters at {simulation.time_ms * 1e-3:g} s"):
        checkpointer.begin()
        checkpointer.poll(wait=True)
        changed = _simulation(configuration.at(step), setting)
        restore(changed, Checkpoint(directory.path, step).network())
        checkpointer.go_on_with(changed)
        changed.count_on_from(simulation)
    return changed
