"""Intervals between the spikes of each neuron, and how regular they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# A neuron's regularity is that of two intervals or more.
_LEAST_INTERVALS = 2


@dataclass(frozen=True)
class Intervals:
    """Interspike intervals of a population.

    Attributes:
        steps: every interval of every neuron, shape (n_intervals,), int64.
        cv: the coefficient of variation of each neuron with two intervals or more, shape (n_neurons,): 0 where they are
            all alike, 1 of a Poisson process.
    """

    steps: NDArray[np.int64]
    cv: NDArray[np.float64]


def intervals_of(spikes: NDArray[np.int32]) -> Intervals:
    """Intervals of spikes given as rows of step and neuron, shape (n, 2), in any order."""
    order = np.lexsort((spikes[:, 0], spikes[:, 1]))
    step, neuron = spikes[order, 0].astype(np.int64), spikes[order, 1]
    within = neuron[1:] == neuron[:-1]
    steps, owner = np.diff(step)[within], neuron[1:][within]
    _, of_neuron, n = np.unique(owner, return_inverse=True, return_counts=True)
    mean = np.bincount(of_neuron, weights=steps) / np.maximum(n, 1)
    variance = np.bincount(of_neuron, weights=(steps - mean[of_neuron]) ** 2) / np.maximum(n, 1)
    some = n >= _LEAST_INTERVALS
    return Intervals(steps, np.sqrt(variance[some]) / mean[some])
