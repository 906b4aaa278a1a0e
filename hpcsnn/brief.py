"""What objects say of themselves: a few short lines in Python, a small table in a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from hpcsnn.terminal import printable

# BriefRows that are shown of many, and characters of each of their texts.
_MOST_ROWS, _MOST_CHARACTERS = 20, 72

BriefRows = Sequence[tuple[str, ...]]


class Brief:
    """An object with a headline and rows: classes give them."""

    def _headline(self) -> str:
        raise NotImplementedError

    def _rows(self) -> BriefRows:
        return ()

    def _shown(self) -> tuple[str, list[list[str]]]:
        rows = self._rows()
        shown = [[_cut(text) for text in row] for row in rows[:_MOST_ROWS]]
        if len(rows) > _MOST_ROWS:
            shown.append([f"and {len(rows) - _MOST_ROWS:,} more"])
        return _cut(self._headline()), shown

    def __repr__(self) -> str:
        headline, rows = self._shown()
        columns = max((len(row) for row in rows), default=0)
        widths = [max((len(row[k]) for row in rows if len(row) > k + 1), default=0) for k in range(columns)]
        padded = ([text.ljust(width) for text, width in zip(row, widths, strict=False)] for row in rows)
        lines = ["  ".join(row).rstrip() for row in padded]
        return "\n  ".join([headline, *lines])

    def _repr_html_(self) -> str:
        """For notebooks; nothing in it is taken for HTML."""
        headline, rows = self._shown()
        cells = ("".join(f"<td>{escape(text)}</td>" for text in row) for row in rows)
        table = "".join(f"<tr>{row}</tr>" for row in cells)
        return f"<div>{escape(headline)}</div>" + (f"<table>{table}</table>" if table else "")


def _cut(text: str) -> str:
    text = printable(" ".join(text.split()))
    return text if len(text) <= _MOST_CHARACTERS else f"{text[: _MOST_CHARACTERS - 3]}..."


def call(name: str, values: dict[str, object]) -> str:
    """A name with values, as one would type it: ``lif(tau_m_ms=10.0)``; long values are cut."""
    texts = ", ".join(f"{key}={value if len(value) <= 24 else value[:21] + '...'}" for key, value in _texts(values))
    return f"{name}({texts})"


def _texts(values: dict[str, object]) -> list[tuple[str, str]]:
    return [(key, f"{value:g}" if isinstance(value, float) else repr(value)) for key, value in values.items()]
