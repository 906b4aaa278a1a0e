"""A trainer that needs no compiler: softmax regression on how often each channel spikes, with synapses that move.

It stands in for `hpcsnn.training.trainer.Trainer` where the run around it is tested: quick, deterministic, and with a
state that must survive a checkpoint to the bit.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from hpcsnn.ranks.world import on_first_rank
from hpcsnn.training.data.samples import Samples
from hpcsnn.training.interface import BatchResult, Evaluation


class StandInTrainer:
    """Learns labels from spike counts; each batch moves as many synapses of each projection as its number says."""

    def __init__(self, configuration: Any, n_steps: int, setting: Any, after_batch: Any = None) -> None:
        self.network = configuration.network()
        self.batches_done = 0
        self._rate = configuration.models["optimiser"].values["learning_rate"]
        self._after_batch, self._ranks = after_batch, setting.ranks
        self._weights: Any = np.zeros((0, 0))

    def train_batch(self, samples: Samples, epoch_batches: int = 1) -> BatchResult:
        """One step of gradient descent."""
        counts, chance = self._chances(samples)
        assert samples.labels is not None
        rows = np.arange(len(samples))
        loss = -np.log(chance[rows, samples.labels])
        error = chance.copy()
        error[rows, samples.labels] -= 1
        self._weights = self._weights - self._rate * counts.T @ error
        self.batches_done += 1
        result = BatchResult(
            float(loss.mean()),
            int((chance.argmax(axis=1) == samples.labels).sum()),
            len(samples),
            dict.fromkeys(self.network.projections, self.batches_done % 7),
        )
        if self._after_batch is not None:
            self._after_batch(self.batches_done)
        return result

    def evaluate(self, samples: Samples) -> Evaluation:
        """What the weights say of samples."""
        _, chance = self._chances(samples)
        assert samples.labels is not None
        loss = -np.log(chance[np.arange(len(samples)), samples.labels])
        predictions = chance.argmax(axis=1)
        accuracy = float(np.mean(samples.labels == predictions))
        return Evaluation(float(loss.mean()), accuracy, samples.labels, predictions, {"hidden": 12.5})

    def _chances(self, samples: Samples) -> tuple[Any, Any]:
        counts = np.zeros((len(samples), samples.n_channels))
        of = np.repeat(np.arange(len(samples)), np.diff(samples.first_event))
        np.add.at(counts, (of, samples.event_channels), 1.0)
        if not self._weights.size:
            self._weights = np.zeros((samples.n_channels, samples.n_classes))
        y = counts @ self._weights
        y = np.exp(y - y.max(axis=1, keepdims=True))
        return counts, y / y.sum(axis=1, keepdims=True)

    def synapses(self, projection: str) -> dict[str, Any]:
        """Some that are always as many."""
        of = self.network.projections[projection]
        pre, post = np.divmod(np.arange(0, of.source.size * of.target.size, 3), of.target.size)
        weight = np.sin(pre + 0.1 * post).astype(np.float32) * (1 + self.batches_done)
        return {"pre": pre, "post": post, "weight": weight}

    def n_synapses(self, projection: str) -> int:
        """How many they are."""
        return len(self.synapses(projection)["pre"])

    def digest(self) -> str:
        """Of all that it learned."""
        return hashlib.sha256(self._weights.tobytes() + bytes([self.batches_done % 256])).hexdigest()

    def save(self, path: Path) -> None:
        """One file, as a trainer's."""

        def write() -> None:
            with path.open("wb") as file:
                np.savez(file, weights=self._weights, batches_done=self.batches_done)

        on_first_rank(self._ranks, write)

    def restore(self, path: Path) -> None:
        """The reverse of `save`."""
        with np.load(path) as file:
            self._weights, self.batches_done = file["weights"], int(file["batches_done"])
