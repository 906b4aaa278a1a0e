"""Distributions over neurons or synapses, and how a configuration writes them: ``{normal: {mean: -60, std: 5}}``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.errors import ConfigurationError, unknown_name


@dataclass(frozen=True)
class Normal:
    """Normal distribution with ``mean`` and ``std`` in the variable's unit.

    What is drawn below ``low`` or above ``high`` is set to that bound; None: there is no such bound.
    """

    mean: float
    std: float
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        if not np.isfinite([self.mean, self.std]).all() or self.std < 0:
            raise ConfigurationError(
                f"normal: mean {self.mean!r}, std {self.std!r} is not allowed; std must be >= 0 and both finite"
            )
        bounds = [bound for bound in (self.low, self.high) if bound is not None]
        if not np.isfinite(bounds).all() or bounds != sorted(bounds):
            raise ConfigurationError(
                f"normal: low {self.low!r}, high {self.high!r} is not allowed; high must be >= low and both finite"
            )

    def values(self, words: NDArray[np.uint32]) -> NDArray[np.float64]:
        """One value a 32-bit random word, by the inverse distribution function."""
        from scipy.special import ndtri  # takes longer to load than most commands take

        values: NDArray[np.float64] = self.mean + self.std * ndtri((words.astype(np.float64) + 0.5) / 2.0**32)
        return values if self.low is None and self.high is None else np.clip(values, self.low, self.high)


@dataclass(frozen=True)
class Uniform:
    """Uniform distribution on [low, high) in the variable's unit."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not np.isfinite([self.low, self.high]).all() or self.high < self.low:
            raise ConfigurationError(
                f"uniform: low {self.low!r}, high {self.high!r} is not allowed; high must be >= low and both finite"
            )

    def values(self, words: NDArray[np.uint32]) -> NDArray[np.float64]:
        """One value a 32-bit random word."""
        return self.low + (self.high - self.low) * (words.astype(np.float64) / 2.0**32)


Distribution = Normal | Uniform
DISTRIBUTIONS: dict[str, type[Distribution]] = {"normal": Normal, "uniform": Uniform}


def parse_distribution(where: str, spec: dict[str, Any]) -> Distribution:
    """The distribution that ``{name: {argument: value}}`` says.

    Raises:
        ConfigurationError: no such distribution, or arguments that are not allowed; the message begins with `where`.
    """
    if len(spec) != 1 or next(iter(spec)) not in DISTRIBUTIONS:
        raise ConfigurationError(unknown_name(where, ", ".join(map(str, spec)), DISTRIBUTIONS))
    ((name, arguments),) = spec.items()
    try:
        return DISTRIBUTIONS[name](**arguments)
    except TypeError:
        needed = {"normal": "mean, std (and low, high, if it is to end there)", "uniform": "low, high"}[name]
        raise ConfigurationError(f"{where}.{name}: {arguments!r} is not allowed; must have numbers {needed}") from None
    except ConfigurationError as error:
        raise ConfigurationError(f"{where}.{error}") from None


def described_distribution(distribution: Distribution) -> dict[str, dict[str, float]]:
    """The reverse of `parse_distribution`: plain types, as a configuration file has them."""
    name = "normal" if isinstance(distribution, Normal) else "uniform"
    return {name: {key: float(value) for key, value in vars(distribution).items() if value is not None}}
