"""Spans of model time as steps, for those who read what was recorded."""

from __future__ import annotations

import numpy as np

from hpcsnn.checked_numbers import LAST_STEP, Limits, real_number

# Of a model time to read.
TIME = Limits("ms", minimum=0.0, in_kernels=False)


def steps_between(from_ms: float, to_ms: float | None, dt_ms: float) -> tuple[int, int]:
    """First and last step that begin at `from_ms` or later, and before `to_ms`.

    Raises:
        ConfigurationError: no times, or an end before the beginning.
    """
    start_ms, end_ms = checked_span(from_ms, to_ms, np.inf)
    return _first_step(start_ms, dt_ms), LAST_STEP if to_ms is None else _first_step(end_ms, dt_ms) - 1


def checked_span(from_ms: float, to_ms: float | None, end_ms: float) -> tuple[float, float]:
    """Beginning and end of what is read, in ms; `end_ms` (at least the beginning) where no `to_ms` is given.

    Raises:
        ConfigurationError: no times, or an end before the beginning.
    """
    start_ms = real_number("from_ms", from_ms, TIME)
    if to_ms is None:
        return start_ms, max(start_ms, end_ms)
    return start_ms, real_number("to_ms", to_ms, Limits("ms", minimum=start_ms, in_kernels=False))


def _first_step(time_ms: float, dt_ms: float) -> int:
    """The first step at a time or after it; times are sums of steps, and lack the last digits."""
    near = round(time_ms / dt_ms)
    return near if abs(near * dt_ms - time_ms) <= 1e-3 * dt_ms else int(np.ceil(time_ms / dt_ms))
