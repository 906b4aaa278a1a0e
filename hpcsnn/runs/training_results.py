"""What a training leaves: ``summary.json``, ``evaluation.json`` and figures; and what ``hpcsnn evaluate`` prints."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn._version import __version__
from hpcsnn.errors import StorageError
from hpcsnn.models.learning.losses import SquaredError
from hpcsnn.network import Network
from hpcsnn.phases import doing
from hpcsnn.ranks.world import on_first_rank
from hpcsnn.runs.experiment import Setting
from hpcsnn.runs.progress import end_written
from hpcsnn.runs.training_metrics import read_metrics
from hpcsnn.runs.training_position import Position
from hpcsnn.storage.run_directory import RunDirectory
from hpcsnn.training.configuration import TrainingConfiguration
from hpcsnn.training.data.data_set import LoadedData
from hpcsnn.training.data.samples import Samples
from hpcsnn.training.interface import AnyTrainer, Evaluation
from hpcsnn.training.learnt import Learnt


class TrainingResults:
    """What becomes of one training; every rank has one, and all methods are collective calls.

    Attributes:
        possible: by projection, the pairs that may have a synapse.
    """

    def __init__(
        self,
        configuration: TrainingConfiguration,
        data: LoadedData,
        trainer: AnyTrainer,
        directory: RunDirectory,
        setting: Setting,
        position: Position,
    ) -> None:
        self._configuration, self._data, self._trainer = configuration, data, trainer
        self._directory, self._setting, self._position = directory, setting, position
        self._network = configuration.network()
        projections = self._network.projections.items()
        self.possible = {name: one.source.size * one.target.size for name, one in projections}

    def synapse_counts(self) -> dict[str, int]:
        """By projection, the synapses that there are."""
        return {name: self._trainer.n_synapses(name) for name in self.possible}

    def announce(self, n_train: int, n_held_out: int) -> None:
        """Say what is about to be trained."""
        position, ranks = self._position, self._setting.ranks
        words = f"{self._directory.path}: "
        if position.in_all.batches:
            words += f"from epoch {position.epoch}, batch {position.batch}, "
        words += f"{ranks.size} rank{'s' if ranks.size > 1 else ''}"
        sharing = self._configuration.ranks_per_network
        words += f", {sharing} to each network; " if sharing > 1 else "; "
        words += f"{n_train:,} samples to train on, "
        words += f"{n_held_out:,} to validate by, {len(self._data.test):,} to test by"
        self._setting.say(words)

    def leave(self, stopped_by: str | None, wall_s: float, first_batch: int) -> dict[str, Any]:
        """Test, summarise, draw; the summary, on every rank. A training that was stopped is not tested."""
        summary = self._summary(stopped_by, wall_s, first_batch)
        evaluation = None
        if stopped_by is None:
            with doing("testing"):
                evaluation = self._trainer.evaluate(self._data.test)
            summary |= {"test_accuracy": evaluation.accuracy, "test_loss": float(evaluation.loss)}
            summary["test_error"] = relative_error(self._configuration, self._data.test, evaluation.loss)
            summary["populations"] = {
                name: {"rate_hz": float(rate), "size": self._network.populations[name].size}
                for name, rate in evaluation.hidden_hz.items()
            }

        draws = evaluation is not None and self._setting.figures
        trained = self._trainer.network if draws else None
        synapses = {name: self._trainer.synapses(name) for name in self._network.projections} if draws else {}

        def finish() -> None:
            if evaluation is not None:
                self._directory.write_evaluation(evaluated(evaluation, self._configuration, self._data))
            self._directory.write_summary(summary)
            if evaluation is not None and trained is not None:
                with doing("drawing figures"):
                    self._draw(evaluation, trained, synapses)
            end_written(self._directory, stopped_by)

        on_first_rank(self._setting.ranks, finish)
        return summary

    def _draw(
        self, evaluation: Evaluation, trained: Network, synapses: Mapping[str, Mapping[str, NDArray[Any]]]
    ) -> None:
        labels, predictions = (ids.astype(np.int64) for ids in (evaluation.labels, evaluation.predictions))
        answers = Answers(labels, predictions, float(evaluation.loss), len(self._data.test))
        configuration, device = self._configuration, self._setting.device
        _draw(configuration, trained, synapses, answers, self._data, self._directory, device)

    def _summary(self, stopped_by: str | None, wall_s: float, first_batch: int) -> dict[str, Any]:
        position, synapses = self._position, self.synapse_counts()
        rewired = {name: position.in_all.rewired.get(name, 0) for name in synapses}
        return {
            "hpcsnn": __version__,
            "kind": "training",
            "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "seed": self._configuration.seed,
            "ranks": self._setting.ranks.size,
            "completed": stopped_by is None,
            "stopped_by": stopped_by,
            "epochs": position.epoch - 1,
            "ended_early": stopped_by is None and position.epoch <= self._configuration.epochs,
            "batches": position.in_all.batches,
            "resumed_from_batch": first_batch,
            "digest": self._trainer.digest(),
            "test_accuracy": None,
            "test_loss": None,
            "test_error": None,
            "best_validation_accuracy": position.best_accuracy,
            "best_validation_loss": position.best_loss,
            "best_epoch": position.best_epoch,
            "seconds_per_sample": position.ranks_s / max(position.in_all.samples, 1),
            "wall_s": wall_s,
            "synapses": synapses,
            "rewired": rewired,
            "populations": {},
            "projections": {
                name: {
                    "synapses": synapses[name],
                    "connectivity": synapses[name] / self.possible[name],
                    "rewired": rewired[name],
                }
                for name in synapses
            },
        }


@dataclass(frozen=True)
class Answers:
    """Labels and predictions of the test samples, shape (n_samples,), or empty where they have targets; mean loss."""

    labels: NDArray[np.int64]
    predictions: NDArray[np.int64]
    loss: float
    n_samples: int


def read_answers(directory: RunDirectory) -> Answers:
    """What ``evaluation.json`` holds.

    Raises:
        StorageError: there is none, or it holds something else.
    """
    read = directory.read_evaluation()
    try:
        labels, predictions = (np.array(read[key], dtype=np.int64) for key in ("labels", "predictions"))
        loss, n_samples = float(read["loss"]), int(read.get("n_samples", len(labels)))
    except (KeyError, ValueError, TypeError, OverflowError) as error:
        raise StorageError(f"{directory.evaluation}: cannot be read: {error}") from None
    if labels.ndim != 1 or labels.shape != predictions.shape or labels.size not in (0, n_samples):
        sizes = f"{labels.shape} labels and {predictions.shape} predictions of {n_samples} samples"
        raise StorageError(f"{directory.evaluation}: has {sizes}")
    return Answers(labels, predictions, loss, n_samples)


def redrawn(
    configuration: TrainingConfiguration, learnt: Learnt, answers: Answers, directory: RunDirectory, file_format: str
) -> list[Path]:
    """Draw the figures of a training from what is stored of it, as files of a format; the files.

    Raises:
        HpcsnnError: data that cannot be loaded, or that are not those that were answered to.
    """
    network, data = configuration.network(), configuration.load_data()
    if len(data.test) != answers.n_samples:
        raise StorageError(
            f"{directory.evaluation}: has answers to {answers.n_samples} samples, and the data have {len(data.test)}"
        )
    trained = learnt.network(network, configuration.readout)
    return _draw(configuration, trained, learnt.synapses, answers, data, directory, "cpu", file_format)


def _draw(
    configuration: TrainingConfiguration,
    trained: Network,
    synapses: Mapping[str, Mapping[str, NDArray[Any]]],
    answers: Answers,
    data: LoadedData,
    directory: RunDirectory,
    device: str,
    file_format: str = "png",
) -> list[Path]:
    """All figures of a training whose network has become `trained`; those of synapses of the projections given."""
    from hpcsnn.training.figures import FigureData, draw_training, shown_samples  # matplotlib takes a second
    from hpcsnn.training.rasters import outputs_of, raster_of

    shown = shown_samples(answers.labels, answers.predictions, answers.n_samples)
    projections = {name: trained.projections[name] for name in synapses}
    outputs = {}
    if data.test.targets is not None:
        found = {index: outputs_of(trained, configuration.readout, data.test, index, device) for index in shown}
        outputs = {index: values for index, values in found.items() if values is not None}
    of = FigureData(
        answers.labels,
        answers.predictions,
        answers.loss,
        data,
        {name: (one.source.size, one.target.size) for name, one in projections.items()},
        {name: (one.source.name, one.target.name) for name, one in projections.items()},
        synapses,
        {index: raster_of(trained, data.test, index, device) for index in shown},
        outputs,
    )
    return draw_training(of, read_metrics(directory.metrics), directory.figures, file_format)


def relative_error(configuration: TrainingConfiguration, samples: Samples, loss: float) -> float | None:
    """Squared error as a share of what outputs that stay at 0 have; None without targets, or with another loss."""
    if samples.targets is None or configuration.models["loss"].model is not SquaredError:
        return None
    scored = np.arange(samples.n_steps) >= samples.first_scored_step[:, None]
    squared = (samples.targets.astype(np.float64) ** 2).sum(axis=2)
    return 2.0 * loss * len(samples) / max(float((squared * scored).sum()), 1e-300)


def evaluated(evaluation: Evaluation, configuration: TrainingConfiguration, data: LoadedData) -> dict[str, Any]:
    """What ``evaluation.json`` says."""
    return {
        "loss": float(evaluation.loss),
        "accuracy": evaluation.accuracy,
        "error": relative_error(configuration, data.test, evaluation.loss),
        "n_samples": len(data.test),
        "class_names": list(data.class_names),
        "labels": np.asarray(evaluation.labels).tolist(),
        "predictions": np.asarray(evaluation.predictions).tolist(),
    }
