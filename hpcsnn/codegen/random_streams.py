"""Every stream of random numbers, by purpose: the third word of the Philox counter.

A stream belongs to one purpose and one population or projection (by its place in the order of declaration).
"""

from __future__ import annotations

from enum import IntEnum


class Purpose(IntEnum):
    """What a random number is drawn for, and the entity and step of its counter."""

    INITIAL = 0
    """Initial state variables and parameters; entity: neuron, step 0, draw: variable, then variables + parameter."""
    CONNECT = 1
    """First wiring; entity: target neuron, step 0, draws in the connector's order. Delays of synapses, whenever they
    are made; entity: target neuron, step: 1 + source neuron, draw 0."""
    SPIKES = 2
    """What makes neurons spike. Source populations; entity: neuron, step: of the window's start or the last spike;
    2^32 - 1 the population. Neuron models that draw; entity: neuron, step: the one being updated, draws in order."""
    ATTEMPTS = 3
    """Rewiring; entity: block * attempts + attempt, step: the first step after the update; further numbers of an
    attempt: its third random number in place of the entity, draw from 1. What is not drawn by attempts has a `Tag`."""


class Tag(IntEnum):
    """What a projection draws beside attempts: the upper 8 bits of a stream (kernels/base/random.cuh)."""

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


def stream(purpose: Purpose, index: int) -> int:
    """The stream of `purpose` for the population or projection number `index`."""
    return index * len(Purpose) + int(purpose)
