"""Delays: axonal ones that differ from synapse to synapse, dendritic ones, and the input that is on its way meanwhile.

The synapse sees a presynaptic spike (plasticity, reading of the weight) after the smallest axonal delay of its
projection, and a postsynaptic spike after the dendritic delay. What a presynaptic spike brings reaches the soma after
the synapse's own axonal delay and the dendritic one. What a drawn delay is beyond the smallest thus holds up the input
alone, not plasticity.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from hpcsnn.checked_numbers import LAST_STEP, Limits, whole_steps, whole_steps_of
from hpcsnn.errors import ConfigurationError, shown
from hpcsnn.models.base import Variable
from hpcsnn.models.connectors.synapse_lists import SynapseList
from hpcsnn.models.parameters import (
    Distribution,
    GivenValues,
    Normal,
    Uniform,
    given_values,
    is_array,
    parse_distribution,
)

# What a synapse with a delay of its own keeps beside its model's variables.
DELAY_STEPS = Variable(
    "delay_steps",
    unit="steps",
    ctype="int",
    doc="from the spike to its arrival, but for the dendritic delay",
)
# Where a normal distribution ends unless the user says so: beyond is a chance of 3e-5 a side.
_NORMAL_ENDS_STD = 4.0
# Input for every step from the smallest to the largest delay, and of the dendritic one, has a place at each neuron.
MOST_STEPS_AHEAD = 2**16


@dataclass(frozen=True, eq=False)
class DrawnDelays:
    """A distribution of delays over whole steps.

    Attributes:
        distribution: in ms, with both ends.
        first_steps: the smallest delay.
        thresholds: (chance of a delay of at most first_steps + k steps) * 2^64 for k = 0, 1, .. up to the step before
            the largest, shape (largest - smallest,), uint64: a delay is the smallest plus the number of these that a
            64-bit random number reaches.
    """

    distribution: Distribution
    first_steps: int
    thresholds: NDArray[np.uint64]

    @property
    def last_steps(self) -> int:
        """The largest delay."""
        return self.first_steps + len(self.thresholds)


@dataclass(frozen=True, eq=False)
class GivenDelays:
    """Delays that are given one by one, and put in place by the host when the first wiring is there.

    Attributes:
        first_steps, last_steps: the smallest and the largest delay.
        values: in ms; None: they are in the connector's list.
    """

    first_steps: int
    last_steps: int
    values: GivenValues | None

    # What kernels draw is the smallest delay.
    thresholds: ClassVar[NDArray[np.uint64]] = np.empty(0, dtype=np.uint64)


@dataclass(frozen=True)
class InputRing:
    """Where input waits for its step of arrival: a slot for each step, and in it a place for each neuron.

    Attributes:
        n_ahead: between two steps, the steps to come that input can be on its way to.
    """

    n_ahead: int

    @property
    def slots(self) -> int:
        """Steps of the ring: a power of two."""
        return 1 << self.n_ahead.bit_length()

    def ahead(self, ring: NDArray[Any], step: int) -> list[NDArray[Any]]:
        """Input on its way between two steps, for step, step + 1, ..: views of `ring`, shape (slots * n,)."""
        slot = ring.reshape(self.slots, -1)
        return [slot[(step + k) % self.slots] for k in range(self.n_ahead)]


def given_delays(
    where: str, delays_ms: NDArray[np.float64], dt_ms: float, each: str, values: GivenValues | None = None
) -> GivenDelays:
    """What delays in ms, given one by one, mean in steps.

    Raises:
        ConfigurationError: one between two steps, or of none, or some too far apart; names `where` and the value.
    """
    steps = whole_steps_of(where, delays_ms, dt_ms, each)
    for at in np.flatnonzero(steps < 1)[:1]:
        whole_steps(where, delays_ms[at], dt_ms, least=1, whose=f" of {each} {at}")
    first, last = int(steps.min(initial=LAST_STEP)), int(steps.max(initial=1))
    if last - first > MOST_STEPS_AHEAD:
        raise ConfigurationError(
            f"{where}: {delays_ms.min():g} .. {delays_ms.max():g} ms are {last - first} steps; at most "
            f"{MOST_STEPS_AHEAD}"
        )
    return GivenDelays(min(first, last), last, values)


def parsed_delay(
    where: str, delay_ms: Any, dt_ms: float, each: tuple[int, str], beside: str, listed: SynapseList | None
) -> tuple[float | Distribution | GivenValues | None, int, DrawnDelays | GivenDelays | None]:
    """A projection's delay in ms as it is kept, the smallest one in steps, and how they differ, if they do.

    Args:
        each: how many values an array has, and whose they are.
        beside, listed: the connector's name and its list, if it has one.

    Raises:
        ConfigurationError: no such delays; names `where`, the value and what is allowed.
    """
    if listed is not None and listed.delays_ms is not None:
        if delay_ms is not None:
            raise ConfigurationError(
                f"{where}: {shown(delay_ms)} is not allowed beside the delays of {beside}; give one of them"
            )
        in_list = given_delays(f"{beside}: delay_ms", listed.delays_ms, dt_ms, "different delay")
        return None, in_list.first_steps, in_list
    if isinstance(delay_ms, dict):
        delay_ms = parse_distribution(where, delay_ms)
    if isinstance(delay_ms, (Normal, Uniform)):
        drawn = drawn_delays(where, delay_ms, dt_ms)
        return drawn.distribution, drawn.first_steps, drawn
    if is_array(delay_ms):
        values = given_values(where, delay_ms, each, Limits("ms", in_kernels=False))
        given = given_delays(where, values.values, dt_ms, values.each, values)
        return values, given.first_steps, given
    steps = whole_steps(where, dt_ms if delay_ms is None else delay_ms, dt_ms, least=1)
    return steps * dt_ms, steps, None


def input_ring(where: str, delays: DrawnDelays | GivenDelays | None, dendritic_steps: int) -> InputRing | None:
    """The ring of a projection's input; None: what a spike brings is there in the step in which the synapse sees it.

    Raises:
        ConfigurationError: input would be on its way for too long; names `where`, the value and what is allowed.
    """
    if delays is None and dendritic_steps == 0:
        return None
    spread = 0 if delays is None else delays.last_steps - delays.first_steps
    if dendritic_steps + spread > MOST_STEPS_AHEAD:
        raise ConfigurationError(
            f"{where}.dendritic_delay_ms: {dendritic_steps} steps are not allowed beside the {spread} from the "
            f"smallest to the largest delay_ms; at most {MOST_STEPS_AHEAD} together"
        )
    return InputRing(dendritic_steps + spread)


def drawn_delays(where: str, distribution: Distribution, dt_ms: float) -> DrawnDelays:
    """What `distribution` (in ms) means in steps: rounded to whole ones, beyond its ends set to them.

    A normal distribution ends at 4 standard deviations on both sides (but not below one step) unless it says otherwise.

    Raises:
        ConfigurationError: an end below one step, ends too far apart; names `where`, the value and what is allowed.
    """
    low_ms, high_ms = distribution.low, distribution.high
    from_std = "low" if low_ms is None else None, "high" if high_ms is None else None
    given = f"mean {distribution.mean:g}, std {distribution.std:g}" if isinstance(distribution, Normal) else ""
    kind = "normal" if isinstance(distribution, Normal) else "uniform"
    if isinstance(distribution, Normal):
        reach_ms = _NORMAL_ENDS_STD * distribution.std
        if high_ms is None:
            high_ms = max(distribution.mean + reach_ms, -np.inf if low_ms is None else low_ms)
        if low_ms is None:
            low_ms = min(max(distribution.mean - reach_ms, dt_ms), high_ms)
        distribution = Normal(distribution.mean, distribution.std, float(low_ms), float(high_ms))
    assert low_ms is not None and high_ms is not None
    for name, end_ms in (("high", high_ms), ("low", low_ms)):
        if not 1 <= round(end_ms / dt_ms) < 2**31:
            field = f"{kind}: {given}, so an end at" if name in from_std else f"{kind}.{name}:"
            raise ConfigurationError(
                f"{where}.{field} {end_ms:g} is not allowed; must be a number in ms of at least one step (dt_ms "
                f"{dt_ms:g}) and at most 2^31 - 1 of them"
            )
    first, last = round(low_ms / dt_ms), round(high_ms / dt_ms)
    if last - first > MOST_STEPS_AHEAD:
        raise ConfigurationError(
            f"{where}.{kind}: {low_ms:g} .. {high_ms:g} ms are {last - first} steps; at most {MOST_STEPS_AHEAD}"
        )
    halves_ms = (np.arange(first, last, dtype=np.float64) + 0.5) * np.float64(dt_ms)
    thresholds = [min(int(chance * 2.0**64), 2**64 - 1) for chance in _cumulative(distribution, halves_ms).tolist()]
    return DrawnDelays(distribution, first, np.array(thresholds, dtype=np.uint64))


def _cumulative(distribution: Distribution, at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Chance of a value of at most `at`, entry by entry."""
    if isinstance(distribution, Normal):
        if distribution.std == 0:
            return (at >= distribution.mean).astype(np.float64)
        from scipy.special import ndtr  # takes longer to load than most commands take

        return np.asarray(ndtr((at - distribution.mean) / distribution.std), dtype=np.float64)
    return np.clip((at - distribution.low) / max(distribution.high - distribution.low, 1e-300), 0.0, 1.0)
