"""Synapses in an .npz file, read from front to back, a block at a time: a rank keeps those of its own targets.

Either arrays ``source``, ``target`` and, if they are to be given, ``weight`` and ``delay_ms``, an entry a synapse; or a
matrix of shape (sources, targets) as ``scipy.sparse.save_npz`` writes it (COO, CSR or CSC), whose entries are weights.
Each rank reads all of the file. Beside its own synapses it keeps a number or two for every target, and, of CSR and CSC,
while it reads, where each row or column begins.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from hpcsnn.checked_numbers import LARGEST_NUMBER, LARGEST_WHOLE, SMALLEST_NUMBER, Limits, real_number, whole_number
from hpcsnn.errors import ConfigurationError, check_known, shown
from hpcsnn.models.connectors.synapse_lists import ListedSynapses, Weights, refuse_pairs_twice, weights_of
from hpcsnn.models.parameters import Data

# Synapses that are looked at together.
_AT_ONCE = 2**18
# Delays that differ: no projection has more (`hpcsnn.network.delays.MOST_STEPS_AHEAD`).
_MOST_DELAYS = 2**16 + 1
_NAMES = ("source", "target", "weight", "delay_ms")
_NEEDED = ("source", "target")
_FORMATS = {"coo": ("row", "col"), "csr": ("indptr", "indices"), "csc": ("indptr", "indices")}
# What reading a file that is no such file, or half of one, ends in.
_UNREADABLE = (OSError, EOFError, ValueError, RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error)

_DIGEST = re.compile(r"[0-9a-f]{64}")

_Block = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64] | None, NDArray[np.float64] | None]


class _Column:
    """One array of an .npz file, from front to back."""

    def __init__(self, archive: zipfile.ZipFile, name: str, stack: ExitStack) -> None:
        self.name, self._stream = name, stack.enter_context(archive.open(f"{name}.npy"))
        version = np.lib.format.read_magic(self._stream)  # type: ignore[no-untyped-call]
        header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        if version not in header:
            raise ConfigurationError(f"{name}: is of a version of NumPy's format that is not known")
        self.shape, _, self.dtype = header[version](self._stream)  # type: ignore[no-untyped-call]
        self._at = 0

    def __len__(self) -> int:
        return int(self.shape[0])

    def check(self, kinds: str, what: str) -> None:
        """Refuse another type, or shape, than that of a list.

        Raises:
            ConfigurationError: names the array and its type or shape.
        """
        if self.dtype.kind not in kinds:
            raise ConfigurationError(f"{self.name}: dtype {self.dtype} is not allowed; must be {what}")
        if len(self.shape) != 1:
            raise ConfigurationError(f"{self.name}: has shape {self.shape}; must be a list, one entry per synapse")

    def read(self, n: int) -> NDArray[Any]:
        """The next n entries."""
        text = self._stream.read(n * self.dtype.itemsize)
        if len(text) != n * self.dtype.itemsize:
            raise ConfigurationError(f"{self.name}: ends after {self._at + len(text) // self.dtype.itemsize} entries")
        self._at += n
        return np.frombuffer(text, dtype=self.dtype)

    def ids(self, n: int) -> NDArray[np.int64]:
        """The next n entries, which are ids."""
        first, values = self._at, self.read(n)
        for bad in np.flatnonzero((values < 0) | (values > LARGEST_WHOLE))[:1]:
            whole_number(self.name, values[bad], Limits(minimum=0), f" of synapse {first + bad}")
        return values.astype(np.int64)

    def reals(self, n: int, limits: Limits) -> NDArray[np.float64]:
        """The next n entries, which are numbers that kernels hold, or, where limits say so, any finite ones."""
        first, values = self._at, self.read(n).astype(np.float64)
        sizes = np.abs(values)
        good = np.isfinite(values) & limits.allow(values)
        if limits.in_kernels:
            good &= (sizes <= LARGEST_NUMBER) & ((sizes >= SMALLEST_NUMBER) | (sizes == 0.0))
        for bad in np.flatnonzero(~good)[:1]:
            real_number(self.name, values[bad], limits, f" of synapse {first + bad}")
        return values


_REALS, _TIMES = Limits(), Limits("ms", minimum=0.0, in_kernels=False)


class _Reader:
    """The synapses of an open file, block after block."""

    def __init__(self, file: Any, stack: ExitStack) -> None:
        self._archive = stack.enter_context(zipfile.ZipFile(file))
        self._stack, self.shape = stack, None
        names = [name.removesuffix(".npy") for name in self._archive.namelist()]
        if "format" in names:
            self.shape = self._matrix(names)
            return
        for name in names:
            check_known("array", name, _NAMES)
        for name in _NEEDED:
            if name not in names:
                raise ConfigurationError(f"{name}: missing; give arrays {', '.join(_NEEDED)}, or a scipy.sparse matrix")
        self._ends = tuple(self._whole(name) for name in _NEEDED)
        self._weight, self._delay_ms = (self._real(name) if name in names else None for name in _NAMES[2:])
        self._starts, self._axis = None, 0
        self._check_lengths(*self._ends)

    shape: tuple[int, int] | None

    def _column(self, name: str) -> _Column:
        return _Column(self._archive, name, self._stack)

    def _whole(self, name: str) -> _Column:
        column = self._column(name)
        column.check("iu", "whole numbers")
        return column

    def _real(self, name: str) -> _Column:
        column = self._column(name)
        column.check("iuf", "numbers")
        return column

    def _check_lengths(self, *ends: _Column) -> None:
        columns = [one for one in (*ends, self._weight, self._delay_ms) if one is not None]
        if len({len(one) for one in columns}) > 1:
            words = ", ".join(f"{one.name} has {len(one)}" for one in columns)
            raise ConfigurationError(f"{words} entries; must be equally many, one per synapse")
        self.n_synapses = len(columns[0])

    def _matrix(self, names: list[str]) -> tuple[int, int]:
        kind = self._column("format")
        text = kind.read(math.prod(kind.shape)).astype(str).tolist() if kind.dtype.kind in "SU" else [""]
        name = str(text[0]) if len(text) == 1 else ""
        if name not in _FORMATS:
            raise ConfigurationError(f"format: {shown(name)} is not allowed; must be one of {', '.join(_FORMATS)}")
        for needed in (*_FORMATS[name], "data", "shape"):
            if needed not in names:
                raise ConfigurationError(f"{needed}: missing in a scipy.sparse matrix of format {name}")
        shape = self._whole("shape")
        sides = [int(side) for side in shape.read(len(shape))]
        if len(sides) != 2:
            raise ConfigurationError(f"shape: {sides} is not allowed; must be two sides, sources and targets")
        self._weight, self._delay_ms = self._real("data"), None
        ends = [self._whole(one) for one in _FORMATS[name]]
        self._starts, self._axis = None, 0
        if name == "coo":
            self._ends = (ends[0], ends[1])
            self._check_lengths(*ends)
            return sides[0], sides[1]
        self._axis = 0 if name == "csr" else 1
        self._ends = (ends[1],)
        self._check_lengths(ends[1])
        starts = ends[0].read(len(ends[0])).astype(np.int64)
        right = len(starts) == sides[self._axis] + 1 and starts[0] == 0 and starts[-1] == self.n_synapses
        if not right or (np.diff(starts) < 0).any():
            raise ConfigurationError(
                f"indptr: does not fit; must rise from 0 to {self.n_synapses} in {sides[self._axis] + 1} entries"
            )
        self._starts = starts
        return sides[0], sides[1]

    _starts: NDArray[np.int64] | None

    def blocks(self) -> Iterator[tuple[int, _Block]]:
        """Number of the first synapse, and sources, targets, weights and delays of some."""
        for first in range(0, self.n_synapses, _AT_ONCE):
            n = min(_AT_ONCE, self.n_synapses - first)
            ends = [one.ids(n) for one in self._ends]
            if self._starts is not None:
                other = np.searchsorted(self._starts, np.arange(first, first + n), side="right") - 1
                ends.insert(self._axis, other)
            weight = None if self._weight is None else self._weight.reals(n, _REALS)
            delay_ms = None if self._delay_ms is None else self._delay_ms.reals(n, _TIMES)
            yield first, (ends[0], ends[1], weight, delay_ms)


class SynapseFile:
    """An .npz file of synapses; a `SynapseList`.

    Attributes:
        path: absolute.
        sha256: of the file.
        shape: sources and targets of a matrix, else None.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._own: tuple[bytes, ListedSynapses] | None = None
        with ExitStack() as stack:
            file = stack.enter_context(path.open("rb"))
            self._stamp = _stamp_of(file)
            self.sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            reader = _Reader(file, stack)
            self.shape, self.n_synapses = reader.shape, reader.n_synapses
            self._look_through(reader)

    in_degrees: NDArray[np.int64]
    weights: Weights | None
    delays_ms: NDArray[np.float64] | None

    def __len__(self) -> int:
        return self.n_synapses

    def _look_through(self, reader: _Reader) -> None:
        """Keep what all ranks know of it."""
        in_degrees, sums = np.zeros(0, dtype=np.int64), np.zeros(0)
        self.weights, self.delays_ms = None, None
        self._largest = {"source": (-1, 0), "target": (-1, 0)}
        for first, (pre, post, weight, delay_ms) in reader.blocks():
            for end, ids in zip(_NEEDED, (pre, post), strict=True):
                at = int(ids.argmax())
                self._largest[end] = max(self._largest[end], (int(ids[at]), first + at), key=lambda one: one[0])
            in_degrees = _added(in_degrees, np.bincount(post))
            if weight is not None:
                sizes = np.abs(weight.astype(np.float32)).astype(np.float64)
                sums = _added(sums, np.bincount(post, weights=sizes))
                self.weights = _both(self.weights, weights_of(weight, first=first))
            if delay_ms is not None:
                before = np.empty(0) if self.delays_ms is None else self.delays_ms
                self.delays_ms = np.unique(np.concatenate([before, delay_ms]))
                if len(self.delays_ms) > _MOST_DELAYS:
                    raise ConfigurationError(f"delay_ms: more than {_MOST_DELAYS} different delays are not allowed")
        self.in_degrees = in_degrees
        if self.weights is not None:
            one = self.weights
            self.weights = Weights(one.least, one.least_at, one.most, one.most_at, one.smallest, sums)

    def of_targets(self, targets: NDArray[np.int64]) -> ListedSynapses:
        """Those of some targets, read once more; the last ones that were asked for are kept.

        Raises:
            ConfigurationError: a pair that is there twice, or another file in its place.
        """
        key = hashlib.sha256(np.ascontiguousarray(targets).tobytes()).digest()
        if self._own is None or self._own[0] != key:
            self._own = key, _told(self.path, lambda: self._read(targets))
        return self._own[1]

    def _read(self, targets: NDArray[np.int64]) -> ListedSynapses:
        wanted = np.zeros(len(self.in_degrees), dtype=bool)
        wanted[targets[targets < len(wanted)]] = True
        parts: dict[str, list[NDArray[Any]]] = {name: [] for name in (*_NAMES, "position")}
        with ExitStack() as stack:
            file = stack.enter_context(self.path.open("rb"))
            if _stamp_of(file) != self._stamp:
                raise ConfigurationError("was changed after it was looked through; start again")
            reader = _Reader(file, stack)
            for first, (pre, post, weight, delay_ms) in reader.blocks():
                here = np.flatnonzero(wanted[post])
                parts["position"].append(first + here)
                for name, column in zip(_NAMES, (pre, post, weight, delay_ms), strict=True):
                    if column is not None:
                        parts[name].append(column[here])
        pre, post, position = (
            np.concatenate([np.empty(0, dtype=np.int64), *parts.pop(name)]) for name in (*_NEEDED, "position")
        )
        refuse_pairs_twice("file", pre, post, position)
        order = np.lexsort((pre, post))
        reals = {name: np.concatenate(part)[order] for name, part in parts.items() if part}
        return ListedSynapses(pre[order], post[order], reals.get("weight"), reals.get("delay_ms"), position[order])

    def check_sizes(self, where: str, n_sources: int, n_targets: int) -> None:
        """Refuse ids that are none of the populations', and a matrix of another shape.

        Raises:
            ConfigurationError: names `where`, the id, its place and the population's size.
        """
        if self.shape is not None and self.shape != (n_sources, n_targets):
            raise ConfigurationError(
                f"{where}: {self.path}: shape {self.shape} is not allowed; must be {(n_sources, n_targets)}, the "
                "numbers of sources and targets"
            )
        for end, size in (("source", n_sources), ("target", n_targets)):
            largest, at = self._largest[end]
            if largest >= size:
                raise ConfigurationError(
                    f"{where}: {self.path}: {end}: {largest} of synapse {at} is not allowed; must be < {size}, the "
                    "population's size"
                )


def _stamp_of(file: BinaryIO) -> tuple[int, int]:
    there = os.fstat(file.fileno())
    return there.st_size, there.st_mtime_ns


def _added(sums: NDArray[Any], more: NDArray[Any]) -> NDArray[Any]:
    """Sums by target id, the longer ones with what is more in place."""
    if len(more) > len(sums):
        sums = np.concatenate([sums, np.zeros(len(more) - len(sums), dtype=sums.dtype)])
    sums[: len(more)] += more
    return sums


def _both(one: Weights | None, other: Weights | None) -> Weights | None:
    if one is None or other is None:
        return other if one is None else one
    least, most = (one if one.least <= other.least else other), (one if one.most >= other.most else other)
    return Weights(least.least, least.least_at, most.most, most.most_at, min(one.smallest, other.smallest))


def _told(path: Path, read: Any) -> Any:
    """What `read` gives; what it refuses with the file's name."""
    try:
        return read()
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from None
    except FileNotFoundError:
        raise ConfigurationError(f"{path}: no such file") from None
    except _UNREADABLE as error:
        raise ConfigurationError(f"{path}: cannot be read as an .npz file: {error}") from None


@lru_cache(maxsize=8)
def _looked_through(path: Path, _stamp: tuple[int, ...]) -> SynapseFile:
    return SynapseFile(path)


def _file(path: Path) -> SynapseFile:
    """The file at a path, looked through once as long as it stays the same."""
    there = path.stat()
    return _looked_through(path, (there.st_dev, there.st_ino, there.st_size, there.st_mtime_ns))


@dataclass(frozen=True)
class FileOfSynapses(Data):
    """The path of such a file, or ``{path, sha256}``: then it must be the one with this digest."""

    def checked(self, where: str, value: object) -> Any:
        """The file.

        Raises:
            ConfigurationError: no path, another digest, or no such file; names `where`, the file, and what is wrong.
        """
        path, digest = value, None
        if isinstance(value, Mapping):
            path, digest = value.get("path"), value.get("sha256")
            if set(value) != {"path", "sha256"} or not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
                raise ConfigurationError(f"{where}: {shown(value)} is not allowed; must be a path, or path and sha256")
        if not isinstance(path, (str, Path)) or Path(path).suffix != ".npz":
            raise ConfigurationError(f"{where}: {shown(path)} is not allowed; must be {self.doc}")
        try:
            file: SynapseFile = _told(Path(path).absolute(), lambda: _file(Path(path).absolute()))
        except ConfigurationError as error:
            raise ConfigurationError(f"{where}: {error}") from None
        if digest is not None and file.sha256 != digest:
            raise ConfigurationError(
                f"{where}: {file.path} is another file than the run began with (its SHA-256 is {file.sha256}, and was "
                f"{digest}): put that one back, or start a new run"
            )
        return file

    def plain(self, value: Any) -> Any:
        """As a configuration has it: the path, and the digest that the file must have."""
        return {"path": str(value.path), "sha256": value.sha256}

    def check_steps(self, where: str, value: Any, dt_ms: float) -> None:
        """No times are in the path; see `hpcsnn.network.delays` for those in the file."""
