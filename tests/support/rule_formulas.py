"""What any learning rule adds up, in NumPy: its page's texts as Python functions, behind a slow simulation.

One hidden population after the other, step after step from the last one, with dense arrays (sample, neuron).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

from support.eprop_backward import ahead, from_the_end
from support.eprop_formulas import Activity, filtered, outcome, simulate
from support.trained_nets import Batch, Net, Outcome, Regularisation, softmax

Text = Callable[[SimpleNamespace, dict[str, np.ndarray]], np.ndarray]


@dataclass(frozen=True)
class Page:
    """A rule: `shape` of the surrogate gradient by the distance; `signal` and `backward` by what is seen of a step
    (``heard``, ``error``, ``local_error``, ``label_weight``, ``rate``, ``spiked``, ``surrogate``, ``step``,
    ``n_steps``; ``recorded``, by the spikes of all steps) and by filters."""

    shape: Callable[[np.ndarray], np.ndarray]
    signal: Text
    backward: Text | None = None
    filters: tuple[str, ...] = ()
    dampening: float = 0.3
    recorded: Callable[[np.ndarray], np.ndarray] | None = None
    local_kept: float = 0.0


def triangle(distance: np.ndarray) -> np.ndarray:
    return np.maximum(1 - abs(distance), 0)


def gradients_by(page: Page, net: Net, batch: Batch) -> Outcome:
    """A batch's spikes, loss and gradients; hidden neurons hear by the weights of their synapses onto the readout."""
    activity = simulate(net, batch)
    found = outcome(net, batch, activity, Regularisation())
    of_readout = from_the_end(activity.error, net.alpha_out)
    found.bias = of_readout.sum((0, 1))
    numbers = {name: _of_population(page, net, name, batch, activity, of_readout) for name in net.populations}
    numbers[net.readout] = of_readout
    for name, projection in net.projections.items():
        total = np.zeros(projection.mask.shape)
        for sample, step, pre in np.argwhere(activity.spikes[projection.source]):
            at = step + projection.delay_steps
            if at < batch.n_steps:
                total[pre] += numbers[projection.target][sample, at]
        found.gradients[name] = total * projection.mask
    return found


def _of_population(
    page: Page, net: Net, name: str, batch: Batch, activity: Activity, of_readout: np.ndarray
) -> np.ndarray:
    its, spikes = net.populations[name], activity.spikes[name]
    surrogate = page.dampening / its.v_threshold * page.shape(activity.distance[name]) * activity.free[name]
    (back,) = net.to_readout(name).values()
    heard = ahead(of_readout, back.delay_steps) @ back.in_use.T
    error, label_weight = activity.error @ back.in_use.T, back.in_use.T[batch.labels]
    local = softmax(np.stack(list(filtered(spikes @ back.in_use, page.local_kept)), 1))
    local[np.arange(len(batch.labels)), :, batch.labels] -= 1
    local[:, ~batch.scored] = 0
    local_error = local @ back.in_use.T
    filters = {one: np.zeros_like(spikes[:, 0]) for one in page.filters}
    recorded = np.zeros_like(spikes) if page.recorded is None else page.recorded(spikes)
    result, p_v, p_a = np.zeros_like(spikes), np.zeros_like(spikes[:, 0]), np.zeros_like(spikes[:, 0])
    for step in reversed(range(batch.n_steps)):
        seen = SimpleNamespace(
            heard=heard[:, step], error=error[:, step], label_weight=label_weight, rate=spikes.mean(1),
            spiked=spikes[:, step], surrogate=surrogate[:, step], step=step, n_steps=batch.n_steps,
            recorded=recorded[:, step], distance=activity.distance[name][:, step], local_error=local_error[:, step],
        )  # fmt: skip
        seen.signal = page.signal(seen, filters)
        r_v, r_a = its.alpha * p_v, its.rho * p_a
        h = surrogate[:, step] * (seen.signal + r_a)
        p_v, p_a = h + r_v, r_a - its.beta * h
        seen.input_gradient = p_v
        result[:, step] = p_v if page.backward is None else page.backward(seen, filters)
    return result
