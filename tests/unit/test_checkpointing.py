"""Checkpoints of a run, with the writing of networks stood in for: when one is written, which stay, what goes wrong."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
import pytest

from hpcsnn import Network
from hpcsnn.errors import StorageError
from hpcsnn.ranks.communicator import Alone
from hpcsnn.runs import checkpointing
from hpcsnn.runs.checkpointing import Checkpointer
from hpcsnn.storage.checkpoints import committed
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
        return {"a": np.stack([steps, steps % 5], axis=1)}, {}


@dataclass
class Copy:
    step: int
    n_bytes: int = 100


@pytest.fixture
def run(tmp_path, monkeypatch):
    directory = RunDirectory(tmp_path)
    monkeypatch.setattr(checkpointing, "take_snapshot", lambda simulation, plan, spare: Copy(simulation.step))
    monkeypatch.setattr(checkpointing, "create_group", lambda folder, snapshot: folder.mkdir())

    def write_shards(folder, snapshot):
        (folder / "state").write_text(f"at {snapshot.step}")
        yield (folder / "state").relative_to(folder)

    monkeypatch.setattr(checkpointing, "write_shards", write_shards)
    return directory


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
        assert (checkpoint.network_path / "state").read_text() == f"at {checkpoint.step}"
    assert (run.network / "state").read_text() == "at 25"
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
    quick = checkpointing.create_group

    def slow(folder, snapshot):
        assert let_go.wait(timeout=60)
        quick(folder, snapshot)

    monkeypatch.setattr(checkpointing, "create_group", slow)
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


@pytest.mark.parametrize("where", ["create_group", "write_shards"])
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
    monkeypatch.setattr(checkpointing, "write_shards", lambda *_: 1 / 0)
    simulation.step = 20
    writer.begin()
    with pytest.raises(
        StorageError, match=rf"the checkpoint of step 10 is whole: make room, then hpcsnn resume {run.path}"
    ):
        writer.poll(wait=True)
    committed(run.path)[0].verify()
    assert (run.network / "state").read_text() == "at 10"


def test_what_an_earlier_run_left_half_written_is_cleared_away(run):
    run.checkpoints.mkdir()
    (run.checkpoints / "0000000007.zarr.partial").mkdir()
    (run.checkpoints / "0000000007.json.partial").write_text("{")
    written_at(run, StandIn(), 10)
    assert sorted(path.name for path in run.checkpoints.iterdir()) == ["0000000010.json", "0000000010.zarr"]
