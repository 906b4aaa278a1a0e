"""What the slow programs of training share: a network and its samples as dense arrays, and networks drawn by a seed.

Time is in steps, spikes are dense (sample, step, neuron), weights are dense (presynaptic, postsynaptic) with a mask of
the synapses that exist. No program here knows of hpcsnn; a test fills these from its network.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

INPUT = "input"


@dataclass(frozen=True)
class Neurons:
    """A hidden population. With `beta` 0 it is ``lif_subtractive``, else ``alif_subtractive``."""

    size: int
    alpha: float
    v_threshold: float = 0.61
    refractory_steps: int = 5
    beta: float = 0.0
    rho: float = 0.0
    gamma: float = 0.3


@dataclass
class Dense:
    """A projection from the input or a hidden population to a hidden population or the readout.

    Its delay is one number, or one of each synapse; a spike brings ``weight * response[n]`` n steps behind its arrival.
    """

    source: str
    target: str
    weights: np.ndarray  # (n_pre, n_post)
    mask: np.ndarray  # (n_pre, n_post), bool
    delay_steps: int | np.ndarray = 1
    response: np.ndarray = field(default_factory=lambda: np.ones(1))

    @property
    def by_delay(self) -> dict[int, np.ndarray]:
        """Which synapses have it, (n_pre, n_post), by delay."""
        delays = np.broadcast_to(self.delay_steps, self.mask.shape)
        return {int(delay): self.mask & (delays == delay) for delay in np.unique(delays[self.mask])}

    @property
    def in_use(self) -> np.ndarray:
        return np.where(self.mask, self.weights, 0)


@dataclass
class Net:
    populations: dict[str, Neurons]
    projections: dict[str, Dense]
    bias: np.ndarray  # (n_outputs,)
    alpha_out: float
    readout: str = "output"

    def incoming(self, target: str) -> dict[str, Dense]:
        return {name: projection for name, projection in self.projections.items() if projection.target == target}

    def to_readout(self, source: str) -> dict[str, Dense]:
        return {name: p for name, p in self.incoming(self.readout).items() if p.source == source}


@dataclass(frozen=True)
class Batch:
    spikes: np.ndarray  # (sample, step, channel) of the input, bool
    labels: np.ndarray  # (sample,)
    first_scored_step: int = 0

    @property
    def n_steps(self) -> int:
        return self.spikes.shape[1]

    @property
    def scored(self) -> np.ndarray:
        return np.arange(self.n_steps) >= self.first_scored_step


@dataclass(frozen=True)
class Regularisation:
    """Of rates: exact, ``strength/2 * sum_j (n_j/T - rate)^2`` a sample; mlgenn, by the running mean of `decay`."""

    strength: float = 0.0
    rate: float = 0.01  # spikes a step
    decay: float = float(np.float32(np.exp(-1 / 500)))


@dataclass
class Outcome:
    """What a batch does; gradients are summed over its samples and steps, 0 where no synapse is."""

    spikes: dict[str, np.ndarray]  # of hidden populations, (sample, step, neuron), bool
    readout: np.ndarray  # y, (sample, step, output)
    loss: np.ndarray  # cross-entropy, (sample,)
    penalty: np.ndarray  # of rates, (sample,)
    gradients: dict[str, np.ndarray] = field(default_factory=dict)
    bias: np.ndarray = field(default_factory=lambda: np.zeros(0))
    margin: float = np.inf  # how close a voltage of a neuron that could spike came to its threshold

    def predictions(self, first_scored_step: int = 0) -> np.ndarray:
        """By the sum of softmax over scored steps."""
        return softmax(self.readout[:, first_scored_step:]).sum(1).argmax(1)


def softmax(y: np.ndarray) -> np.ndarray:
    powers = np.exp(y - y.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def single(values: np.ndarray) -> np.ndarray:
    """The nearest values of single precision, so that programs of any precision are given the same numbers."""
    return np.asarray(values).astype(np.float32).astype(np.float64)


def decay(tau_ms: float, dt_ms: float = 1.0) -> float:
    """Of a step, as `single`."""
    return float(single(np.exp(-dt_ms / tau_ms)))


def lif(size: int, tau_m_ms: float = 20.0, **others: float) -> Neurons:
    return Neurons(size, decay(tau_m_ms), **others)  # type: ignore[arg-type]


def alif(size: int, tau_m_ms: float = 20.0, tau_adaptation_ms: float = 2000.0, **others: float) -> Neurons:
    fixed = {"v_threshold": 0.6, "beta": 0.0174, "rho": decay(tau_adaptation_ms), **others}
    return Neurons(size, decay(tau_m_ms), **fixed)  # type: ignore[arg-type]


def drawn_net(
    seed: int,
    populations: dict[str, Neurons],
    pairs: list[tuple[str, str]],
    *,
    n_inputs: int = 9,
    n_outputs: int = 3,
    connectivity: float = 1.0,
    delays: tuple[int, ...] = (1,),
    gain: float = 1.5,
    tau_out_ms: float = 20.0,
) -> Net:
    """Projections between `pairs` (and from each population to the readout where they say so), weights of both signs.

    Delays go round through `delays`. The readout's projections are complete.
    """
    rng = np.random.default_rng(seed)
    sizes = {INPUT: n_inputs, "output": n_outputs, **{name: neurons.size for name, neurons in populations.items()}}
    projections = {}
    for place, (source, target) in enumerate(pairs):
        shape = (sizes[source], sizes[target])
        mask = rng.random(shape) < (1.0 if target == "output" else connectivity)
        weights = rng.normal(0.1 * (source == INPUT), gain / np.sqrt(max(connectivity * shape[0], 1)), shape)
        name = f"{source}_{target}"
        projections[name] = Dense(source, target, np.where(mask, single(weights), 0), mask, delays[place % len(delays)])
    bias = single(rng.normal(0, 0.05, n_outputs))
    return Net(dict(populations), projections, bias, decay(tau_out_ms))


def drawn_batch(
    seed: int,
    n_samples: int = 3,
    n_steps: int = 40,
    n_inputs: int = 9,
    n_outputs: int = 3,
    rate: float = 0.15,
    first_scored_step: int = 0,
) -> Batch:
    rng = np.random.default_rng(seed)
    spikes = rng.random((n_samples, n_steps, n_inputs)) < rate
    return Batch(spikes, rng.integers(n_outputs, size=n_samples), first_scored_step)
