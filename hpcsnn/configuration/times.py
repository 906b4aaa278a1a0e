"""Times as users write them: with their unit, in model time or in wall time."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from hpcsnn.errors import ConfigurationError

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
