"""``metrics.jsonl``: how a training goes, a line for each group of batches and each epoch."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from hpcsnn.atomic_files import replaced
from hpcsnn.errors import StorageError
from hpcsnn.ranks.communicator import Communicator
from hpcsnn.ranks.world import on_first_rank
from hpcsnn.runs.training_position import Position
from hpcsnn.storage.run_directory import RunDirectory
from hpcsnn.training.tensorboard import EventFile


class Metrics:
    """A context in which lines are added, by rank 0; what is beyond the position when it begins is forgotten.

    Args:
        tensorboard: write them for TensorBoard too.

    Raises:
        StorageError: the file is shorter than the position says, or cannot be written.
    """

    def __init__(
        self, directory: RunDirectory, position: Position, ranks: Communicator, tensorboard: bool = False
    ) -> None:
        self._path, self._position, self._ranks = directory.metrics, position, ranks
        self._events_folder = directory.tensorboard if tensorboard else None
        self._stream: IO[bytes] | None = None
        self._events: EventFile | None = None

    def __enter__(self) -> Metrics:
        on_first_rank(self._ranks, self._open)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._stream is not None:
            self._stream.close()
        if self._events is not None:
            self._events.close()

    def _open(self) -> None:
        kept = self._path.read_bytes()[: self._position.metrics_bytes] if self._position.metrics_bytes else b""
        if len(kept) < self._position.metrics_bytes:
            raise StorageError(
                f"{self._path}: has {len(kept)} bytes, and had {self._position.metrics_bytes} when the last checkpoint "
                "was written: put it back, or start the training again"
            )
        with replaced(self._path) as stream:
            stream.write(kept)
        self._stream = os.fdopen(os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW), "ab")
        if self._events_folder is not None:
            self._events = EventFile(self._events_folder, self._position.in_all.batches)

    def write(self, line: dict[str, Any]) -> None:
        """Add a line; it counts from the next checkpoint on. Every rank calls, one writes."""
        text = (json.dumps(line) + "\n").encode()
        # Every rank's clock is its own: the position is that of the one which writes.
        if self._stream is not None:
            self._stream.write(text)
            self._stream.flush()
            self._position.metrics_bytes += len(text)
        if self._events is not None:
            self._events.write(line, self._position.in_all.batches)


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The lines of a ``metrics.jsonl``; one that was cut short by a kill is left out.

    Raises:
        StorageError: there is no such file, or it cannot be read.
    """
    try:
        lines = path.read_text().splitlines()
    except OSError as error:
        raise StorageError(f"{path}: cannot be read: {error.strerror}") from None
    read = []
    for number, line in enumerate(lines, start=1):
        try:
            read.append(json.loads(line))
        except ValueError:
            if number < len(lines):
                raise StorageError(f"{path}: cannot be read: line {number} is no JSON") from None
    return read
