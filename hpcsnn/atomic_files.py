"""Files that others find whole or not at all, in folders that may be anybody's: nothing is written through a link.

A run directory may come from somebody else, with links in it that lead to the user's own files. What is written has a
new name first, made by nobody else, and then takes the place of what was there, a link included; a folder that is
written into must be a folder.
"""

from __future__ import annotations

import ctypes
import errno
import itertools
import json
import os
import shutil
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from hpcsnn.errors import StorageError

# A signal handler may write while the same file is being written.
_NUMBERS = itertools.count()
# Bytes that are looked at for the end of a line, backwards.
_BLOCK = 4096


# Of Linux's renameat2: paths are relative to where the process is; two names are exchanged.
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
# What file systems and kernels say that cannot do it.
_NO_EXCHANGE = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)


@contextmanager
def replaced(path: Path, binary: bool = True, lasting: bool = False) -> Iterator[IO[Any]]:
    """A new file to write to, which takes the place of `path` in one step when all is written.

    If something goes wrong, nothing stays of it: half a file takes room, and makes an empty folder a used one.

    Args:
        lasting: bring it to disk before it is there by its name, and then the name: a crash of the machine leaves the
            old one or the new one, and no empty one.

    Raises:
        OSError: it cannot be written.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.{next(_NUMBERS)}.part")
    number = os.open(str(partial), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666)
    try:
        with os.fdopen(number, "wb" if binary else "w") as stream:
            yield stream
            if lasting:
                stream.flush()
                os.fsync(stream.fileno())
        partial.replace(path)
        if lasting:
            bring_to_disk(path.parent)
    except BaseException:
        with suppress(OSError):
            partial.unlink()
        raise


def replace_file(path: Path, text: str, lasting: bool = False) -> None:
    """Put a file of this text in the place of `path` in one step; `lasting` as of `replaced`.

    Raises:
        OSError: it cannot be written.
    """
    with replaced(path, binary=False, lasting=lasting) as stream:
        stream.write(text)


def append_line(path: Path, line: str) -> None:
    """Put a line behind the last whole one of a file, which is made if missing; half a line is what a kill has left.

    One process at a time may do so.

    Raises:
        OSError: it cannot be written, or is a link, or no file.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK
    number = os.open(str(path), flags, 0o666)
    try:
        there = os.fstat(number)
        if not stat.S_ISREG(there.st_mode):
            raise OSError(errno.EINVAL, "is no file", str(path))
        whole = _end_of_lines(number, there.st_size)
        if whole < there.st_size:
            os.ftruncate(number, whole)
        left = memoryview(f"{line}\n".encode())
        while left:
            left = left[os.write(number, left) :]
    finally:
        os.close(number)


def _end_of_lines(number: int, size: int) -> int:
    """How many bytes of an open file are whole lines."""
    end = size
    while end > 0:
        begin = max(0, end - _BLOCK)
        found = os.pread(number, end - begin, begin).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        end = begin
    return 0


def replace_folder(new: Path, path: Path, aside: Path) -> None:
    """Put the folder `new` in the place of `path`; what was there goes once it is.

    Where the system cannot exchange two names in one step, what was there is `aside` in between: `restore_folder` puts
    it back if that was the end of the process.

    Raises:
        OSError: a folder cannot be moved or removed.
    """
    if not os.path.lexists(path):
        new.rename(path)
    elif _exchanged(new, path):
        remove(new)
    else:
        path.rename(aside)
        new.rename(path)
        remove(aside)


def restore_folder(path: Path, aside: Path) -> None:
    """Put back what `replace_folder` has put aside and replaced by nothing, or remove it if it did replace it.

    Raises:
        OSError: a folder cannot be moved or removed.
    """
    if os.path.lexists(aside) and os.path.lexists(path):
        remove(aside)
    elif os.path.lexists(aside):
        aside.rename(path)


def remove(path: Path) -> None:
    """Remove a folder with all that is in it, a file, or a link and not what it names; nothing may be there.

    Raises:
        OSError: it cannot be removed.
    """
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _exchanged(one: Path, other: Path) -> bool:
    """Exchange two names in one step; False where the system has no such thing.

    Raises:
        OSError: it refuses.
    """
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    sys.audit("os.rename", str(one), str(other), -1, -1)  # as of any rename of Python's own
    if rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in _NO_EXCHANGE:
        return False
    raise OSError(number, os.strerror(number), str(other))


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


def refuse_link(path: Path, below: bool = False, to: str = "writes and removes") -> None:
    """Refuse to write into, or to read, what is a link; with `below`, also a folder with links anywhere in it.

    Args:
        to: what is not done beyond a link, for the message.

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
            f"{links[0]}: is a link to {str(links[0].readlink())!r}, and hpcsnn {to} nothing beyond a link; put in its "
            "place what it leads to, or remove it"
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
