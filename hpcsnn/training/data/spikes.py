"""Events of many samples as one set of arrays: by sample, then step, then channel, a channel at most once a step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hpcsnn.errors import ConfigurationError

# A time is a whole number of steps if it is one to this part of itself (as `hpcsnn.checked_numbers.whole_steps`).
_STEPS_RELATIVE = 1e-9


class Spikes(NamedTuple):
    """Spike trains of samples.

    Attributes:
        first_event: (n_samples + 1,) int64; sample k has the events [first_event[k], first_event[k + 1]).
        event_steps: (n_events,) int32, ascending within a sample.
        event_channels: (n_events,) int32, ascending within a step, each at most once.
        n_channels, n_steps: what channels and steps are below.
    """

    first_event: NDArray[np.int64]
    event_steps: NDArray[np.int32]
    event_channels: NDArray[np.int32]
    n_channels: int
    n_steps: int


def steps_of(time_ms: NDArray[np.float64], dt_ms: float) -> NDArray[np.int64]:
    """The step that each time, finite and >= 0, is in: shape (n,).

    A time that is a whole number of steps to 1e-9 of itself is in the step that begins there, however it was rounded.
    """
    exact = np.asarray(time_ms, dtype=np.float64) / dt_ms
    near = np.rint(exact)
    return np.where(np.abs(exact - near) <= _STEPS_RELATIVE * near, near, np.floor(exact)).astype(np.int64)


def ordered_spikes(
    sample: NDArray[Any], step: NDArray[Any], channel: NDArray[Any], n_samples: int, n_channels: int, n_steps: int
) -> Spikes:
    """Events in any order as spike trains: several events of a channel in a step are one spike.

    Args:
        sample, step, channel: (n_events,) whole numbers, each within its range.
        n_samples, n_channels, n_steps: what they are below.

    Raises:
        ConfigurationError: more than 2^63 places that a spike could be at.
    """
    places = n_samples * n_steps * n_channels
    if places >= 2**63:
        counts = f"{n_samples} samples of {n_steps} steps and {n_channels} channels"
        raise ConfigurationError(f"{counts} are not allowed; together at most 2^63 - 1")
    # Narrow keys sort several times faster.
    key: NDArray[Any] = np.asarray(sample).astype(np.int32 if places < 2**31 else np.int64)
    for below, index in ((n_steps, step), (n_channels, channel)):
        np.multiply(key, below, out=key)
        np.add(key, index, out=key, casting="unsafe")
    if np.any(np.diff(key) <= 0):
        key.sort()
        key = key[np.concatenate(([True], key[1:] != key[:-1]))]
    rest, channels = np.divmod(key, key.dtype.type(max(n_channels, 1)))
    samples, steps = np.divmod(rest, rest.dtype.type(max(n_steps, 1)))
    counts_of = np.bincount(samples, minlength=n_samples)
    return Spikes(
        _cumulated(counts_of), steps.astype(np.int32, copy=False), channels.astype(np.int32, copy=False),
        n_channels, n_steps,
    )  # fmt: skip


def joined(parts: Sequence[Spikes], n_channels: int, n_steps: int) -> Spikes:
    """Samples of several parts, one after another."""
    counts = [np.diff(part.first_event) for part in parts]
    return Spikes(
        _cumulated(np.concatenate([*counts, np.zeros(0, dtype=np.int64)])),
        np.concatenate([part.event_steps for part in parts] + [np.zeros(0, dtype=np.int32)]),
        np.concatenate([part.event_channels for part in parts] + [np.zeros(0, dtype=np.int32)]),
        n_channels,
        n_steps,
    )


def selected(spikes: Spikes, indices: NDArray[np.int64]) -> Spikes:
    """The samples of these indices, in their order; an index may come more than once."""
    first = spikes.first_event[indices]
    counts = spikes.first_event[indices + 1] - first
    own = _cumulated(counts)
    places = np.repeat(first - own[:-1], counts)
    places += np.arange(own[-1], dtype=np.int64)
    return Spikes(own, spikes.event_steps[places], spikes.event_channels[places], spikes.n_channels, spikes.n_steps)


def bernoulli_spikes(
    start: NDArray[np.int64], length: NDArray[np.int64], chance: NDArray[np.float64], random: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Spikes by chance: the work is that of the spikes, not of the steps.

    Burst b spikes in each step of [start[b], start[b] + length[b]) with probability chance[b], independently: what lies
    between two of its spikes is geometric.

    Args:
        start, length: (n_bursts,) in steps.
        chance: (n_bursts,) a step, in [0, 1].
        random: what is drawn from.

    Returns:
        Burst and step of each spike, (n_spikes,) each, in no order that matters.
    """
    burst = np.flatnonzero((chance > 0) & (length > 0))
    at = np.full(burst.size, -1, dtype=np.int64)
    bursts, steps = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    while burst.size:
        # Gaps beyond any length stay far from the end of int64.
        at = at + np.minimum(random.geometric(chance[burst]), 2**40)
        there = at < length[burst]
        burst, at = burst[there], at[there]
        bursts.append(burst)
        steps.append(at + start[burst])
    return np.concatenate(bursts), np.concatenate(steps)


def stratified_choice(labels: NDArray[Any] | None, n_samples: int, count: int, seed: int) -> NDArray[np.int64]:
    """`count` of the samples by chance, each label as often as its share, to the nearest sample; ascending.

    The seed alone decides, on every machine: samples are ordered by words of Philox, one a sample.

    Args:
        labels: (n_samples,) or None, where all are alike.
        n_samples: how many there are.
        count: how many are chosen, at most all.
        seed: of the choice, >= 0.
    """
    if count >= n_samples:
        return np.arange(n_samples, dtype=np.int64)
    groups = np.zeros(n_samples, dtype=np.int64) if labels is None else np.asarray(labels)
    words = np.random.Philox(np.random.SeedSequence(seed)).random_raw(n_samples)
    classes, of_class, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    order = np.lexsort((words, of_class))
    # Largest remainders, in whole numbers: shares add up to the count, and ties go to the first class.
    shares, remainders = np.divmod(sizes * count, n_samples)
    more = np.lexsort((np.arange(classes.size), -remainders))[: count - int(shares.sum())]
    shares[more] += 1
    begins = np.cumsum(sizes) - sizes
    chosen = [order[begin : begin + share] for begin, share in zip(begins, shares, strict=True)]
    return np.sort(np.concatenate([*chosen, np.zeros(0, dtype=np.int64)]))


def _cumulated(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate(([0], np.cumsum(counts, dtype=np.int64))).astype(np.int64)
