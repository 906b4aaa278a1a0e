"""A linear classifier of what a hidden population makes of samples: softmax regression, trained by Adam."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# As the published readout of hypercolumns is trained.
EPOCHS, BATCH, RATE = 25, 100, 1e-3
_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8


@dataclass(frozen=True)
class LinearReadout:
    """Scores of classes: ``features @ weights + bias``; shapes (n_features, n_classes) and (n_classes,), float64."""

    weights: NDArray[np.float64]
    bias: NDArray[np.float64]

    @classmethod
    def fitted(cls, features: Any, labels: NDArray[np.int32], n_classes: int, seed: int) -> LinearReadout:
        """Of features as a sparse matrix, (n_samples, n_features), by `EPOCHS` epochs in orders of the seed's.

        NumPy and SciPy calculate it, in one order on one core: its last digits may differ between their versions.
        """
        parameters = [np.zeros((features.shape[1], n_classes)), np.zeros(n_classes)]
        moments = [(np.zeros_like(one), np.zeros_like(one)) for one in parameters]
        random, step = np.random.Generator(np.random.Philox(seed)), 0
        for _ in range(EPOCHS):
            order = random.permutation(len(labels))
            for first in range(0, len(order), BATCH):
                chosen = order[first : first + BATCH]
                some, step = features[chosen], step + 1
                error = cls(*parameters).chances(some)
                error[np.arange(len(chosen)), labels[chosen]] -= 1.0
                error /= len(chosen)
                of_rate = RATE * np.sqrt(1.0 - _BETA2**step) / (1.0 - _BETA1**step)
                gradients = (some.T @ error, error.sum(axis=0))
                for value, gradient, (m, v) in zip(parameters, gradients, moments, strict=True):
                    m += (1.0 - _BETA1) * (gradient - m)
                    v += (1.0 - _BETA2) * (gradient**2 - v)
                    value -= of_rate * m / (np.sqrt(v) + _EPSILON)
        return cls(*parameters)

    def chances(self, features: Any) -> NDArray[np.float64]:
        """Of each class, (n_samples, n_classes)."""
        scores = features @ self.weights + self.bias
        chances: NDArray[np.float64] = np.exp(scores - scores.max(axis=1, keepdims=True))
        return chances / chances.sum(axis=1, keepdims=True)
