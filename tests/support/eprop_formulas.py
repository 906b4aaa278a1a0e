"""e-prop's gradient by its definition, slow and plain: an eligibility of every synapse, carried forward in every step.

Pairing `exact` is the derivative (Bellec et al. 2020, with the cuts it makes); `mlgenn` is what mlGeNN 2.4 adds up, for
state that is reset at a sample's start: an eligibility contains the spike of its own step, the readout uses the error
of the step before, hidden neurons that of two steps before, and adaptation's eligibility decays a step late.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from support.trained_nets import INPUT, Batch, Dense, Net, Neurons, Outcome, Regularisation, softmax

PAIRINGS = ("exact", "mlgenn")


@dataclass
class Activity:
    """What happens in a batch: arrays (sample, step, neuron)."""

    spikes: dict[str, np.ndarray]  # of the input, too
    psi: dict[str, np.ndarray]
    readout: np.ndarray
    error: np.ndarray  # pi - [k = label], 0 on steps that are not scored
    margin: float
    distance: dict[str, np.ndarray]  # from the threshold, in widths
    free: dict[str, np.ndarray]  # of neurons that can spike

    def arrived(self, source: str, lag: int) -> np.ndarray:
        return delayed(self.spikes[source], lag)


def delayed(values: np.ndarray, lag: int) -> np.ndarray:
    """The same, `lag` steps later; 0 before."""
    late = np.zeros_like(values)
    late[:, lag:] = values[:, : values.shape[1] - lag] if lag < values.shape[1] else late[:, lag:]
    return late


def simulate(net: Net, batch: Batch, dtype: Any = np.float64) -> Activity:
    """Spikes and voltages, every sample from state 0."""
    n_samples, n_steps, _ = batch.spikes.shape
    spikes = {INPUT: batch.spikes.astype(dtype)}
    for name, its in net.populations.items():
        spikes[name] = np.zeros((n_samples, n_steps, its.size), dtype)
    psi, far, free_of = ({name: np.zeros_like(spikes[name]) for name in net.populations} for _ in range(3))
    weights = {name: projection.in_use.astype(dtype) for name, projection in net.projections.items()}
    state = {name: {key: np.zeros((n_samples, its.size), dtype) for key in ("v", "a", "left")}
             for name, its in net.populations.items()}  # fmt: skip
    readout, margin = np.zeros((n_samples, n_steps, len(net.bias)), dtype), np.inf

    def arriving(target: str, step: int, total: np.ndarray) -> np.ndarray:
        for name, projection in net.incoming(target).items():
            if step >= projection.delay_steps:
                total = total + spikes[projection.source][:, step - projection.delay_steps] @ weights[name]
        return total

    y = np.zeros((n_samples, len(net.bias)), dtype)
    for step in range(n_steps):
        for name, its in net.populations.items():
            now, threshold = state[name], dtype(its.v_threshold)
            v = arriving(name, step, dtype(its.alpha) * now["v"])
            a = dtype(its.rho) * now["a"]
            left = np.maximum(now["left"] - 1, 0)
            distance, free = v - (threshold + dtype(its.beta) * a), left == 0
            psi[name][:, step] = dtype(its.gamma) / threshold * np.maximum(1 - abs(distance) / threshold, 0) * free
            far[name][:, step], free_of[name][:, step] = distance / threshold, free
            fired = (distance >= 0) & free
            margin = min(margin, float(abs(distance)[free].min(initial=np.inf)))
            spikes[name][:, step] = fired
            now["v"], now["a"] = v - threshold * fired, a + fired
            now["left"] = np.where(fired, dtype(its.refractory_steps), left)
        y = arriving(net.readout, step, dtype(net.alpha_out) * y) + net.bias.astype(dtype)
        readout[:, step] = y
    error = softmax(readout)
    error[np.arange(n_samples), :, batch.labels] -= 1
    error[:, ~batch.scored] = 0
    return Activity(spikes, psi, readout, error, margin, far, free_of)


def filtered(values: np.ndarray, decay: float) -> Iterator[np.ndarray]:
    """``trace = decay * trace + value``, step by step along the second axis."""
    trace = np.zeros_like(values[:, 0])
    for step in range(values.shape[1]):
        trace = values.dtype.type(decay) * trace + values[:, step]
        yield trace


def running_rates(spikes: np.ndarray, decay: float) -> np.ndarray:
    """mlGeNN's F, (sample, step, neuron)."""
    return np.stack(list(filtered(spikes * spikes.dtype.type(1 - decay), decay)), 1)


def outcome(net: Net, batch: Batch, activity: Activity, regularisation: Regularisation) -> Outcome:
    """All but the gradients."""
    chances = softmax(activity.readout)[np.arange(len(batch.labels)), :, batch.labels][:, batch.scored]
    excess = [activity.spikes[name].mean(1) - regularisation.rate for name in net.populations]
    penalty = regularisation.strength / 2 * sum((e**2).sum(1) for e in excess)
    spikes = {name: activity.spikes[name] > 0 for name in net.populations}
    return Outcome(spikes, activity.readout, -np.log(chances).sum(1), penalty, margin=activity.margin)


def accumulate(
    net: Net,
    batch: Batch,
    pairing: str = "exact",
    regularisation: Regularisation = Regularisation(),  # noqa: B008
    dtype: Any = np.float64,
) -> Outcome:
    """A batch's spikes, loss and gradients."""
    activity = simulate(net, batch, dtype)
    found = outcome(net, batch, activity, regularisation)
    for name, projection in net.projections.items():
        if projection.target == net.readout:
            gradient = _to_readout(net, projection, activity, pairing)
        else:
            gradient = _to_hidden(net, projection, activity, pairing, regularisation)
        found.gradients[name] = gradient.sum(0) * projection.mask
    found.bias = _of_bias(net, activity, pairing)
    return found


def _of_bias(net: Net, activity: Activity, pairing: str) -> np.ndarray:
    """A bias is the weight of a source that speaks in every step; mlGeNN takes the last step alone."""
    if pairing == "mlgenn":
        return delayed(activity.error, 1).sum((0, 1))
    traces = filtered(np.ones_like(activity.error), net.alpha_out)
    return sum((trace * activity.error[:, step]).sum(0) for step, trace in enumerate(traces))


def _presynaptic(projection: Dense, activity: Activity, pairing: str, decay: float) -> Iterator[np.ndarray]:
    """The trace of what has arrived, (sample, pre), of every step."""
    return filtered(activity.arrived(projection.source, projection.delay_steps - (pairing == "mlgenn")), decay)


def _to_readout(net: Net, projection: Dense, activity: Activity, pairing: str) -> np.ndarray:
    error = delayed(activity.error, pairing == "mlgenn")
    traces = _presynaptic(projection, activity, pairing, net.alpha_out)
    return sum(trace[:, :, None] * error[:, step, None, :] for step, trace in enumerate(traces))


def _to_hidden(
    net: Net, projection: Dense, activity: Activity, pairing: str, regularisation: Regularisation
) -> np.ndarray:
    its, psi, spikes = (of[projection.target] for of in (net.populations, activity.psi, activity.spikes))
    one = psi.dtype.type
    eligibility = np.stack(list(_eligibilities(its, psi, _presynaptic(projection, activity, pairing, its.alpha),
                                               pairing)), 1)  # fmt: skip
    if pairing == "exact":
        excess = (spikes.mean(1) - one(regularisation.rate)) / one(spikes.shape[1])
        by_rate = np.broadcast_to(excess[:, None], spikes.shape)
    else:
        by_rate = running_rates(spikes, regularisation.decay) - one(regularisation.rate)
    total = np.einsum("stj,stij->sij", by_rate * one(regularisation.strength), eligibility)
    for back in net.to_readout(projection.target).values():
        # Of an error, a hidden neuron's share; what it did counts once its spikes have arrived.
        signal = activity.error @ back.in_use.T.astype(psi.dtype)
        signal, lag = (signal, back.delay_steps) if pairing == "exact" else (delayed(signal, 2), 0)
        for step, trace in enumerate(filtered(delayed(eligibility, lag), net.alpha_out)):
            total += trace * signal[:, step, None, :]
    return total


def _eligibilities(its: Neurons, psi: np.ndarray, traces: Iterator[np.ndarray], pairing: str) -> Iterator[np.ndarray]:
    """Of every step, (sample, pre, post): d spike / d weight by way of the neuron's own state."""
    of_adaptation: Any = 0
    for step, trace in enumerate(traces):
        one = psi.dtype.type
        e = psi[:, step, None, :] * (trace[:, :, None] - one(its.beta) * of_adaptation)
        of_adaptation = one(its.rho) * (of_adaptation + e) if pairing == "exact" else one(its.rho) * of_adaptation + e
        yield e
