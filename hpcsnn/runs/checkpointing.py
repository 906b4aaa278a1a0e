"""When a run writes checkpoints, and how: a copy is taken between two steps and written while the run goes on."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import partial
from pathlib import Path
from typing import Any

from hpcsnn.engine.recording.recorded import Taken
from hpcsnn.engine.simulation import Simulation
from hpcsnn.errors import SimulationError, StorageError
from hpcsnn.storage.checkpoints import ITSELF, Checkpoint, FileTable, commit, committed
from hpcsnn.storage.leftovers import remove_leftovers
from hpcsnn.storage.network_store import WHOLE, join_part, write_part
from hpcsnn.storage.packed.zip_file import Written, close
from hpcsnn.storage.records import make_segment, write_segment
from hpcsnn.storage.run_directory import RunDirectory
from hpcsnn.storage.snapshot import Snapshot, WritingPlan, take_snapshot

_log = logging.getLogger(__name__)


class _Work(threading.Thread):
    """Something that is done beside the run; what it gave, or what went wrong in words."""

    def __init__(self, where: Path, work: Callable[[], Any]) -> None:
        super().__init__(daemon=True)
        self._where = where
        self._work: Callable[[], Any] | None = work
        self.result: Any = None
        self.error: str | None = None
        self.refused: str | None = None  # what is not to be written, rather than cannot
        self.seconds = 0.0
        self.start()

    def run(self) -> None:
        start = time.perf_counter()
        # Not kept: what knows of this thread is often what the work is about, and a circle of a whole copy and its
        # records would wait for the collector, which comes the less often the more a run holds.
        work, self._work = self._work, None
        assert work is not None
        try:
            self.result = work()
        except SimulationError as error:
            self.refused = str(error)
        except Exception as error:  # told to all ranks by those who wait for it
            where = getattr(error, "filename", None) or self._where
            self.error = f"{where}: cannot be written: {getattr(error, 'strerror', None) or error}"
        self.seconds = time.perf_counter() - start


class _Stage(Enum):
    PREPARING = auto()  # rank 0 makes room
    WRITING = auto()  # every rank writes its shards
    JOINING = auto()  # every rank puts them where they belong
    COMMITTING = auto()  # rank 0 makes it a checkpoint


@dataclass
class _UnderWay:
    """A checkpoint on its way to disk, and what this rank has to do in the present stage, if anything."""

    snapshot: Snapshot
    recorded: Taken
    folder: Path  # until it is renamed
    segment_start: int
    work: _Work | None = None
    segment: Path = Path()  # once it is prepared
    parts: list[Written] = field(default_factory=list)  # of all ranks, once they are written
    stage: _Stage = _Stage.PREPARING
    seconds: float = 0.0


class Checkpointer:
    """Writes the checkpoints of one run; every method is a collective call.

    Args:
        run: the run directory.
        configuration: resolved, for the manifests.
        keep: how many of the newest stay.
        record_files: files of the record segments that are valid so far, with their checksums.
        segments: names of those segments, if the run goes on from a checkpoint.
        start: that checkpoint.
        unreadable: checkpoints beyond it that cannot be read: set aside when the first new one is committed.
        replaced: whole checkpoints beyond it that are not wanted any more: removed once the first new one is committed.
    """

    def __init__(
        self,
        simulation: Simulation,
        run: RunDirectory,
        configuration: dict[str, Any],
        keep: int,
        segments: list[str] | None = None,
        record_files: FileTable | None = None,
        start: Checkpoint | None = None,
        unreadable: Sequence[Checkpoint] = (),
        replaced: Sequence[Checkpoint] = (),
    ) -> None:
        self._simulation, self._run, self._configuration, self._keep = simulation, run, configuration, keep
        self.segments = list(segments or [])
        self._record_files = dict(record_files or {})
        self._start, self._unreadable, self._replaced = start, unreadable, replaced
        self._took_over = False
        self._last_step = simulation.step if segments is not None else -1
        self._segment_start = simulation.step
        self._plan = WritingPlan(simulation)
        self._under_way: _UnderWay | None = None
        self._spare: Snapshot | None = None  # the last one written
        self.stall_s = self.write_s = 0.0
        self.written = self.n_bytes = 0

    def begin(self) -> None:
        """Copy the state and start to write it, unless it is written already; waits for an earlier one first.

        Raises:
            StorageError: the earlier one could not be written.
        """
        self.poll(wait=True)
        start = time.perf_counter()
        simulation, step = self._simulation, self._simulation.step
        if step == self._last_step:
            return
        snapshot = take_snapshot(simulation, self._plan, self._spare)
        folder = self._run.checkpoints / f"{step:010d}.zarr.partial"
        now = self._under_way = _UnderWay(snapshot, simulation.take_recorded(), folder, self._segment_start)
        if simulation.communicator.size == 1:
            now.stage, now.work = _Stage.COMMITTING, _Work(folder, partial(self._write_alone, now))
        else:
            now.work = self._on_first_rank(folder, partial(self._prepare, now))
        self._spare = None
        self._segment_start = self._last_step = step
        self.stall_s += time.perf_counter() - start

    def poll(self, wait: bool = False) -> None:
        """Go on with the checkpoint under way as far as all ranks are ready (to the end, if `wait`).

        Raises:
            StorageError: a rank could not write its share; earlier checkpoints stay.
        """
        start = time.perf_counter()
        while (now := self._under_way) is not None and self._everyone_done(now.work, wait):
            now.seconds += now.work.seconds if now.work else 0.0
            match now.stage:
                case _Stage.PREPARING:
                    now.stage = _Stage.WRITING
                    now.segment = self._gather(now.work.result if now.work else None)[0]
                    now.work = _Work(now.folder, partial(_write, now, self._simulation))
                case _Stage.WRITING:
                    assert now.work is not None
                    self._note(now, self._gather(now.work.result))
                    now.stage = _Stage.JOINING
                    rank = self._simulation.rank
                    now.work = _Work(now.folder, partial(join_part, now.folder, now.parts, rank)) if rank else None
                case _Stage.JOINING:
                    now.stage = _Stage.COMMITTING
                    now.work = self._on_first_rank(now.folder, partial(self._commit, now))
                case _Stage.COMMITTING:
                    self._under_way, self._spare = None, now.snapshot
                    self.written += 1
                    self.write_s += now.seconds
                    self.n_bytes += now.snapshot.n_bytes
        self.stall_s += time.perf_counter() - start

    def go_on_with(self, simulation: Simulation) -> None:
        """Write checkpoints of another simulation, which has the state of the one before; none may be under way."""
        assert self._under_way is None
        self._simulation, self._plan, self._spare = simulation, WritingPlan(simulation), None

    @property
    def under_way(self) -> bool:
        """Whether a checkpoint is still being written; the same on all ranks."""
        return self._under_way is not None

    def _on_first_rank(self, where: Path, work: Callable[[], Any]) -> _Work | None:
        return _Work(where, work) if self._simulation.rank == 0 else None

    def _everyone_done(self, work: _Work | None, wait: bool) -> bool:
        """True once every rank that has such work has done it; what went wrong on one is raised on all."""
        if wait and work is not None:
            work.join()
        failed = (work.refused, work.error) if work else (None, None)
        everyone = self._gather((work is None or not work.is_alive(), *failed))
        if not all(done for done, *_ in everyone):
            return False
        refused = next((refused for _, refused, _ in everyone if refused), None)
        if refused:
            self._under_way = None
            raise SimulationError(refused)
        error = next((error for *_, error in everyone if error), None)
        if error:
            self._under_way = None
            raise StorageError(f"{error}; {self._way_out()}")
        return True

    def report(self) -> dict[str, Any]:
        """``written``, and of this rank the ``bytes`` copied and the seconds that writing them took (``write_s``)."""
        return {"written": self.written, "bytes": self.n_bytes, "write_s": self.write_s}

    def finish(self) -> None:
        """Let the checkpoint that the run went on from be its newest, where it came no further; one rank calls."""
        if self._start is not None and not self._took_over:
            self._set_aside()
            self._take_over(self._start)

    def _write_alone(self, now: _UnderWay) -> None:
        """All stages at once, where no other rank waits between two: a run may be at the next checkpoint by then."""
        now.segment = self._prepare(now)
        self._note(now, [_write(now, self._simulation)])
        self._commit(now)

    def _note(self, now: _UnderWay, of_ranks: list[tuple[Written, FileTable]]) -> None:
        """What all ranks have written of the network and of the records."""
        for written, record_files in of_ranks:
            now.parts.append(written)
            self._record_files |= record_files
        self.segments.append(now.segment.name)

    def _prepare(self, now: _UnderWay) -> Path:
        """Make room; the folder of the segment."""
        now.folder.parent.mkdir(exist_ok=True)
        if not self._took_over:
            remove_leftovers(self._run.path)
        segment = make_segment(self._run.records, now.segment_start, now.snapshot.step)
        now.folder.mkdir()
        return segment

    def _commit(self, done: _UnderWay) -> None:
        step, whole = done.snapshot.step, done.folder / WHOLE
        files = {ITSELF: close(whole, done.parts)}
        if not self._took_over:
            self._set_aside()
        checkpoint = commit(self._run.path, step, whole, files, self._configuration, self.segments, self._record_files)
        _log.info("checkpoint of step %d: %s", step, checkpoint.manifest_path)
        done.folder.rmdir()
        if self._took_over:
            self._run.link_network(checkpoint.network_path)
        else:
            self._run.forget_summary()
            self._take_over(checkpoint)
        for old in committed(self._run.path)[: -self._keep]:
            old.remove()

    def _set_aside(self) -> None:
        for checkpoint in self._unreadable:
            checkpoint.set_aside()

    def _take_over(self, newest: Checkpoint) -> None:
        """Only now go the checkpoints that are not wanted any more."""
        self._run.link_network(newest.network_path)
        others = [checkpoint for checkpoint in self._replaced if checkpoint.step != newest.step]
        for checkpoint in reversed(others):
            checkpoint.remove()
        self._took_over = True
        remove_leftovers(self._run.path)

    def _way_out(self) -> str:
        there = committed(self._run.path)
        if not there:
            return "no checkpoint is committed yet: make room and start again"
        return f"the checkpoint of step {there[-1].step} is whole: make room, then hpcsnn resume {self._run.path}"

    def _gather(self, value: Any) -> list[Any]:
        return self._simulation.communicator.gather(value)


def _write(now: _UnderWay, simulation: Simulation) -> tuple[Written, FileTable]:
    """Write one rank's share: what it has of the network, and its files of the records, with the segment's name."""
    network, ranks = simulation.network, simulation.communicator
    written = write_part(now.folder, now.snapshot, ranks.rank, ranks.size)
    reasons = {name: projection.rule.reasons for name, projection in network.projections.items() if projection.rule}
    records = write_segment(now.segment, ranks.rank, now.recorded, network.dt_ms, reasons)
    return written, {f"{now.segment.name}/{name}": entry for name, entry in records.items()}
