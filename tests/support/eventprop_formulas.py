"""Networks of spiking neurons with currents that decay, three ways in float64: in steps, with the gradient of
EventProp in steps; by the paper's adjoint equations; and in exact time, spike by spike, for differences of the loss.

A step adds its mean current to V, whatever the step's length is: dV/dt = -V / tau_m + I / dt, with weights to match.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from support.trained_nets import softmax


@dataclass(frozen=True)
class SpikingNet:
    """Input onto hidden neurons, these onto each other, and onto a readout that never spikes; all lags in steps."""

    weights: dict[str, np.ndarray]  # "in", "rec", "out", (n_pre, n_post)
    lags: dict[str, int]
    n_steps: int
    dt_ms: float
    tau_m_ms: float = 20.0
    tau_s_ms: float = 5.0
    tau_out_ms: float = 15.0
    threshold: float = 0.61

    @property
    def decays(self) -> tuple[float, float, float]:
        """Of a step: of V, of currents, of outputs."""
        taus = (self.tau_m_ms, self.tau_s_ms, self.tau_out_ms)
        return tuple(float(np.exp(-self.dt_ms / tau)) for tau in taus)  # type: ignore[return-value]

    @property
    def step_mean(self) -> float:
        """Of a current that begins with 1."""
        return float(-np.expm1(-self.dt_ms / self.tau_s_ms) * self.tau_s_ms / self.dt_ms)


@dataclass
class Course:
    """What a sample does: by step and neuron, V before a reset, the currents (at the step's start), spikes, errors."""

    v: np.ndarray
    current: np.ndarray
    spikes: np.ndarray
    errors: np.ndarray
    loss: float


def before(values: np.ndarray, step: int) -> np.ndarray:
    """0 before the first step, and behind the last one."""
    return values[step] if 0 <= step < len(values) else np.zeros_like(values[0])


def play(net: SpikingNet, given: np.ndarray, label: int) -> Course:
    """A sample in steps; `given` is (step, channel)."""
    a, b, k = net.decays
    n, n_out = net.weights["out"].shape
    v, i, i_out, y = np.zeros(n), np.zeros(n), np.zeros(n_out), np.zeros(n_out)
    course = Course(*(np.zeros((net.n_steps, n)) for _ in range(3)), np.zeros((net.n_steps, n_out)), 0.0)
    for step in range(net.n_steps):
        i = b * i + before(given, step - net.lags["in"]) @ net.weights["in"]
        i = i + before(course.spikes, step - net.lags["rec"]) @ net.weights["rec"]
        v = a * v + net.step_mean * i
        i_out = b * i_out + before(course.spikes, step - net.lags["out"]) @ net.weights["out"]
        y = k * y + net.step_mean * i_out
        course.v[step], course.current[step] = v, i
        course.spikes[step] = v >= net.threshold
        v = v - net.threshold * course.spikes[step]
        course.errors[step] = softmax(y)
        course.loss -= float(np.log(course.errors[step, label]))
        course.errors[step, label] -= 1
    return course


def gradients(net: SpikingNet, given: np.ndarray, label: int) -> dict[str, np.ndarray]:
    """EventProp's in steps, as hpcsnn/models/learning/rules/eventprop.py derives it."""
    a, b, k = net.decays
    course = play(net, given, label)
    n, n_out = net.weights["out"].shape
    arriving, arriving_out = np.zeros((net.n_steps, n)), np.zeros((net.n_steps, n_out))
    p, s_later = np.zeros(n), np.zeros(n)
    of_y, of_current = np.zeros(n_out), np.zeros(n_out)
    for step in reversed(range(net.n_steps)):
        of_y = course.errors[step] + k * of_y
        of_current = arriving_out[step] = net.step_mean * of_y + b * of_current
    of_current = np.zeros(n)
    for step in reversed(range(net.n_steps)):
        s = net.weights["out"] @ before(arriving_out, step + net.lags["out"])
        s = s + net.weights["rec"] @ before(arriving, step + net.lags["rec"])
        r = a * p
        slope = net.step_mean * course.current[step] - (1 - a) * net.threshold
        moved = ((1 - a) * net.threshold * r - (s_later - s)) / np.where(course.spikes[step] > 0, slope, 1.0)
        p = r + np.where(course.spikes[step] > 0, moved, 0.0)
        of_current = arriving[step] = net.step_mean * p + b * of_current
        s_later = s
    return added_up(net, given, course, arriving, arriving_out)


def of_the_paper(net: SpikingNet, given: np.ndarray, label: int) -> dict[str, np.ndarray]:
    """By the adjoint equations of Wunderlich & Pehle 2021 in tau_m dV/dt = -V + I, as mlGeNN's programs integrate them:
    exactly from step to step, with jumps at spikes."""
    a, b, k = net.decays
    course = play(net, given, label)
    n, n_out = net.weights["out"].shape
    tau_m, tau_s, tau_out, dt = net.tau_m_ms, net.tau_s_ms, net.tau_out_ms, net.dt_ms
    # Their weights and currents are larger by this.
    scale, scale_out = tau_m / dt, tau_out / dt
    rows = [np.zeros((net.n_steps, size)) for size in (n, n, n_out, n_out)]
    lam_v, lam_i, out_v, out_i = (np.zeros(size) for size in (n, n, n_out, n_out))
    for step in reversed(range(net.n_steps)):
        out_i = tau_out / (tau_s - tau_out) * out_v * (b - k) + b * out_i
        out_v = k * out_v - (1 - k) * course.errors[step] / dt
        rows[2][step], rows[3][step] = out_v, out_i
    for step in reversed(range(net.n_steps)):
        lam_i = tau_m / (tau_s - tau_m) * lam_v * (b - a) + b * lam_i
        lam_v = a * lam_v
        to_rec, to_out = step + net.lags["rec"], step + net.lags["out"]
        r = scale * net.weights["rec"] @ (before(rows[0], to_rec) - before(rows[1], to_rec))
        r = r + scale_out * net.weights["out"] @ (before(rows[2], to_out) - before(rows[3], to_out))
        over = np.where(course.spikes[step] > 0, scale * course.current[step] - net.threshold, np.inf)
        lam_v = lam_v + (net.threshold * lam_v + r) / over
        rows[0][step], rows[1][step] = lam_v, lam_i
    return added_up(net, given, course, -tau_s * scale * rows[1], -tau_s * scale_out * rows[3])


def added_up(
    net: SpikingNet, given: np.ndarray, course: Course, arriving: np.ndarray, arriving_out: np.ndarray
) -> dict[str, np.ndarray]:
    """Over spikes, what an amount that arrives changes."""
    found = {name: np.zeros_like(weights) for name, weights in net.weights.items()}
    ways = {"in": (given, arriving), "rec": (course.spikes, arriving), "out": (course.spikes, arriving_out)}
    for name, (spikes, of_target) in ways.items():
        for step, pre in np.argwhere(spikes):
            found[name][pre] += before(of_target, step + net.lags[name])
    return found


def exact_loss(net: SpikingNet, given: np.ndarray, label: int) -> tuple[float, list[int]]:
    """The loss if spikes happen where V crosses the threshold, between steps; and spikes by neuron.

    What a spike brings comes its lag later, less half a step: steps have it at the beginning of theirs.
    """
    n, n_out = net.weights["out"].shape
    tau_m, tau_s, dt = net.tau_m_ms, net.tau_s_ms, net.dt_ms
    queues: list[list[tuple[float, float]]] = [[] for _ in range(n)]
    for step, channel in np.argwhere(given):
        for neuron in range(n):
            queues[neuron].append(((step + net.lags["in"]) * dt, net.weights["in"][channel, neuron]))
    v, i, counts = np.zeros(n), np.zeros(n), [0] * n
    outputs: list[tuple[float, int]] = []

    def later(v0: float, i0: float, passed: float, tau: float = tau_m) -> float:
        part = tau * tau_s / (tau - tau_s) * (np.exp(-passed / tau) - np.exp(-passed / tau_s))
        return float(v0 * np.exp(-passed / tau) + i0 / dt * part)

    for step in range(net.n_steps):
        begin, end = step * dt, (step + 1) * dt
        for neuron in range(n):
            queue, at = queues[neuron], begin
            queue.sort()
            while True:
                arrives = queue[0][0] if queue and queue[0][0] < end else end
                reached = later(v[neuron], i[neuron], arrives - at)
                if reached >= net.threshold:
                    low, high = 0.0, arrives - at
                    for _ in range(60):
                        middle = (low + high) / 2
                        below = later(v[neuron], i[neuron], middle) < net.threshold
                        low, high = (middle, high) if below else (low, middle)
                    v[neuron], i[neuron], at = 0.0, i[neuron] * np.exp(-high / tau_s), at + high
                    counts[neuron] += 1
                    outputs.append((at + (net.lags["out"] - 0.5) * dt, neuron))
                    for target in range(n):
                        arrival = at + (net.lags["rec"] - 0.5) * dt
                        queues[target].append((arrival, net.weights["rec"][neuron, target]))
                    queue.sort()
                    continue
                v[neuron], i[neuron], at = reached, i[neuron] * np.exp(-(arrives - at) / tau_s), arrives
                if arrives == end:
                    break
                i[neuron] += queue.pop(0)[1]
    y = np.zeros((net.n_steps, n_out))
    ends = dt * np.arange(1, net.n_steps + 1)
    tau = net.tau_out_ms
    for arrival, neuron in outputs:
        passed = np.maximum(ends - arrival, 0.0)
        response = tau * tau_s / (tau - tau_s) * (np.exp(-passed / tau) - np.exp(-passed / tau_s)) / dt
        y += response[:, None] * net.weights["out"][neuron]
    return float(-np.log(softmax(y)[:, label]).sum()), counts


def with_weights(net: SpikingNet, **changed: np.ndarray) -> SpikingNet:
    return replace(net, weights={**net.weights, **changed})
