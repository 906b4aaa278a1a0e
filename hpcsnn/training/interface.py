"""What the run of a training asks of a trainer: `hpcsnn.training.trainer.Trainer` is one, tests have a quicker one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from hpcsnn.network import Network
from hpcsnn.training.data.samples import Samples


@dataclass(frozen=True)
class BatchResult:
    """What became of a batch, over all ranks.

    ``loss`` is the mean over samples, ``n_correct`` None of samples without labels, ``rewired`` how many synapses were
    replaced, by projection.
    """

    loss: float
    n_correct: int | None
    n_samples: int
    rewired: dict[str, int]


@dataclass(frozen=True)
class Evaluation:
    """Answers to samples, over all ranks.

    ``labels`` and ``predictions`` have shape (n_samples,), int32; ``loss`` is the mean over samples, ``hidden_hz`` the
    mean rate of each hidden population. Of samples with targets in place of labels there is no accuracy, and both
    arrays are empty.
    """

    loss: float
    accuracy: float | None
    labels: NDArray[np.int32]
    predictions: NDArray[np.int32]
    hidden_hz: dict[str, float]

    def is_better_than(self, accuracy: float | None, loss: float | None) -> bool:
        """Whether it is better than the best so far: by accuracy, and where there is none by the loss."""
        if self.accuracy is not None:
            return accuracy is None or self.accuracy > accuracy
        return loss is None or self.loss < loss


class AnyTrainer(Protocol):
    """A network that is being trained; all of it are collective calls, with one answer on every rank."""

    @property
    def network(self) -> Network: ...
    @property
    def batches_done(self) -> int: ...
    def train_batch(self, samples: Samples, epoch_batches: int = 1) -> BatchResult: ...
    def evaluate(self, samples: Samples) -> Evaluation: ...
    def synapses(self, projection: str) -> Mapping[str, NDArray[Any]]: ...
    def n_synapses(self, projection: str) -> int: ...
    def digest(self) -> str: ...
    def save(self, path: Path) -> None: ...
    def restore(self, path: Path) -> None: ...


@runtime_checkable
class ReadOutBySamples(Protocol):
    """A trainer that learns without labels, whose answers are those of a classifier of what it makes of samples."""

    def read_out_by(self, samples: Samples) -> None:
        """The labelled samples that the classifier is trained on."""
