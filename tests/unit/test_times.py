"""Times with their unit, in model time or wall time."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn import ConfigurationError
from hpcsnn.configuration.times import Every, parse_limit_min, parse_time_ms

SECONDS = {"ms": Fraction(1, 1000), "s": 1, "min": 60, "h": 3600}
BLANKS = st.text(" \t", max_size=2)


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.integers(0, 999), st.sampled_from(sorted(SECONDS)), BLANKS, BLANKS, BLANKS)
def test_a_number_and_its_unit(whole, thousandths, unit, before, between, after):
    exact = (whole + Fraction(thousandths, 1000)) * SECONDS[unit] * 1000
    text = f"{before}{whole}.{thousandths:03d}{between}{unit}{after}"
    if exact == 0:
        with pytest.raises(ConfigurationError):
            parse_time_ms("--time", text)
        return
    assert parse_time_ms("--time", text) == pytest.approx(float(exact), rel=1e-15)
    assert Every.parse(text) == Every(model_ms=parse_time_ms("--time", text))
    assert Every.parse(f"{text}-wall") == Every(wall_s=pytest.approx(float(exact) / 1000, rel=1e-14))


@pytest.mark.parametrize(
    "text", ["", "10", "ms", "-1s", "+1s", "1e3s", "1.s", ".5s", "1 sec", "1s2", "1m", "1S", "nan s", "infs", "1,5s"]
)
def test_what_is_no_time_says_what_one_looks_like(text):
    message = f"--time: {text!r} is not allowed; must be a time with its unit: 250ms, 10s, 5min, 2h"
    with pytest.raises(ConfigurationError) as error:
        parse_time_ms("--time", text)
    assert str(error.value) == message


def test_a_time_beyond_all_numbers_is_none():
    with pytest.raises(ConfigurationError, match="must be a time with its unit"):
        parse_time_ms("--time", "9" * 400 + "s")


@pytest.mark.parametrize("text", ["10s-wallet", "10s-wall-wall", "10s-wall "])
def test_wall_time_is_said_at_the_end(text):
    with pytest.raises(ConfigurationError, match=r"^checkpoint_every: .* must be like 10s or 10min-wall"):
        Every.parse(text)


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("90", 90), ("90:30", 90.5), ("02:00:00", 120), ("1-0", 1440), ("1-12:30", 2190), ("1-00:00:30", 1440.5),
        ("2h", 120), ("90min", 90), ("30s", 0.5),
    ],
)  # fmt: skip
def test_limits_are_written_as_users_or_as_slurm_write_them(text, minutes):
    assert parse_limit_min("--time", text) == minutes


@pytest.mark.parametrize("text", ["", "1-", "1:2:3:4", "-5", "2 hours", "1d"])
def test_what_is_no_limit_says_what_one_looks_like(text):
    with pytest.raises(
        ConfigurationError, match="must be a time with its unit, such as 90min or 2h, or one of Slurm's"
    ):
        parse_limit_min("--time", text)


@pytest.mark.parametrize("text", ["0", "0:00", "0-00:00:00", "9" * 30])
def test_a_limit_is_some_time(text):
    with pytest.raises(ConfigurationError, match="must be more than 0 and below 100 years"):
        parse_limit_min("--time", text)
