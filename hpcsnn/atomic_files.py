"""Files that others find whole or not at all."""

from __future__ import annotations

import itertools
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from hpcsnn.errors import StorageError

# A signal handler may write while the same file is being written.
_NUMBERS = itertools.count()


def replace_file(path: Path, text: str) -> None:
    """Write `text` beside `path` and put it in its place in one step.

    Raises:
        OSError: it cannot be written.
    """
    _put(path, path.with_name(f".{path.name}.part"), text)


def write_json(path: Path, value: Any) -> None:
    """Replace a file by JSON, whole or not at all.

    Raises:
        StorageError: it cannot be written.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.{next(_NUMBERS)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _put(path, partial, json.dumps(value, indent=1, default=str) + "\n")
    except OSError as error:
        raise StorageError(f"{path}: cannot be written: {error.strerror}") from None


def _put(path: Path, partial: Path, text: str) -> None:
    """By way of `partial`, of which nothing stays: half a file takes room, and makes an empty folder a used one."""
    try:
        partial.write_text(text)
        partial.replace(path)
    except BaseException:
        with suppress(OSError):
            partial.unlink()
        raise
