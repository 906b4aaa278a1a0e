"""Every stream of random numbers, by purpose: the third word of the Philox counter.

A stream belongs to one purpose and one population or projection (by its place in the order of declaration).
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray


class Purpose(IntEnum):
    """What a random number is drawn for, and the entity and step of its counter."""

    INITIAL = 0
    """Initial state variables and parameters; entity: neuron, step 0, draw: variable, then variables + parameter."""
    CONNECT = 1
    """First wiring; entity: target neuron, step 0, draws in the connector's order. Delays of synapses, whenever they
    are made; entity: target neuron, step: 1 + source neuron, draw 0. How many synapses of a source, or of all, go to
    which part of the targets (with the tag SHARE); entity: source neuron or 0, step: the part's number."""
    SPIKES = 2
    """What makes neurons spike. Source populations; entity: neuron, step: of the window's start or the last spike;
    2^32 - 1 the population. Neuron models that draw; entity: neuron, step: the one being updated, draws in order."""
    ATTEMPTS = 3
    """Rewiring; entity: block * attempts + attempt, step: the first step after the update; further numbers of an
    attempt: its third random number in place of the entity, draw from 1. What is not drawn by attempts has a `Tag`."""


class Tag(IntEnum):
    """What a projection draws beside attempts, and a population beside spikes (CURRENT): the upper 8 bits of a stream
    (kernels/base/random.cuh)."""

    PAIR = 1
    SYNAPSE = 2
    TARGET = 3
    SOURCE = 4
    HOOK = 5
    CANDIDATE = 6
    SURPLUS = 7
    OFFER = 8
    DEMAND = 9
    COUNT = 10
    RETRACT = 11
    WEIGHT = 12
    FEEDBACK = 13
    BUDGET = 14
    ARRIVAL = 15
    SHARE = 16
    CURRENT = 17
    """Currents onto neurons; entity, step and draw: the model's own, the current's number above 16 bits of the draw."""
    LOSS = 18
    """What a loss draws of a sample, of the readout; entity: the sample's id, step: the batch, draws in order."""


def stream(purpose: Purpose, index: int) -> int:
    """The stream of `purpose` for the population or projection number `index`."""
    return index * len(Purpose) + int(purpose)


def words(
    seed: int, number: int, entity: NDArray[np.int64], step: NDArray[np.int64], draw: int = 0
) -> NDArray[np.uint64]:
    """The first two numbers of a stream's counters as one word each, shape (n,): what kernels draw of them.

    For what is drawn before there is a device, such as sizes that memory is estimated from.

    Args:
        seed: the network's.
        number: a `stream`, with its tag.
        entity, step: whole numbers below 2^32, shape (n,).
        draw: the last part of the counters.
    """
    low, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    counter = [entity.astype(np.uint64), step.astype(np.uint64)]
    counter += [np.full(len(entity), word, dtype=np.uint64) for word in (number, draw)]
    key = [seed & 0xFFFFFFFF, seed >> 32]
    for _ in range(10):
        first, second = counter[0] * np.uint64(0xD2511F53), counter[2] * np.uint64(0xCD9E8D57)
        counter = [
            (second >> half) ^ counter[1] ^ np.uint64(key[0]), second & low,
            (first >> half) ^ counter[3] ^ np.uint64(key[1]), first & low,
        ]  # fmt: skip
        key = [(key[0] + 0x9E3779B9) & 0xFFFFFFFF, (key[1] + 0xBB67AE85) & 0xFFFFFFFF]
    drawn: NDArray[np.uint64] = (counter[0] << half) | counter[1]
    return drawn
