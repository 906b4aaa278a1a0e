"""Times as users write them: with their unit, in model time or in wall time."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from hpcsnn.errors import ConfigurationError

_LONGEST_MIN = 100 * 365.25 * 1440
_UNITS_MS = {"ms": 1.0, "s": 1e3, "min": 60e3, "h": 3600e3}


def parse_time_ms(where: str, text: str) -> float:
    """``250ms``, ``10s``, ``5min``, ``2h`` in ms.

    Raises:
        ConfigurationError: no such time.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|min|h)\s*", str(text))
    time_ms = float(found[1]) * _UNITS_MS[found[2]] if found else 0.0
    if not 0 < time_ms < math.inf:
        raise ConfigurationError(
            f"{where}: {text!r} is not allowed; must be a time with its unit: 250ms, 10s, 5min, 2h"
        )
    return time_ms


# Slurm's forms: minutes, minutes:seconds, hours:minutes:seconds, days-hours, days-hours:minutes and with :seconds.
_SLURM_LIMIT = re.compile(r"(?:(?P<days>\d+)-)?(?P<first>\d+)(?::(?P<second>\d+))?(?::(?P<third>\d+))?")


def parse_limit_min(where: str, text: str) -> float:
    """A time limit in minutes: with a unit as `parse_time_ms` has it, or as Slurm writes it (``1-00:00:00``, ``90``).

    Raises:
        ConfigurationError: no such time.
    """
    found = _SLURM_LIMIT.fullmatch(text.strip())
    if not found:
        try:
            return parse_time_ms(where, text) / 60e3
        except ConfigurationError:
            raise ConfigurationError(
                f"{where}: {text!r} is not allowed; must be a time with its unit, such as 90min or 2h, or one of "
                "Slurm's forms: minutes, hours:minutes:seconds, days-hours:minutes:seconds"
            ) from None
    first, second, third = (int(found[name] or 0) for name in ("first", "second", "third"))
    if found["days"] is not None:
        minutes = int(found["days"]) * 1440.0 + first * 60.0 + second + third / 60.0
    elif found["third"] is not None:
        minutes = first * 60.0 + second + third / 60.0
    else:
        minutes = first + second / 60.0
    if not 0 < minutes < _LONGEST_MIN:
        raise ConfigurationError(f"{where}: {text!r} is not allowed; must be more than 0 and below 100 years")
    return minutes


@dataclass(frozen=True)
class Every:
    """How often to write a checkpoint: every `model_ms` of model time or every `wall_s` of wall time."""

    model_ms: float | None = None
    wall_s: float | None = None

    @classmethod
    def parse(cls, text: str) -> Every:
        """``10s`` (model time) or ``10min-wall``.

        Raises:
            ConfigurationError: neither.
        """
        time_text, wall, rest = str(text).partition("-wall")
        if rest:
            raise ConfigurationError(f"checkpoint_every: {text!r} is not allowed; must be like 10s or 10min-wall")
        time_ms = parse_time_ms("checkpoint_every", time_text)
        return cls(wall_s=time_ms * 1e-3) if wall else cls(model_ms=time_ms)
