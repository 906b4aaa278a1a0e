"""``summary.json`` and ``progress.json`` as they are read: anybody may have changed them, so values are looked at."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from hpcsnn.errors import shown

# More than anything that is counted: whole numbers have no end, and those beyond floating point no text of few digits.
_LARGEST = 2**64
# Kinds of values by field, a question mark for those that may be null. Not pydantic's: a list of a thousand runs reads
# their files and loads nothing.
_SUMMARY = {
    "completed": "true or false",
    "stopped_by": "a text?",
    "digest": "a text",
    "steps": "a whole number",
    "ranks": "a whole number",
    "model_s": "a number",
    "wall_s": "a number",
    "wall_per_model_s": "a number?",
    "populations": "a mapping of mappings",
    "projections": "a mapping of mappings",
    "imbalance": "a number?",
    "per_rank": "a list of what ranks measured",
}
_PROGRESS = {
    "updated": "a number",
    "step": "a whole number",
    "model_s": "a number",
    "end_s": "a number",
    "speed": "a number",
    "left_s": "a number",
    "synapses": "a whole number",
    "rates_hz": "a mapping of numbers",
}
# Of a training.
_TRAINING_PROGRESS = {
    "updated": "a number",
    "done": "a number",
    "left_s": "a number?",
}


def _is_of_kind(value: object, kind: str) -> bool:
    if kind.endswith("?"):
        return value is None or _is_of_kind(value, kind[:-1])
    match kind:
        case "true or false":
            return isinstance(value, bool)
        case "a text":
            return isinstance(value, str)
        case "a whole number":
            return isinstance(value, int) and not isinstance(value, bool)
        case "a number":
            return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        case "a mapping of mappings":
            return isinstance(value, dict) and all(isinstance(one, dict) for one in value.values())
        case "a list of what ranks measured":
            return isinstance(value, list) and all(isinstance(one, dict) and _measured(one) for one in value)
        case _:
            return isinstance(value, dict) and all(_is_of_kind(one, "a number") for one in value.values())


def _measured(of_rank: Mapping[str, Any]) -> bool:
    propagation_s, phases_s = of_rank.get("propagation_s"), of_rank.get("phases_s")
    return _is_of_kind(propagation_s, "a number") and _is_of_kind(phases_s, "a mapping of numbers")


def exchange_shares(summary: Mapping[str, Any]) -> dict[str, float]:
    """Of the time of all ranks what the exchange of spikes took, by ``wait``, ``transfer`` and ``accept``.

    Nothing of one rank, and of summaries of versions before, which do not say it.
    """
    per_rank = summary.get("per_rank", [])
    total_s = sum(one["propagation_s"] for one in per_rank)
    if len(per_rank) < 2 or not total_s > 0:
        return {}
    return {
        part: sum(one["phases_s"].get(f"exchange_{part}", 0.0) for one in per_rank) / total_s
        for part in ("wait", "transfer", "accept")
    }


def summary_of(text: str) -> dict[str, Any]:
    """The summary that a file holds.

    Raises:
        ValueError: it holds none, or a value of another kind; names the field and the value.
    """
    summary = _read(text, "summary", _SUMMARY, needed=False)
    if not summary.keys() & {"digest", "completed"}:
        raise ValueError("is no summary")
    return summary


def progress_of(text: str) -> dict[str, Any]:
    """Where a run is, as a file says it.

    Raises:
        ValueError: it does not, or has a value of another kind; names the field and the value.
    """
    read = _read(text, "progress", {}, needed=True)
    _check(read, _TRAINING_PROGRESS if "done" in read else _PROGRESS, needed=True)
    return read


def _read(text: str, what: str, kinds: Mapping[str, str], needed: bool) -> dict[str, Any]:
    try:
        read = json.loads(text, parse_int=_whole)
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    if not isinstance(read, dict):
        raise ValueError(f"is no {what}")
    _check(read, kinds, needed)
    return read


def _check(read: Mapping[str, Any], kinds: Mapping[str, str], needed: bool) -> None:
    for field, kind in kinds.items():
        if field not in read:
            if needed:
                raise ValueError(f"{field}: is missing")
        elif not _is_of_kind(read[field], kind):
            allowed = kind.removesuffix("?") + (" or null" if kind.endswith("?") else "")
            raise ValueError(f"{field}: {shown(read[field])} is not allowed; must be {allowed}")


def _whole(digits: str) -> int:
    number = int(digits)
    if abs(number) >= _LARGEST:
        raise ValueError(f"{shown(digits)} is not allowed; at most 2^64 - 1")
    return number
