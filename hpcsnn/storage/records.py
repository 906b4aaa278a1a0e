"""Recorded spikes and rewiring events on disk, in segments of model time; a checkpoint says which segments are valid.

``records/STEPS/rank_R.zarr`` is one Zarr group in a zip file a rank and segment (STEPS is first-last, the last not
included), with arrays ``spikes/POPULATION`` (n, 2: step, id) and ``events/PROJECTION`` (n, 4: step, pre, post, what),
int32; versions before wrote folders. Variables that are
recorded of neurons are ``variables/POPULATION/VARIABLE`` with ``values`` (times, neurons), ``step`` (so many were done)
and ``neuron`` (ids). A segment is written before the checkpoint that ends it is committed, and belongs
to the run once that checkpoint's manifest, or a later one's, lists it: whatever else lies there was lost with the run
that wrote it. A segment never takes the place of another: where its name is taken it has a number behind it
(``STEPS.2``), and manifests say which is whose.
"""

from __future__ import annotations

import itertools
import math
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from hpcsnn.atomic_files import remove
from hpcsnn.engine.recording import Rows, Taken
from hpcsnn.errors import StorageError
from hpcsnn.storage.packed.arrays import ArrayForm, groups
from hpcsnn.storage.packed.opening import open_group
from hpcsnn.storage.packed.zip_file import PartWriter, close

_CHUNK = 1 << 18
# Names of segments, as a pattern.
SEGMENT = re.compile(r"[0-9]{10,}-[0-9]{10,}(\.[0-9]+)?")


def segment_name(first: int, last: int) -> str:
    """Name of the segment of steps first .. last - 1."""
    return f"{first:010d}-{last:010d}"


def make_segment(records: Path, first: int, last: int) -> Path:
    """Make the empty folder of a new segment, below ``records/``; its path."""
    name = segment_name(first, last)
    numbered = itertools.chain([name], (f"{name}.{number}" for number in itertools.count(2)))
    folder = next(records / one for one in numbered if not os.path.lexists(records / one))
    folder.mkdir(parents=True)
    return folder


def write_segment(folder: Path, rank: int, recorded: Taken) -> dict[str, tuple[int, int]]:
    """Write one rank's part of a segment and bring it to disk; file below `folder` -> (bytes, CRC32C)."""
    path = folder / f"rank_{rank}.zarr"
    remove(path)
    tables: dict[str, NDArray[Any]] = {
        f"{kind}/{name}": table
        for kind, of_kind in (("spikes", recorded.spikes), ("events", recorded.events))
        for name, table in of_kind.items()
    }
    for name, rows in recorded.rows.items():
        arrays = {"values": rows.values, "step": rows.steps, "neuron": rows.ids}
        tables |= {f"variables/{name}/{part}": array for part, array in arrays.items()}
    with PartWriter(path) as part:
        for name, text in groups(tables, {}):
            part.add(name, [text])
        for name, table in tables.items():
            form = ArrayForm(table.shape, table.dtype, _chunk_of(table.shape))
            for file, pieces in form.files(table):
                part.add(f"{name}/{file}", pieces)
        written = part.finish()
    return {path.name: close(path, [written])}


def _chunk_of(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Some rows, whole ones."""
    width = math.prod(max(n, 1) for n in shape[1:])
    return min(max(shape[0], 1), max(1, 2 * _CHUNK // width)), *(max(n, 1) for n in shape[1:])


class Records:
    """The spikes and events of a run, read from its segments.

    Args:
        folder: ``records/`` of a run directory.
        segments: names of the segments that count, in order.
    """

    def __init__(self, folder: Path, segments: list[str]) -> None:
        self._folder, self.segments = folder, segments

    def names(self, kind: str) -> list[str]:
        """Populations with ``spikes``, projections with ``events``."""
        groups = self._groups()
        return sorted({name for group in groups if kind in group for name in group[kind].array_keys()})  # type: ignore[union-attr]

    def variables(self) -> list[tuple[str, str]]:
        """(population, variable) of those that were recorded of neurons."""
        found = set()
        for group in self._groups():
            if "variables" in group:
                for population, of_population in group["variables"].groups():  # type: ignore[union-attr]
                    found |= {(population, variable) for variable in of_population.group_keys()}
        return sorted(found)

    def spikes(self, population: str) -> NDArray[np.int32]:
        """Shape (n, 2): step and id, by step, then id."""
        table = self._table("spikes", population, 2)
        return table[np.lexsort((table[:, 1], table[:, 0]))]

    def events(self, projection: str) -> NDArray[np.int32]:
        """Shape (n, 4): step, pre, post and what (0 formed, 1 + reason), by step, post, pre."""
        table = self._table("events", projection, 4)
        return table[np.lexsort((table[:, 1], table[:, 2], table[:, 0]))]

    def rows(self, population: str, variable: str) -> Rows:
        """A variable at all times at which it was recorded, of all its neurons by id."""
        found: dict[str, list[Rows]] = {}
        for segment, path in ((path.parent.name, path) for path in self.parts()):
            group, place = open_group(path), f"variables/{population}/{variable}"
            if place in group:
                parts = (np.asarray(group[f"{place}/{one}"][...]) for one in ("step", "neuron", "values"))  # type: ignore[index]
                found.setdefault(segment, []).append(Rows(*parts))
        joined = [_side_by_side(found[segment]) for segment in self.segments if segment in found]
        if not joined:
            raise StorageError(f"{self._folder}: {variable} of {population} was not recorded")
        steps, values = ([getattr(one, part) for one in joined] for part in ("steps", "values"))
        return Rows(np.concatenate(steps), joined[0].ids, np.concatenate(values))

    def parts(self) -> list[Path]:
        """The Zarr groups, one a segment and rank: for those who read more than fits in memory."""
        return [path for name in self.segments for path in sorted((self._folder / name).glob("rank_*.zarr"))]

    def _groups(self) -> list[zarr.Group]:
        return [open_group(path) for path in self.parts()]

    def _table(self, kind: str, name: str, width: int) -> NDArray[np.int32]:
        parts = [np.empty((0, width), dtype=np.int32)]
        for group in self._groups():
            path = f"{kind}/{name}"
            if path in group:
                parts.append(np.asarray(group[path][...]))  # type: ignore[index]
        return np.concatenate(parts)


def _side_by_side(parts: list[Rows]) -> Rows:
    """What ranks have recorded at the same times, by the ids of neurons."""
    ids = np.concatenate([part.ids for part in parts])
    order = np.argsort(ids, kind="stable")
    return Rows(parts[0].steps, ids[order], np.concatenate([part.values for part in parts], axis=1)[:, order])
