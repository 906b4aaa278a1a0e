"""docs/limits.md: its numbers are those in the code, and what it says is refused is."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

from hpcsnn import ConfigurationError, Grid, Network, models
from hpcsnn.configuration.files import parse_configuration
from hpcsnn.configuration.yaml_text import read_yaml

pytestmark = pytest.mark.quick

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "limits.md").read_text()
ROW = re.compile(
    r"^\| (?P<what>[^|]+) \| (?:at (?:most|least) )?(?P<end>[^|]+) \| `(?P<constant>[\w.]+)` \|$", flags=re.MULTILINE
)
ROWS = [(found["what"], found["end"], found["constant"]) for found in ROW.finditer(PAGE)]
NUMBER = re.compile(r"(?P<power>(\d+)\^(-?\d+))?(?P<plain>[\d.]+(e[-+]\d+)?)?( - (?P<less>\d+))?")


def number(text):
    """2^31 - 1, 2^-32, 1000000 or 3.4e+38 as Python has it."""
    found = NUMBER.fullmatch(text)
    if found["plain"]:
        return float(found["plain"]) if "e" in found["plain"] else int(found["plain"])
    base, power = map(int, found["power"].split("^"))
    return base**power - int(found["less"] or 0)


def end(constant):
    """The end that the page gives for a constant."""
    (found,) = {number(text) for _, text, name in ROWS if name == constant}
    return found


@pytest.mark.parametrize(("text", "constant"), [row[1:] for row in ROWS], ids=[what for what, _, _ in ROWS])
def test_numbers_are_those_of_the_code(text, constant):
    module, _, name = constant.rpartition(".")
    value = getattr(import_module(module), name)
    assert number(text) == (max(value) if isinstance(value, tuple) else value)


def test_every_table_is_read():
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and "| end |" not in line]
    assert len(rows) == len(ROWS) > 15


def test_numbers_on_the_page_are_read_as_they_are_meant():
    assert [number(text) for text in ("2^31 - 1", "2^-32", "100", "1.5e+38")] == [2**31 - 1, 2.0**-32, 100, 1.5e38]


def network(**projection):
    made = Network(dt_ms=0.1)
    made.add_population("a", 4, models.LIF())
    parts = {"connector": models.OneToOne(), "receptor": models.DeltaCurrent(), "weight": 1.0} | projection
    made.add_projection("p", "a", "a", **parts)
    return made


def of_resistance(value):
    return models.LIF(resistance=value)


def taken(make):
    """Whether a declaration is not refused."""
    try:
        make()
    except ConfigurationError:
        return False
    return True


HALF_MS = Network(dt_ms=0.5)
LAST = end("hpcsnn.checked_numbers.LAST_STEP")
WHOLE = end("hpcsnn.checked_numbers.LARGEST_WHOLE")
LARGEST, SMALLEST = end("hpcsnn.checked_numbers.LARGEST_NUMBER"), end("hpcsnn.checked_numbers.SMALLEST_NUMBER")
AHEAD = end("hpcsnn.network.delays.MOST_STEPS_AHEAD")
DEPTH = end("hpcsnn.configuration.yaml_text.MOST_DEPTH")
DIGITS = end("hpcsnn.configuration.yaml_text.MOST_DIGITS")


@pytest.mark.parametrize(
    ("last", "first_beyond"),
    [
        pytest.param(lambda: HALF_MS.steps(LAST / 2), lambda: HALF_MS.steps((LAST + 1) / 2), id="steps"),
        pytest.param(lambda: Grid(WHOLE, 1), lambda: Grid(2**15, 2**16), id="neurons"),
        pytest.param(lambda: Network(seed=2**64 - 1), lambda: Network(seed=2**64), id="seed"),
        pytest.param(lambda: of_resistance(LARGEST), lambda: of_resistance(LARGEST * (1 + 1e-7)), id="largest"),
        pytest.param(lambda: of_resistance(SMALLEST), lambda: of_resistance(SMALLEST * 0.999), id="smallest"),
        pytest.param(
            lambda: network(delay_ms=models.Uniform(0.1, 0.1 * (AHEAD + 1))),
            lambda: network(delay_ms=models.Uniform(0.1, 0.1 * (AHEAD + 2))),
            id="delays",
        ),
        pytest.param(
            lambda: read_yaml("", "[" * (DEPTH - 1) + "]" * (DEPTH - 1)),
            lambda: read_yaml("", "[" * (DEPTH + 1) + "]" * (DEPTH + 1)),
            id="depth",
        ),
        pytest.param(lambda: read_yaml("", "1" * DIGITS), lambda: read_yaml("", "1" * (DIGITS + 1)), id="digits"),
        pytest.param(lambda: network().steps(0.3), lambda: network().steps(0.25), id="between steps"),
        pytest.param(lambda: network(delay_ms=0.2), lambda: network(delay_ms=0.05), id="a delay below a step"),
        pytest.param(
            lambda: parse_configuration({"populations": {"a_1": {"size": 1, "model": "lif"}}}),
            lambda: parse_configuration({"populations": {"1_a": {"size": 1, "model": "lif"}}}),
            id="names",
        ),
    ],
)
def test_the_end_itself_is_taken_and_what_is_beyond_refused(last, first_beyond):
    assert taken(last)
    assert not taken(first_beyond)
