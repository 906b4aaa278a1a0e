"""e-prop's gradient from spikes: recursions of each neuron backwards in time, then one number a spike and synapse.

No synapse has an eligibility here. It is the order of sums that the kernels use, in NumPy.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from support.eprop_formulas import Activity, delayed, outcome, running_rates, simulate
from support.trained_nets import Batch, Dense, Net, Outcome, Regularisation


def from_the_end(values: np.ndarray, decay: float) -> np.ndarray:
    """``f(t) = values(t) + decay * f(t + 1)`` along the second axis."""
    result, later = np.zeros_like(values), np.zeros_like(values[:, 0])
    for step in reversed(range(values.shape[1])):
        later = values[:, step] + values.dtype.type(decay) * later
        result[:, step] = later
    return result


def ahead(values: np.ndarray, lag: int) -> np.ndarray:
    """``values(t + lag)``, 0 behind the end."""
    return delayed(values[:, ::-1], lag)[:, ::-1]


def add_up(
    net: Net,
    batch: Batch,
    pairing: str = "exact",
    regularisation: Regularisation = Regularisation(),  # noqa: B008
    dtype: Any = np.float64,
) -> Outcome:
    """A batch's spikes, loss and gradients."""
    activity = simulate(net, batch, dtype)
    found = outcome(net, batch, activity, regularisation)
    error = delayed(activity.error, pairing == "mlgenn")
    of_readout = from_the_end(error, net.alpha_out)
    found.bias = (of_readout if pairing == "exact" else error).sum((0, 1))
    numbers = {name: _of_population(net, name, activity, pairing, regularisation) for name in net.populations}
    numbers[net.readout] = of_readout
    for name, projection in net.projections.items():
        found.gradients[name] = _of_spikes(projection, activity, numbers[projection.target], pairing)
    return found


def _of_spikes(projection: Dense, activity: Activity, numbers: np.ndarray, pairing: str) -> np.ndarray:
    n_steps, total = numbers.shape[1], np.zeros(projection.mask.shape, numbers.dtype)
    for sample, step, pre in np.argwhere(activity.spikes[projection.source]):
        at = step + projection.delay_steps - (pairing == "mlgenn")
        if at < n_steps:
            total[pre] += numbers[sample, at]
    return total * projection.mask


def _of_population(net: Net, name: str, activity: Activity, pairing: str, regularisation: Regularisation) -> np.ndarray:
    """G, (sample, step, neuron)."""
    its, psi, spikes = net.populations[name], activity.psi[name], activity.spikes[name]
    one, exact = psi.dtype.type, pairing == "exact"
    rate = spikes.mean(1, keepdims=True) if exact else running_rates(spikes, regularisation.decay)
    u = one(regularisation.strength) * (rate - one(regularisation.rate)) * np.ones_like(spikes)
    u /= one(spikes.shape[1] if exact else 1)
    for back in net.to_readout(name).values():
        heard = from_the_end(activity.error if exact else delayed(activity.error, 2), net.alpha_out)
        u += (ahead(heard, back.delay_steps) if exact else heard) @ back.in_use.T.astype(psi.dtype)
    result, p_v, p_a = np.zeros_like(psi), np.zeros_like(psi[:, 0]), np.zeros_like(psi[:, 0])
    for step in reversed(range(psi.shape[1])):
        r_v, r_a = one(its.alpha) * p_v, one(its.rho) * p_a
        h = psi[:, step] * (u[:, step] + (r_a if exact else p_a))
        p_v, p_a = h + r_v, r_a - one(its.beta) * h
        result[:, step] = p_v
    return result
