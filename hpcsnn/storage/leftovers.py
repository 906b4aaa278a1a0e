"""What killed writers leave in a run directory that no checkpoint vouches for: cleared away by the next writer."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from hpcsnn.errors import StorageError
from hpcsnn.storage.checkpoints import committed, manifests_aside
from hpcsnn.storage.records import SEGMENT

_PARTIAL = re.compile(r"[0-9]{10,}\.(zarr|json)\.partial")
# Halves of small files, with the number of the process that wrote them.
_PART = re.compile(
    r"\.(?:config\.yaml|progress\.json|report\.html|summary\.json|metrics\.jsonl|evaluation\.json)\.([0-9]+)\.[0-9]+\.part"
)


def remove_leftovers(run: Path) -> None:
    """Remove halves of checkpoints and small files, and segments of records that no manifest lists.

    No segment goes as long as there is a manifest that cannot be read, set aside or not: it may list any of them.
    Whoever calls is the only writer, and writes nothing meanwhile but small files.
    """
    for left in _named(run, _PART):
        writer = _PART.fullmatch(left.name)
        if writer and int(writer[1]) != os.getpid():
            left.unlink(missing_ok=True)
    for left in _named(run / "checkpoints", _PARTIAL):
        if left.is_symlink() or left.is_file():
            left.unlink()
        else:
            shutil.rmtree(left)
    try:
        listed = {name for checkpoint in committed(run) for name in checkpoint.manifest()["segments"]}
        if manifests_aside(run):
            return
    except StorageError:
        return
    for segment in _named(run / "records", SEGMENT):
        if segment.name not in listed and segment.is_dir() and not segment.is_symlink():
            shutil.rmtree(segment)


def _named(folder: Path, pattern: re.Pattern[str]) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if pattern.fullmatch(path.name))
    except (FileNotFoundError, NotADirectoryError):
        return []
