"""What users set: parameters, lists, distributions over neurons or synapses (``{normal: {mean: -60, std: 5}}``)."""

from __future__ import annotations

import math
from dataclasses import MISSING, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.checked_numbers import (
    LARGEST_WHOLE,
    Limits,
    real_number,
    real_numbers,
    truth_value,
    whole_number,
    whole_numbers,
    whole_steps,
    whole_steps_of,
)
from hpcsnn.errors import ConfigurationError, shown, unknown_name

# A 32-bit random word is no further from a normal distribution's mean.
_FURTHEST_STD = 6.5


@dataclass(frozen=True)
class Normal:
    """Normal distribution with ``mean`` and ``std`` in the variable's unit.

    What is drawn below ``low`` or above ``high`` is set to that bound; None: there is no such bound.

    Raises:
        ConfigurationError: a number that is none or not finite, a negative ``std``, a ``high`` below ``low``.
    """

    mean: float
    std: float
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        _make_real(self, "normal")
        if self.std < 0:
            raise ConfigurationError(f"normal.std: {self.std!r} is not allowed; must be a number >= 0")
        _check_ends("normal", self.low, self.high)

    def extremes(self) -> tuple[float, float]:
        """Numbers that no draw is below or above."""
        low, high = self.mean - _FURTHEST_STD * self.std, self.mean + _FURTHEST_STD * self.std
        ends = (-math.inf if self.low is None else self.low, math.inf if self.high is None else self.high)
        return min(max(low, ends[0]), ends[1]), min(max(high, ends[0]), ends[1])

    def values(self, words: NDArray[np.uint32]) -> NDArray[np.float64]:
        """One value a 32-bit random word, by the inverse distribution function."""
        from scipy.special import ndtri  # takes longer to load than most commands take

        values: NDArray[np.float64] = self.mean + self.std * ndtri((words.astype(np.float64) + 0.5) / 2.0**32)
        return values if self.low is None and self.high is None else np.clip(values, self.low, self.high)


@dataclass(frozen=True)
class Uniform:
    """Uniform distribution on [low, high) in the variable's unit.

    Raises:
        ConfigurationError: a number that is none or not finite, a ``high`` below ``low``.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        _make_real(self, "uniform")
        _check_ends("uniform", self.low, self.high)

    def extremes(self) -> tuple[float, float]:
        """Numbers that no draw is below or above."""
        return self.low, self.high

    def values(self, words: NDArray[np.uint32]) -> NDArray[np.float64]:
        """One value a 32-bit random word."""
        return self.low + (self.high - self.low) * (words.astype(np.float64) / 2.0**32)


def _make_real(distribution: Any, name: str) -> None:
    """Make what a distribution was given floats; None stays, where it is the default."""
    for of in fields(distribution):
        value = getattr(distribution, of.name)
        if value is not None or of.default is MISSING:
            object.__setattr__(distribution, of.name, real_number(f"{name}.{of.name}", value, _FINITE))


def _check_ends(name: str, low: float | None, high: float | None) -> None:
    if low is not None and high is not None and high < low:
        raise ConfigurationError(f"{name}: low {low!r}, high {high!r} is not allowed; high must be >= low")


Distribution = Normal | Uniform
_FINITE = Limits(in_kernels=False)
DISTRIBUTIONS: dict[str, type[Distribution]] = {"normal": Normal, "uniform": Uniform}


def parse_distribution(where: str, spec: dict[str, Any]) -> Distribution:
    """The distribution that ``{name: {argument: value}}`` says.

    Raises:
        ConfigurationError: no such distribution, or arguments that are not allowed; the message begins with `where`.
    """
    if len(spec) != 1 or next(iter(spec)) not in DISTRIBUTIONS:
        raise ConfigurationError(unknown_name(where, ", ".join(map(str, spec)), DISTRIBUTIONS))
    ((name, arguments),) = spec.items()
    allowed = {of.name: of.default is MISSING for of in fields(DISTRIBUTIONS[name])}
    needed = {name for name, must in allowed.items() if must}
    if not isinstance(arguments, dict) or not needed <= set(arguments) <= set(allowed):
        words = {"normal": "mean, std (and low, high, if it is to end there)", "uniform": "low, high"}[name]
        raise ConfigurationError(f"{where}.{name}: {shown(arguments)} is not allowed; must have numbers {words}")
    try:
        return DISTRIBUTIONS[name](**arguments)
    except ConfigurationError as error:
        raise ConfigurationError(f"{where}.{error}") from None
    except ValueError:  # of NumPy, where an argument is a list
        raise ConfigurationError(f"{where}.{name}: {arguments!r} is not allowed; must have numbers") from None


@dataclass(frozen=True, eq=False)
class GivenValues:
    """Where a distribution may stand, values one by one: of synapses in the order of the connector's list, or of target
    neurons in the order of ids, for all synapses that each has.

    Attributes:
        values: shape (n,), float64.
        each: whose they are: ``synapse`` or ``target neuron``.
    """

    values: NDArray[np.float64]
    each: str

    def of(self, position: NDArray[Any] | None, post: NDArray[Any]) -> NDArray[np.float64]:
        """Those of some synapses, by their places in the list, if there is one, and their targets."""
        return self.values[post if position is None else position]


def is_array(value: object) -> bool:
    """Whether this is to be values one by one, and not one number."""
    return isinstance(value, (list, tuple)) or (getattr(value, "ndim", 0) or 0) > 0


def given_values(where: str, values: object, each: tuple[int, str], limits: Limits) -> GivenValues:
    """Values one by one; `each`: how many there must be, and whose they are.

    Raises:
        ConfigurationError: no numbers, or not so many; names `where` and the first that is not allowed.
    """
    n, whose = each
    array = real_numbers(where, values, limits, whose)
    if len(array) != n:
        raise ConfigurationError(f"{where}: has {len(array)} values; must be one number or {n} values, one per {whose}")
    return GivenValues(array, whose)


def described_distribution(distribution: Distribution) -> dict[str, dict[str, float]]:
    """The reverse of `parse_distribution`: plain types, as a configuration file has them."""
    name = "normal" if isinstance(distribution, Normal) else "uniform"
    return {name: {key: float(value) for key, value in vars(distribution).items() if value is not None}}


@dataclass(frozen=True)
class Parameter:
    """One number the user sets, or one of some words, or yes or no.

    ``default`` None means that the user must give it. ``ctype`` is ``float``, ``int``, ``probability`` or ``bool``; a
    probability reaches the kernel as the ``Probability`` that ``chance(random, p)`` takes, true and false as 1 and 0.
    Bounds are inclusive unless the name says ``above``. ``in_steps`` is for times that the model rounds to steps: what
    the user gives must be whole steps of the network, at least one if it must be above 0; what is drawn is rounded.
    Of ``choices``, snippets see the number of the word that was chosen (with ctype ``int``).
    """

    default: float | str | None
    unit: str
    doc: str
    ctype: str = "float"
    minimum: float | None = None
    above: float | None = None
    maximum: float | None = None
    in_steps: bool = False
    choices: tuple[str, ...] = ()

    @property
    def _limits(self) -> Limits:
        maximum = self.maximum
        if self.ctype == "int" and maximum is not None and maximum > LARGEST_WHOLE:
            maximum = None  # no more than kernels hold
        return Limits(self.unit, self.minimum, self.above, maximum, in_kernels=self.ctype == "float")

    @property
    def default_text(self) -> str:
        """The default as it is shown; nothing where the user must give a value."""
        if isinstance(self.default, bool):
            return str(self.default).lower()
        return self.default if isinstance(self.default, str) else "" if self.default is None else f"{self.default:g}"

    def allowed(self) -> str:
        """The allowed range in words."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        if self.ctype == "bool":
            return "true or false"
        return self._limits.words("a whole number" if self.ctype == "int" else "a number")

    def checked(self, where: str, value: object) -> float | int | str:
        """`value` as the parameter's type.

        Raises:
            ConfigurationError: not a finite number of this kind, or out of bounds, or none of the choices; names
                `where` and the value.
        """
        if self.choices:
            if value not in self.choices:
                raise ConfigurationError(f"{where}: {shown(value)} is not allowed; must be {self.allowed()}")
            return str(value)
        if self.ctype == "bool":
            return truth_value(where, value)
        return self._checked(where, value, "")

    def _checked(self, where: str, value: object, whose: str) -> float | int:
        if self.ctype == "int":
            return whole_number(where, value, self._limits, whose)
        return real_number(where, value, self._limits, whose)

    def checked_of_neurons(self, where: str, value: object) -> Distribution | tuple[float | int, ...]:
        """`value` as a distribution, or as one value of the parameter's type a neuron.

        Raises:
            ConfigurationError: neither, or a value that is not allowed; names `where`, the value and its neuron.
        """
        if self.choices or self.ctype == "bool":
            raise ConfigurationError(f"{where}: {shown(value)} is not allowed; must be {self.allowed()}")
        if isinstance(value, dict):
            value = parse_distribution(where, value)
        if isinstance(value, (Normal, Uniform)):
            if self.ctype == "int":
                allowed = f"{self.allowed()}, or a list of them"
                raise ConfigurationError(f"{where}: {value!r} is not allowed; must be {allowed}")
            return value
        if self.ctype == "int":
            return tuple(whole_numbers(where, value, self._limits, "neuron").tolist())
        return tuple(real_numbers(where, value, self._limits, "neuron").tolist())

    def checked_of_neuron(self, where: str, value: object, neuron: int) -> float | int:
        """As `checked`, with the neuron's id in the message."""
        return self._checked(where, value, f" of neuron {neuron}")

    def check_steps(self, where: str, value: Any, dt_ms: float) -> None:
        """Refuse a time between two steps, if the model counts it in steps; what is drawn is rounded.

        Raises:
            ConfigurationError: names `where`, the value and the two steps it is between.
        """
        if not self.in_steps or isinstance(value, (Normal, Uniform)):
            return
        least = 1 if self.above is not None and self.above >= 0 else 0
        for neuron, time_ms in enumerate(value if isinstance(value, tuple) else ()):
            whole_steps(where, time_ms, dt_ms, least, whose=f" of neuron {neuron}")
        if not isinstance(value, tuple):
            whole_steps(where, value, dt_ms, least)


def choice(default: str, doc: str, *choices: str) -> Parameter:
    """A parameter that is one of some words."""
    return Parameter(default, "", doc, ctype="int", choices=choices)


def truth(default: bool, doc: str) -> Parameter:
    """A parameter that is true or false."""
    return Parameter(default, "", doc, ctype="bool")


def probability(default: float | None, doc: str) -> Parameter:
    """A parameter in [0, 1]."""
    return Parameter(default, "", doc, ctype="probability", minimum=0.0, maximum=1.0)


@dataclass(frozen=True)
class Data:
    """A list that the user gives: numbers, one per `each`.

    Lists of a model with the same ``each`` must be equally long. ``ctype`` is ``float`` or ``int``, bounds are
    inclusive; ``in_steps`` is for times, each of which must be whole steps of the network. ``of_neurons``: each entry
    may also be a list, with one number per neuron. ``column`` is what a file's column of it is called, if not as it is;
    ``in_kernels`` is False for numbers that only tables are made of, which float32 need not hold.
    """

    doc: str
    each: str
    ctype: str = "float"
    minimum: float | None = None
    maximum: float | None = None
    in_steps: bool = False
    of_neurons: bool = False
    column: str = ""
    in_kernels: bool = True

    def checked(self, where: str, value: object) -> NDArray[Any]:
        """`value` as an array of its own, shape (n,) or (n, n_neurons), int64 or float64.

        Raises:
            ConfigurationError: no list of such numbers; names `where` and the first entry that is not allowed.
        """
        limits = Limits(minimum=self.minimum, maximum=self.maximum, in_kernels=self.in_kernels and not self.in_steps)
        numbers = whole_numbers if self.ctype == "int" else real_numbers
        if not self.of_neurons or not isinstance(value, (list, tuple, np.ndarray)) or not _has_rows(value):
            return numbers(where, value, limits, self.each)
        rows = [numbers(f"{where}[{number}]", row, limits, "neuron") for number, row in enumerate(value)]
        for number, row in enumerate(rows):
            if len(row) != len(rows[0]):
                raise ConfigurationError(
                    f"{where}[{number}]: has {len(row)} values, and {where}[0] has {len(rows[0])}; must be equally "
                    "many, one per neuron"
                )
        array = np.stack(rows)
        array.setflags(write=False)
        return array

    def plain(self, value: Any) -> Any:
        """What `checked` gave, as a configuration file has it."""
        return value.tolist()

    def check_steps(self, where: str, value: Any, dt_ms: float) -> None:
        """Refuse a time between two steps, if these are times.

        Raises:
            ConfigurationError: names `where`, the value and the two steps it is between.
        """
        if self.in_steps:
            whole_steps_of(where, value, dt_ms, self.each)


def _has_rows(value: list[Any] | tuple[Any, ...] | NDArray[Any]) -> bool:
    """Whether entries are lists themselves."""
    if isinstance(value, np.ndarray):
        return value.ndim == 2 and len(value) > 0
    first = value[0] if value else None
    if isinstance(first, np.ndarray):
        return first.ndim == 1
    return isinstance(first, (list, tuple)) and not any(isinstance(one, (list, tuple)) for one in first)
