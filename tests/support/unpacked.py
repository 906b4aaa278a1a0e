"""A stored network's files, so that they can be changed one by one."""

from __future__ import annotations

import zipfile
from pathlib import Path

LOCAL_HEADER = 30


def unpack(path: Path) -> Path:
    """Put the folder that ``unzip`` makes in the place of a network's file; the folder."""
    path = path.resolve()
    packed = path.rename(path.with_name("packed"))
    with zipfile.ZipFile(packed) as files:
        files.extractall(path)
    packed.unlink()
    return path


def place(path: Path, name: str) -> int:
    """Where in a network's file the first byte is of one of the files in it."""
    with zipfile.ZipFile(path) as files:
        return files.getinfo(name).header_offset + LOCAL_HEADER + len(name)
