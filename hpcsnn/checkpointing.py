"""When a run writes checkpoints, and how: a copy is taken between two steps and written while the run goes on."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path
from typing import Any

from hpcsnn.errors import StorageError
from hpcsnn.simulation import Simulation
from hpcsnn.storage.checkpoints import FileTable, checksums, commit, committed
from hpcsnn.storage.network_store import create_group, write_shards
from hpcsnn.storage.records import Recorded, segment_name, write_segment
from hpcsnn.storage.run_directory import RunDirectory
from hpcsnn.storage.snapshot import Snapshot, take_snapshot


class _Writing(threading.Thread):
    """One rank's share of a checkpoint, written in the background."""

    def __init__(self, partial: Path, snapshot: Snapshot, segment: Path, rank: int, recorded: Recorded) -> None:
        super().__init__(daemon=True)
        self._partial, self._snapshot, self._segment = partial, snapshot, segment
        self._rank, self._recorded = rank, recorded
        self.files: FileTable = {}
        self.record_files: FileTable = {}
        self.error: str | None = None
        self.seconds = 0.0

    def run(self) -> None:
        start = time.perf_counter()
        try:
            self.files = checksums(self._partial, write_shards(self._partial, self._snapshot))
            written = write_segment(self._segment, self._rank, self._recorded)
            table = checksums(self._segment, written)
            self.record_files = {f"{self._segment.name}/{name}": entry for name, entry in table.items()}
        except Exception as error:  # handed to all ranks by Checkpointer.poll
            self.error = f"{self._partial}: cannot be written: {getattr(error, 'strerror', None) or error}"
        self.seconds = time.perf_counter() - start


class Checkpointer:
    """Writes the checkpoints of one run; every method is a collective call.

    Args:
        run: the run directory.
        configuration: resolved, for the manifests.
        keep: how many of the newest stay.
        record_files: files of the record segments that are true so far, with their checksums.
        segments: names of those segments, if the run goes on from a checkpoint.
    """

    def __init__(
        self,
        simulation: Simulation,
        run: RunDirectory,
        configuration: dict[str, Any],
        keep: int,
        segments: list[str] | None = None,
        record_files: FileTable | None = None,
    ) -> None:
        self._simulation, self._run, self._configuration, self._keep = simulation, run, configuration, keep
        self.segments = list(segments or [])
        self._record_files = dict(record_files or {})
        self._last_step = simulation.step if segments is not None else -1
        self._segment_start = simulation.step
        self._writing: tuple[_Writing, Snapshot, Path] | None = None
        self.stall_s = self.write_s = 0.0
        self.written = self.n_bytes = 0

    @property
    def busy(self) -> bool:
        """True while a checkpoint is on its way."""
        return self._writing is not None

    def begin(self) -> None:
        """Copy the state and start to write it, unless it is written already; waits for an earlier one first.

        Raises:
            StorageError: the folder cannot be written.
        """
        start = time.perf_counter()
        self.poll(wait=True)
        simulation, step = self._simulation, self._simulation.step
        if step == self._last_step:
            return
        snapshot = take_snapshot(simulation)
        partial = self._run.checkpoints / f"{step:010d}.zarr.partial"
        segment = self._run.records / segment_name(self._segment_start, step)
        self._on_first_rank(lambda: _prepare(partial, segment, snapshot))
        writing = _Writing(partial, snapshot, segment, simulation.rank, simulation.take_recorded())
        writing.start()
        self._writing = writing, snapshot, segment
        self._segment_start = self._last_step = step
        self.stall_s += time.perf_counter() - start

    def poll(self, wait: bool = False) -> None:
        """Commit the checkpoint under way if all ranks have written their share (or once they have, if `wait`).

        Raises:
            StorageError: a rank could not write its share; earlier checkpoints stay.
        """
        if self._writing is None:
            return
        writing, snapshot, segment = self._writing
        if wait:
            writing.join()
        everyone = self._gather(None if writing.is_alive() else (writing.error, writing.files, writing.record_files))
        if any(share is None for share in everyone):
            return
        self._writing = None
        errors = [error for error, _, _ in everyone if error]
        if errors:
            raise StorageError(f"{errors[0]}; {self._way_out()}")
        self.segments.append(segment.name)
        for _, _, table in everyone:
            self._record_files.update(table)
        files = {name: entry for _, table, _ in everyone for name, entry in table.items()}
        self._on_first_rank(lambda: self._commit(snapshot, files))
        self.written += 1
        self.write_s += writing.seconds
        self.n_bytes += snapshot.n_bytes

    def report(self) -> dict[str, Any]:
        """``written``, and of this rank ``bytes``, ``write_s`` (in the background) and ``stall_s`` (the run waited)."""
        return {"written": self.written, "bytes": self.n_bytes, "write_s": self.write_s, "stall_s": self.stall_s}

    def _commit(self, snapshot: Snapshot, files: FileTable) -> None:
        partial = self._run.checkpoints / f"{snapshot.step:010d}.zarr.partial"
        about = {"configuration": self._configuration, "segments": self.segments}
        checkpoint = commit(self._run.path, snapshot.step, partial, files, about, self._record_files)
        self._run.link_network(checkpoint.network_path)
        for old in committed(self._run.path)[: -self._keep]:
            old.remove()

    def _way_out(self) -> str:
        there = committed(self._run.path)
        if not there:
            return "no checkpoint is committed yet: make room and start again"
        return f"the checkpoint of step {there[-1].step} is whole: make room, then hpcsnn resume {self._run.path}"

    def _gather(self, value: Any) -> list[Any]:
        comm = self._simulation.comm
        return [value] if comm is None else comm.allgather(value)

    def _on_first_rank(self, work: Any) -> None:
        """Do `work` on rank 0; what goes wrong there is raised on every rank."""
        error: str | None = None
        if self._simulation.rank == 0:
            try:
                work()
            except OSError as caught:
                error = f"{caught.filename or self._run.path}: cannot be written: {caught.strerror or caught}"
        error = next((text for text in self._gather(error) if text), None)
        if error:
            raise StorageError(f"{error}; {self._way_out()}")


def _prepare(partial: Path, segment: Path, snapshot: Snapshot) -> None:
    partial.parent.mkdir(exist_ok=True)
    for left in partial.parent.glob("*.partial"):  # of a run that ended while it wrote
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    if segment.exists():
        shutil.rmtree(segment)
    segment.mkdir(parents=True)
    create_group(partial, snapshot)
