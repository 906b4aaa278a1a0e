"""Hypercolumns that learn from samples alone, read out by a linear classifier: a trainer without a loss."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.checked_numbers import Limits, whole_number
from hpcsnn.devices.base import Device
from hpcsnn.engine.hypercolumns.layer import HypercolumnLayer
from hpcsnn.engine.learning.groups import of_all
from hpcsnn.engine.simulation import Simulation
from hpcsnn.errors import ConfigurationError, StorageError, shown
from hpcsnn.models.base import Configured
from hpcsnn.models.grouped.unsupervised import UnsupervisedRule
from hpcsnn.network import Network
from hpcsnn.ranks.world import on_first_rank
from hpcsnn.training.data.samples import Samples
from hpcsnn.training.interface import BatchResult, Evaluation
from hpcsnn.training.learnt import Learnt
from hpcsnn.training.unsupervised.layer_network import TILE, layer_network, learning_projection
from hpcsnn.training.unsupervised.readout import LinearReadout

# Activity below it is none to the readout.
_LEAST_READ = 1e-3


class UnsupervisedTrainer:
    """Trains a layer of hypercolumns; the ranks of `comm` make the same calls in the same order, with the same samples.

    Each rank has whole hypercolumns with all that they listen to. A sample is how often each channel spikes, divided by
    its steps. Answers are those of a linear classifier of the activity, trained anew where they are asked for, on the
    samples that `read_out_by` was given.

    Args:
        network: a source population of `SampleInput`, one of `SoftmaxUnit`, and an all-to-all projection.
        readout: the population of hypercolumns.
        rule: such as ``HypercolumnBCPNN()``.
        batch: samples between two swaps of connections.
        comm, device: as for `Simulation`.

    Raises:
        ConfigurationError: what cannot be trained so; names the population, projection or argument.
    """

    def __init__(
        self,
        network: Network,
        readout: str,
        rule: Configured[UnsupervisedRule],
        *,
        batch: int = 200,
        comm: Any = None,
        device: str | Device = "auto",
    ) -> None:
        if not isinstance(rule, Configured) or not isinstance(rule.model, UnsupervisedRule):
            raise ConfigurationError(f"unsupervised: {shown(rule)} is not a UnsupervisedRule")
        self._given, self._readout = network.copy(), readout
        self.batch = whole_number("batch", batch, Limits(minimum=1))
        declared = layer_network(network, readout, rule, self.batch)
        self._projection = learning_projection(self._given, readout)
        self.simulation = Simulation(declared, comm, device, tile=TILE)
        self.communicator = self.simulation.communicator
        self._layer = HypercolumnLayer(self.simulation)
        self._read_out_by: Samples | None = None
        self.batches_done = 0

    # -- samples -------------------------------------------------------------------------------------------------------

    def train_batch(self, samples: Samples, epoch_batches: int = 1) -> BatchResult:
        """Learn from samples one after the other, then swap connections; a collective call.

        The result's ``loss`` is how undecided hypercolumns were: minus the logarithm of the largest activity, in nats.

        Raises:
            ConfigurationError: samples that do not fit the network, or more than a batch.
        """
        del epoch_batches
        if len(samples) > self.batch:
            raise ConfigurationError(f"samples: {len(samples)} are not allowed; must be at most a batch, {self.batch}")
        undecided, swapped = self._layer.learn(self._patterns(samples))
        self.batches_done += 1
        layer = self._layer.layer
        rewired = {self._projection.name: swapped * layer.size * layer.source_units}
        return BatchResult(undecided / max(len(samples), 1), None, len(samples), rewired)

    def read_out_by(self, samples: Samples) -> None:
        """Train the classifier on these labelled samples, whenever answers are asked for."""
        self._read_out_by = samples

    def features(self, samples: Samples) -> Any:
        """Activity of all units, a sparse matrix (n_samples, n_units) on the first rank, None on others; collective."""
        from scipy import sparse

        parts = []
        for patterns in self._batches(samples):
            activity = self._layer.respond(patterns)
            parts.append(sparse.csr_matrix(np.where(activity < _LEAST_READ, np.float32(0), activity)))
        own = sparse.vstack(parts, format="csr") if parts else sparse.csr_matrix((0, len(self._layer.ids)))
        everyone = self.communicator.gather((self._layer.ids, own))
        if self.communicator.rank != 0:
            return None
        order = np.argsort(np.concatenate([ids for ids, _ in everyone]), kind="stable")
        return sparse.hstack([matrix for _, matrix in everyone], format="csr")[:, order].astype(np.float64)

    def evaluate(self, samples: Samples) -> Evaluation:
        """Answers of the classifier to samples, ``loss`` its mean cross-entropy; a collective call.

        Raises:
            ConfigurationError: samples without labels, or nothing that the classifier could be trained on.
        """
        by = self._read_out_by
        if by is None or by.labels is None or samples.labels is None or not len(by):
            raise ConfigurationError(
                "samples: have no labels, or none were given to read_out_by, to train a readout on"
            )
        labels, n_classes = np.asarray(samples.labels, np.int32), max(by.n_classes, samples.n_classes)
        shown_by, shown_now = self.features(by), self.features(samples)
        trained_on, seed = np.asarray(by.labels), self._given.seed

        def answers() -> tuple[float, NDArray[np.int32]]:
            chances = LinearReadout.fitted(shown_by, trained_on, n_classes, seed).chances(shown_now)
            of_label = np.maximum(chances[np.arange(len(labels)), labels], 1e-30)
            return float(-np.log(of_label).mean()) if len(labels) else 0.0, chances.argmax(axis=1).astype(np.int32)

        loss, predictions = on_first_rank(self.communicator, answers)
        accuracy = float(np.mean(predictions == labels)) if len(labels) else 0.0
        return Evaluation(loss, accuracy, labels, predictions, {})

    def _batches(self, samples: Samples) -> Iterator[NDArray[np.float32]]:
        for first in range(0, len(samples), self.batch):
            yield self._patterns(samples.select(np.arange(first, min(first + self.batch, len(samples)))))

    def _patterns(self, samples: Samples) -> NDArray[np.float32]:
        """The share of steps in which each channel spikes, (n_samples, n_channels)."""
        n_channels = self._projection.source.size
        if samples.n_channels != n_channels:
            raise ConfigurationError(
                f"samples.n_channels: {samples.n_channels} is not allowed; must be {n_channels}, the size of "
                f"populations.{self._projection.source.name}"
            )
        of_sample = np.repeat(np.arange(len(samples), dtype=np.int64), np.diff(samples.first_event))
        at = of_sample * n_channels + samples.event_channels
        counts = np.bincount(at, minlength=len(samples) * n_channels).reshape(-1, n_channels)
        return (counts / samples.n_steps).astype(np.float32)

    # -- what has been learnt ------------------------------------------------------------------------------------------

    def n_synapses(self, projection: str) -> int:
        """How many are not silent."""
        del projection
        return int(self._layer.connected.size) * self._layer.layer.size * self._layer.layer.source_units

    def synapses(self, projection: str) -> dict[str, NDArray[Any]]:
        """``pre``, ``post`` and ``weight`` of those that are not silent, by post, then pre; a collective call."""
        return dict(self.learnt.synapses[projection])

    @property
    def learnt(self) -> Learnt:
        """All that was learnt so far, on every rank: silent connections' probabilities are in ``carried``."""
        layer, own = self._layer.layer, self._layer.read_traces()
        p_input, connected = own.pop("p_input"), self._layer.connected
        whole = of_all(self.communicator, {"id": self._layer.ids, **own}, "id")
        units = np.arange(layer.source_units, dtype=np.int32)
        sources = (connected[:, :, None] * layer.source_units + units).reshape(len(connected), -1)
        synapses = {
            "pre": np.repeat(sources, layer.size, axis=0).ravel(),
            "post": np.repeat(whole["id"], sources.shape[1]).astype(np.int32),
            "weight": whole["weight"].ravel(),
        }
        carried = {
            "p_joint": whole["p_joint"].reshape(len(connected), layer.size, -1),
            "p_unit": whole["p_unit"].reshape(len(connected), layer.size, 1),
            "p_input": p_input.reshape(-1, layer.source_units, 1),
            "connected": connected.reshape(*connected.shape, 1),
        }
        return Learnt(self.batches_done, {self._projection.name: synapses}, {"bias": whole["bias"]}, {}, carried)

    @property
    def network(self) -> Network:
        """The network as it was given, with the weights, connections and biases that it has now."""
        return self.learnt.network(self._given, self._readout)

    def digest(self) -> str:
        """One SHA-256 of all that was learnt, silent connections included: equal for equal bits, whatever ranks."""
        return self.learnt.digest()

    def save(self, path: Path) -> None:
        """Write all that a bit-exact continuation needs as a Zarr group; a collective call: the first rank writes."""
        learnt = self.learnt
        on_first_rank(self.communicator, lambda: learnt.write(path))

    def restore(self, path: Path) -> None:
        """Go on from what `save` wrote.

        Raises:
            StorageError: it is not of this network, or not whole: its digest is another.
        """
        learnt, now = Learnt.read(path), self.learnt
        found = {name: values.shape for name, values in learnt.carried.items()}
        if set(learnt.synapses) != set(now.synapses) or found != {n: v.shape for n, v in now.carried.items()}:
            raise StorageError(f"{path}: is no training of this network: it has other projections or sizes")
        own = self._layer.ids
        carried = {name: np.asarray(values) for name, values in learnt.carried.items()}
        self._layer.write_traces(
            carried["connected"][:, :, 0],
            carried["p_input"].ravel(),
            p_unit=carried["p_unit"].ravel()[own],
            p_joint=carried["p_joint"].reshape(-1, self._layer.layer.n_inputs)[own],
        )
        self._layer.begun = learnt.batches > 0
        self.batches_done = learnt.batches
