"""Checkpoints of a run, with the writing of networks stood in for: when one is written, which stay, what goes wrong."""

from __future__ import annotations

import gc
import threading
import weakref
import zipfile
from dataclasses import dataclass

import numpy as np
import pytest

from hpcsnn import Network
from hpcsnn.engine.recording.recorded import Taken
from hpcsnn.errors import StorageError
from hpcsnn.ranks.communicator import Alone
from hpcsnn.runs import checkpointing
from hpcsnn.runs.checkpointing import Checkpointer
from hpcsnn.storage.checkpoints import committed
from hpcsnn.storage.network_store import WHOLE
from hpcsnn.storage.packed.zip_file import PartWriter
from hpcsnn.storage.records import Records
from hpcsnn.storage.run_directory import RunDirectory


class StandIn:
    """A simulation that records one spike per step."""

    def __init__(self):
        self.step, self.rank, self.communicator, self.network = 0, 0, Alone(), Network()
        self.taken = 0

    def take_recorded(self):
        steps = np.arange(self.taken, self.step, dtype=np.int32)
        self.taken = self.step
        return Taken({"a": np.stack([steps, steps % 5], axis=1)}, {})


@dataclass
class Copy:
    step: int
    n_bytes: int = 100


@pytest.fixture
def run(tmp_path, monkeypatch):
    directory = RunDirectory(tmp_path)
    monkeypatch.setattr(checkpointing, "take_snapshot", lambda simulation, plan, spare: Copy(simulation.step))

    def write_part(folder, snapshot, rank, n_ranks):
        assert (rank, n_ranks) == (0, 1)
        with PartWriter(folder / WHOLE) as part:
            part.add("state", [f"at {snapshot.step}".encode()])
            return part.finish()

    monkeypatch.setattr(checkpointing, "write_part", write_part)
    return directory


def state(network):
    with zipfile.ZipFile(network) as read:
        return read.read("state").decode()


def checkpointer(run, simulation, keep=3, **more):
    return Checkpointer(simulation, run, {"seed": 1}, keep, **more)


def written_at(run, simulation, *steps, keep=3):
    writer = checkpointer(run, simulation, keep)
    for step in steps:
        simulation.step = step
        writer.begin()
    writer.poll(wait=True)
    return writer


def steps_of(run):
    return [checkpoint.step for checkpoint in committed(run.path)]


def test_a_checkpoint_is_whole_and_the_network_is_the_newest(run):
    writer = written_at(run, StandIn(), 10, 25)
    assert steps_of(run) == [10, 25]
    for checkpoint in committed(run.path):
        checkpoint.verify()
        assert state(checkpoint.network_path) == f"at {checkpoint.step}"
    assert state(run.network) == "at 25"
    assert (writer.written, writer.n_bytes, writer.under_way) == (2, 200, False)
    assert writer.report()["written"] == 2


def test_records_are_cut_where_checkpoints_are_and_listed_by_each(run):
    written_at(run, StandIn(), 10, 25, 40)
    for checkpoint in committed(run.path):
        spikes = Records(run.records, checkpoint.manifest()["segments"]).spikes("a")
        assert spikes[:, 0].tolist() == list(range(checkpoint.step)), "each spike once"


def test_the_newest_few_stay(run):
    written_at(run, StandIn(), 10, 20, 30, 40, keep=2)
    assert steps_of(run) == [30, 40]
    committed(run.path)[-1].verify()  # the segments of those that have gone included


def test_a_step_that_is_written_is_not_written_again(run):
    simulation = StandIn()
    writer = written_at(run, simulation, 10)
    writer.begin()
    assert not writer.under_way
    assert writer.written == 1


def test_a_run_that_goes_on_has_the_segments_before_and_no_checkpoint_of_its_start(run):
    first = StandIn()
    written_at(run, first, 10)
    manifest = committed(run.path)[0].manifest()
    simulation = StandIn()
    simulation.step = simulation.taken = 10
    writer = checkpointer(run, simulation, segments=manifest["segments"], record_files=manifest["record_files"])
    writer.begin()
    assert not writer.under_way, "it is there already"
    simulation.step = 30
    writer.begin()
    writer.poll(wait=True)
    newest = committed(run.path)[-1]
    assert newest.step == 30
    newest.verify()
    assert Records(run.records, newest.manifest()["segments"]).spikes("a")[:, 0].tolist() == list(range(30))


def test_the_run_goes_on_while_a_checkpoint_is_written(run, monkeypatch):
    let_go = threading.Event()
    quick = checkpointing.make_segment

    def slow(*steps):
        assert let_go.wait(timeout=60)
        return quick(*steps)

    monkeypatch.setattr(checkpointing, "make_segment", slow)
    simulation = StandIn()
    writer = checkpointer(run, simulation)
    simulation.step = 10
    writer.begin()
    writer.poll()
    assert writer.under_way
    assert steps_of(run) == []
    let_go.set()
    writer.poll(wait=True)
    assert steps_of(run) == [10]


@pytest.mark.parametrize("where", ["make_segment", "write_part", "write_segment", "close"])
def test_what_cannot_be_written_is_told_with_the_way_out(where, run, monkeypatch):
    simulation = StandIn()
    writer = checkpointer(run, simulation)
    simulation.step = 10

    def full(*_):
        raise OSError(28, "No space left on device", "/disk/file")

    monkeypatch.setattr(checkpointing, where, full)
    writer.begin()
    with pytest.raises(StorageError) as error:
        writer.poll(wait=True)
    assert str(error.value) == (
        "/disk/file: cannot be written: No space left on device; no checkpoint is committed yet: make room and start "
        "again"
    )
    assert not writer.under_way


def test_earlier_checkpoints_stay_when_one_fails(run, monkeypatch):
    simulation = StandIn()
    writer = written_at(run, simulation, 10)
    monkeypatch.setattr(checkpointing, "write_part", lambda *_: 1 / 0)
    simulation.step = 20
    writer.begin()
    with pytest.raises(
        StorageError, match=rf"the checkpoint of step 10 is whole: make room, then hpcsnn resume {run.path}"
    ):
        writer.poll(wait=True)
    committed(run.path)[0].verify()
    assert state(run.network) == "at 10"


def going_on(run, step, unreadable=(), replaced=(), keep=9):
    """A run resumed from a checkpoint of three, at 10, 20 and 30."""
    there = {one.step: one for one in committed(run.path)}
    manifest = there[step].manifest()
    simulation = StandIn()
    simulation.step = simulation.taken = step
    later = {"unreadable": [there[one] for one in unreadable], "replaced": [there[one] for one in replaced]}
    writer = checkpointer(
        run, simulation, keep, segments=manifest["segments"], record_files=manifest["record_files"], start=there[step],
        **later,
    )  # fmt: skip
    return simulation, writer


@pytest.fixture
def three(run):
    written_at(run, StandIn(), 10, 20, 30, keep=9)
    run.write_summary({"steps": 30})
    return run


@pytest.mark.parametrize("at", [(20,), (15,), (15, 20, 25), (20, 30, 40)])
def test_what_is_replaced_stays_until_there_is_a_new_one(at, three):
    simulation, writer = going_on(three, 10, replaced=[20, 30])
    for number, step in enumerate(at):
        simulation.step = step
        writer.begin()
        if number == 0:
            assert three.summary.exists()
        writer.poll(wait=True)
    writer.finish()
    assert steps_of(three) == [10, *at]
    for checkpoint in committed(three.path):
        checkpoint.verify()
        spikes = Records(three.records, checkpoint.manifest()["segments"]).spikes("a")
        assert spikes[:, 0].tolist() == list(range(checkpoint.step)), "each spike once"
    assert state(three.network) == f"at {at[-1]}"
    assert not three.summary.exists()
    listed = committed(three.path)[-1].manifest()["segments"]
    assert {path.name for path in three.records.iterdir()} == set(listed), "what only the replaced ones had is gone"


def test_what_cannot_be_written_replaces_nothing(three, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device", "/disk/file")

    before = {path: path.read_bytes() for path in three.path.rglob("*") if path.is_file()}
    for where in ("make_segment", "write_part", "close", "commit"):
        with monkeypatch.context() as broken:
            broken.setattr(checkpointing, where, full)
            simulation, writer = going_on(three, 10, replaced=[20, 30])
            simulation.step = 20
            writer.begin()
            with pytest.raises(StorageError, match="No space left on device; the checkpoint of step 30 is whole"):
                writer.poll(wait=True)
    assert {path: path.read_bytes() for path in before} == before
    for checkpoint in committed(three.path):
        checkpoint.verify()


def test_what_cannot_be_read_is_set_aside_with_its_records(three):
    newest = committed(three.path)[-1]
    newest.manifest_path.write_text("{}")
    simulation, writer = going_on(three, 20, unreadable=[30])
    simulation.step = 30
    writer.begin()
    writer.poll(wait=True)
    assert steps_of(three) == [10, 20, 30]
    committed(three.path)[-1].verify()
    assert (three.checkpoints / "0000000030.unreadable.json").read_text() == "{}"
    assert state(three.checkpoints / "0000000030.unreadable.zarr") == "at 30"
    assert len(list(three.records.iterdir())) == 4, "the segment that it may list stays, beside the new one"


def test_a_run_that_comes_no_further_ends_where_it_began(three):
    _, writer = going_on(three, 10, replaced=[20, 30])
    writer.begin()
    writer.poll(wait=True)
    assert steps_of(three) == [10, 20, 30]
    writer.finish()
    assert steps_of(three) == [10]
    assert state(three.network) == "at 10"


def test_what_an_earlier_run_left_half_written_is_cleared_away(run):
    run.checkpoints.mkdir()
    (run.checkpoints / "0000000007.zarr.partial").mkdir()
    (run.checkpoints / "0000000007.json.partial").write_text("{")
    written_at(run, StandIn(), 10)
    assert sorted(path.name for path in run.checkpoints.iterdir()) == ["0000000010.json", "0000000010.zarr"]


def test_what_was_copied_and_recorded_goes_as_soon_as_it_is_written(run, monkeypatch):
    """Not when the collector comes, which is the more rarely the more a run holds: its memory would grow with time."""
    copies, recorded = [], []

    class Noted(StandIn):
        def take_recorded(self):
            taken = super().take_recorded()
            recorded.append(weakref.ref(taken.spikes["a"]))
            return taken

    def copied(simulation, *_):
        copy = Copy(simulation.step)
        copies.append(weakref.ref(copy))
        return copy

    monkeypatch.setattr(checkpointing, "take_snapshot", copied)
    gc.disable()
    try:
        writer = written_at(run, Noted(), 10, 20, 30)
        assert [reference() for reference in recorded] == [None] * 3
        assert [reference() is None for reference in copies] == [True, True, False], (
            "the last one's memory is used again"
        )
        assert writer.written == 3
    finally:
        gc.enable()
