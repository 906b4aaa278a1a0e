"""The text of a snippet: what of it counts."""

from __future__ import annotations

import re
import textwrap

_COMMENTS = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)


def cleaned(text: str) -> str:
    """A snippet without the indentation that all its lines share and blank lines around it: what is counted."""
    return textwrap.dedent(text.expandtabs()).strip("\n").rstrip()


def without_comments(text: str) -> str:
    """A text with a blank in place of each comment."""
    return _COMMENTS.sub(" ", text)


def is_body(text: str) -> bool:
    """Whether a text that gives a value is statements with a ``return``, and not an expression."""
    return re.search(r"\breturn\b", without_comments(text)) is not None
