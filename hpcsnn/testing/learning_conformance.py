"""What any learning rule must keep to, as tests: for hpcsnn's own rules, and for yours.

In a test file of your own::

    from hpcsnn.testing import LearningConformance

    class TestMyRule(LearningConformance):
        rule = MyRule(tau_ms=5.0)

and pytest finds the tests; ``hpcsnn rules test my_rule.py`` runs them without pytest.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any, ClassVar

import cloudpickle
import numpy as np
from numpy.typing import NDArray

from hpcsnn.devices.host import HostDevice
from hpcsnn.errors import ConfigurationError
from hpcsnn.models import (
    AllToAll,
    Configured,
    DeepRByGradient,
    DeltaCurrent,
    FixedProbability,
    LeakyReadout,
    LIFSubtractive,
    Normal,
    SampleInput,
    Trained,
)
from hpcsnn.models.learning import LearningRule
from hpcsnn.network import Network
from hpcsnn.testing.on_ranks import Conformance, last_word_on_ranks
from hpcsnn.testing.racing_threads import RacingThreads
from hpcsnn.training.data.samples import Samples
from hpcsnn.training.trainer import Trainer

_CHANNELS, _CLASSES, _BATCH = 12, 3, 10


class LearningConformance(Conformance):
    """Tests of one learning rule. Set ``rule``; override `network` and `samples` where the rule needs others.

    Attributes:
        rule: the rule with its parameters.
        n_batches: that each test learns from.
        ranks: numbers of MPI ranks that must give one answer.
    """

    rule: ClassVar[Configured[LearningRule]]
    n_batches: ClassVar[int] = 4
    ranks: ClassVar[tuple[int, ...]] = (2, 3)

    def network(self) -> Network:
        """What learns; its readout is called ``output``.

        By default twelve channels onto twenty recurrent LIF neurons, half connected and rewired by DEEP R, and three
        outputs.
        """
        network = Network(seed=1, dt_ms=1.0)
        network.add_population("input", _CHANNELS, SampleInput())
        network.add_population("hidden", 20, LIFSubtractive(refractory_ms=2))
        network.add_population("output", _CLASSES, LeakyReadout())
        for source, target in (("input", "hidden"), ("hidden", "hidden"), ("hidden", "output")):
            to_readout = target == "output"
            network.add_projection(
                f"{source}_{target}",
                source,
                target,
                AllToAll() if to_readout else FixedProbability(p=0.5),
                DeltaCurrent(),
                Normal(0.0, 0.6),
                synapse=Trained(),
                delay_ms=2.0 if to_readout else 1.0,
                rewiring=None if to_readout else DeepRByGradient(l1=0.01),
            )
        return network

    def samples(self, seed: int = 1) -> Samples:
        """A batch: of three classes, the channels of each spike more often in its samples than the others."""
        return classes_in_noise(_BATCH, seed, n_steps=30)

    # -- the tests -----------------------------------------------------------------------------------------------------

    def test_something_is_learnt_by_hidden_neurons(self) -> None:
        """Else the other tests would say nothing."""
        for name, gradient in self._gradients(self._trainer(), self.samples()).items():
            assert np.any(gradient != 0), f"no gradient of {name} differs from 0: give the rule something to hear of"

    def test_values_are_finite(self) -> None:
        """Of every weight, and all that the optimiser keeps of it."""
        trainer = self._trained()
        for name, projection in self.network().projections.items():
            if projection.synapse.model is Trained:
                for column, values in trainer.synapses(name).items():
                    assert np.isfinite(values).all(), f"{column} of {name} is not finite everywhere"

    def test_samples_do_not_know_of_each_other(self) -> None:
        """Gradients of one sample after the other add up, to the bit, to those of all."""
        trainer, samples = self._trainer(), self.samples()
        whole = self._gradients(trainer, samples)
        parts = [self._gradients(trainer, samples.select(np.array([number]))) for number in range(len(samples))]
        for name, gradient in whole.items():
            np.testing.assert_array_equal(sum(part[name] for part in parts), gradient, err_msg=name)

    def test_the_same_again_and_however_it_is_compiled(self) -> None:
        """One digest at -O0 and -O3: nothing left uninitialised, nothing that depends on the order of operations."""
        plain = self._trained(device=HostDevice(("-O0",))).digest()
        assert plain == self._trained().digest() == self._trained().digest()

    def test_replicas_and_racing_threads_do_not_matter(self) -> None:
        """One digest with the launches of a GPU, each kernel on several threads at once, several samples at a time."""
        assert self._trained(device=RacingThreads(), replicas=3).digest() == self._trained().digest()

    def test_windows_do_not_matter(self) -> None:
        """One digest where a sample is recorded in parts; says nothing of rules that are refused so."""
        try:
            in_windows = self._trained(window_steps=7)
        except ConfigurationError:
            return
        assert in_windows.digest() == self._trained().digest()

    def test_ranks_do_not_matter(self) -> None:
        """One digest on real MPI ranks, which share out the samples."""
        alone = self._trained().digest()
        for n_ranks in self.ranks:
            found = last_word_on_ranks("hpcsnn.testing.learning_conformance", self._given(), n_ranks)
            assert alone == found, f"{n_ranks} ranks give another answer than one"

    def test_a_restart_does_not_matter(self) -> None:
        """One digest straight through and saved, restored and gone on with in the middle."""
        half = self.n_batches // 2
        with tempfile.TemporaryDirectory() as folder:
            self._trained(range(half)).save(Path(folder) / "half.zarr")
            resumed = self._trainer()
            resumed.restore(Path(folder) / "half.zarr")
        for number in range(half, self.n_batches):
            resumed.train_batch(self.samples(number))
        assert resumed.digest() == self._trained().digest()

    # -- how -----------------------------------------------------------------------------------------------------------

    def _trainer(self, **how: Any) -> Trainer:
        return _trainer(self.network(), self.samples().n_steps, self.rule, **how)

    def _trained(self, batches: range | None = None, **how: Any) -> Trainer:
        trainer = self._trainer(**how)
        for number in range(self.n_batches) if batches is None else batches:
            trainer.train_batch(self.samples(number))
        return trainer

    def _gradients(self, trainer: Trainer, samples: Samples) -> dict[str, NDArray[np.float64]]:
        """By trained projection onto neurons that spike."""
        found = trainer.gradients(samples)
        projections = self.network().projections.items()
        return {
            name: found[name]["gradient"]
            for name, one in projections
            if one.synapse.model is Trained and one.target.name != "output"
        }

    def _given(self) -> tuple[Any, ...]:
        batches = [self.samples(number) for number in range(self.n_batches)]
        return self.network(), self.samples().n_steps, self.rule, batches


def classes_in_noise(n_samples: int, seed: int, n_steps: int) -> Samples:
    """Samples of three classes and twelve channels, in steps of 1 ms: the channels of its own class spike more often
    than the others."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, _CLASSES, n_samples)
    chance = np.where(np.arange(_CHANNELS)[None, :] % _CLASSES == labels[:, None], 0.3, 0.05)
    sample, step, channel = np.nonzero(generator.random((n_samples, n_steps, _CHANNELS)) < chance[:, None, :])
    return Samples.from_events(
        sample,
        step.astype(float),
        channel,
        labels=labels,
        n_classes=_CLASSES,
        n_channels=_CHANNELS,
        duration_ms=float(n_steps),
        dt_ms=1.0,
    )


def _trainer(network: Network, n_steps: int, rule: Configured[LearningRule], **how: Any) -> Trainer:
    return Trainer(network, "output", n_steps, learning=rule, batch=_BATCH, **{"device": "cpu", **how})


def _main(path: str) -> None:
    """What each of several ranks does: learn from the batches that were pickled, and print the digest."""
    from mpi4py import MPI

    network, n_steps, rule, batches = cloudpickle.loads(Path(path).read_bytes())
    trainer = _trainer(network, n_steps, rule, comm=MPI.COMM_WORLD, device=HostDevice(("-O1",)))
    for samples in batches:
        trainer.train_batch(samples)
    digest = trainer.digest()
    if MPI.COMM_WORLD.rank == 0:
        print(digest, flush=True)


if __name__ == "__main__":
    _main(sys.argv[1])
