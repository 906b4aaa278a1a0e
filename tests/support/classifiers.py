"""Small spiking classifiers, and samples that they can learn: what tests of training share."""

from __future__ import annotations

from typing import Any

import numpy as np

from hpcsnn import Network, models
from hpcsnn.testing import learning_conformance
from hpcsnn.training.data.samples import Samples
from hpcsnn.training.trainer import Trainer
from support.thread_ranks import ThreadRank

N_CHANNELS, N_CLASSES, N_STEPS = 12, 3, 30


def classes_in_noise(n_samples: int = 40, seed: int = 1, n_steps: int = N_STEPS) -> Samples:
    """Samples of three classes: the channels of its own class spike more often than the others."""
    return learning_conformance.classes_in_noise(n_samples, seed, n_steps)


def classifier(
    p: float = 0.5,
    n_hidden: int = 20,
    recurrent: bool = True,
    rule: Any = None,
    neurons: Any = None,
    delays_ms: tuple[Any, Any, Any] = (1.0, 1.0, 1.0),
    seed: int = 1,
    scale: float = 2.0,
    receptor: Any = None,
) -> Network:
    """Input, one hidden population, readout; `delays_ms` from input, within the hidden population, to the readout."""
    network = Network(seed=seed, dt_ms=1.0)
    network.add_population("input", N_CHANNELS, models.SampleInput())
    network.add_population("hidden", n_hidden, neurons or models.LIFSubtractive(refractory_ms=2))
    network.add_population("output", N_CLASSES, models.LeakyReadout())
    ends = [("input", "hidden")] + ([("hidden", "hidden")] if recurrent else []) + [("hidden", "output")]
    delays = delays_ms if recurrent else (delays_ms[0], delays_ms[2])
    for (source, target), delay_ms in zip(ends, delays, strict=True):
        sparse = target != "output" and p < 1
        network.add_projection(
            f"{source}_{target}", source, target,
            models.FixedProbability(p=p) if sparse else models.AllToAll(),
            receptor or models.DeltaCurrent(),
            models.Normal(0.0, scale * network.populations[source].size ** -0.5), synapse=models.Trained(),
            delay_ms=delay_ms, rewiring=rule if sparse else None,
        )  # fmt: skip
    return network


def trainer(network: Network | None = None, n_steps: int = N_STEPS, **more: Any) -> Trainer:
    """A trainer of it on this process's core."""
    return Trainer(network or classifier(), "output", n_steps, **{"device": "cpu", "batch": 10, **more})


def trained(network: Network | None = None, n_batches: int = 4, comm: Any = None, **more: Any) -> Trainer:
    """The trainer after some batches, of 10 samples each."""
    samples, made = classes_in_noise(), trainer(network, comm=comm, **more)
    if isinstance(made.simulation.communicator, ThreadRank):  # a part of a network that ranks share
        made.simulation.communicator.exchange(made.simulation)
    for number in range(n_batches):
        made.train_batch(samples.select(np.arange(10) + 10 * (number % 4)))
    return made
