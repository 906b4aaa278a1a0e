"""Recorded spikes and rewiring events on disk, in segments of model time; a checkpoint says which segments are valid.

``records/STEPS/rank_R.zarr`` is one Zarr group in a zip file a rank and segment (STEPS is first-last, the last not
included), with arrays ``spikes/POPULATION`` (n, 2: step, id) and ``events/PROJECTION`` (n, 4: step, pre, post, what),
int32, by step; attributes say ``dt_ms``, the columns and the rule's reasons. Variables that are recorded of neurons are
``variables/POPULATION/VARIABLE`` with ``values`` (times, neurons), ``step`` (so many were done) and ``neuron`` (ids);
those of synapses are ``synapses/PROJECTION/VARIABLE`` with ``step``, ``pre``, ``post`` and ``values``, (n,) each; and
averages are ``averages/POPULATION/VARIABLE`` with ``step``, ``mean``, ``min`` and ``max``, (times,), in rank 0's group.
Versions before wrote folders, and no attributes. A segment is written before the checkpoint that ends it is committed,
and belongs to the run once that checkpoint's manifest, or a later one's, lists it: whatever else lies there was lost
with the run that wrote it. A segment never takes the place of another: where its name is taken it has a number behind
it (``STEPS.2``), and manifests say which is whose.
"""

from __future__ import annotations

import itertools
import math
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
from hpcsnn.engine.recording.recorded import Taken
from hpcsnn.engine.recording.rows import STATISTICS, Average, Rows, SynapseValues
from hpcsnn.errors import StorageError
from hpcsnn.network.recording.recorders import Kind
from hpcsnn.storage.descriptions import free_name
from hpcsnn.storage.packed.arrays import ArrayForm, Description, groups
from hpcsnn.storage.packed.opening import open_group
from hpcsnn.storage.packed.zip_file import PartWriter, close

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
    folder: Path, rank: int, recorded: Taken, dt_ms: float, reasons: Mapping[str, Sequence[str]]
) -> dict[str, tuple[int, int]]:
    """Write one rank's part of a segment and bring it to disk; file below `folder` -> (bytes, CRC32C).

    Args:
        dt_ms: length of a step.
        reasons: by projection with events, why a synapse of it may go.
    """
    path = folder / f"rank_{rank}.zarr"
    remove(path)
    arrays = dict(_described(recorded, dt_ms, reasons))
    with PartWriter(path) as part:
        for name, text in groups(arrays, {"dt_ms": dt_ms}):
            part.add(name, [text])
        for path_in_group, (values, about) in arrays.items():
            form = ArrayForm(values.shape, values.dtype, about, _chunk_of(values.shape))
            for file, pieces in form.files(values):
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

    def variables(self, kind: Kind = "variables") -> list[tuple[str, str]]:
        """(population, variable) of those that were recorded of neurons, or of ``averages``; (projection, variable) of
        ``synapses``."""
        found = set()
        for group in self._groups():
            if kind in group:
                for owner, of_owner in group[kind].groups():  # type: ignore[union-attr]
                    found |= {(owner, variable) for variable in of_owner.group_keys()}
        return sorted(found)

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

    def rows(self, population: str, variable: str) -> Rows:
        """A variable at all times at which it was recorded, of all its neurons by id.

        Raises:
            StorageError: it was not recorded, or a segment is missing or damaged.
        """
        joined = []
        for columns in self._of_variable("variables", population, variable, ("step", "neuron", "values")):
            joined.append(_side_by_side([Rows(*one) for one in columns]))
        steps, values = ([getattr(one, part) for one in joined] for part in ("steps", "values"))
        return Rows(np.concatenate(steps), joined[0].ids, np.concatenate(values), joined[0].unit)

    def average(self, population: str, variable: str) -> Average:
        """Mean, min and max of a variable at all times at which they were recorded.

        Raises:
            StorageError: they were not recorded, or a segment is missing or damaged.
        """
        segments = self._of_variable("averages", population, variable, ("step", *STATISTICS))
        return Average.joined([Average(*one) for columns in segments for one in columns])

    def synapses(self, projection: str, variable: str) -> SynapseValues:
        """A variable of all synapses that were there at the times at which it was recorded, by step, post, pre.

        Raises:
            StorageError: it was not recorded, or a segment is missing or damaged.
        """
        segments = self._of_variable("synapses", projection, variable, ("step", "pre", "post", "values"))
        return SynapseValues.joined([SynapseValues(*one) for columns in segments for one in columns]).in_order()

    def _of_variable(self, kind: Kind, owner: str, variable: str, names: tuple[str, ...]) -> list[list[Any]]:
        """Of each segment in which a variable is, and each rank, the arrays of these names and the values' unit."""
        found = []
        for segment in self.segments:
            of_ranks = (self._arrays_of(path, f"{kind}/{owner}/{variable}", names) for path in self._parts(segment))
            if there := [arrays for arrays in of_ranks if arrays]:
                found.append(there)
        if not found:
            raise StorageError(f"{self._folder}: {variable} of {owner} was not recorded")
        return found

    def _arrays_of(self, path: Path, place: str, names: tuple[str, ...]) -> tuple[Any, ...]:
        group = self._opened(path)
        if place not in group:
            return ()
        try:
            arrays: list[Any] = [group[f"{place}/{name}"] for name in names]
            return *(np.asarray(array) for array in arrays), str(arrays[-1].attrs.get("units", ""))
        except Exception as error:  # whatever a codec finds wrong
            raise StorageError(f"{path}: {place} cannot be read: {error}") from error

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


def _described(
    recorded: Taken, dt_ms: float, reasons: Mapping[str, Sequence[str]]
) -> Iterator[tuple[str, tuple[NDArray[Any], Description]]]:
    """By path in the group, what was recorded, and what it is."""
    for kind, tables in (("spikes", recorded.spikes), ("events", recorded.events)):
        for name, table in tables.items():
            dimensions = (free_name(f"{name}_{kind}", tables), free_name("column", tables))
            attributes: dict[str, Any] = {"long_name": _MEANINGS[kind], "columns": COLUMNS[kind]}
            if kind == "events":
                attributes["reasons"] = list(reasons[name])
            yield f"{kind}/{name}", (table, Description(dimensions, attributes))
    steps = {"long_name": f"steps done, of {dt_ms:g} ms each", "units": "steps"}
    for name, rows in recorded.rows.items():
        yield f"variables/{name}/values", (rows.values, Description(("time", "neuron"), _about(name, rows.unit)))
        yield f"variables/{name}/step", (rows.steps, Description(("time",), steps))
        yield f"variables/{name}/neuron", (rows.ids, Description(("neuron",), {"long_name": "id of the neuron"}))
    for name, of in recorded.synapses.items():
        yield f"synapses/{name}/values", (of.values, Description(("entry",), _about(name, of.unit)))
        yield f"synapses/{name}/step", (of.steps, Description(("entry",), steps))
        for end, ids in (("pre", of.pre), ("post", of.post)):
            yield f"synapses/{name}/{end}", (ids, Description(("entry",), {"long_name": f"id of the {end} neuron"}))
    for name, average in recorded.averages.items():
        yield f"averages/{name}/step", (average.steps, Description(("time",), steps))
        for statistic in STATISTICS:
            about = _about(name, average.unit)
            about |= {"long_name": f"{statistic} of {about['long_name']}"}
            yield f"averages/{name}/{statistic}", (getattr(average, statistic), Description(("time",), about))


def _about(name: str, unit: str) -> dict[str, str]:
    """Of the values of ``owner/variable``."""
    return {"long_name": name.partition("/")[2], **({"units": unit} if unit else {})}


def _chunk_of(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Some rows, whole ones."""
    width = math.prod(max(n, 1) for n in shape[1:])
    most = _CHUNK if width <= len(COLUMNS["events"]) else max(1, 4 * _CHUNK // width)
    return min(max(shape[0], 1), most), *(max(n, 1) for n in shape[1:])


def _side_by_side(parts: list[Rows]) -> Rows:
    """What ranks have recorded at the same times, by the ids of neurons."""
    ids = np.concatenate([part.ids for part in parts])
    order = np.argsort(ids, kind="stable")
    values = np.concatenate([part.values for part in parts], axis=1)[:, order]
    return Rows(parts[0].steps, ids[order], values, parts[0].unit)
