"""``summary.json`` and ``progress.json`` as they are read: anybody may have changed them, so values are looked at."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from hpcsnn.checked_numbers import shown

# More than anything that is counted: whole numbers have no end, and those beyond floating point no text of few digits.
_LARGEST = 2**64


class _Report(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow", allow_inf_nan=False)


class _Summary(_Report):
    """What is read of a summary; one of another version may have less."""

    completed: bool = False
    stopped_by: str | None = None
    digest: str = ""
    steps: int = 0
    ranks: int = 0
    model_s: float = 0.0
    wall_s: float = 0.0
    wall_per_model_s: float | None = None
    populations: dict[str, dict[str, Any]] = {}
    projections: dict[str, dict[str, Any]] = {}


class _Progress(_Report):
    updated: float
    step: int
    model_s: float
    end_s: float
    speed: float
    left_s: float
    synapses: int
    rates_hz: dict[str, float]


def summary_of(text: str) -> dict[str, Any]:
    """The summary that a file holds.

    Raises:
        ValueError: it holds none, or a value of another kind; names the field and the value.
    """
    summary = _read(text, _Summary)
    if not summary.keys() & {"digest", "completed"}:
        raise ValueError("is no summary")
    return summary


def progress_of(text: str) -> dict[str, Any]:
    """Where a run is, as a file says it.

    Raises:
        ValueError: it does not, or has a value of another kind; names the field and the value.
    """
    return _read(text, _Progress)


def _read(text: str, kind: type[_Report]) -> dict[str, Any]:
    try:
        read = json.loads(text, parse_int=_whole)
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    if not isinstance(read, dict):
        raise ValueError(f"is no {kind.__name__.strip('_').lower()}")
    try:
        kind.model_validate(read)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"]))
        raise ValueError(f"{where}: {shown(problem['input'])} is not allowed; {problem['msg']}") from None
    return read


def _whole(digits: str) -> int:
    number = int(digits)
    if abs(number) >= _LARGEST:
        raise ValueError(f"{shown(digits)} is not allowed; at most 2^64 - 1")
    return number
