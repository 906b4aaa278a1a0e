"""Recorded spikes and rewiring events on disk, in segments of model time; a checkpoint says which segments are valid.

``records/STEPS/rank_R.zarr`` is one Zarr group in a zip file a rank and segment (STEPS is first-last, the last not
included), with arrays ``spikes/POPULATION`` (n, 2: step, id) and ``events/PROJECTION`` (n, 4: step, pre, post, what),
int32, by step; attributes say ``dt_ms``, the columns and the rule's reasons. Versions before wrote folders, and no
attributes. A segment is written before the checkpoint that ends it is committed, and belongs
to the run once that checkpoint's manifest, or a later one's, lists it: whatever else lies there was lost with the run
that wrote it. A segment never takes the place of another: where its name is taken it has a number behind it
(``STEPS.2``), and manifests say which is whose.
"""

from __future__ import annotations

import itertools
import os
import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from hpcsnn.atomic_files import refuse_link, remove
from hpcsnn.checked_numbers import LAST_STEP
from hpcsnn.errors import StorageError
from hpcsnn.storage.descriptions import free_name
from hpcsnn.storage.packed.arrays import ArrayForm, Description, groups
from hpcsnn.storage.packed.opening import open_group
from hpcsnn.storage.packed.zip_file import PartWriter, close

Recorded = tuple[dict[str, NDArray[np.int32]], dict[str, NDArray[np.int32]]]
_CHUNK = 1 << 18
# Names of segments, as a pattern.
SEGMENT = re.compile(r"([0-9]{10,})-([0-9]{10,})(\.[0-9]+)?")
COLUMNS = {"spikes": ["step", "neuron"], "events": ["step", "pre", "post", "what"]}
_MEANINGS = {"spikes": "spikes", "events": "formations (what is 0) and eliminations (1 + number of the reason)"}


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


def write_segment(
    folder: Path, rank: int, recorded: Recorded, dt_ms: float, reasons: Mapping[str, Sequence[str]]
) -> dict[str, tuple[int, int]]:
    """Write one rank's part of a segment and bring it to disk; file below `folder` -> (bytes, CRC32C).

    Args:
        dt_ms: length of a step.
        reasons: by projection with events, why a synapse of it may go.
    """
    path = folder / f"rank_{rank}.zarr"
    remove(path)
    named = dict(zip(COLUMNS, recorded, strict=True))
    tables = {f"{kind}/{name}": table for kind, of_kind in named.items() for name, table in of_kind.items()}
    with PartWriter(path) as part:
        for name, text in groups(tables, {"dt_ms": dt_ms}):
            part.add(name, [text])
        for path_in_group, table in tables.items():
            kind, _, name = path_in_group.partition("/")
            dimensions = (free_name(f"{name}_{kind}", named[kind]), free_name("column", named[kind]))
            attributes = {"long_name": _MEANINGS[kind], "columns": COLUMNS[kind]}
            if kind == "events":
                attributes["reasons"] = list(reasons[name])
            about = Description(dimensions, attributes)
            form = ArrayForm(table.shape, table.dtype, about, (min(max(len(table), 1), _CHUNK), table.shape[1]))
            for file, pieces in form.files(table):
                part.add(f"{path_in_group}/{file}", pieces)
        written = part.finish()
    return {path.name: close(path, [written])}


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

    def spikes(
        self, population: str, first: int = 0, last: int = LAST_STEP, neurons: NDArray[Any] | None = None
    ) -> NDArray[np.int32]:
        """Shape (n, 2): step and id, by step, then id.

        Args:
            first, last: of steps first .. last.
            neurons: of these alone.

        Raises:
            StorageError: a segment is missing or damaged.
        """
        parts = [np.empty((0, 2), dtype=np.int32)]
        for pieces in self._by_segment("spikes", population, first, last):
            if neurons is not None:
                pieces = (piece[np.isin(piece[:, 1], neurons)] for piece in pieces)
            # One number for both is sorted in place, several times faster than two columns are.
            both = np.concatenate([(piece[:, 0].astype("<i8") << 32) | piece[:, 1] for piece in pieces])
            both.sort()
            parts.append(both.view("<i4").reshape(-1, 2)[:, ::-1].astype(np.int32, copy=False))
        return np.concatenate(parts)

    def events(self, projection: str, first: int = 0, last: int = LAST_STEP) -> NDArray[np.int32]:
        """Shape (n, 4): step, pre, post and what (0 formed, 1 + reason), by step, post, pre.

        Args:
            first, last: of steps first .. last.

        Raises:
            StorageError: a segment is missing or damaged.
        """
        parts = [np.empty((0, 4), dtype=np.int32)]
        for pieces in self._by_segment("events", projection, first, last):
            table = np.concatenate(list(pieces))
            parts.append(table[np.lexsort((table[:, 1], table[:, 2], table[:, 0]))])
        return np.concatenate(parts)

    def reasons(self, projection: str) -> list[str] | None:
        """Why a synapse of the projection may go, as the newest segment says it; None: versions before did not."""
        for path in reversed(self.parts()):
            group = self._opened(path)
            if f"events/{projection}" in group:
                said = group[f"events/{projection}"].attrs.get("reasons")
                return [str(reason) for reason in said] if isinstance(said, list) else None
        return None

    def parts(self) -> list[Path]:
        """The Zarr groups, one a segment and rank: for those who read more than fits in memory."""
        return [path for name in self.segments for path in self._parts(name)]

    def _parts(self, segment: str) -> list[Path]:
        return sorted((self._folder / segment).glob("rank_*.zarr"))

    def _by_segment(self, kind: str, name: str, first: int, last: int) -> Iterator[Iterator[NDArray[np.int32]]]:
        """Rows of steps first .. last of one segment after the other, those of all its ranks; no others are read."""
        nothing = np.empty((0, len(COLUMNS[kind])), dtype=np.int32)
        for segment in self.segments:
            bounds = SEGMENT.fullmatch(segment)
            if bounds is None:
                raise StorageError(f"{self._folder / segment}: is no name of a segment")
            if int(bounds[1]) > last or int(bounds[2]) <= first:
                continue
            pieces = (self._pieces(path, kind, name, first, last) for path in self._parts(segment))
            yield itertools.chain([nothing], itertools.chain.from_iterable(pieces))

    def _pieces(self, path: Path, kind: str, name: str, first: int, last: int) -> Iterator[NDArray[np.int32]]:
        """Rows of one file, a chunk at a time."""
        group = self._opened(path)
        if f"{kind}/{name}" not in group:
            return
        try:
            table: Any = group[f"{kind}/{name}"]
            n, width = table.shape
            if width != len(COLUMNS[kind]):
                raise ValueError(f"it has {width} columns, must have {len(COLUMNS[kind])}")
            rows = table.chunks[0]
            chunks = range(-(-n // rows))
            # Rows are by step: of the chunks before the first that is wanted, only first rows are looked at.
            begin = bisect_left(chunks, first, key=lambda chunk: int(table[chunk * rows, 0])) if first else 0
            for chunk in chunks[max(begin - 1, 0) :]:
                piece = np.asarray(table[chunk * rows : (chunk + 1) * rows])
                if piece[0, 0] > last:
                    break
                yield piece[(piece[:, 0] >= first) & (piece[:, 0] <= last)]
        except Exception as error:  # whatever a codec finds wrong
            raise StorageError(f"{path}: {kind} of {name} cannot be read: {error}") from error

    def _opened(self, path: Path) -> zarr.Group:
        for own in (path.parent, path):
            refuse_link(own, to="reads")
        try:
            return open_group(path)
        except Exception as error:  # whatever Zarr makes of metadata that are none
            raise StorageError(f"{path}: no records here ({error})") from error

    def _groups(self) -> list[zarr.Group]:
        return [self._opened(path) for path in self.parts()]
