"""Pattern generation: from frozen noise a network is to make sums of sines; made by the seed, a regression.

After the task of Bellec et al. 2020, Nat. Commun. 11:3625. The noise that samples have beside the frozen one is ours:
it is what makes samples of one pattern differ, so that there is something to test by.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.checked_numbers import whole_steps
from hpcsnn.errors import ConfigurationError
from hpcsnn.models.parameters import Parameter
from hpcsnn.training.data.data_set import DataSet, LoadedData, Request, counts_of_made
from hpcsnn.training.data.samples import Samples
from hpcsnn.training.data.spikes import bernoulli_spikes, ordered_spikes

FREQUENCIES_HZ = (1.0, 2.0, 3.0, 5.0)


def sums_of_sines(
    n_patterns: int, n_steps: int, n_outputs: int, dt_ms: float, random: np.random.Generator
) -> NDArray[np.float32]:
    """Targets, (n_patterns, n_steps, n_outputs): each a sum of sines of 1, 2, 3 and 5 Hz whose amplitudes are drawn
    from 0.5 to 2 and whose phases are drawn, divided by its largest absolute value."""
    shape = (n_patterns, 1, n_outputs, len(FREQUENCIES_HZ))
    amplitude, phase = random.uniform(0.5, 2.0, shape), random.uniform(0.0, 2.0 * np.pi, shape)
    time_s = 1e-3 * dt_ms * np.arange(n_steps)[:, None, None]
    waves = (amplitude * np.sin(2.0 * np.pi * np.array(FREQUENCIES_HZ) * time_s + phase)).sum(axis=-1)
    return (waves / np.abs(waves).max(axis=1, keepdims=True)).astype(np.float32)


def steps_of_patterns(request: Request) -> int:
    """As long as is asked for."""
    return whole_steps("pattern_generation.duration_ms", request.values["duration_ms"], request.dt_ms, least=1)


def load_patterns(request: Request) -> LoadedData:
    """Patterns in turn, each with the spikes that are its own and those that are the sample's own.

    Raises:
        ConfigurationError: a rate above one spike a step.
    """
    values, dt_ms, n_steps = request.values, request.dt_ms, steps_of_patterns(request)
    n_patterns, n_inputs = int(values["patterns"]), int(values["n_inputs"])
    frozen, noise = (_chance(values, name, dt_ms) for name in ("rate_hz", "noise_hz"))
    random = _random(request.seed, 0)
    targets = sums_of_sines(n_patterns, n_steps, int(values["n_outputs"]), dt_ms, random)
    pattern, step, channel = _poisson(n_patterns, n_inputs, n_steps, frozen, random)
    frozen_events = [np.flatnonzero(pattern == k) for k in range(n_patterns)]
    parts = []
    for part, name in enumerate(("train", "test"), start=1):
        n = int(values[f"{name}_samples"])
        of_sample = np.arange(n) % n_patterns
        shown = np.concatenate([frozen_events[k] for k in of_sample])
        whose = np.repeat(np.arange(n), [len(frozen_events[k]) for k in of_sample])
        own, own_step, own_channel = _poisson(n, n_inputs, n_steps, noise, _random(request.seed, part))
        spikes = ordered_spikes(
            np.concatenate([whose, own]), np.concatenate([step[shown], own_step]),
            np.concatenate([channel[shown], own_channel]), n, n_inputs, n_steps,
        )  # fmt: skip
        parts.append(Samples.of_spikes(spikes, dt_ms, targets=targets[of_sample]))
    return LoadedData(parts[0], parts[1], ())


def _random(seed: int, part: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, part])))


def _chance(values: Mapping[str, Any], name: str, dt_ms: float) -> float:
    rate_hz = values[name]
    if rate_hz * dt_ms > 1000.0:
        allowed = f"must be at most {1000.0 / dt_ms:g} Hz, a spike in each step of {dt_ms:g} ms"
        raise ConfigurationError(f"pattern_generation.{name}: {rate_hz:g} is not allowed; {allowed}")
    return float(rate_hz * dt_ms * 1e-3)


def _poisson(
    n: int, n_inputs: int, n_steps: int, chance: float, random: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Which of n, when and in which input: (n_spikes,) each."""
    count = n * n_inputs
    begin, length = np.zeros(count, dtype=np.int64), np.full(count, n_steps, dtype=np.int64)
    train, step = bernoulli_spikes(begin, length, np.full(count, chance), random)
    which, channel = np.divmod(train, n_inputs)
    return which, step, channel


PATTERN_GENERATION = DataSet(
    "pattern_generation",
    "Frozen noise, for which the outputs are to be sums of sines (after Bellec et al. 2020, Nat. Commun. 11:3625).",
    load_patterns,
    steps_of_patterns,
    parameters={
        **counts_of_made(128, 32, most=10**6),
        "patterns": Parameter(1, "patterns", "which samples have in turn", "int", minimum=1, maximum=10**4),
        "duration_ms": Parameter(1000.0, "ms", "length of a sample", above=0.0),
        "n_inputs": Parameter(100, "inputs", "how many spike", "int", minimum=1, maximum=10**6),
        "n_outputs": Parameter(3, "outputs", "how many targets a pattern has", "int", minimum=1, maximum=10**4),
        "rate_hz": Parameter(5.0, "Hz", "of each input, frozen: the same in all samples of a pattern", minimum=0.0),
        "noise_hz": Parameter(0.5, "Hz", "of each input, of a sample alone", minimum=0.0),
    },
)
