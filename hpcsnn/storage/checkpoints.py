"""Committed states of a run: ``checkpoints/STEP.zarr`` and, written last, its manifest ``checkpoints/STEP.json``.

A checkpoint is written beside (in ``STEP.zarr.partial``), brought to disk, renamed, and committed by the rename of its
manifest: without a manifest there is no checkpoint. The manifest lists every file with its size and CRC32C, those of
the record segments up to here included, and the configuration of the run with its SHA-256. The network is one file,
``.`` in the list; one of version 1 is a folder of many.

What a checkpoint takes the place of goes only after it is there. One of the same step is ``STEP.replaced.*`` for the
moment between; one that cannot be read is set aside as ``STEP.unreadable.*`` and stays.
"""

from __future__ import annotations

import errno
import hashlib
import itertools
import json
import os
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import google_crc32c

from hpcsnn.atomic_files import bring_to_disk, remove
from hpcsnn.errors import DamageError, StorageError

if TYPE_CHECKING:
    from hpcsnn.storage.network_store import StoredNetwork

FORMAT, VERSION = "hpcsnn-checkpoint", 2
_READ = (1, VERSION)
# The network where it is one file, in the list of files below its path.
ITSELF = "."

# Threads that wait for the disk.
_WAITERS = 8
_AT_A_TIME = 1 << 22

# What is not there, or is something else than it should be. All other errors are the system's, and may pass.
_DAMAGE = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP)

_MANIFEST = re.compile(r"([0-9]{10,})\.json")
_REPLACED = re.compile(r"([0-9]{10,})\.replaced\.json")
_UNREADABLE = re.compile(r"[0-9]{10,}\.unreadable(-[0-9]+)?\.json")

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


class Checkpoint:
    """One committed state."""

    def __init__(self, run: Path, step: int) -> None:
        self.run, self.step = run, step
        self.network_path = run / "checkpoints" / f"{step:010d}.zarr"
        self.manifest_path = self.network_path.with_suffix(".json")

    def manifest(self) -> dict[str, Any]:
        """The manifest.

        Raises:
            DamageError: damaged, or of a version that this hpcsnn does not read.
            StorageError: the system does not let it be read.
        """
        try:
            manifest: dict[str, Any] = json.loads(_read(self.manifest_path))
            version = (manifest["format"], manifest["version"])
        except (DamageError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise DamageError(f"{self.manifest_path}: damaged manifest ({error})") from None
        if version not in [(FORMAT, number) for number in _READ]:
            raise DamageError(
                f"{self.manifest_path}: is {version[0]} version {version[1]}, this hpcsnn reads {FORMAT} "
                f"version {' and '.join(map(str, _READ))}; use the hpcsnn that wrote it, or a newer one"
            )
        body = {key: value for key, value in manifest.items() if key != "crc32c"}
        if manifest.get("crc32c") != checksum_of(body):
            raise DamageError(f"{self.manifest_path}: damaged manifest (its checksum does not fit)")
        if manifest.get("step") != self.step:
            raise DamageError(f"{self.manifest_path}: damaged manifest (is of step {manifest.get('step')})")
        return manifest

    def verify(self) -> int:
        """Compare every file with the manifest; the number of files.

        Raises:
            DamageError: the first file that is missing, cut short or changed.
            StorageError: the system does not let one be read.
        """
        manifest = self.manifest()
        for base, table in ((self.network_path, manifest["files"]), (self.run / "records", manifest["record_files"])):
            for name, (size, checksum) in table.items():
                there, found = _checksum(base / name)
                if there != size:
                    raise DamageError(f"{base / name}: has {there} bytes, should have {size}")
                if found != checksum:
                    raise DamageError(f"{base / name}: has changed since it was written (CRC32C does not fit)")
        return len(manifest["files"]) + len(manifest["record_files"])

    def network(self) -> StoredNetwork:
        """The state."""
        from hpcsnn.storage.network_store import StoredNetwork  # Zarr, which a list of checkpoints needs not

        return StoredNetwork(self.network_path)

    def remove(self) -> None:
        """The manifest first, so that no moment shows a half of it as whole."""
        self.manifest_path.unlink(missing_ok=True)
        _remove(self.network_path)

    def set_aside(self) -> None:
        """Rename what cannot be read to ``STEP.unreadable.*``: it is no checkpoint any more, but it stays."""
        numbers = itertools.chain(["unreadable"], (f"unreadable-{number}" for number in itertools.count(2)))
        manifest, network = next(names for names in map(self._named, numbers) if self._are_free(*names))
        # The manifest last: whoever goes on after a kill between the two finds it, and brings them together again.
        if os.path.lexists(self.network_path):
            self.network_path.rename(network)
        if os.path.lexists(self.manifest_path):
            self.manifest_path.rename(manifest)

    def _named(self, what: str) -> tuple[Path, Path]:
        """Manifest and network of this step under another name."""
        folder = self.manifest_path.parent
        return folder / f"{self.step:010d}.{what}.json", folder / f"{self.step:010d}.{what}.zarr"

    def _are_free(self, manifest: Path, network: Path) -> bool:
        return not os.path.lexists(manifest) and not (os.path.lexists(self.network_path) and os.path.lexists(network))

    def make_way(self) -> None:
        """Let a new one of this step into this one's place; `end_replacement` ends what begins here."""
        manifest, network = self._named("replaced")
        is_checkpoint = self.manifest_path.exists()
        if is_checkpoint:
            self.manifest_path.rename(manifest)
        if self.network_path.exists():
            # Without its manifest it never was a checkpoint, but half of one.
            self.network_path.rename(network) if is_checkpoint else remove(self.network_path)

    def end_replacement(self) -> None:
        """Remove the one that was replaced if the new one is committed, else put it back."""
        manifest, network = self._named("replaced")
        if self.manifest_path.exists():
            _remove(network)
            manifest.unlink(missing_ok=True)
        elif manifest.exists():
            if network.exists():
                _remove(self.network_path)
                network.rename(self.network_path)
            manifest.rename(self.manifest_path)


def _remove(path: Path) -> None:
    """What cannot be removed stays: the manifest says what is a checkpoint."""
    with suppress(OSError):
        remove(path)


def _read(path: Path) -> bytes:
    with _read_errors(path):
        return path.read_bytes()


def _checksum(path: Path) -> tuple[int, int]:
    """Bytes and CRC32C of a file, which may be larger than memory."""
    size, checksum = 0, 0
    with _read_errors(path), path.open("rb") as stream:
        while data := stream.read(_AT_A_TIME):
            size, checksum = size + len(data), google_crc32c.extend(checksum, data)
    return size, checksum


@contextmanager
def _read_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _DAMAGE:
            raise DamageError(f"{path}: {error.strerror}") from None
        raise _not_now(path, error.strerror) from None
    except MemoryError:
        raise _not_now(path, "not enough memory") from None


def _not_now(path: Path, why: str | None) -> StorageError:
    return StorageError(
        f"{path}: the system cannot read it now ({why}), which says nothing of what is stored: try again"
    )


def _names(folder: Path) -> list[str]:
    """Names in a folder; none if it is not there. What cannot be listed is not taken for empty."""
    try:
        return sorted(path.name for path in folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise _not_now(folder, error.strerror) from None


def committed(run: Path) -> list[Checkpoint]:
    """The checkpoints of a run directory, oldest first.

    Raises:
        StorageError: the system does not let them be listed.
    """
    matches = (_MANIFEST.fullmatch(name) for name in _names(run / "checkpoints"))
    checkpoints = [Checkpoint(run, int(match[1])) for match in matches if match]
    there = [one for one in checkpoints if one.manifest_path.is_file()]
    return sorted(there, key=lambda one: one.step)


def beyond(run: Path, step: int) -> list[list[int]]:
    """Step and CRC32C of the manifest of each checkpoint beyond a step: whether they are still the same ones.

    Raises:
        StorageError: the system does not let one be read.
    """
    later = (checkpoint for checkpoint in committed(run) if checkpoint.step > step)
    return [[one.step, int(google_crc32c.value(_read(one.manifest_path)))] for one in later]


def manifests_aside(run: Path) -> list[Path]:
    """Manifests of what could not be read and was set aside."""
    folder = run / "checkpoints"
    return [folder / name for name in _names(folder) if _UNREADABLE.fullmatch(name)]


def end_replacements(run: Path) -> None:
    """End what a killed `commit` left half done; only whoever holds the run's lock may call."""
    for match in (_REPLACED.fullmatch(name) for name in _names(run / "checkpoints")):
        if match:
            Checkpoint(run, int(match[1])).end_replacement()


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
        partial: the network as written: a file, or a folder.
        network_files: files whose checksums are taken; the rest, of a folder, are taken here.
        configuration: resolved.
        segments, record_files: of the records that are valid up to this step.
    """
    checkpoint = Checkpoint(run, step)
    files, written_folders = dict(network_files), [run / "records" / name for name in segments[-1:]]
    if partial.is_dir():
        files |= checksums(partial, [file for file in files_below(partial) if file.as_posix() not in network_files])
        written_folders.append(partial)
    below = [path for folder in written_folders for path in folder.rglob("*") if path.is_dir()]
    with ThreadPoolExecutor(_WAITERS) as waiters:
        list(waiters.map(bring_to_disk, [*written_folders, *below]))
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
    text = json.dumps({**body, "crc32c": checksum_of(body)}, indent=1)
    written = checkpoint.manifest_path.with_suffix(".json.partial")
    with written.open("w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    try:
        checkpoint.make_way()  # an earlier one of this step, on a resumed run
        partial.rename(checkpoint.network_path)
        written.rename(checkpoint.manifest_path)
        bring_to_disk(checkpoint.manifest_path.parent)
    except BaseException:
        if not checkpoint.manifest_path.exists():
            checkpoint.end_replacement()
        raise
    checkpoint.end_replacement()
    return checkpoint


def checksum_of(body: dict[str, Any]) -> int:
    """CRC32C of what a manifest says, without the entry that holds it."""
    return int(google_crc32c.value(json.dumps(body, sort_keys=True).encode()))
