"""Numbers as they come in, from Python or a configuration: taken, or refused by name, value and what is allowed.

Python's numbers and NumPy's are taken alike, and an array without dimensions is the number in it. A float of NumPy's
that is narrower than 64 bits is the decimal that it prints as: ``np.float32(0.1)`` is 0.1, as its author wrote it.
Truth values, texts, times of NumPy and None are no numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from hpcsnn.errors import ConfigurationError, shown

# The largest numbers that constants and variables hold in kernels: as float32, and as 32-bit whole numbers; and what is
# nearest to 0 without losing digits.
LARGEST_NUMBER, LARGEST_WHOLE = (2.0 - 2.0**-23) * 2.0**127, 2**31 - 1
SMALLEST_NUMBER = 2.0**-126
# Steps are counted in 32 bits: a run ends here at the latest.
LAST_STEP = LARGEST_WHOLE
# A time is a whole number of steps if it is one to this part of itself, and never by more than this part of a step.
_STEPS_RELATIVE, _STEPS_ABSOLUTE = Fraction(1, 10**9), Fraction(1, 1000)
_POWERS = {2**31 - 1: "2^31 - 1", 2**63 - 1: "2^63 - 1", 2**64 - 1: "2^64 - 1"}


@dataclass(frozen=True)
class Limits:
    """What a number may be. Bounds are inclusive unless the name says ``above``.

    Attributes:
        unit: of the number, for messages.
        minimum, above, maximum: bounds; None: there is none. A whole number without a maximum has 32 bits.
        in_kernels: a real number is held as float32: it may not be beyond it, nor nearer to 0 than it has digits for.
    """

    unit: str = ""
    minimum: float | None = None
    above: float | None = None
    maximum: float | None = None
    in_kernels: bool = True

    def words(self, kind: str) -> str:
        """The allowed range: ``a number in ms > 0``."""
        bounds = [
            f"{sign} {_POWERS.get(bound) or format(bound, 'g')}"  # type: ignore[call-overload]
            for sign, bound in ((">", self.above), (">=", self.minimum), ("<=", self.maximum))
            if bound is not None
        ]
        unit = f" in {self.unit}" if self.unit else ""
        return f"{kind}{unit}" + (f" {' and '.join(bounds)}" if bounds else "")

    def allow(self, numbers: Any) -> Any:
        """Whether a number, or each of an array, is within the bounds."""
        good = numbers == numbers  # no nan
        if self.above is not None:
            good = good & (numbers > self.above)
        if self.minimum is not None:
            good = good & (numbers >= self.minimum)
        return good if self.maximum is None else good & (numbers <= self.maximum)


ANY = Limits()


def whole_number(where: str, value: object, limits: Limits = ANY, whose: str = "") -> int:
    """`value` as a whole number; one written as 4.0 is 4.

    Args:
        where: the field, for the message.
        value: what was given.
        limits: what it may be.
        whose: " of neuron 7", where the field has several.

    Raises:
        ConfigurationError: no whole number, or beyond the limits.
    """
    number = _plain(value)
    if isinstance(number, float) and number.is_integer():
        number = int(number)
    if not isinstance(number, int) or not limits.allow(number):
        _refuse(where, value, limits.words("a whole number"), whose)
    if limits.maximum is None and not -LARGEST_WHOLE <= number <= LARGEST_WHOLE:
        _refuse(where, value, "", whose, "kernels hold numbers up to 2^31 - 1")
    return number


def real_number(where: str, value: object, limits: Limits = ANY, whose: str = "") -> float:
    """`value` as a finite number; arguments as of `whole_number`.

    Raises:
        ConfigurationError: no number, not finite, beyond the limits or, where kernels hold it, beyond float32.
    """
    number = _plain(value)
    if number is not None:
        try:
            number = float(number)
        except OverflowError:  # a whole number of Python's has no end
            number = math.inf
    if number is None or not math.isfinite(number) or not limits.allow(number):
        words = limits.words("a number")
        _refuse(where, value, "a finite number" if words == "a number" else words, whose)
    if limits.in_kernels and not _held(number):
        _refuse(where, value, "", whose, _HELD)
    return number


def truth_value(where: str, value: object) -> bool:
    """`value` as True or False; numbers and texts are neither.

    Raises:
        ConfigurationError: neither.
    """
    inside = value[()] if isinstance(value, np.ndarray) and value.ndim == 0 else value
    if not isinstance(inside, (bool, np.bool_)):
        _refuse(where, value, "true or false")
    return bool(inside)


def whole_numbers(where: str, values: object, limits: Limits = ANY, each: str = "entry") -> NDArray[np.int64]:
    """A list or array of whole numbers, shape (n,), as one of its own that nobody changes.

    Args:
        where: the field, for the message.
        values: what was given.
        limits: what each may be.
        each: what an entry is of, for the message: "neuron", "synapse".

    Raises:
        ConfigurationError: no list of numbers, or an entry that is not allowed; names the first such entry.
    """
    array = _listed(where, values, "whole numbers", each)
    if isinstance(array, list):
        own = [whole_number(where, value, limits, f" of {each} {index}") for index, value in enumerate(array)]
        return _kept(np.array(own, dtype=np.int64))
    numbers = _decimals(array) if array.dtype.kind == "f" else array
    most = LARGEST_WHOLE if limits.maximum is None else limits.maximum
    good = limits.allow(numbers) & (numbers <= most) & (numbers >= -most) & (numbers == np.rint(numbers))
    for index in np.flatnonzero(~good)[:1]:
        whole_number(where, _entry(values, array, index), limits, f" of {each} {index}")
    return _kept(numbers.astype(np.int64))


def real_numbers(where: str, values: object, limits: Limits = ANY, each: str = "entry") -> NDArray[np.float64]:
    """A list or array of finite numbers, shape (n,), float64; as `whole_numbers`.

    Raises:
        ConfigurationError: no list of numbers, or an entry that is not allowed; names the first such entry.
    """
    array = _listed(where, values, "numbers", each)
    if isinstance(array, list):
        own = [real_number(where, value, limits, f" of {each} {index}") for index, value in enumerate(array)]
        return _kept(np.array(own, dtype=np.float64))
    numbers = _decimals(array)
    good = limits.allow(numbers) & np.isfinite(numbers)
    if limits.in_kernels:
        good &= _held(numbers)
    for index in np.flatnonzero(~good)[:1]:
        real_number(where, _entry(values, array, index), limits, f" of {each} {index}")
    return _kept(numbers)


def whole_steps(
    where: str, time_ms: object, dt_ms: float, least: int = 0, after_ms: float = 0.0, whose: str = ""
) -> int:
    """A time in steps, which it must be a whole number of to 1e-9 of itself.

    Args:
        where: the field, for the message.
        time_ms: what was given.
        dt_ms: length of a step.
        least: fewest steps that are allowed.
        after_ms: a time that the user may have subtracted to come to this one, and whose last digits it lacks then.
        whose: " of spike 7", where the field has several.

    Raises:
        ConfigurationError: no time, fewer steps than `least` or more than `LAST_STEP`, or between two steps: the
            message has both.
    """
    given_ms = real_number(where, time_ms, Limits("ms", in_kernels=False), whose)
    exact = Fraction(given_ms) / Fraction(dt_ms)
    steps = round(exact)
    if steps > LAST_STEP:
        count = f"{steps}" if steps < 10**16 else f"{float(steps):g}" if steps < 10**308 else f"{Decimal(steps):.0e}"
        most = f"at most 2^31 - 1, which are {shown_time(LAST_STEP * dt_ms)} ms"
        raise ConfigurationError(f"{where}: {shown(time_ms)}{whose} is {count} steps of {shown_time(dt_ms)} ms; {most}")
    allowed = min(_STEPS_RELATIVE * abs(exact), _STEPS_ABSOLUTE)
    if after_ms:
        allowed += Fraction(4 * math.ulp(after_ms)) / Fraction(dt_ms)
    if steps < least or abs(exact - steps) > allowed:
        near = sorted({max(n, least) for n in (math.floor(exact), math.ceil(exact))})
        words = " or ".join(shown_time(n * dt_ms) for n in near)
        from_one = ", at least one" if least == 1 else ""
        _refuse(where, time_ms, f"a whole number of steps of {shown_time(dt_ms)} ms{from_one}: {words}", whose)
    return steps


def whole_steps_of(where: str, times_ms: NDArray[np.float64], dt_ms: float, each: str = "entry") -> NDArray[np.int64]:
    """`whole_steps` of each time, shape (n,); the message names the first that is not allowed."""
    with np.errstate(over="ignore"):
        exact = times_ms / dt_ms
    steps = np.rint(np.clip(exact, -1.0, LAST_STEP + 1.0))
    # Division and rounding are far more exact than what is allowed: those in doubt are looked at one by one.
    clear = (np.abs(exact - steps) < 0.5e-9 * np.maximum(np.abs(exact), 1e-6)) & (steps >= 0) & (steps < 10**6)
    for index in np.flatnonzero(~clear):
        steps[index] = whole_steps(where, times_ms[index], dt_ms, whose=f" of {each} {index}")
    return steps.astype(np.int64)


def shown_time(time_ms: float) -> str:
    """A multiple of a step without the rounding of floating point: 0.3, where 3 * 0.1 is 0.30000000000000004."""
    return f"{time_ms:.15g}"


# From here on numbers are rounded to infinity.
_BEYOND = (2.0 - 2.0**-24) * 2.0**127
_HELD = f"kernels hold numbers from {SMALLEST_NUMBER:g} to {LARGEST_NUMBER:g}, and 0"


def _held(numbers: Any) -> Any:
    """Whether float32 holds a number, or each of an array, with all its digits."""
    size = abs(numbers)
    return (size < _BEYOND) & ((size >= SMALLEST_NUMBER) | (size == 0))


def _refuse(where: str, value: object, allowed: str, whose: str = "", because: str = "") -> NoReturn:
    raise ConfigurationError(f"{where}: {shown(value)}{whose} is not allowed; {because or f'must be {allowed}'}")


def _plain(value: object) -> int | float | None:
    """The Python number that a number of Python's or NumPy's is; None: it is none."""
    if not isinstance(value, (int, float, np.generic)) and getattr(value, "ndim", None) == 0:
        inside = np.ma.asanyarray(value) if isinstance(value, np.ma.MaskedArray) else np.asarray(value)
        value = None if np.ma.is_masked(inside) else inside[()]
    if isinstance(value, (bool, np.bool_, np.timedelta64)):
        return None
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, np.floating) and value.dtype.itemsize < 8:
        return float(str(value))
    return float(value) if isinstance(value, (float, np.floating)) else None


def _decimals(array: NDArray[Any]) -> NDArray[np.float64]:
    """Numbers as float64; of narrower ones the decimals that they print as."""
    if array.dtype.kind == "f" and array.dtype.itemsize < 8:
        return np.array(array.astype(str), dtype=np.float64)
    return array.astype(np.float64)


def _listed(where: str, values: object, kind: str, each: str) -> NDArray[Any] | list[Any]:
    """`values` as an array of numbers, shape (n,); as a list where they must be looked at one by one.

    Raises:
        ConfigurationError: no list or array, or one of another shape.
    """
    allowed = f"a list of {kind}, one per {each}"
    if not isinstance(values, (list, tuple, range)) and not (
        getattr(values, "ndim", 0) and hasattr(values, "__array__")
    ):
        _refuse(where, values, allowed)
    if np.ma.is_masked(values):
        _refuse(where, values, f"{allowed}, and none of it masked")
    try:
        array = np.asarray(values)
    except (ValueError, OverflowError):  # lists of unequal length in a list
        return list(values)  # type: ignore[call-overload,no-any-return]
    if array.ndim != 1:
        raise ConfigurationError(f"{where}: has shape {array.shape}; must be {allowed}")
    if isinstance(values, (list, tuple)):
        # What NumPy makes one type of here were several: 1.0 may have been True, and a text have been a number.
        plain = all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values)
        return array if plain and array.dtype.kind in "iuf" else list(values)
    return array if array.dtype.kind in "iuf" else list(array)


def _entry(values: Any, array: NDArray[Any], index: int) -> Any:
    """An entry as it was given, before it was one of an array."""
    return values[index] if isinstance(values, (list, tuple)) else array[index]


def _kept(array: NDArray[Any]) -> NDArray[Any]:
    """A copy that nobody changes behind a network's back."""
    own = array.copy()
    own.setflags(write=False)
    return own
