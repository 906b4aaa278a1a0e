"""Networks that learn, and samples to learn from."""

from __future__ import annotations

from typing import Any

import numpy as np

from hpcsnn import Network, models
from hpcsnn.models import Configured, NeuronModel
from hpcsnn.models.learning import LearningRule, Loss
from hpcsnn.network.learning import Learning
from hpcsnn.network.learning_network import learning_network
from hpcsnn.training.data.samples import Samples

N_IN, N_HIDDEN, N_OUT, N_STEPS = 20, 37, 5, 25


def classifier(
    hidden: NeuronModel = models.LIFSubtractive,
    rule: Configured[Any] | None = None,
    p: float = 1.0,
    recurrent: bool = True,
    seed: int = 1,
    receptor: Configured[Any] | None = None,
    delay_ms: Any = None,
) -> Network:
    """One hidden population between samples and a readout; with a rule its synapses are rewired."""
    receptor = receptor or models.DeltaCurrent()
    network = Network(seed=seed, dt_ms=1.0)
    network.add_population("input", N_IN, models.SampleInput())
    network.add_population("hidden", N_HIDDEN, hidden())
    network.add_population("output", N_OUT, models.LeakyReadout())
    wired = models.FixedProbability(p=p) if p < 1.0 else models.AllToAll()
    ways = [("input_hidden", "input"), *([("recurrent", "hidden")] if recurrent else [])]
    for name, source in ways:
        network.add_projection(
            name, source, "hidden", wired, receptor, models.Normal(0.0, 0.3), models.Trained(),
            delay_ms=delay_ms or 1.0, rewiring=rule,
        )  # fmt: skip
    network.add_projection(
        "hidden_output", "hidden", "output", models.AllToAll(), receptor, models.Normal(0.0, 0.2),
        models.Trained(), delay_ms=delay_ms or 2.0,
    )  # fmt: skip
    return network


def learning(
    loss: Configured[Loss] | None = None, rule: Configured[LearningRule] | None = None, optimiser: Any = None
) -> Learning:
    """What `classifier` learns by, if nothing else is said: e-prop, Adam, cross-entropy."""
    return Learning(
        "output", N_STEPS, rule or models.EProp(), optimiser or models.Adam(), loss or models.CrossEntropy()
    )


def learner(network: Network | None = None, by: Learning | None = None) -> Network:
    """The network as it is simulated while it learns."""
    return learning_network(network or classifier(), by or learning())


def samples(n: int = 12, seed: int = 0, targets: bool = False) -> Samples:
    """Some ten spikes in each, at random, and a label, or targets, that they say nothing about."""
    random = np.random.default_rng(seed)
    spikes = random.random((n, N_STEPS, N_IN)) < 0.08
    sample, step, channel = np.nonzero(spikes)
    return Samples.from_events(
        sample, step, channel, n_channels=N_IN, duration_ms=float(N_STEPS), dt_ms=1.0,
        labels=None if targets else random.integers(0, N_OUT, n),
        targets=random.random((n, N_STEPS, N_OUT)).astype(np.float32) if targets else None,
    )  # fmt: skip
