"""Numbers as they come in: what is taken, what is refused and how; times against exact fractions."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn import ConfigurationError
from hpcsnn.checked_numbers import (
    LAST_STEP,
    SMALLEST_NUMBER,
    Limits,
    real_number,
    real_numbers,
    truth_value,
    whole_number,
    whole_numbers,
    whole_steps,
    whole_steps_of,
)
from hpcsnn.errors import shown

STEPS = st.integers(0, 10**6) | st.integers(0, LAST_STEP)
DECIMAL_DT = st.integers(1, 10_000).map(lambda n: n / 1000)
NO_NUMBERS = [
    True,
    np.True_,
    "3",
    "abc",
    None,
    [3],
    (),
    {},
    {"a": 1},
    object(),
    1j,
    np.timedelta64(3, "ms"),
    b"1",
    print,
]
NO_LISTS = [3, 3.0, "123", b"12", None, {1, 2}, {"a": 1}, (n for n in range(3)), np.array(3.0), True]


class Odd:
    """What has no text."""

    def __repr__(self):
        raise RuntimeError("no text")


# -- times -----------------------------------------------------------------------------------------------------------


@settings(max_examples=200)
@given(STEPS, DECIMAL_DT)
def test_a_time_as_people_write_it_is_the_steps_that_its_decimals_say(n_steps, dt_ms):
    """As a literal, as a product and as a sum of two products: whatever floating point makes of them."""
    decimal = Fraction(repr(dt_ms)) * n_steps
    half = n_steps // 2
    for time_ms in (float(decimal), n_steps * dt_ms, half * dt_ms + (n_steps - half) * dt_ms):
        assert whole_steps("here", time_ms, dt_ms) == n_steps


@settings(max_examples=300)
@given(st.floats(0, 1e6), st.floats(1e-3, 10))
def test_a_time_is_taken_if_it_is_whole_and_else_its_neighbours_are_named(time_ms, dt_ms):
    exact = Fraction(time_ms) / Fraction(dt_ms)
    nearest = round(exact)
    off = abs(exact - nearest)
    if nearest > LAST_STEP:
        return
    allowed = min(exact / 10**9, Fraction(1, 1000))
    if off <= allowed:
        assert whole_steps("here", time_ms, dt_ms) == nearest
        return
    with pytest.raises(ConfigurationError) as error:
        whole_steps("here", time_ms, dt_ms)
    said = str(error.value)
    assert said.startswith(f"here: {time_ms!r} is not allowed; must be a whole number of steps of {dt_ms:.15g} ms: ")
    low, high = (float(word) for word in said.rpartition(": ")[2].split(" or "))
    assert low < time_ms < high
    if max(low, high) < 1e6 * dt_ms:  # what is advised is taken
        assert whole_steps("here", high, dt_ms) - whole_steps("here", low, dt_ms) == 1


@settings(max_examples=100)
@given(st.integers(0, LAST_STEP - 1), st.floats(0.002, 0.998), DECIMAL_DT)
def test_between_two_steps_is_refused_wherever_it_is(n_steps, part, dt_ms):
    """Late in a long run, too, where 1e-9 of a time would be more than a step."""
    with pytest.raises(ConfigurationError, match=r"^here: .* is not allowed; must be a whole number of steps of"):
        whole_steps("here", float((n_steps + Fraction(part)) * Fraction(repr(dt_ms))), dt_ms)


@settings(max_examples=100)
@given(st.integers(0, LAST_STEP), st.integers(0, LAST_STEP), DECIMAL_DT)
def test_the_difference_of_two_times_is_whole(one, other, dt_ms):
    """As in ``run(end_ms - simulation.time_ms)``."""
    first, last = sorted((one, other))
    assert whole_steps("here", last * dt_ms - first * dt_ms, dt_ms, after_ms=first * dt_ms) == last - first


@settings(max_examples=50)
@given(st.lists(STEPS, max_size=20), DECIMAL_DT, st.data())
def test_times_of_a_list_are_those_of_each(steps, dt_ms, data):
    times = np.array([n * dt_ms for n in steps])
    assert whole_steps_of("here", times, dt_ms, "spike").tolist() == steps
    if steps:
        place = data.draw(st.integers(0, len(steps) - 1))
        times[place] += 0.4 * dt_ms
        with pytest.raises(
            ConfigurationError, match=rf"^here: .* of spike {place} is not allowed; must be a whole num"
        ):
            whole_steps_of("here", times, dt_ms, "spike")


@pytest.mark.parametrize(
    ("time_ms", "least", "message"),
    [
        (0.25, 0, "here: 0.25 is not allowed; must be a whole number of steps of 0.1 ms: 0.2 or 0.3"),
        (0.04, 0, "here: 0.04 is not allowed; must be a whole number of steps of 0.1 ms: 0 or 0.1"),
        (0.04, 1, "here: 0.04 is not allowed; must be a whole number of steps of 0.1 ms, at least one: 0.1"),
        (0, 1, "here: 0 is not allowed; must be a whole number of steps of 0.1 ms, at least one: 0.1"),
        (-1.0, 1, "here: -1.0 is not allowed; must be a whole number of steps of 0.1 ms, at least one: 0.1"),
        (3e8, 1, "here: 300000000.0 is 3000000000 steps of 0.1 ms; at most 2^31 - 1, which are 214748364.7 ms"),
        (1e300, 0, "here: 1e+300 is 1e+301 steps of 0.1 ms; at most 2^31 - 1, which are 214748364.7 ms"),
        (math.inf, 0, "here: inf is not allowed; must be a number in ms"),
        ("0.2", 0, "here: '0.2' is not allowed; must be a number in ms"),
        (True, 0, "here: True is not allowed; must be a number in ms"),
        (np.float32(0.25), 0, "here: 0.25 is not allowed; must be a whole number of steps of 0.1 ms: 0.2 or 0.3"),
    ],
)
def test_what_is_said_of_a_time(time_ms, least, message):
    with pytest.raises(ConfigurationError) as error:
        whole_steps("here", time_ms, 0.1, least)
    assert str(error.value) == message


@pytest.mark.parametrize("kind", [float, np.float64, np.float32, np.float16, np.longdouble, np.array])
def test_times_of_any_type_of_number(kind):
    assert whole_steps("here", kind(0.3), 0.1) == 3
    assert whole_steps("here", kind(-0.0), 0.1) == 0


# -- numbers -----------------------------------------------------------------------------------------------------------


WHOLE_TYPES = [int, float, *(np.dtype(code).type for code in "bBhHiIqQ"), np.float16, np.float32, np.float64, np.array]


@pytest.mark.parametrize("kind", WHOLE_TYPES)
def test_whole_numbers_of_any_type_are_pythons(kind):
    checked = whole_number("here", kind(100))
    assert (type(checked), checked) == (int, 100)


@pytest.mark.parametrize("kind", [*WHOLE_TYPES, np.longdouble])
def test_real_numbers_of_any_type_are_pythons(kind):
    checked = real_number("here", kind(100))
    assert (type(checked), checked) == (float, 100.0)


@settings(max_examples=60)
@given(st.floats(width=32, allow_nan=False, allow_infinity=False, allow_subnormal=False))
def test_a_narrower_float_is_the_decimal_that_it_prints_as(value):
    """The same number again as float32, so kernels see no difference; and what its author wrote in float64."""
    narrow = np.float32(value)
    assert real_number("here", narrow) == float(str(narrow))
    assert np.float32(real_number("here", narrow)) == narrow
    assert real_numbers("here", np.array([value, 0.1], dtype=np.float32)).tolist() == [float(str(narrow)), 0.1]
    assert real_numbers("here", [narrow, 0.1]).tolist() == [float(str(narrow)), 0.1]


@pytest.mark.parametrize("value", NO_NUMBERS, ids=[f"{type(value).__name__}-{n}" for n, value in enumerate(NO_NUMBERS)])
def test_what_is_no_number_is_refused(value):
    for check in (whole_number, real_number):
        with pytest.raises(ConfigurationError, match=r"^here: .* is not allowed; must be a (whole|finite) number$"):
            check("here", value)


@pytest.mark.parametrize("value", [0.5, math.nan, math.inf, -math.inf, np.float32("nan"), np.ma.masked])
def test_what_is_not_whole_is_refused(value):
    with pytest.raises(ConfigurationError, match=r"^here: .* is not allowed; must be a whole number$"):
        whole_number("here", value)


@settings(max_examples=100)
@given(st.integers(-(2**70), 2**70), st.none() | st.integers(-(2**40), 2**40), st.none() | st.integers(-(2**64), 2**64))
def test_whole_numbers_are_within_their_limits_or_refused(value, minimum, maximum):
    """By exact arithmetic: beyond 2^53, where floats would be equal, too."""
    good = (minimum is None or value >= minimum) and (abs(value) < 2**31 if maximum is None else value <= maximum)
    limits = Limits(minimum=minimum, maximum=maximum)
    if good:
        assert whole_number("here", value, limits) == value
    else:
        with pytest.raises(ConfigurationError, match=r"^here: -?\d+ is not allowed; "):
            whole_number("here", value, limits)


@settings(max_examples=100)
@given(st.floats())
def test_real_numbers_are_those_that_float32_holds(value):
    with np.errstate(over="ignore"):
        held = np.isfinite(np.float32(value)) and (value == 0 or abs(value) >= SMALLEST_NUMBER)
    if held:
        assert real_number("here", value) == value
        return
    with pytest.raises(ConfigurationError, match=r"^here: .* is not allowed; (must be a finite|kernels hold) number"):
        real_number("here", value)
    if math.isfinite(value):
        assert real_number("here", value, Limits(in_kernels=False)) == value


def test_limits_in_words():
    assert Limits("ms", above=0.0, maximum=5).words("a number") == "a number in ms > 0 and <= 5"
    assert Limits(minimum=0, maximum=2**64 - 1).words("a whole number") == "a whole number >= 0 and <= 2^64 - 1"
    assert Limits().words("a number") == "a number"


@pytest.mark.parametrize("value", [0, 1, 1.0, "yes", "true", None, np.array([True]), [True]])
def test_only_truth_values_are_true_or_false(value):
    with pytest.raises(ConfigurationError, match=r"^here: .* is not allowed; must be true or false$"):
        truth_value("here", value)
    assert truth_value("here", np.True_) is True
    assert truth_value("here", np.array(False)) is False


# -- lists -----------------------------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(st.lists(st.integers(-(2**31) + 1, 2**31 - 1), max_size=20))
def test_whole_lists_of_any_sort_are_the_same_array(values):
    for given_values in (values, tuple(values), np.array(values, dtype=np.int64), np.array(values, dtype=float)):
        array = whole_numbers("here", given_values)
        assert (array.dtype, array.tolist()) == (np.int64, values)
        assert not array.flags.writeable
    objects = np.array([*values, 2**70], dtype=object)[:-1]
    assert whole_numbers("here", objects).tolist() == values


ENTRIES = (
    st.integers(-5, 5)
    | st.floats(-5, 5, allow_subnormal=False)
    | st.sampled_from([True, None, "1", math.nan, 2**31, 10**400])
)


@settings(max_examples=200)
@given(st.lists(ENTRIES, max_size=6))
def test_a_list_is_taken_if_each_entry_is_and_else_the_first_that_is_not_is_named(values):
    """Entry by entry, as the check of one number has it."""
    for one, several in ((whole_number, whole_numbers), (real_number, real_numbers)):
        expected, message = [], None
        for place, value in enumerate(values):
            try:
                expected.append(one("here", value, Limits(minimum=-4), f" of neuron {place}"))
            except ConfigurationError as error:
                message = str(error)
                break
        for given_values in (values, np.array([*values, None], dtype=object)[:-1]):
            if message is None:
                assert several("here", given_values, Limits(minimum=-4), "neuron").tolist() == expected
            else:
                with pytest.raises(ConfigurationError) as error:
                    several("here", given_values, Limits(minimum=-4), "neuron")
                assert str(error.value) == message


@pytest.mark.parametrize("values", NO_LISTS, ids=[f"{type(values).__name__}-{n}" for n, values in enumerate(NO_LISTS)])
def test_what_is_no_list_is_refused(values):
    for check in (whole_numbers, real_numbers):
        with pytest.raises(
            ConfigurationError, match=r"^here: .* is not allowed; must be a list of .*, one per synapse$"
        ):
            check("here", values, each="synapse")


def test_lists_of_lists_and_masked_ones_are_refused():
    for values, shape in ((np.zeros((3, 3)), r"\(3, 3\)"), ([[1, 2], [3, 4]], r"\(2, 2\)")):
        with pytest.raises(
            ConfigurationError, match=rf"^here: has shape {shape}; must be a list of numbers, one per entry"
        ):
            real_numbers("here", values)
    with pytest.raises(ConfigurationError, match=r"^here: \[1\] of entry 0 is not allowed; must be a finite number$"):
        real_numbers("here", [[1], [2, 3]])
    with pytest.raises(ConfigurationError, match=r"one per entry, and none of it masked$"):
        real_numbers("here", np.ma.array([1.0, 2.0], mask=[False, True]))
    for values in (np.array([True, False]), np.array(["1"]), np.array([1j]), np.array([3], dtype="m8[ms]")):
        with pytest.raises(ConfigurationError, match=r"^here: .* of entry 0 is not allowed; must be a finite number$"):
            real_numbers("here", values)
    big = np.array([5, 2**63], dtype=np.uint64)
    with pytest.raises(ConfigurationError, match=r"^here: 9223372036854775808 of entry 1 is not allowed; kernels hold"):
        whole_numbers("here", big)


def test_what_is_kept_is_a_copy():
    mine = np.array([1.0, 2.0])
    kept = real_numbers("here", mine)
    mine[0] = 7.0
    assert kept.tolist() == [1.0, 2.0]
    with pytest.raises(ValueError, match="read-only"):
        kept[0] = 1.0


def test_any_value_is_shown_in_a_few_words_on_one_line():
    assert shown(np.float32(0.5)) == "0.5"
    assert shown(np.zeros((3, 4))) == "an array of shape (3, 4)"
    assert shown(Odd()) == "a Odd"
    assert shown("a\nb") == r"'a\nb'"
    assert shown(np.array(2.0)) == "array(2.)"
    long = shown(list(range(1000)))
    assert len(long) == 60
    assert long.endswith("...")
