"""Committed states of a run: ``checkpoints/STEP.zarr`` and, written last, its manifest ``checkpoints/STEP.json``.

A checkpoint is written beside (``STEP.zarr.partial``), brought to disk, renamed, and committed by the rename of its
manifest: without a manifest there is no checkpoint. The manifest lists every file with its size and CRC32C, those of
the record segments up to here included, and the configuration of the run with its SHA-256.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import google_crc32c

from hpcsnn.errors import StorageError

if TYPE_CHECKING:
    from hpcsnn.storage.network_store import StoredNetwork

FORMAT, VERSION = "hpcsnn-checkpoint", 1

# Threads that wait for the disk.
_WAITERS = 8

FileTable = dict[str, tuple[int, int]]


def checksums(base: Path, files: Iterable[Path]) -> FileTable:
    """Path below `base` -> (bytes, CRC32C) of files, each brought to disk as soon as `files` gives it."""
    with ThreadPoolExecutor(_WAITERS) as waiters:
        entries = {file.as_posix(): waiters.submit(_checksum_on_disk, base / file) for file in files}
        return {name: entry.result() for name, entry in entries.items()}


def _checksum_on_disk(path: Path) -> tuple[int, int]:
    with path.open("rb") as stream:
        data = stream.read()
        os.fsync(stream.fileno())
    return len(data), google_crc32c.value(data)


def files_below(folder: Path) -> list[Path]:
    """All files below a folder, relative to it, sorted."""
    return sorted(file.relative_to(folder) for file in folder.rglob("*") if file.is_file())


def sync_folder(folder: Path) -> None:
    """Bring a folder's entries to disk: a rename is safe only then."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Checkpoint:
    """One committed state."""

    def __init__(self, run: Path, step: int) -> None:
        self.run, self.step = run, step
        self.network_path = run / "checkpoints" / f"{step:010d}.zarr"
        self.manifest_path = self.network_path.with_suffix(".json")

    def manifest(self) -> dict[str, Any]:
        """The manifest.

        Raises:
            StorageError: unreadable, or of a version that this hpcsnn does not read.
        """
        try:
            manifest: dict[str, Any] = json.loads(self.manifest_path.read_text())
            version = (manifest["format"], manifest["version"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StorageError(f"{self.manifest_path}: damaged manifest ({error})") from None
        if version != (FORMAT, VERSION):
            raise StorageError(
                f"{self.manifest_path}: is {version[0]} version {version[1]}, this hpcsnn reads {FORMAT} "
                f"version {VERSION}; use the hpcsnn that wrote it, or a newer one"
            )
        body = {key: value for key, value in manifest.items() if key != "crc32c"}
        if manifest.get("crc32c") != _own_checksum(body):
            raise StorageError(f"{self.manifest_path}: damaged manifest (its checksum does not fit)")
        return manifest

    def verify(self) -> int:
        """Compare every file with the manifest; the number of files.

        Raises:
            StorageError: the first file that is missing, cut short or changed.
        """
        manifest = self.manifest()
        for base, table in ((self.network_path, manifest["files"]), (self.run / "records", manifest["record_files"])):
            for name, (size, checksum) in table.items():
                try:
                    data = (base / name).read_bytes()
                except OSError as error:
                    raise StorageError(f"{base / name}: {error.strerror or error}") from None
                if len(data) != size:
                    raise StorageError(f"{base / name}: has {len(data)} bytes, should have {size}")
                if google_crc32c.value(data) != checksum:
                    raise StorageError(f"{base / name}: has changed since it was written (CRC32C does not fit)")
        return len(manifest["files"]) + len(manifest["record_files"])

    def network(self) -> StoredNetwork:
        """The state."""
        from hpcsnn.storage.network_store import StoredNetwork  # Zarr, which a list of checkpoints needs not

        return StoredNetwork(self.network_path)

    def remove(self) -> None:
        """The manifest first, so that no moment shows a half of it as whole."""
        self.manifest_path.unlink(missing_ok=True)
        shutil.rmtree(self.network_path, ignore_errors=True)


def committed(run: Path) -> list[Checkpoint]:
    """The checkpoints of a run directory, oldest first."""
    steps = sorted(int(path.stem) for path in (run / "checkpoints").glob("*.json") if path.stem.isdigit())
    return [Checkpoint(run, step) for step in steps]


def commit(
    run: Path,
    step: int,
    partial: Path,
    network_files: FileTable,
    configuration: dict[str, Any],
    segments: list[str],
    record_files: FileTable,
) -> Checkpoint:
    """Make a written state a checkpoint; one rank calls, after all have written.

    Args:
        partial: the group as written.
        network_files: files whose checksums the writing ranks have taken; the rest are taken here.
        configuration: resolved.
        segments, record_files: of the records that are valid up to this step.
    """
    checkpoint = Checkpoint(run, step)
    rest = [file for file in files_below(partial) if file.as_posix() not in network_files]
    files = {**network_files, **checksums(partial, rest)}
    with ThreadPoolExecutor(_WAITERS) as waiters:
        list(waiters.map(sync_folder, [partial, *(path for path in partial.rglob("*") if path.is_dir())]))
    checkpoint.remove()  # an earlier one of this step, on a resumed run
    partial.rename(checkpoint.network_path)
    body = {
        "format": FORMAT,
        "version": VERSION,
        "step": step,
        "configuration": configuration,
        "configuration_sha256": hashlib.sha256(json.dumps(configuration, sort_keys=True).encode()).hexdigest(),
        "segments": segments,
        "files": {name: list(entry) for name, entry in sorted(files.items())},
        "record_files": {name: list(entry) for name, entry in sorted(record_files.items())},
    }
    text = json.dumps({**body, "crc32c": _own_checksum(body)}, indent=1)
    written = checkpoint.manifest_path.with_suffix(".json.partial")
    with written.open("w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    written.rename(checkpoint.manifest_path)
    sync_folder(checkpoint.manifest_path.parent)
    return checkpoint


def _own_checksum(body: dict[str, Any]) -> int:
    return int(google_crc32c.value(json.dumps(body, sort_keys=True).encode()))
