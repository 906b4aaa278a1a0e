"""What is stored of a simulation: its newest network, and its checkpoints."""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from rich.console import Console

from hpcsnn.analysis.drawing.of_run import draw_figures
from hpcsnn.analysis.drawing.processes import Drawing
from hpcsnn.errors import DamageError, RunBusyError, StorageError
from hpcsnn.runs.progress import name_phases
from hpcsnn.runs.stored.differences import columns_that_differ, names_that_differ, synapses_that_differ
from hpcsnn.runs.stored.interface import Say, agreed_digest
from hpcsnn.storage.checkpoints import committed
from hpcsnn.storage.network_store import StoredNetwork
from hpcsnn.storage.run_directory import RunDirectory


class StoredSimulation:
    """A run directory that ``hpcsnn run`` made; see `StoredRun`."""

    KIND: ClassVar[str] = "run"

    def __init__(self, path: Path) -> None:
        self.path = path
        self._directory = RunDirectory(path)

    @cached_property
    def _network(self) -> StoredNetwork:
        return StoredNetwork(self._directory.network)

    def digest(self) -> str:
        """Of all neurons, synapses and spikes."""
        summary, network = self._directory.read_summary(), self._network
        what = "the stored network"
        return agreed_digest(self.path, what, summary, "step", "steps", network.step, network.digest)

    def verify(self, say: Say) -> None:
        """Every file of every checkpoint; ``network.zarr`` is mended if it names another one than the newest."""
        there = committed(self.path)
        if not there:
            raise StorageError(f"{self.path}: no checkpoint here")
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
            raise StorageError(f"{self.path}: {len(damaged)} of {len(there)} checkpoints damaged; {way_out}")
        directory = self._directory
        if not directory.names_newest():
            with suppress(RunBusyError), directory.lock():  # whoever writes there sees to it
                say(directory.repair_network() or f"{directory.network}: names the newest checkpoint already")

    def differences(self, other: Path) -> list[str]:
        """Of the newest networks, array by array."""
        first, second = self._network, StoredNetwork(RunDirectory(other).network)
        said = [] if first.step == second.step else [f"step: {first.step} and {second.step}"]
        said += names_that_differ("population", first.populations, second.populations)
        said += names_that_differ("projection", first.projections, second.projections)
        for name in sorted(set(first.populations) & set(second.populations)):
            said += columns_that_differ(name, first.neurons(name), second.neurons(name))
        for name in sorted(set(first.projections) & set(second.projections)):
            said += synapses_that_differ(name, first.synapses(name), second.synapses(name), self.path, other)
        return said

    def state(self) -> str:
        """Step and digest."""
        return f"at step {self._network.step}: digest {self._network.digest()}"

    def draw(self, file_format: str, trust: bool) -> list[Path]:
        """All figures of the stored network."""
        del trust  # executes nothing
        self._directory.read_summary()
        with Drawing() as drawing:
            return draw_figures(self._directory.network, self._directory.figures, file_format, drawing)

    def analyse(self, console: Console, scheduler: str | None, file_format: str, trust: bool) -> Path:
        """The report of all checkpoints and events."""
        from hpcsnn.analysis.report import write_report

        with name_phases(console):
            return write_report(self.path, console, scheduler, trust, file_format)
