"""A network that is trained: batches of samples, evaluation, and the trained network as a `Network`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.checked_numbers import Limits, truth_value, whole_number
from hpcsnn.devices.base import Device
from hpcsnn.engine.learning.batches import Learner, Played
from hpcsnn.engine.learning.groups import Groups, of_all
from hpcsnn.engine.learning.lanes import Lanes
from hpcsnn.errors import ConfigurationError, StorageError, shown
from hpcsnn.models import Adam, CrossEntropy, EProp
from hpcsnn.models.base import Configured
from hpcsnn.models.learning import LearningRule, Loss, Optimiser
from hpcsnn.network import Network
from hpcsnn.network.learning import Learning, kept_variables
from hpcsnn.network.learning_network import learning_network
from hpcsnn.ranks.communicator import communicator
from hpcsnn.ranks.world import on_first_rank
from hpcsnn.training.data.samples import Samples
from hpcsnn.training.interface import BatchResult, Evaluation
from hpcsnn.training.learnt import Learnt, digest_of
from hpcsnn.training.order import epoch_order
from hpcsnn.training.teacher import Teacher

# Samples, and steps of samples, that a rank has at hand at once at most: 4 bytes a step.
_SAMPLES_AT_HAND, _STEPS_AT_HAND = 512, 1 << 24


def samples_at_hand(n_steps: int) -> int:
    """Samples of so many steps that a rank has at hand at once, at most, and plays one after the other."""
    return max(1, min(_SAMPLES_AT_HAND, _STEPS_AT_HAND // n_steps))


class Trainer:
    """Trains a network; the ranks of `comm` make the same calls in the same order, with the same samples.

    Each rank simulates a whole network and takes its share of every batch; gradients are added up as whole numbers, so
    that the answer is the same, bit for bit, on any number of ranks. Where a network is too large for one rank, groups
    of `ranks_per_network` ranks share one, and the groups share out the samples: the same bits again.

    Args:
        network: one source population of `SampleInput`, hidden populations and a readout whose models have a
            ``gradient``; projections with the synapse `Trained` are trained.
        readout: the population that answers are read off.
        n_steps: steps that each sample runs for.
        loss, optimiser, learning: configured models, such as ``CrossEntropy()``, ``Adam(learning_rate=1e-3)`` and
            ``EProp()``, which are the defaults.
        batch: samples per change of the weights.
        comm: as for `Simulation`.
        device: as for `Simulation`.
        replicas: samples that a rank simulates at a time, which costs memory and changes no bit of the answer; None:
            one on a CPU core, and on a GPU as many of a batch as fit; one where ranks share a network.
        ranks_per_network: ranks that share a network, neurons with all their incoming synapses on one of them; the
            number of ranks is a multiple of it.
        window_steps: steps of a sample that are recorded at a time, which bounds the memory of long samples, costs
            about one more simulation of each, and changes no bit of the answer; None: the whole sample.
        carry_state: whether the k-th sample of a batch begins with the state in which the k-th of the batch before has
            ended, as mlGeNN does it; its gradient is of what is in the sample alone.
        teacher: for rules that ask for a ``teacher_rate``: by hidden population rates in Hz, shape (n_samples,
            n_neurons), of the samples whose ``ids`` are 0, 1, ..

    Raises:
        ConfigurationError: what cannot be trained, or not so; names the population, projection or argument, and what
            is allowed.
    """

    def __init__(
        self,
        network: Network,
        readout: str,
        n_steps: int,
        *,
        loss: Configured[Loss] | None = None,
        optimiser: Configured[Optimiser] | None = None,
        learning: Configured[LearningRule] | None = None,
        batch: int = 128,
        comm: Any = None,
        device: str | Device = "auto",
        replicas: int | None = None,
        ranks_per_network: int = 1,
        window_steps: int | None = None,
        carry_state: bool = False,
        teacher: Mapping[str, Any] | None = None,
    ) -> None:
        self._given = network
        self.batch = whole_number("batch", batch, Limits(minimum=1))
        steps = whole_number("n_steps", n_steps, Limits(minimum=1))
        loss = CrossEntropy() if loss is None else loss
        optimiser = Adam() if optimiser is None else optimiser
        learning = EProp() if learning is None else learning
        for name, part, kind in (
            ("loss", loss, Loss),
            ("optimiser", optimiser, Optimiser),
            ("learning", learning, LearningRule),
        ):
            if not isinstance(part, Configured) or not isinstance(part.model, kind):
                raise ConfigurationError(f"{name}: {shown(part)} is not a {kind.__name__}")
        if window_steps is not None:
            window_steps = whole_number("window_steps", window_steps, Limits(minimum=1))
        carry_state = truth_value("carry_state", carry_state)
        declared = Learning(
            readout, steps, learning, optimiser, loss, window_steps=window_steps, carries_state=carry_state
        )
        self.communicator = communicator(comm)
        learner = learning_network(network, declared)
        self._teacher = Teacher(learner, teacher)
        self._groups = Groups.of(self.communicator, ranks_per_network)
        self._learner = Learner(learner, self._groups, device, self.batch, replicas)
        self.simulation = self._learner.simulation
        self.batches_done = 0

    # -- samples -------------------------------------------------------------------------------------------------------

    def train_batch(self, samples: Samples, epoch_batches: int = 1) -> BatchResult:
        """Change the weights by the gradient of these samples, however many they are; a collective call.

        Args:
            epoch_batches: batches of an epoch, by which the optimiser's schedule counts its epochs; 1: in batches.

        Raises:
            ConfigurationError: samples that do not fit the network.
            SimulationError: a value that is not finite, or a gradient beyond what adds up.
        """
        n = len(samples)
        self._learner.begin_batch(self.batches_done + 1)
        losses, predictions = self._shared_out(samples, True, self._learner.lanes)
        self._learner.add_up()
        self._learner.optimise(self.batches_done + 1, n, epoch_batches)
        self.batches_done += 1
        rewired = self._learner.rewire(self.batches_done)
        return BatchResult(_mean(losses), _n_correct(samples, predictions), n, rewired)

    def gradients(self, samples: Samples) -> dict[str, dict[str, NDArray[Any]]]:
        """The gradient of the summed loss of samples, which changes nothing; a collective call.

        Returns:
            By projection ``pre``, ``post`` and ``gradient`` (float64, in units of 2^-20), by post, then pre; by readout
            the gradient of each variable that is trained, in the order of ids.
        """
        learner = self._learner
        self._shared_out(samples, True, learner.lanes.copies() if learner.lanes else None)
        learner.add_up()
        found: dict[str, dict[str, NDArray[Any]]] = {}
        for projection in learner.trained:
            found[projection.name] = learner.gradients_of_synapses(projection)
        found[learner.learning.readout] = learner.gradients_of_readout()
        learner.forget()
        return found

    def evaluate(self, samples: Samples) -> Evaluation:
        """Answers to samples, without learning from them; a collective call.

        Where the network carries its state on, the first ``batch`` samples begin at rest, and each after them as the
        one in its place before has ended.
        """
        hidden = self._learner.hidden
        before = {name: self._learner.n_spikes(name) for name in hidden}
        losses, predictions = self._shared_out(samples, False, self._learner.lanes_at_rest())
        seconds = len(samples) * self._learner.learning.sample_steps * self._given.dt_ms * 1e-3
        hidden_hz = {}
        for name in hidden:
            spikes = np.array([self._learner.n_spikes(name) - before[name]], dtype=np.int64)
            total = int(self.communicator.total(spikes)[0])
            hidden_hz[name] = total / max(seconds * self._given.populations[name].size, 1e-30)
        n_correct = _n_correct(samples, predictions)
        if samples.labels is None or n_correct is None:
            none = np.zeros(0, np.int32)
            return Evaluation(_mean(losses), None, none, none, hidden_hz)
        accuracy, labels = n_correct / max(len(samples), 1), np.asarray(samples.labels, dtype=np.int32)
        return Evaluation(_mean(losses), accuracy, labels, predictions, hidden_hz)

    def fit(
        self,
        samples: Samples,
        epochs: int = 1,
        validation: float = 0.0,
        on_batch: Callable[[int, int, BatchResult], bool | None] | None = None,
    ) -> list[Evaluation]:
        """Train for whole epochs, each in an order of its own that depends on the seed and the epoch alone.

        Args:
            validation: the part of the samples that is held out, and evaluated after each epoch.
            on_batch: called with epoch, batch within it, and the result; training stops there if it returns True.

        Returns:
            An evaluation of what was held out for each epoch; empty without `validation`.
        """
        held_out = None
        if validation:
            samples, held_out = samples.split(validation, seed=self._given.seed)
        found: list[Evaluation] = []
        for epoch in range(whole_number("epochs", epochs, Limits(minimum=0))):
            chosen_by_batch = list(self.batches(len(samples), epoch))
            for number, chosen in enumerate(chosen_by_batch):
                result = self.train_batch(samples.select(chosen), len(chosen_by_batch))
                if on_batch is not None and on_batch(epoch, number, result):
                    return found
            if held_out is not None:
                found.append(self.evaluate(held_out))
        return found

    def batches(self, n_samples: int, epoch: int) -> Iterator[NDArray[np.int64]]:
        """The samples of each batch of an epoch (from 0), by number: their order depends on seed and epoch alone."""
        order = epoch_order(self._given.seed, epoch + 1, n_samples)
        for first in range(0, n_samples, self.batch):
            yield order[first : first + self.batch]

    def _shared_out(
        self, samples: Samples, learns: bool, lanes: Lanes | None
    ) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Losses and answers of samples, in their order, on all ranks; each group of ranks plays a part of them, of
        which those that go on from lanes stay with the rank that has the lane."""
        self._check(samples)
        mine = np.array_split(np.arange(len(samples)), self._groups.n_groups)[self._groups.number]
        own = self._learner.own_lanes
        if lanes is not None:
            mine = np.flatnonzero(np.isin(np.arange(len(samples)) % self.batch, own))
        losses, predictions = [np.zeros(0, np.float32)], [np.zeros(0, np.int32)]
        at_hand = max(samples_at_hand(samples.n_steps), self._learner.network.replicas)
        for first in range(0, len(mine), at_hand):
            part = mine[first : first + at_hand]
            picked = samples if len(part) == len(samples) else samples.select(part)
            played = played_samples(picked)
            if learns:
                played = replace(played, teacher=self._teacher.of(picked), batch=self.batches_done + 1)
            if lanes is not None:
                played = replace(played, lanes=part % self.batch - own[0])
            loss, answer = self._learner.play(played, learns, lanes)
            losses.append(loss)
            predictions.append(answer)
        everyone = self.communicator.gather((mine, np.concatenate(losses), np.concatenate(predictions)))
        numbers, loss, answer = (np.concatenate(of_ranks) for of_ranks in zip(*everyone, strict=True))
        if lanes is None:
            return loss, answer  # by rank, that is in their order, from those that score
        order = np.argsort(numbers)
        return loss[order], answer[order]

    def _check(self, samples: Samples) -> None:
        network, learning = self._learner.network, self._learner.learning
        readout = network.populations[learning.readout]
        (source,) = (one for one in network.populations.values() if one.is_source)
        wrong = (
            ("n_channels", samples.n_channels, source.size, f"the size of populations.{source.name}"),
            ("n_steps", samples.n_steps, learning.sample_steps, "the trainer's n_steps"),
            ("dt_ms", samples.dt_ms, network.dt_ms, "the network's dt_ms"),
        )
        for name, given, needed, what in wrong:
            if given != needed:
                raise ConfigurationError(f"samples.{name}: {given} is not allowed; must be {needed}, {what}")
        if learning.loss.model.of_targets:
            if samples.targets is None or samples.targets.shape[2] != readout.size:
                raise ConfigurationError(
                    f"samples.targets: the loss {learning.loss.name} needs targets of {readout.size} outputs"
                )
        elif samples.labels is None or samples.n_classes > readout.size:
            raise ConfigurationError(
                f"samples.labels: the loss {learning.loss.name} needs labels of at most {readout.size} classes, the "
                f"size of populations.{readout.name}"
            )

    # -- what has been learnt ------------------------------------------------------------------------------------------

    def synapses(self, projection: str) -> dict[str, NDArray[Any]]:
        """``pre``, ``post``, ``weight`` and the optimiser's variables of a projection; see `Simulation.synapses`.

        All of them on every rank; a collective call, as those below.
        """
        return of_all(self._groups.network, self.simulation.synapses(projection), "post", "pre")

    def n_synapses(self, projection: str) -> int:
        """How many they are."""
        return self._learner.n_synapses(projection)

    def neurons(self, population: str) -> dict[str, NDArray[Any]]:
        """``id`` and the state of a population; see `Simulation.neurons`."""
        return of_all(self._groups.network, self.simulation.neurons(population), "id")

    def feedback(self) -> dict[str, dict[str, NDArray[np.float32]]]:
        """Where errors come back by weights that learn (``feedback: adaptive``), by hidden population: ``feedback``,
        the weight of each neuron and output, shape (neurons, outputs), and of each the optimiser's variables, named
        ``of_feedback_..``. Empty elsewhere."""
        return self._learner.feedback()

    @property
    def learnt(self) -> Learnt:
        """All that was learnt so far."""
        return Learnt.joined(self._groups.network.gather(self._learnt_here(self._carried())))

    def _carried(self) -> dict[str, NDArray[Any]]:
        """What all lanes have, on every rank; a collective call."""
        lanes = self._learner.lanes
        return {} if lanes is None else of_all(self.communicator, lanes.columns())

    def _learnt_here(self, carried: dict[str, NDArray[Any]]) -> Learnt:
        """What this rank has of it."""
        synapses = {one.name: self.simulation.synapses(one.name) for one in self._learner.trained}
        neurons = self.simulation.neurons(self._learner.learning.readout)
        readout = {name: neurons[name] for name in self._kept_names}
        return Learnt(self.batches_done, synapses, readout, self.feedback(), carried)

    @property
    def _kept_names(self) -> tuple[str, ...]:
        network, readout = self._learner.network, self._learner.learning.readout
        return kept_variables(network, network.populations[readout])

    @property
    def network(self) -> Network:
        """The network as it was given, with the weights, wiring and biases that it has now."""
        return self.learnt.network(self._given, self._learner.learning.readout)

    def digest(self) -> str:
        """One SHA-256 of all that was learnt, with the optimiser's variables: equal for equal bits, whatever ranks."""
        here = self._learnt_here(self._carried())
        return digest_of(self.batches_done, self._groups.network.gather(here.fingerprints()))

    # -- on disk -------------------------------------------------------------------------------------------------------

    def save(self, path: Path) -> None:
        """Write all that a bit-exact continuation needs as a Zarr group; a collective call: the first rank writes."""
        parts: list[Learnt] = []
        carried = self._carried()
        if self._groups.number == 0:  # all groups have the same
            sent = [self._learnt_here(carried), *[None] * (self._groups.network.size - 1)]
            parts = [one for one in self._groups.network.swap(sent) if one is not None]
        on_first_rank(self.communicator, lambda: Learnt.joined(parts).write(path))

    def restore(self, path: Path) -> None:
        """Go on from what `save` wrote.

        Raises:
            StorageError: it is not of this network, or not whole: its digest is another.
        """
        learnt, lanes = Learnt.read(path), self._learner.lanes
        names = {one.name: {"pre", "post", *(c.name for c in one.synapse_columns)} for one in self._learner.trained}
        found = {name: set(columns) for name, columns in learnt.synapses.items()}
        ways_back = {name: set(arrays) for name, arrays in self.feedback().items()}
        if (
            found != names
            or set(learnt.readout) != set(self._kept_names)
            or {name: set(arrays) for name, arrays in learnt.feedback.items()} != ways_back
            or set(learnt.carried) != (lanes.names if lanes else set())
        ):
            raise StorageError(f"{path}: is no training of this network: it has other projections or variables")
        synapses, feedback = (
            {name: dict(of) for name, of in one.items()} for one in (learnt.synapses, learnt.feedback)
        )
        self._learner.restore(synapses, dict(learnt.readout), feedback)
        if lanes is not None:
            own = self._learner.own_lanes
            lanes.restore({name: values[own] for name, values in learnt.carried.items()})
        self.batches_done = learnt.batches


def played_samples(samples: Samples) -> Played:
    """Samples as kernels play them."""
    n, n_steps = len(samples), samples.n_steps
    of_sample = np.repeat(np.arange(n, dtype=np.int64), np.diff(samples.first_event))
    counts = np.bincount(of_sample * n_steps + samples.event_steps, minlength=n * n_steps)
    before = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    labels = np.zeros(n, np.int32) if samples.labels is None else np.asarray(samples.labels, dtype=np.int32)
    ids = samples.ids.astype(np.uint32)
    return Played(before, samples.event_channels, ids, labels, samples.first_scored_step, samples.targets)


def _mean(losses: NDArray[np.float32]) -> float:
    return float(losses.astype(np.float64).sum() / max(len(losses), 1))


def _n_correct(samples: Samples, predictions: NDArray[np.int32]) -> int | None:
    return None if samples.labels is None else int((predictions == samples.labels).sum())
