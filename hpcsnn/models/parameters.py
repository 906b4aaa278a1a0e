"""What users set: parameters, and distributions over neurons or synapses (``{normal: {mean: -60, std: 5}}``)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.checked_numbers import LARGEST_NUMBER, LARGEST_WHOLE
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
    except ValueError:  # of NumPy, where an argument is a list
        raise ConfigurationError(f"{where}.{name}: {arguments!r} is not allowed; must have numbers") from None


def described_distribution(distribution: Distribution) -> dict[str, dict[str, float]]:
    """The reverse of `parse_distribution`: plain types, as a configuration file has them."""
    name = "normal" if isinstance(distribution, Normal) else "uniform"
    return {name: {key: float(value) for key, value in vars(distribution).items() if value is not None}}


@dataclass(frozen=True)
class Parameter:
    """One number the user sets.

    ``default`` None means that the user must give it. ``ctype`` is ``float``, ``int`` or ``probability``; a
    probability reaches the kernel as the ``Probability`` that ``chance(random, p)`` takes.
    Bounds are inclusive unless the name says ``above``.
    """

    default: float | None
    unit: str
    doc: str
    ctype: str = "float"
    minimum: float | None = None
    above: float | None = None
    maximum: float | None = None

    def allowed(self) -> str:
        """The allowed range in words."""
        bounds = []
        if self.above is not None:
            bounds.append(f"> {self.above:g}")
        if self.minimum is not None:
            bounds.append(f">= {self.minimum:g}")
        if self.maximum is not None:
            bounds.append(f"<= {self.maximum:g}")
        kind = "a whole number" if self.ctype == "int" else "a number"
        unit = f" in {self.unit}" if self.unit else ""
        return f"{kind}{unit}" + (f" {' and '.join(bounds)}" if bounds else "")

    def checked(self, where: str, value: object) -> float | int:
        """`value` as the parameter's type.

        Raises:
            ConfigurationError: not a finite number of this kind, or out of bounds; names `where` and the value.
        """
        return self._checked(where, value, "")

    def _checked(self, where: str, value: object, whose: str) -> float | int:
        if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
            raise ConfigurationError(f"{where}: {value!r}{whose} is not allowed; must be {self.allowed()}")
        try:
            number = float(value)
        except OverflowError:  # a whole number of Python's has no end
            number = math.inf
        good = math.isfinite(number)
        good &= self.above is None or number > self.above
        good &= self.minimum is None or number >= self.minimum
        good &= self.maximum is None or number <= self.maximum
        good &= self.ctype != "int" or number.is_integer()
        if not good:
            raise ConfigurationError(f"{where}: {value!r}{whose} is not allowed; must be {self.allowed()}")
        if abs(number) > (LARGEST_WHOLE if self.ctype == "int" else LARGEST_NUMBER):
            held = "2^31 - 1" if self.ctype == "int" else f"{LARGEST_NUMBER:g}"
            raise ConfigurationError(f"{where}: {value!r}{whose} is not allowed; kernels hold numbers up to {held}")
        return int(number) if self.ctype == "int" else number

    def checked_of_neurons(self, where: str, value: object) -> Distribution | tuple[float | int, ...]:
        """`value` as a distribution, or as one value of the parameter's type a neuron.

        Raises:
            ConfigurationError: neither, or a value that is not allowed; names `where`, the value and its neuron.
        """
        if isinstance(value, dict):
            value = parse_distribution(where, value)
        if isinstance(value, (Normal, Uniform)):
            if self.ctype == "int":
                allowed = f"{self.allowed()}, or a list of them"
                raise ConfigurationError(f"{where}: {value!r} is not allowed; must be {allowed}")
            return value
        entries = value.tolist() if isinstance(value, np.ndarray) else list(value)  # type: ignore[call-overload]
        return tuple(self.checked_of_neuron(where, entry, neuron) for neuron, entry in enumerate(entries))

    def checked_of_neuron(self, where: str, value: object, neuron: int) -> float | int:
        """As `checked`, with the neuron's id in the message."""
        return self._checked(where, value, f" of neuron {neuron}")


def probability(default: float | None, doc: str) -> Parameter:
    """A parameter in [0, 1]."""
    return Parameter(default, "", doc, ctype="probability", minimum=0.0, maximum=1.0)
