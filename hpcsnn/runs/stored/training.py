"""What is stored of a training: its last and best state, its metrics, what it answered."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from rich.console import Console

from hpcsnn.configuration.schema import Configuration
from hpcsnn.errors import ConfigurationError, DamageError, StorageError
from hpcsnn.runs.resuming import differences
from hpcsnn.runs.stored.differences import columns_that_differ, names_that_differ, synapses_that_differ
from hpcsnn.runs.stored.interface import Say, agreed_digest
from hpcsnn.runs.training_metrics import read_metrics
from hpcsnn.runs.training_results import read_answers, redrawn
from hpcsnn.runs.training_run import MAY_CHANGE
from hpcsnn.storage.run_directory import RunDirectory
from hpcsnn.storage.training_checkpoints import BEST, LAST, TrainingCheckpoint, TrainingCheckpoints
from hpcsnn.training.as_run import run_of_training, source_of
from hpcsnn.training.configuration import data_at, load_training
from hpcsnn.training.learnt import Learnt


class StoredTraining:
    """A run directory that ``hpcsnn train`` made; see `StoredRun`."""

    KIND: ClassVar[str] = "training"

    def __init__(self, path: Path) -> None:
        self.path = path
        self._directory = RunDirectory(path)

    @cached_property
    def last(self) -> TrainingCheckpoint:
        """The last checkpoint, every file of which is as it was written."""
        return TrainingCheckpoints(self.path).read(LAST)

    @cached_property
    def learnt(self) -> Learnt:
        """What the last checkpoint holds."""
        return Learnt.read(self.last.path)

    def digest(self) -> str:
        """Of the last state: weights, wiring, biases, and the optimiser's variables."""
        summary, learnt = self._directory.read_summary(), self.learnt
        what = "the last checkpoint"
        return agreed_digest(self.path, what, summary, "batch", "batches", learnt.batches, learnt.digest)

    def verify(self, say: Say) -> None:
        """Every file of both checkpoints, the lines of metrics, and what the trained network answered."""
        checkpoints, damaged = TrainingCheckpoints(self.path), []
        there = [role for role in (LAST, BEST) if checkpoints.has(role)]
        if not there:
            raise StorageError(f"{self.path}: no checkpoint here")
        for role in there:
            try:
                learnt = Learnt.read(checkpoints.read(role).path)
                say(f"{role}, after {learnt.batches:,} batches: as written")
            except DamageError as error:
                damaged.append(role)
                say(f"{role}: {error}")
        if damaged:
            left = "" if damaged == there else f"; {next(one for one in there if one not in damaged)} is whole"
            raise StorageError(f"{self.path}: {len(damaged)} of {len(there)} checkpoints damaged{left}")
        lines, n_bytes = read_metrics(self._directory.metrics), self._directory.metrics.stat().st_size
        before = self.last.position["metrics_bytes"]
        if n_bytes < before:
            when = "when the last checkpoint was written"
            raise StorageError(f"{self._directory.metrics}: has {n_bytes} bytes, and had {before} {when}")
        say(f"{self._directory.metrics.name}: {len(lines):,} lines")
        if self._directory.evaluation.is_file():
            said = read_answers(self._directory).n_samples
            say(f"{self._directory.evaluation.name}: answers to {said:,} samples")

    def differences(self, other: Path) -> list[str]:
        """Of the configurations, and of the last states array by array."""
        first, second = self, StoredTraining(other)
        configurations = differences(first.last.configuration, second.last.configuration, MAY_CHANGE)
        said = [f"{where}: {was!r} and {is_now!r}" for where, was, is_now in configurations]
        ours, theirs = first.learnt, second.learnt
        if ours.batches != theirs.batches:
            said.append(f"batches: {ours.batches} and {theirs.batches}")
        said += names_that_differ("projection", ours.synapses, theirs.synapses)
        for name in sorted(set(ours.synapses) & set(theirs.synapses)):
            said += synapses_that_differ(name, ours.synapses[name], theirs.synapses[name], self.path, other)
        said += names_that_differ("feedback of", ours.feedback, theirs.feedback)
        for name in sorted(set(ours.feedback) & set(theirs.feedback)):
            said += columns_that_differ(f"feedback of {name}", ours.feedback[name], theirs.feedback[name])
        return said + columns_that_differ("readout", ours.readout, theirs.readout)

    def state(self) -> str:
        """Batches and digest."""
        return f"after {self.learnt.batches} batches: digest {self.learnt.digest()}"

    def draw(self, file_format: str, trust: bool) -> list[Path]:
        """All figures, of the last state; the data are loaded for it."""
        answers = read_answers(self._directory)
        configuration = load_training(self._directory.configuration, trust=trust, of_run=True)
        with configuration.places.told():
            return redrawn(configuration, self.learnt, answers, self._directory, file_format)

    def as_run(
        self, role: str, n_samples: int, overrides: list[str], trust: bool, data_folder: Path | None = None
    ) -> Configuration:
        """The trained network as a run of the first test samples, or of what `overrides` have its source do.

        Args:
            role: whether of the best state or of the last one.
            trust: as of `load_training`.
            data_folder: where the data's files are now; None: as configured.

        Raises:
            HpcsnnError: no such checkpoint, a value that is not allowed, or data that cannot be loaded.
        """
        self._directory.check_run()
        moved = data_at(data_folder)
        training = load_training(self._directory.configuration, moved, trust=trust, of_run=True)
        learnt = Learnt.read(TrainingCheckpoints(self.path).read(role).path)
        with training.places.told():
            source = f"populations.{source_of(training.network())}.model"
            samples = None
            if not any(override.startswith(source) for override in overrides):
                test = training.load_data().test
                if n_samples > len(test):
                    raise ConfigurationError(f"--samples: {n_samples} is not allowed; there are {len(test)} to test by")
                samples = test.select(range(n_samples))
        return run_of_training(training, learnt, samples, overrides, self.path)

    def analyse(self, console: Console, scheduler: str | None, file_format: str, trust: bool) -> Any:
        """Refused: an analysis is of a network that runs."""
        del console, scheduler, trust, file_format
        raise ConfigurationError(
            f"{self.path}: is a training, and an analysis follows a network that runs; how a training went is in its "
            f"figures/ and metrics.jsonl (hpcsnn plot {self.path} draws them again), and hpcsnn run --from {self.path} "
            "makes a run of the trained network, which hpcsnn analyze takes"
        )
