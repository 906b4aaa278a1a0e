"""Files that others find whole or not at all, in folders that may be anybody's: nothing is written through a link.

A run directory may come from somebody else, with links in it that lead to the user's own files. What is written has a
new name first, made by nobody else, and then takes the place of what was there, a link included; a folder that is
written into must be a folder.
"""

from __future__ import annotations

import itertools
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from hpcsnn.errors import StorageError

# A signal handler may write while the same file is being written.
_NUMBERS = itertools.count()


@contextmanager
def replaced(path: Path, binary: bool = True) -> Iterator[IO[Any]]:
    """A new file to write to, which takes the place of `path` in one step when all is written.

    If something goes wrong, nothing stays of it: half a file takes room, and makes an empty folder a used one.

    Raises:
        OSError: it cannot be written.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.{next(_NUMBERS)}.part")
    number = os.open(str(partial), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666)
    try:
        with os.fdopen(number, "wb" if binary else "w") as stream:
            yield stream
        partial.replace(path)
    except BaseException:
        with suppress(OSError):
            partial.unlink()
        raise


def replace_file(path: Path, text: str) -> None:
    """Put a file of this text in the place of `path` in one step.

    Raises:
        OSError: it cannot be written.
    """
    with replaced(path, binary=False) as stream:
        stream.write(text)


def write_json(path: Path, value: Any) -> None:
    """Replace a file by JSON, whole or not at all; its folder is made if missing.

    Raises:
        StorageError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replaced(path, binary=False) as stream:
            stream.write(json.dumps(value, indent=1, default=str) + "\n")
    except OSError as error:
        raise StorageError(f"{path}: cannot be written: {error.strerror}") from None


def open_own(path: Path) -> IO[Any]:
    """A file of fixed name, made if missing, to be locked or only to be there; empty unless it was not.

    Raises:
        OSError: it cannot be opened for writing, or is a link.
    """
    return os.fdopen(os.open(str(path), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666), "r+")


def read_own(path: Path) -> bytes:
    """What a file holds that nobody but this user can have written.

    Raises:
        OSError: it cannot be read or is a link; PermissionError where it is somebody else's, or others can write to it.
    """
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as stream:
        there = os.fstat(stream.fileno())
        others_write = there.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        if not stat.S_ISREG(there.st_mode) or there.st_uid != os.geteuid() or others_write:
            raise PermissionError(f"{path} is not this user's alone")
        return stream.read()


def refuse_link(path: Path, below: bool = False) -> None:
    """Refuse to write into a folder that is a link; with `below`, also one with links anywhere in it.

    Raises:
        StorageError: there is a link; names it.
    """
    links = [path] if path.is_symlink() else []
    if below and not links:
        links = [
            Path(folder, name)
            for folder, folders, files in os.walk(path)
            for name in (*folders, *files)
            if Path(folder, name).is_symlink()
        ]
    if links:
        raise StorageError(
            f"{links[0]}: is a link to {str(links[0].readlink())!r}, and hpcsnn writes and removes nothing beyond a "
            "link; put in its place what it leads to, or remove it"
        )


def bring_to_disk(path: Path) -> None:
    """Bring a file's content, or a folder's entries, to disk: a rename is safe only then.

    Raises:
        OSError: it cannot be opened, or the disk refuses.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
