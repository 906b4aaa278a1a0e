"""Arrays of two stored states side by side, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Columns = Mapping[str, NDArray[Any]]


def names_that_differ(kind: str, ours: Iterable[str], theirs: Iterable[str]) -> list[str]:
    """Which names only one of two states has."""
    return [f"{kind} {name}: only in one" for name in sorted({*ours} ^ {*theirs})]


def columns_that_differ(name: str, ours: Columns, theirs: Columns) -> list[str]:
    """How much each column of one name differs: in how many places, and by how much at most."""
    said = [f"{name}.{column}: only in one" for column in sorted(ours.keys() ^ theirs.keys())]
    for column in sorted(ours.keys() & theirs.keys()):
        if ours[column].shape != theirs[column].shape:
            said.append(f"{name}.{column}: {ours[column].shape} and {theirs[column].shape} entries")
            continue
        differ = ours[column] != theirs[column]
        if differ.any():
            largest = np.abs(ours[column].astype(float) - theirs[column].astype(float)).max()
            said.append(f"{name}.{column}: {int(differ.sum()):,} of {differ.size:,} differ, at most by {largest:.3g}")
    return said


def synapses_that_differ(name: str, ours: Columns, theirs: Columns, one: Path, other: Path) -> list[str]:
    """Synapses that only one of the states at two paths has; where both have the same, how their columns differ."""
    here, there = (set(zip(t["post"].tolist(), t["pre"].tolist(), strict=True)) for t in (ours, theirs))
    if here != there:
        return [f"{name}: {len(here - there):,} synapses only in {one}, {len(there - here):,} only in {other}"]
    return columns_that_differ(name, ours, theirs)
