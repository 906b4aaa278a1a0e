"""Training as mlGeNN 2.4's e-prop compiler does it, batch by batch, in its order of operations, in float32.

A step begins with the synapses, which see the end of the step before; then spikes arrive, then neurons, then outputs.
Other than there, state is reset at a sample's start, so what the last step leaves to its synapses is added behind it.
At a batch's end: L1 towards 0 of each pair's sign, Adam, and DEEP R's removal. Which pairs come for those that went is
the caller's to say, since random numbers differ.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from support.trained_nets import INPUT, Batch, Dense, Net, Regularisation, softmax

Pairs = list[tuple[int, int]]


@dataclass(frozen=True)
class Adam:
    """Kingma & Ba 2015."""

    learning_rate: float = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8


@dataclass
class Moments:
    """Of one array of parameters."""

    m: np.ndarray
    v: np.ndarray

    def move(self, parameter: np.ndarray, gradient: np.ndarray, adam: Adam, n: int) -> np.ndarray:
        """The parameter after update `n`, the first being 1."""
        one = parameter.dtype.type
        self.m = one(adam.beta1) * self.m + one(1 - adam.beta1) * gradient
        self.v = one(adam.beta2) * self.v + one(1 - adam.beta2) * gradient * gradient
        mean, square = self.m / one(1 - adam.beta1**n), self.v / one(1 - adam.beta2**n)
        return parameter - one(adam.learning_rate) * mean / (np.sqrt(square) + one(adam.epsilon))


@dataclass
class Registers:
    """What a batch of samples keeps between steps; of synapses (sample, pre, post), of neurons (sample, neuron)."""

    of_neurons: dict[str, dict[str, np.ndarray]]
    of_synapses: dict[str, dict[str, np.ndarray]]
    spikes: dict[str, list[np.ndarray]]
    y: np.ndarray  # of the readout (sample, output), as the next three
    pi: np.ndarray
    error: np.ndarray
    chosen: np.ndarray  # the sum of pi over scored steps
    loss: np.ndarray  # (sample,)


@dataclass
class TrainedBatch:
    loss: float  # mean cross-entropy of a sample
    n_correct: int
    gone: dict[str, Pairs] = field(default_factory=dict)
    weights: dict[str, np.ndarray] = field(default_factory=dict)
    bias: np.ndarray = field(default_factory=lambda: np.zeros(0))


class MlGeNN:
    """A network in training; `negative[projection]`, (pre, post) of bool, has the signs that DEEP R holds there."""

    def __init__(
        self,
        net: Net,
        adam: Adam = Adam(),
        regularisation: Regularisation = Regularisation(),  # noqa: B008
        l1: float = 0.0,
        negative: dict[str, np.ndarray] | None = None,
        dtype: Any = np.float32,
    ) -> None:
        self.net, self.adam, self.regularisation, self.l1, self.one = net, adam, regularisation, dtype(l1), dtype
        self.negative = negative or {}
        self.masks = {name: projection.mask.copy() for name, projection in net.projections.items()}
        self.weights = {name: projection.in_use.astype(dtype) for name, projection in net.projections.items()}
        self.bias = net.bias.astype(dtype)
        self.moments = {name: Moments(np.zeros_like(w), np.zeros_like(w)) for name, w in self.weights.items()}
        self.moments_of_bias = Moments(np.zeros_like(self.bias), np.zeros_like(self.bias))
        self.batches_done = 0

    # -- a batch -------------------------------------------------------------------------------------------------------

    def train_batch(self, batch: Batch, born: Callable[[str, Pairs], Pairs] | None = None) -> TrainedBatch:
        """`born` is given a projection and the pairs that went, and says which come."""
        gradients, of_bias, kept = self.gradients(batch)
        self.batches_done += 1
        for name, gradient in gradients.items():
            if name in self.negative:
                gradient += len(batch.labels) * self.l1 * np.where(self.negative[name], self.one(-1), self.one(1))
            gradient *= self.masks[name]
            self.weights[name] = self.moments[name].move(self.weights[name], gradient, self.adam, self.batches_done)
        self.bias = self.moments_of_bias.move(self.bias, of_bias, self.adam, self.batches_done)
        gone = {name: self._remove(name) for name in self.negative}
        for name, pairs in gone.items():
            self._form(name, [] if born is None else born(name, pairs), len(pairs))
        correct = int((kept.chosen.argmax(1) == batch.labels).sum())
        weights = {name: w.copy() for name, w in self.weights.items()}
        return TrainedBatch(float(np.mean(kept.loss)), correct, gone, weights, self.bias.copy())

    def _remove(self, name: str) -> Pairs:
        wrong = self.masks[name] & ((self.weights[name] < 0) != self.negative[name])
        for values in (self.weights[name], self.moments[name].m, self.moments[name].v):
            values[wrong] = 0
        self.masks[name] &= ~wrong
        return [(int(pre), int(post)) for pre, post in np.argwhere(wrong)]

    def _form(self, name: str, pairs: Pairs, n: int) -> None:
        assert len(pairs) == n, f"{name}: {n} synapses went and {len(pairs)} come"
        for pair in pairs:
            assert not self.masks[name][pair], f"{name}: {pair} exists"
            self.masks[name][pair] = True

    # -- the samples of a batch ----------------------------------------------------------------------------------------

    def gradients(self, batch: Batch) -> tuple[dict[str, np.ndarray], np.ndarray, Registers]:
        """Of projections and the bias, summed over samples and steps, and what was kept at the end."""
        kept = self._fresh(len(batch.labels))
        sums = {name: np.zeros_like(w) for name, w in self.weights.items()}
        of_bias = np.zeros_like(self.bias)
        for step in range(batch.n_steps):
            self._synapses(kept, sums)
            kept.spikes[INPUT].append(batch.spikes[:, step].astype(self.one))
            for name in self.net.populations:
                self._neurons(kept, name, step)
            self._presynaptic_traces(kept, step)
            of_bias += self._outputs(kept, batch, step)
        self._synapses(kept, sums)
        return {name: total * self.masks[name] for name, total in sums.items()}, of_bias, kept

    def _fresh(self, n_samples: int) -> Registers:
        def zeros(size: int, *names: str) -> dict[str, np.ndarray]:
            return {name: np.zeros((n_samples, size), self.one) for name in names}

        of_neurons = {n: zeros(p.size, "v", "a", "left", "psi", "e", "f") for n, p in self.net.populations.items()}
        of_synapses = {}
        for name, w in self.weights.items():
            full = {key: np.zeros((n_samples, *w.shape), self.one) for key in ("eps", "filtered")}
            of_synapses[name] = full | {"z": np.zeros((n_samples, w.shape[0]), self.one)}
        spikes: dict[str, list[np.ndarray]] = {INPUT: [], **{name: [] for name in of_neurons}}
        y, pi, error, chosen = (np.zeros((n_samples, len(self.bias)), self.one) for _ in range(4))
        return Registers(of_neurons, of_synapses, spikes, y, pi, error, chosen, np.zeros(n_samples, self.one))

    def _synapses(self, kept: Registers, sums: dict[str, np.ndarray]) -> None:
        """With what the step before left: gradients, and the error back to hidden neurons."""
        for name, projection in self.net.projections.items():
            own = kept.of_synapses[name]
            if projection.target == self.net.readout:
                sums[name] += (own["z"][:, :, None] * kept.error[:, None, :]).sum(0)
                continue
            its, post = self.net.populations[projection.target], kept.of_neurons[projection.target]
            psi, z = post["psi"][:, None, :], own["z"][:, :, None]
            eligibility = psi * (z - self.one(its.beta) * own["eps"])
            own["eps"] = psi * z + (self.one(its.rho) - psi * self.one(its.beta)) * own["eps"]
            own["filtered"] = self.one(self.net.alpha_out) * own["filtered"] + eligibility
            excess = self.one(self.regularisation.strength) * (post["f"] - self.one(self.regularisation.rate))
            sums[name] += (own["filtered"] * post["e"][:, None, :] + excess[:, None, :] * eligibility).sum(0)
        for name, neurons in kept.of_neurons.items():
            back = [self.weights[n] for n in self.net.to_readout(name)]
            neurons["e"] = sum((kept.error @ w.T for w in back), np.zeros_like(neurons["v"]))

    def _arriving(self, kept: Registers, target: str, step: int) -> Any:
        sent = [(name, p, step - p.delay_steps) for name, p in self.net.incoming(target).items()]
        return sum(kept.spikes[p.source][at] @ self.weights[name] for name, p, at in sent if at >= 0)

    def _neurons(self, kept: Registers, name: str, step: int) -> None:
        its, now = self.net.populations[name], kept.of_neurons[name]
        now["v"] = self.one(its.alpha) * now["v"] + self._arriving(kept, name, step)
        now["a"] = self.one(its.rho) * now["a"]
        now["left"] = np.maximum(now["left"] - 1, 0)
        free, threshold = now["left"] == 0, self.one(its.v_threshold) + self.one(its.beta) * now["a"]
        height = np.maximum(0, 1 - abs(now["v"] - threshold) / self.one(its.v_threshold))
        now["psi"] = np.where(free, self.one(its.gamma) / self.one(its.v_threshold) * height, self.one(0))
        fired = (now["v"] >= threshold) & free
        now["v"] -= self.one(its.v_threshold) * fired
        now["a"] += fired
        now["left"] = np.where(fired, self.one(its.refractory_steps), now["left"])
        decay = self.regularisation.decay
        now["f"] = self.one(decay) * now["f"] + self.one(1 - decay) * fired
        kept.spikes[name].append(fired.astype(self.one))

    def _presynaptic_traces(self, kept: Registers, step: int) -> None:
        """With the spikes of this very step, where the delay is one step."""
        for name, projection in self.net.projections.items():
            own, at = kept.of_synapses[name], step - projection.delay_steps + 1
            own["z"] = self.one(self._decay_of(projection)) * own["z"]
            if at >= 0:
                own["z"] = own["z"] + kept.spikes[projection.source][at]

    def _decay_of(self, projection: Dense) -> float:
        to_readout = projection.target == self.net.readout
        return self.net.alpha_out if to_readout else self.net.populations[projection.target].alpha

    def _outputs(self, kept: Registers, batch: Batch, step: int) -> np.ndarray:
        """The bias's gradient; the error is that of the softmax which the step before left."""
        everyone = np.arange(len(batch.labels))
        kept.y = self.one(self.net.alpha_out) * kept.y + self._arriving(kept, self.net.readout, step) + self.bias
        kept.error = np.zeros_like(kept.y)
        if step > 0 and batch.scored[step - 1]:
            kept.error = kept.pi.copy()
            kept.error[everyone, batch.labels] -= 1
        kept.pi = softmax(kept.y)
        if batch.scored[step]:
            kept.chosen = kept.chosen + kept.pi
            kept.loss = kept.loss - np.log(kept.pi[everyone, batch.labels])
        return kept.error.sum(0)
