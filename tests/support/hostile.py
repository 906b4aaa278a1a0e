"""Values that no field expects, and whether a message says which field had which value."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

# The ends of what computers hold and what is beside them, and what is no number.
NUMBERS: tuple[float | int, ...] = (
    *(0, -0.0, 1, -1, 2, 3, 1.5, 0.1, -0.5, 100, 1e-3, 0.30000000000000004, 1e5, 1e-9),
    *(127, 128, 32767, 65536, 2**24 + 1, 2**31 - 1, 2**31, 2**31 + 1, -(2**31), -(2**31) - 1, 2**32, 2**32 + 1),
    *(2**53, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 2**64 + 1, 10**30, 10**400),
    *(3.4028234e38, 3.5e38, 1e38, -1e38, 1e300, -1e300, 1.7976931348623157e308, 1e-38, 1e-45, 1e-300, 5e-324),
    *(math.nan, math.inf, -math.inf),
)
TEXTS = (
    *("", " ", "0", "1", "-1", "1e3", "nan", "inf", "null", "true", "20 ms", "text", "lif", "static", "normal"),
    *(
        "é漢字🧠",
        "x" * 5000,
        "float",
        "class",
        "__init__",
        "a b",
        "../../x",
        "[red]",
        "{}",
        "%s %d",
        "\x00",
        "a\nb",
        "\t",
    ),
    *("mine.py:Mine", "*", "&", "'", '"', "<b>", "$HOME", "`id`", "\u202e", "\u00a0"),
)
OTHERS: tuple[Any, ...] = (
    *(None, True, False, [], [0], [1.5, 2], [[1, 2], [3]], [None], ["a"], [math.nan], [1] * 300, {}, {"a": 1}),
    {"a": {"b": {"c": [{"d": 1}]}}},
    {"normal": {"mean": 0, "std": 1}},
    {"normal": {"mean": math.nan, "std": 1}},
    {"normal": {"mean": "0", "std": True}},
    {"normal": {"mean": 1e300, "std": 1e300}},
    {"normal": {"mean": 1, "std": 0.1, "low": 2, "high": 1}},
    {"uniform": {"low": 0, "high": 1}},
    {"uniform": {"low": [0], "high": None}},
    {"uniform": {"low": -1e300, "high": 1.7e308}},
    {"lif": None},
    {"poisson": {"rate_hz": 1e5}},
    {1: 2},
    {None: None},
)
VALUES = (*NUMBERS, *TEXTS, *OTHERS)

# What a message says where there is no value to be shown.
ABSENT = (
    *("missing", "give either", "unknown name", "used twice", "does not fit", "the network has none", "extends itself"),
    *("no such file", "must be a mapping"),
)


def without_addresses(text: str) -> str:
    """A text as another process would have it: Python shows what has nothing to show by where it is in memory."""
    return re.sub(r"0x[0-9a-f]{6,}", "0x", text)


def leaves(value: Any, depth: int = 0) -> Iterable[Any]:
    """A value, what it has below it, and the keys there; of what lies within itself, a part."""
    yield value
    if depth > 20:
        return
    if isinstance(value, dict):
        for key, below in value.items():
            yield key
            yield from leaves(below, depth + 1)
    elif isinstance(value, (list, tuple)):
        for below in value:
            yield from leaves(below, depth + 1)


def shown(value: Any, message: str) -> bool:
    """Whether the message has the value, the beginning of a long one, or a part of it; in another process, too."""
    text = without_addresses("".join(message.split()))
    for leaf in leaves(value):
        forms = [str(leaf), repr(leaf)]
        if isinstance(leaf, (int, float)) and not isinstance(leaf, bool) and abs(leaf) < 1e308:
            forms += [f"{leaf:g}", f"{leaf:,}", str(float(leaf))]
        if any(form and form[:24] in text for form in ("".join(without_addresses(form).split()) for form in forms)):
            return True
    return False


def says(message: str, field: str, value: Any) -> bool:
    """Whether the message names the field, and its value or what is missing."""
    if not re.search(rf"(?<![\w.]){re.escape(field)}(?![\w.])|\.{re.escape(field)}:", message):
        return False
    return shown(value, message) or any(words in message for words in ABSENT)
