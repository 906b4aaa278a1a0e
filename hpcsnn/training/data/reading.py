"""Files of data as arrays. They may come from anywhere: sizes are compared first, and nothing is unpickled."""

from __future__ import annotations

import gzip
import io
import math
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.errors import DataError

_MOST_BYTES = 2**31
_PIECE = 2**20
# Of IDX: two zero bytes, the type (8: unsigned bytes), the number of dimensions.
_UNSIGNED_BYTES = 8


def read_bytes(path: Path, most: int = _MOST_BYTES) -> bytes:
    """All of a file, unpacked if its name ends in .gz.

    Raises:
        DataError: it cannot be read or unpacked, or has more than `most` bytes.
    """
    room = io.BytesIO()
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            while piece := file.read(_PIECE):
                if room.tell() + len(piece) > most:
                    raise DataError(f"{path}: has more than the {most} bytes that were expected")
                room.write(piece)
    except (OSError, EOFError, zlib.error) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path}: cannot be read: {error}") from None
    return room.getvalue()


def read_idx(path: Path, n_dimensions: int) -> NDArray[np.uint8]:
    """An IDX file of unsigned bytes, as MNIST's are, packed or not.

    Raises:
        DataError: it cannot be read, is of another kind, or is longer or shorter than its header says.
    """
    content = read_bytes(path)
    header = 4 + 4 * n_dimensions
    if len(content) < header:
        raise DataError(f"{path}: has {len(content)} bytes; an IDX file of {n_dimensions} dimensions has >= {header}")
    magic = content[:4]
    if magic != bytes((0, 0, _UNSIGNED_BYTES, n_dimensions)):
        expected = f"{bytes((0, 0, _UNSIGNED_BYTES, n_dimensions)).hex()}: bytes in {n_dimensions} dimensions"
        raise DataError(f"{path}: begins with {magic.hex()}; must be an IDX file that begins with {expected}")
    shape = struct.unpack(f">{n_dimensions}I", content[4:header])
    if math.prod(shape) != len(content) - header:
        said = " x ".join(map(str, shape))
        raise DataError(f"{path}: has {len(content) - header} bytes of data; its header says {said}")
    return np.frombuffer(content, dtype=np.uint8, offset=header).reshape(shape)


def read_table(path: Path, n_columns: int, largest: int) -> NDArray[np.int64]:
    """A text file of whole numbers from 0 to `largest` separated by commas, packed or not: (n_rows, n_columns).

    Raises:
        DataError: it cannot be read, or has something else in it.
    """
    text = read_bytes(path, 2**28)
    if not text.strip():
        raise DataError(f"{path}: is empty; must be rows of {n_columns} numbers")
    try:
        table = np.loadtxt(io.BytesIO(text), delimiter=",", ndmin=2, dtype=np.float64, comments=None)
    except ValueError as error:
        raise DataError(f"{path}: must be numbers separated by commas: {error}") from None
    if table.shape[1] != n_columns or not len(table):
        raise DataError(f"{path}: has shape {table.shape}; must be rows of {n_columns} numbers")
    bad = ~((table >= 0) & (table <= largest) & (table == np.rint(table)))
    if bad.any():
        row, column = np.argwhere(bad)[0]
        allowed = f"must be a whole number from 0 to {largest}"
        raise DataError(f"{path}: {table[row, column]:g} in row {row}, column {column} is not allowed; {allowed}")
    return table.astype(np.int64)


def read_npy(path: Path, n_columns: int) -> NDArray[Any]:
    """A .npy file of real or whole numbers, (n, n_columns); mapped, so that what its header says has to be there.

    Raises:
        DataError: it cannot be read, has objects in it, or another shape.
    """
    try:
        array = np.lib.format.open_memmap(path, mode="r")  # not `load`, which opens zip files too
    except (OSError, ValueError, EOFError, SyntaxError, TypeError, OverflowError) as error:
        raise DataError(f"{path}: cannot be read as an array of numbers: {error}") from None
    if array.dtype.kind not in "iuf" or array.shape[1:] != (n_columns,):
        found = f"shape {array.shape} and type {array.dtype}"
        raise DataError(f"{path}: has {found}; must be numbers of shape (events, {n_columns})")
    return array


def checked_classes(path: Path, labels: NDArray[Any], n_classes: int) -> NDArray[np.int32]:
    """Labels of a file, once each is a class.

    Raises:
        DataError: one is none; names the first.
    """
    bad = (labels < 0) | (labels >= n_classes)
    if bad.any():
        place = int(np.argmax(bad))
        raise DataError(f"{path}: label {labels[place]} of sample {place} is not allowed; must be below {n_classes}")
    return labels.astype(np.int32)
