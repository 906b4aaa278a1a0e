"""Checkpoints of a training: the last and the best state, each a Zarr group in ``checkpoints/`` that a file names.

``last.json`` and ``best.json`` name a group ``batch-N.zarr`` with the size and CRC32C of each of its files, and say
where in the training it is. A group is written beside, brought to disk and renamed; the rename of the file that names
it makes it a checkpoint, and what no file names any more goes after that.
"""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import google_crc32c

from hpcsnn.atomic_files import bring_to_disk, refuse_link, remove, replace_file
from hpcsnn.errors import DamageError, StorageError
from hpcsnn.storage.checkpoints import checksum_of, checksums, files_below

LAST, BEST = "last", "best"
FORMAT, VERSION = "hpcsnn-training", 1
_GROUP = re.compile(r"batch-[0-9]{10,}(-[0-9]+)?\.zarr")
_PARTIAL = ".partial"


@dataclass(frozen=True)
class TrainingCheckpoint:
    """A state of a training: its Zarr group and how many files that has, where it is, the configuration it is of."""

    path: Path
    position: dict[str, Any]
    configuration: dict[str, Any]
    n_files: int


class TrainingCheckpoints:
    """Those of one run directory; only whoever holds its lock writes."""

    def __init__(self, run: Path) -> None:
        self.folder = run / "checkpoints"

    def has(self, role: str = LAST) -> bool:
        """Whether there is a last one, to go on from, or a best one."""
        return self._file(role).is_file()

    def begin(self, batches: int) -> Path:
        """Where to write the group after so many batches; what a killed writer left is removed.

        Raises:
            StorageError: the folder is a link, or cannot be written.
        """
        refuse_link(self.folder)
        try:
            self.folder.mkdir(exist_ok=True)
            self._remove_unnamed()
        except StorageError:
            raise
        except OSError as error:
            raise StorageError(f"{self.folder}: cannot be written: {error.strerror}") from None
        # There may be one of as many batches, within an epoch and at its end.
        names = (f"batch-{batches:010d}{f'-{n}' if n > 1 else ''}.zarr" for n in itertools.count(1))
        name = next(name for name in names if not (self.folder / name).exists())
        return self.folder / f"{name}{_PARTIAL}"

    def commit(self, partial: Path, position: dict[str, Any], configuration: dict[str, Any], best: bool) -> None:
        """Make the group that was written where `begin` said the last checkpoint, and with `best` the best one too.

        Raises:
            OSError: the disk refuses.
        """
        files = checksums(partial, files_below(partial))
        for folder in (partial, *(path for path in partial.rglob("*") if path.is_dir())):
            bring_to_disk(folder)
        group = partial.with_name(partial.name.removesuffix(_PARTIAL))
        partial.rename(group)
        body = {
            "format": FORMAT,
            "version": VERSION,
            "group": group.name,
            "position": position,
            "configuration": configuration,
            "files": {name: list(entry) for name, entry in sorted(files.items())},
        }
        for role in (BEST, LAST) if best else (LAST,):
            text = json.dumps({**body, "crc32c": checksum_of(body)}, indent=1)
            replace_file(self._file(role), text, lasting=True)
        self._remove_unnamed()

    def read(self, role: str) -> TrainingCheckpoint:
        """The last or the best checkpoint, once every file of it is as it was written.

        Raises:
            StorageError: there is none, or it cannot be read.
            DamageError: it is damaged, or of a version that this hpcsnn does not read.
        """
        file = self._file(role)
        body = self._body(file)
        group = self.folder / str(body["group"])
        for name, (size, crc32c) in body["files"].items():
            try:
                data = (group / name).read_bytes()
            except OSError as error:
                raise DamageError(f"{group / name}: cannot be read: {error.strerror}") from None
            if (len(data), google_crc32c.value(data)) != (size, crc32c):
                raise DamageError(f"{group / name}: is not as it was written")
        return TrainingCheckpoint(group, body["position"], body["configuration"], len(body["files"]))

    def _body(self, file: Path) -> dict[str, Any]:
        try:
            body = json.loads(file.read_text())
            own = body.pop("crc32c")
        except FileNotFoundError:
            raise StorageError(f"{file.parent.parent}: no {file.stem} checkpoint of a training here") from None
        except (OSError, ValueError, AttributeError, KeyError) as error:
            raise DamageError(f"{file}: cannot be read: {error}") from None
        if (body.get("format"), body.get("version")) != (FORMAT, VERSION):
            found = f"{body.get('format')} version {body.get('version')}"
            raise DamageError(f"{file}: is {found}; this hpcsnn reads {FORMAT} version {VERSION}")
        if own != checksum_of(body) or not _GROUP.fullmatch(str(body["group"])):
            raise DamageError(f"{file}: is not as it was written")
        return dict(body)

    def _remove_unnamed(self) -> None:
        named = {self._body(self._file(role))["group"] for role in (LAST, BEST) if self._file(role).is_file()}
        for path in self.folder.iterdir():
            if _GROUP.fullmatch(path.name.removesuffix(_PARTIAL)) and path.name not in named:
                remove(path)

    def _file(self, role: str) -> Path:
        return self.folder / f"{role}.json"


def size_of(group: Path) -> int:
    """Bytes of a checkpoint's files."""
    return sum(file.stat().st_size for file in group.rglob("*") if file.is_file())
