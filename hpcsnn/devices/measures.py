"""What an executable has measured of the steps that it ran: wall seconds by phase, and how long steps took."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hpcsnn.codegen.constants import CYCLE_EDGES_US, PARTED_EVERY, ExchangePart, StepTimes
from hpcsnn.codegen.schedule import PHASES, Phase

_EXCHANGE = PHASES.index("exchange")


def is_parted(step: int) -> bool:
    """Whether the exchange in a step is told apart into parts, for which all ranks wait for each other before it."""
    return (step + 1) % PARTED_EVERY == 0


def count_cycle(times: StepTimes, spent_s: float) -> None:
    """One more step that took so long; below and above all edges it counts with the outermost."""
    place = bisect_right(CYCLE_EDGES_US, 1e6 * spent_s) - 1
    times.cycles[min(max(place, 0), len(times.cycles) - 1)] += 1


def _no_cycles() -> NDArray[np.int64]:
    return np.zeros(len(CYCLE_EDGES_US) - 1, np.int64)


@dataclass(frozen=True)
class Measures:
    """Of one executable, or of several that followed each other (`+`).

    Attributes:
        phases_s: wall seconds in each phase, those of the exchange as they were, those of the others shared out as in
            the steps that were timed.
        parts_s: those of the exchange by what they went to, a sum of as many.
        cycles: how many of the steps that were timed took how long, by `CYCLE_EDGES_US`.
    """

    phases_s: dict[Phase, float] = field(default_factory=lambda: dict.fromkeys(PHASES, 0.0))
    parts_s: dict[ExchangePart, float] = field(default_factory=lambda: dict.fromkeys(ExchangePart, 0.0))
    cycles: NDArray[np.int64] = field(default_factory=_no_cycles)

    @classmethod
    def of(cls, times: StepTimes, advancing_s: float) -> Measures:
        """What was added up while `advance` took `advancing_s` in all."""
        timed = {phase: times.phases[n] if n != _EXCHANGE else 0.0 for n, phase in enumerate(PHASES)}
        total = sum(timed.values())
        scale = (advancing_s - times.exchange) / total if total > 0 else 0.0
        phases_s = {phase: scale * seconds for phase, seconds in timed.items()} | {"exchange": times.exchange}
        return cls(phases_s, _parts(times), np.array(times.cycles, np.int64))

    def __add__(self, other: Measures) -> Measures:
        return Measures(
            {phase: seconds + other.phases_s[phase] for phase, seconds in self.phases_s.items()},
            {part: seconds + other.parts_s[part] for part, seconds in self.parts_s.items()},
            self.cycles + other.cycles,
        )


def count_parts(times: StepTimes, transfer_s: float, accept_s: float) -> None:
    """One more exchange that was told apart into parts."""
    times.log_transfer += math.log(max(transfer_s, 1e-9))
    times.accept += accept_s
    times.parted_exchanges += 1


def _parts(times: StepTimes) -> dict[ExchangePart, float]:
    """What the time of all exchanges went to.

    A transfer takes about as long each time, so that those that were told apart stand for all, and so does accepting.
    Waiting does not: a rank that grows its rows lets the others wait in whichever exchange comes next. It is what is
    left; where none was told apart all.
    """
    n, transfer, accept = times.parted_exchanges, 0.0, 0.0
    if n:
        transfer = times.exchanges * math.exp(times.log_transfer / n)
        accept = times.exchanges * times.accept / n
    if (steady := transfer + accept) > times.exchange:  # those that were told apart took longer than the others
        transfer, accept = (part * times.exchange / steady for part in (transfer, accept))
    wait = times.exchange - transfer - accept
    return {ExchangePart.WAIT: wait, ExchangePart.TRANSFER: transfer, ExchangePart.ACCEPT: accept}
