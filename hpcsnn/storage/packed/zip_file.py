"""A zip file that several ranks write: each its entries to a part of its own, the parts then put behind each other.

Entries are stored as they are, so that a byte of a shard is where the shard's index says, and the zip of one rank is
written from front to end once. Offsets and sizes beyond 4 GiB are as Zip64 has them.
"""

from __future__ import annotations

import os
import shutil
import struct
import zlib
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from typing import NamedTuple

import google_crc32c

# Parts of several ranks begin at multiples of this: no page of any system is written by two of them.
_ALIGNED = 1 << 16
_UTF8, _STORED, _MIDNIGHT, _1980 = 1 << 11, 0, 0, 0x21  # no time of day: the same state has the same bytes
_OLD, _ZIP64 = 20, 45  # versions of the format
_UNIX = 3
_MOST, _MOST_ENTRIES = 2**32 - 1, 2**16 - 1


class Entry(NamedTuple):
    """A file in the zip: where its header begins, in the part or file that holds it."""

    name: str
    crc32: int
    size: int
    offset: int


class Written(NamedTuple):
    """What one rank has written: its entries, bytes, and their CRC32C."""

    entries: list[Entry]
    size: int
    crc32c: int


class PartWriter(AbstractContextManager["PartWriter"]):
    """Writes a new file of entries, one behind the other.

    Args:
        aligned: fill it up, so that another rank's part may follow.
    """

    def __init__(self, path: Path, aligned: bool = False) -> None:
        self._stream, self._aligned = path.open("xb"), aligned
        self._entries: list[Entry] = []
        self._size = self._crc32c = 0

    def add(self, name: str, pieces: Sequence[bytes]) -> None:
        """Write a file's bytes."""
        size, crc32 = sum(map(len, pieces)), 0
        for piece in pieces:
            crc32 = zlib.crc32(piece, crc32)
        entry = Entry(name, crc32, size, self._size)
        for piece in (_local_header(entry), *pieces):
            self._write(piece)
        self._entries.append(entry)

    def finish(self) -> Written:
        """What has been written; nothing more is."""
        if self._aligned:
            self._write(bytes(-self._size % _ALIGNED))
        return Written(self._entries, self._size, self._crc32c)

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def _write(self, data: bytes) -> None:
        self._stream.write(data)
        self._size += len(data)
        self._crc32c = google_crc32c.extend(self._crc32c, data)


def join(part: Path, whole: Path, offset: int) -> None:
    """Move a part into the file that it belongs to, where others write beside it, and bring it to disk."""
    with part.open("rb") as read, os.fdopen(os.open(whole, os.O_WRONLY), "wb") as written:
        written.seek(offset)
        shutil.copyfileobj(read, written, 1 << 20)
        written.flush()
        os.fsync(written.fileno())
    part.unlink()


def offsets(parts: Iterable[Written]) -> list[int]:
    """Where each rank's part begins."""
    sums = [0]
    for part in parts:
        sums.append(sums[-1] + part.size)
    return sums[:-1]


def close(whole: Path, parts: Sequence[Written]) -> tuple[int, int]:
    """Write the directory behind all parts, and bring the file to disk; (bytes, CRC32C) of the whole."""
    entries = [
        entry._replace(offset=entry.offset + offset)
        for part, offset in zip(parts, offsets(parts), strict=True)
        for entry in part.entries
    ]
    start, crc32c = sum(part.size for part in parts), 0
    for part in parts:
        crc32c = crc32c_of_both(crc32c, part.crc32c, part.size)
    directory = b"".join(map(_directory_entry, entries))
    end = _end(len(entries), start, len(directory))
    with os.fdopen(os.open(whole, os.O_WRONLY), "wb") as stream:
        stream.seek(start)
        stream.write(directory + end)
        stream.flush()
        os.fsync(stream.fileno())
    return start + len(directory) + len(end), google_crc32c.extend(crc32c, directory + end)


def _local_header(entry: Entry) -> bytes:
    name, large = entry.name.encode(), entry.size >= _MOST
    extra = struct.pack("<HHQQ", 1, 16, entry.size, entry.size) if large else b""
    size, version = (_MOST, _ZIP64) if large else (entry.size, _OLD)
    fields = (version, _UTF8, _STORED, _MIDNIGHT, _1980, entry.crc32, size, size, len(name), len(extra))
    return struct.pack("<4s5H3I2H", b"PK\3\4", *fields) + name + extra


def _directory_entry(entry: Entry) -> bytes:
    name = entry.name.encode()
    large = [n for n in (entry.size, entry.size, entry.offset) if n >= _MOST]
    extra = struct.pack(f"<HH{len(large)}Q", 1, 8 * len(large), *large) if large else b""
    size, offset, version = min(entry.size, _MOST), min(entry.offset, _MOST), _ZIP64 if large else _OLD
    fields = (version, _UTF8, _STORED, _MIDNIGHT, _1980, entry.crc32, size, size, len(name), len(extra), 0, 0, 0)
    return struct.pack("<4sBB5H3I5H2I", b"PK\1\2", version, _UNIX, *fields, 0o100644 << 16, offset) + name + extra


def _end(n_entries: int, start: int, size: int) -> bytes:
    n, where, length = min(n_entries, _MOST_ENTRIES), min(start, _MOST), min(size, _MOST)
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, n, n, length, where, 0)
    if (n, where, length) == (n_entries, start, size) and n < _MOST_ENTRIES and max(where, length) < _MOST:
        return end
    long = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, _ZIP64, _ZIP64, 0, 0, n_entries, n_entries, size, start)
    return long + struct.pack("<4sIQI", b"PK\6\7", 0, start + size, 1) + end


def crc32c_of_both(first: int, second: int, length: int) -> int:
    """CRC32C of two texts behind each other from those of each; `length` in bytes of the second."""
    power = 0
    while length:
        if length & 1:
            first = _times(_zeros(power), first)
        length, power = length >> 1, power + 1
    return first ^ second


@cache
def _zeros(power: int) -> tuple[int, ...]:
    """What 2**power bytes of zero do to a CRC32C: a matrix of bits, its columns as numbers."""
    if power == 0:
        bit = (0x82F63B78, *(1 << n for n in range(31)))
        for _ in range(3):
            bit = tuple(_times(bit, column) for column in bit)
        return bit
    half = _zeros(power - 1)
    return tuple(_times(half, column) for column in half)


def _times(matrix: Sequence[int], vector: int) -> int:
    product, n = 0, 0
    while vector:
        if vector & 1:
            product ^= matrix[n]
        vector, n = vector >> 1, n + 1
    return product
