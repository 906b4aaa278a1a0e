"""The gradient through all spikes, forwards: how each weight changes each neuron's state, step by step, in float64.

Nothing goes back in time here, and no step is summed before it is known: what `hpcsnn` does backwards, the slow way.
The derivative of a spike is the surrogate; what it resets has none.
"""

from __future__ import annotations

import numpy as np

from support.trained_nets import INPUT, Batch, Dense, Net, softmax


def forward_gradients(net: Net, batch: Batch) -> dict[str, np.ndarray]:
    """Of the cross-entropy of all samples and scored steps, by projection (n_pre, n_post)."""
    total = {name: np.zeros(projection.mask.shape) for name, projection in net.projections.items()}
    for number in range(len(batch.labels)):
        for name, gradient in _of_sample(net, batch, number).items():
            total[name] += gradient
    return total


def _of_sample(net: Net, batch: Batch, number: int) -> dict[str, np.ndarray]:
    weights = [(name, *pair) for name, one in net.projections.items() for pair in np.argwhere(one.mask)]
    own = {name: [k for k, one in enumerate(weights) if one[0] == name] for name in net.projections}
    n = len(weights)
    given = batch.spikes[number].astype(float)
    spikes: dict[str, list[np.ndarray]] = {name: [] for name in net.populations}
    slopes: dict[str, list[np.ndarray]] = {name: [] for name in net.populations}
    states = {name: _State(its.size, n) for name, its in net.populations.items()}
    y, of_y = np.zeros(len(net.bias)), np.zeros((n, len(net.bias)))
    gradient = np.zeros(n)

    def arriving(name: str, projection: Dense, step: int) -> tuple[np.ndarray, np.ndarray]:
        brought, changed = np.zeros(projection.mask.shape[1]), np.zeros((n, projection.mask.shape[1]))
        delays = np.broadcast_to(projection.delay_steps, projection.mask.shape)
        for delay, chosen in projection.by_delay.items():
            for later, part in enumerate(projection.response[: max(step - delay + 1, 0)]):
                sent = step - delay - later
                is_input = projection.source == INPUT
                z = given[sent] if is_input else spikes[projection.source][sent]
                in_use = part * projection.weights * chosen
                brought += z @ in_use
                if not is_input:
                    changed += slopes[projection.source][sent] @ in_use
                for k in own[name]:
                    _, pre, post = weights[k]
                    if delays[pre, post] == delay:
                        changed[k, post] += part * z[pre]
        return brought, changed

    for step in range(batch.n_steps):
        for target, its in net.populations.items():
            parts = [arriving(name, one, step) for name, one in net.incoming(target).items()]
            state = states[target]
            state.v = its.alpha * state.v + sum(part[0] for part in parts)
            state.of_v = its.alpha * state.of_v + sum(part[1] for part in parts)
            state.a, state.of_a = its.rho * state.a, its.rho * state.of_a
            state.left = np.maximum(state.left - 1, 0)
            free, distance = state.left == 0, state.v - (its.v_threshold + its.beta * state.a)
            z = ((distance >= 0) & free).astype(float)
            psi = free * its.gamma / its.v_threshold * np.maximum(1 - abs(distance) / its.v_threshold, 0)
            slope = psi * (state.of_v - its.beta * state.of_a)
            spikes[target].append(z)
            slopes[target].append(slope)
            state.v = state.v - its.v_threshold * z
            state.a, state.of_a = state.a + z, state.of_a + slope
            state.left = np.where(z > 0, its.refractory_steps, state.left)
        parts = [arriving(name, one, step) for name, one in net.incoming(net.readout).items()]
        y = net.alpha_out * y + sum(part[0] for part in parts) + net.bias
        of_y = net.alpha_out * of_y + sum(part[1] for part in parts)
        if batch.scored[step]:
            error = softmax(y)
            error[batch.labels[number]] -= 1
            gradient += of_y @ error
    found = {name: np.zeros(projection.mask.shape) for name, projection in net.projections.items()}
    for k, (name, pre, post) in enumerate(weights):
        found[name][pre, post] = gradient[k]
    return found


class _State:
    def __init__(self, size: int, n_weights: int) -> None:
        self.v, self.a, self.left = np.zeros(size), np.zeros(size), np.zeros(size, int)
        self.of_v, self.of_a = np.zeros((n_weights, size)), np.zeros((n_weights, size))
