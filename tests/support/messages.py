"""Messages as tests write them down."""

from __future__ import annotations

import re


def as_pattern(message: str) -> str:
    """The message as a regular expression in which only ``.*`` is special."""
    return ".*".join(re.escape(part) for part in message.split(".*"))
