"""Chances as the whole numbers that kernels compare random numbers with: thresholds, waiting times, counts."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from hpcsnn.errors import ConfigurationError

# Expected events per step that `poisson_table` is long enough for: more than 254 are then rarer than 2^-32.
MOST_POISSON_EVENTS = 128.0
# Entries of a table of waiting times, and of those that are worked out together: in float64, several times.
MOST_WAITS = 2**28
_AT_ONCE = 2**22


def threshold64(probability: float) -> int:
    """The 64-bit number below which a 32-bit random number means success."""
    return round(probability * 2.0**32)


def thresholds(probabilities: NDArray[np.float64]) -> NDArray[np.uint64]:
    """`threshold64` of each entry."""
    return np.rint(probabilities * 2.0**32).astype(np.uint64)


def poisson_table(mean: float) -> NDArray[np.uint32]:
    """Table for ``poisson_events``: (chance of at most k = 0 .. 254 events) * 2^32 - 1.

    `mean` is the expected number of events, at most `MOST_POISSON_EVENTS`. Result (255,), uint32.
    """
    ratios = mean / np.maximum(np.arange(255), 1)
    ratios[0] = math.exp(-mean)
    at_most = np.cumsum(np.cumprod(ratios))
    return np.clip(np.rint(at_most * 2.0**32) - 1.0, 0.0, 2.0**32 - 1.0).astype(np.uint32)


def few_poisson_events(where: str, rate_hz: float, dt_ms: float) -> None:
    """Refuse a rate of which `poisson_table` has not all that may come in a step.

    Raises:
        ConfigurationError: begins with `where`.
    """
    if rate_hz * dt_ms * 1e-3 > MOST_POISSON_EVENTS:
        raise ConfigurationError(
            f"{where}: {rate_hz:g} is not allowed; with dt_ms {dt_ms:g} it must be <= "
            f"{1e3 * MOST_POISSON_EVENTS / dt_ms:g} Hz"
        )


def survival_table(success: NDArray[np.float64], length: int) -> NDArray[np.uint32]:
    """Table for ``waiting_steps``: (chance of no success in k = 1 .. length trials) * 2^32 - 1.

    Shapes: `success` (n,) chances per trial below 1; result (n, length), uint32.
    """
    k = np.arange(1, length + 1)
    table = np.empty((len(success), length), dtype=np.uint32)
    rows = max(1, _AT_ONCE // length)
    for first in range(0, len(success), rows):
        chance = np.exp(np.log1p(-success[first : first + rows])[:, None] * k[None, :])
        table[first : first + rows] = np.clip(np.rint(chance * 2.0**32) - 1.0, 0.0, 2.0**32 - 1.0)
    return table
