"""What a training leaves: ``summary.json``, ``evaluation.json`` and figures; and what ``hpcsnn evaluate`` prints."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np

from hpcsnn._version import __version__
from hpcsnn.ranks.world import on_first_rank
from hpcsnn.runs.experiment import Setting
from hpcsnn.runs.training_metrics import read_metrics
from hpcsnn.runs.training_position import Position
from hpcsnn.storage.run_directory import RunDirectory
from hpcsnn.training.configuration import TrainingConfiguration
from hpcsnn.training.data.data_set import LoadedData
from hpcsnn.training.interface import AnyTrainer, Evaluation


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
        return {name: len(self._trainer.synapses(name)["weight"]) for name in self.possible}

    def announce(self, n_train: int, n_held_out: int) -> None:
        """Say what is about to be trained."""
        position, ranks = self._position, self._setting.ranks
        words = f"{self._directory.path}: "
        if position.in_all.batches:
            words += f"from epoch {position.epoch}, batch {position.batch}, "
        words += f"{ranks.size} rank{'s' if ranks.size > 1 else ''}; {n_train:,} samples to train on, "
        words += f"{n_held_out:,} to validate by, {len(self._data.test):,} to test by"
        self._setting.say(words)

    def leave(self, stopped_by: str | None, wall_s: float, first_batch: int) -> dict[str, Any]:
        """Test, summarise, draw; the summary, on every rank. A training that was stopped is not tested."""
        summary = self._summary(stopped_by, wall_s, first_batch)
        evaluation = None
        if stopped_by is None:
            evaluation = self._trainer.evaluate(self._data.test)
            summary |= {"test_accuracy": float(evaluation.accuracy), "test_loss": float(evaluation.loss)}
            summary["populations"] = {
                name: {"rate_hz": float(rate), "size": self._network.populations[name].size}
                for name, rate in evaluation.hidden_hz.items()
            }

        def finish() -> None:
            if evaluation is not None:
                self._directory.write_evaluation(evaluated(evaluation, self._data))
            self._directory.write_summary(summary)
            if evaluation is not None and self._setting.figures:
                from hpcsnn.training.figures import draw_training  # matplotlib takes a second that few ranks need

                with self._setting.console.status("drawing figures"):
                    metrics = read_metrics(self._directory.metrics)
                    draw_training(self._figures(evaluation), metrics, self._directory.figures)

        on_first_rank(self._setting.ranks, finish)
        return summary

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
            "batches": position.in_all.batches,
            "resumed_from_batch": first_batch,
            "digest": self._trainer.digest(),
            "test_accuracy": None,
            "test_loss": None,
            "best_validation_accuracy": position.best_accuracy,
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

    def _figures(self, evaluation: Evaluation) -> Any:
        from hpcsnn.training.figures import FigureData, right_and_wrong
        from hpcsnn.training.rasters import raster_of

        network, trainer = self._network, self._trainer
        shown = right_and_wrong(evaluation.labels, evaluation.predictions)
        return FigureData(
            evaluation.labels,
            evaluation.predictions,
            self._data,
            {name: (one.source.size, one.target.size) for name, one in network.projections.items()},
            {name: (one.source.name, one.target.name) for name, one in network.projections.items()},
            {name: trainer.synapses(name) for name in network.projections},
            {index: raster_of(trainer.network, self._data.test, index, self._setting.device) for index in shown},
        )


def evaluated(evaluation: Evaluation, data: LoadedData) -> dict[str, Any]:
    """What ``evaluation.json`` says."""
    return {
        "loss": float(evaluation.loss),
        "accuracy": float(evaluation.accuracy),
        "class_names": list(data.class_names),
        "labels": np.asarray(evaluation.labels).tolist(),
        "predictions": np.asarray(evaluation.predictions).tolist(),
    }
