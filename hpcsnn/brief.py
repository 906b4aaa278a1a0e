"""What objects say of themselves: a few short lines in Python, a small table in a notebook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from html import escape
from typing import TYPE_CHECKING, Any, ClassVar, Self

from hpcsnn.errors import ConfigurationError, unknown_name
from hpcsnn.terminal import printable

if TYPE_CHECKING:
    from hpcsnn.models.base import Model
    from hpcsnn.models.parameters import Parameter

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


class BriefModel(Brief):
    """A model: what it is, and its parameters with their defaults."""

    if TYPE_CHECKING:
        KIND: ClassVar[str]
        name: str
        doc: str
        parameters: Mapping[str, Parameter]

    def __new__(cls, *_: object, **slots: object) -> Self:
        """A model to be filled in.

        Raises:
            ConfigurationError: a slot that models of this kind have not; suggests one that they have.
        """
        known = [field.name for field in fields(cls)]  # type: ignore[arg-type]
        for slot in slots:
            if slot not in known:
                raise ConfigurationError(unknown_name(cls.__name__, slot, known))
        return super().__new__(cls)

    def _headline(self) -> str:
        return f"{self.name} ({self.KIND}): {self.doc}"

    def _rows(self) -> BriefRows:
        return [
            (name, "must be given" if parameter.default is None else parameter.default_text, parameter.doc)
            for name, parameter in self.parameters.items()
        ]


class BriefConfigured(Brief):
    """A model with values: those that are not the defaults."""

    if TYPE_CHECKING:
        model: Model
        values: Mapping[str, Any]

    def _headline(self) -> str:
        return call(self.model.name, {name: self.values[name] for name in self.values if not self._is_default(name)})

    def _is_default(self, name: str) -> bool:
        parameter, value = self.model.parameters.get(name), self.values[name]
        return parameter is not None and isinstance(value, (int, float)) and value == parameter.default
