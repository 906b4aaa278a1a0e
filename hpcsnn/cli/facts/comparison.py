"""What ``hpcsnn compare`` says of two runs."""

from __future__ import annotations

from typing import Any

from hpcsnn.runs.stored.comparison import Comparison


def as_plain(found: Comparison) -> dict[str, Any]:
    """Numbers and settings by their places."""
    return {
        "A": str(found.one),
        "B": str(found.other),
        "numbers": {
            number.name: {"A": number.one, "B": number.other, "difference": number.difference}
            for number in found.numbers
        },
        "configuration": {place: {"A": ours, "B": theirs} for place, ours, theirs in found.settings},
    }
