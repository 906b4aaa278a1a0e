"""Exponential traces of spikes, as the product documents them."""

from __future__ import annotations

import math

import numpy as np

from support.draws import F

LONG_AGO = -(2**30)


class Trace:
    """Exponential traces of n neurons, each kept as its value at its last spike."""

    def __init__(self, n: int, dt_ms: float, tau_ms: float) -> None:
        self.value, self.last = np.zeros(n, F), np.full(n, LONG_AGO)
        self.rate = dt_ms / tau_ms
        # Beyond this many times 256 steps a trace has fallen below 1e-30.
        self.n_coarse = math.ceil(math.log(1e30) / self.rate / 256) + 1

    def at(self, neuron: int, step: int) -> F:
        coarse, fine = divmod(step - self.last[neuron], 256)
        if coarse >= self.n_coarse:
            return F(0)
        return self.value[neuron] * (F(np.exp(-self.rate * 256 * coarse)) * F(np.exp(-self.rate * fine)))

    def before(self, neuron: int, step: int, drop: bool = False) -> F:
        """Without what a spike in this step has added; with `drop`, such a spike leaves nothing of those before it."""
        coincident = self.last[neuron] == step
        return F(0) if coincident and drop else self.at(neuron, step) - F(coincident)

    def spike(self, neuron: int, step: int) -> None:
        self.value[neuron], self.last[neuron] = self.at(neuron, step) + F(1), step
