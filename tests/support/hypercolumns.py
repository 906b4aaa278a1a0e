"""Layers of hypercolumns that learn in a moment, and the published equations written once more, plainly."""

from __future__ import annotations

from typing import Any

import numpy as np

from hpcsnn import Network, models
from hpcsnn.training.data.samples import Samples
from hpcsnn.training.unsupervised.trainer import UnsupervisedTrainer

PIXELS, GROUPS, SIZE, LEVELS = 12, 3, 5, 4


def patterns(n: int, seed: int) -> tuple[Any, Any]:
    """Whole levels of pixels, (n, PIXELS), around three prototypes, and which one it is."""
    random = np.random.default_rng(seed)
    prototypes = np.random.default_rng(0).integers(0, LEVELS + 1, (3, PIXELS))
    of = random.integers(0, 3, n)
    return np.clip(prototypes[of] + random.integers(-1, 2, (n, PIXELS)), 0, LEVELS), of.astype(np.int32)


def shown(n: int, seed: int) -> Samples:
    """Such patterns as the encoding ``on_off`` shows them, but for the order of their steps."""
    levels, labels = patterns(n, seed)
    on = np.arange(LEVELS)[None, :, None] < levels[:, None, :]
    channels = np.broadcast_to(2 * np.arange(PIXELS) + ~on, on.shape).ravel()
    steps = np.broadcast_to(np.arange(LEVELS)[:, None], on.shape).ravel()
    first = np.arange(n + 1) * LEVELS * PIXELS
    return Samples(first, steps, channels, 2 * PIXELS, LEVELS, 1.0, labels=labels, n_classes=3)


def layer(seed: int = 3, size: int = SIZE, **model: Any) -> Network:
    """The network as a configuration has it."""
    network = Network(seed=seed, dt_ms=1.0)
    network.add_population("input", 2 * PIXELS, models.SampleInput())
    network.add_population("hidden", GROUPS * size, models.SoftmaxUnit(group_size=size, **model))
    network.add_projection("learns", "input", "hidden", models.AllToAll(), models.DeltaCurrent(), -1.0, delay_ms=1.0)
    return network


def learner(batch: int = 10, comm: Any = None, device: Any = "cpu", **rule: Any) -> UnsupervisedTrainer:
    """A trainer of it."""
    given = {"connections": 5, "tau_patterns": 40.0, "swaps": 3, **rule}
    chosen = models.HypercolumnBCPNN(**given)
    return UnsupervisedTrainer(layer(), "hidden", chosen, batch=batch, comm=comm, device=device)


class Dense:
    """All probabilities in every pattern, in float64, as published: p += (xy - p) / tau, b = log p_j and
    w = log(p_ij / (p_i p_j)); from what a trainer begins with."""

    def __init__(self, p_input: Any, p_unit: Any, p_joint: Any, connected: Any, tau: float) -> None:
        self.p_input, self.p_unit, self.p_joint = (np.asarray(one, float) for one in (p_input, p_unit, p_joint))
        self.connected, self.tau = connected, tau

    def activity(self, x: Any) -> Any:
        """(GROUPS, SIZE) of a pattern x, (2 * PIXELS,)."""
        weight = np.log(self.p_joint / (self.p_unit[:, None] * self.p_input))
        y = np.zeros((GROUPS, len(self.p_unit) // GROUPS))
        for group, sources in enumerate(self.connected):
            channels = np.concatenate([2 * sources, 2 * sources + 1])
            units = slice(group * y.shape[1], (group + 1) * y.shape[1])
            support = np.log(self.p_unit[units]) + weight[units][:, channels] @ x[channels]
            y[group] = np.exp(support - support.max())
            y[group] /= y[group].sum()
        return y

    def learn(self, x: Any) -> None:
        """From one pattern."""
        y = self.activity(x).ravel()
        self.p_input += (x - self.p_input) / self.tau
        self.p_unit += (y - self.p_unit) / self.tau
        self.p_joint += (np.outer(y, x) - self.p_joint) / self.tau

    def information(self) -> Any:
        """Mutual information of each hypercolumn and each pixel, (GROUPS, PIXELS)."""
        terms = self.p_joint * np.log(self.p_joint / np.outer(self.p_unit, self.p_input))
        return terms.reshape(GROUPS, -1, PIXELS, 2).sum(axis=(1, 3))
