"""Lists that a configuration has in a file: spikes, rates, synapses, positions; as NumPy, CSV, Parquet or SONATA."""

from __future__ import annotations

import hashlib
import io
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.configuration.sonata_spikes import columns_of_sonata
from hpcsnn.errors import ConfigurationError, check_known, shown
from hpcsnn.models.base import Model
from hpcsnn.models.parameters import Data
from hpcsnn.models.user_files import FROM_FILE
from hpcsnn.network import Positions
from hpcsnn.network.places.positions import DEFAULT_RESOLUTION

# Beside FROM_FILE: what its contents were when a run began.
DIGEST = "sha256"
# Coordinates, as columns of files are called.
_AXES = ("x", "y", "z")
# Columns that a message names.
_MOST_NAMED = 20


@dataclass(frozen=True)
class _Columns:
    """Of a file; ``names`` are empty where it has none, ``digest`` is the SHA-256 of its contents."""

    names: tuple[str, ...]
    columns: tuple[NDArray[Any], ...]
    digest: str


def lists_of_file(where: str, model: Model, values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """A model's values with its lists as the file has them that is named, and what names the file.

    A column is called as the list, or as its `Data.column`; where the file has no names, columns are in the order of
    the lists. The last list, if it is of neurons, takes all that are left.

    Raises:
        ConfigurationError: no such file, one that cannot be read or lacks a column, contents that are not those with
            the digest that is given, or lists beside the file; names `where` and the file.
    """
    given = dict(values)
    path, digest = given.pop(FROM_FILE), given.pop(DIGEST, None)
    both = [name for name in model.data if name in given]
    if both and isinstance(path, str):
        raise ConfigurationError(f"{where}.{both[0]}: not allowed beside {FROM_FILE}; give one of them")
    found, file = _known(where, path, digest)
    return given | _lists(f"{where}.{FROM_FILE}: {path}", model.data, found), file


def positions_of(where: str, spec: Any) -> Positions:
    """What ``{from_file: places.npy, resolution: 0.01}`` says, or ``values`` in the place of the file, or these alone.

    A file has two or three columns: those called x, y and z, or, without names, in this order.

    Raises:
        ConfigurationError: no such file or another than the run began with, or no positions; names `where`.
    """
    given = dict(spec) if isinstance(spec, dict) else {"values": spec}
    for name in given:
        check_known(where, name, (FROM_FILE, DIGEST, "values", "resolution"))
    if (FROM_FILE in given) == ("values" in given):
        raise ConfigurationError(f"{where}: give either {FROM_FILE} or values")
    values: Any = given.get("values")
    file: dict[str, str] = {}
    if isinstance(values, str):
        raise ConfigurationError(f"{where}: {shown(values)} is not allowed; a file is named by {FROM_FILE}")
    if FROM_FILE in given:
        found, file = _known(where, given[FROM_FILE], given.get(DIGEST))
        columns = found.columns
        if found.names:
            by_name = dict(zip(found.names, columns, strict=True))
            lacks = [name for name in _AXES[:2] if name not in by_name]
            if lacks:
                raise ConfigurationError(f"{where}.{FROM_FILE}: {file[FROM_FILE]}: lacks a column {lacks[0]!r}")
            columns = tuple(by_name[name] for name in _AXES if name in by_name)
        values = np.stack(columns, axis=1)
    elif DIGEST in given:
        raise ConfigurationError(f"{where}.{DIGEST}: {shown(given[DIGEST])} is not allowed without {FROM_FILE}")
    try:
        positions = Positions(values, given.get("resolution", DEFAULT_RESOLUTION))
    except ConfigurationError as error:
        raise ConfigurationError(where + str(error).removeprefix("positions")) from None
    positions.file = file
    return positions


def described_positions(positions: Positions | None) -> dict[str, Any] | None:
    """As a configuration file has them."""
    if positions is None:
        return None
    given = positions.file or {"values": positions.values.tolist()}
    return {**given, "resolution": positions.resolution}


def _known(where: str, path: object, digest: object) -> tuple[_Columns, dict[str, str]]:
    if not isinstance(path, str):
        raise ConfigurationError(f"{where}.{FROM_FILE}: {shown(path)} is not allowed; must be the name of a file")
    where = f"{where}.{FROM_FILE}: {path}"
    found = _read(where, Path(path))
    if digest is not None and digest != found.digest:
        raise ConfigurationError(
            f"{where}: is another file than the one that the run began with (its SHA-256 is {found.digest}, and was "
            f"{str(digest)[:64]!a}): put that one back, or start a new run"
        )
    return found, {FROM_FILE: path, DIGEST: found.digest}


def _lists(where: str, data: Mapping[str, Data], found: _Columns) -> dict[str, Any]:
    columns = dict(zip(found.names or map(str, range(len(found.columns))), found.columns, strict=True))
    lists: dict[str, Any] = {}
    for name, one in data.items():
        if one.of_neurons and not {name, one.column}.intersection(columns):
            if not columns:
                raise ConfigurationError(f"{where}: has no column for {name}, {one.doc}")
            lists[name] = np.stack(list(columns.values()), axis=1)
            columns = {}
            continue
        called = [word for word in (name, one.column) if word in columns] if found.names else list(columns)
        if not called:
            words = " or ".join(repr(word) for word in (name, one.column) if word)
            named = ", ".join(map(shown, found.names[:_MOST_NAMED]))
            there = f"there are {named}" if named else f"it has {len(found.columns)}"
            raise ConfigurationError(f"{where}: lacks a column {words}; {there}")
        lists[name] = columns.pop(called[0])
    return lists


def _read(where: str, path: Path) -> _Columns:
    readers = {".npy": _of_numpy, ".csv": _of_csv, ".parquet": _of_parquet, ".h5": columns_of_sonata}
    path, part = _part_of(path)
    if path.suffix not in readers:
        raise ConfigurationError(f"{where}: is not allowed; must be a file that ends in {', '.join(readers)}")
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("it is no file")
        return _read_once(path, part, status.st_mtime_ns, status.st_size, readers[path.suffix])
    except FileNotFoundError:
        raise ConfigurationError(f"{where}: no such file") from None
    except ModuleNotFoundError as error:
        raise ConfigurationError(f"{where}: needs the package {error.name}: pip install {error.name}") from None
    except (OSError, ValueError, EOFError, ImportError, MemoryError, OverflowError, RuntimeError, KeyError) as error:
        said = (str(error) or type(error).__name__).splitlines()[0]
        raise ConfigurationError(f"{where}: cannot be read: {said}") from None


def _part_of(path: Path) -> tuple[Path, str]:
    """A file and the population in it, of ``spikes.h5:POPULATION``; all others have none."""
    file, _, part = path.name.rpartition(":")
    return (path.with_name(file), part) if file.endswith(".h5") else (path, "")


@lru_cache(maxsize=8)  # a configuration is made a network of several times
def _read_once(path: Path, part: str, _mtime_ns: int, _size: int, reader: Any) -> _Columns:
    contents = path.read_bytes()
    names, columns = reader(contents, part)
    return _Columns(tuple(names), tuple(columns), hashlib.sha256(contents).hexdigest())


def _of_numpy(contents: bytes, _part: str) -> tuple[list[str], list[NDArray[Any]]]:
    array = np.lib.format.read_array(io.BytesIO(contents), allow_pickle=False)
    if array.dtype.names:
        return list(array.dtype.names), [array[name] for name in array.dtype.names]
    if array.ndim != 2:
        raise ValueError(f"has shape {array.shape}; must be a table of rows and columns, or records with names")
    return [], list(array.T)


def _of_csv(contents: bytes, _part: str) -> tuple[list[str], list[NDArray[Any]]]:
    import pandas as pd  # as pyarrow, only where such a file is read

    table = pd.read_csv(io.BytesIO(contents), skipinitialspace=True)
    try:
        [float(name) for name in table.columns]
    except ValueError:
        return [str(name) for name in table.columns], [table[name].to_numpy() for name in table.columns]
    plain = pd.read_csv(io.BytesIO(contents), header=None)
    return [], [plain[number].to_numpy() for number in plain.columns]


def _of_parquet(contents: bytes, _part: str) -> tuple[list[str], list[NDArray[Any]]]:
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(io.BytesIO(contents))
    return list(table.column_names), [table.column(name).to_numpy() for name in table.column_names]
