"""Committed states on disk: whole or not there, and any damage is found and named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import google_crc32c
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn.errors import DamageError, StorageError
from hpcsnn.storage.checkpoints import (
    Checkpoint,
    beyond,
    checksums,
    commit,
    committed,
    end_replacements,
    files_below,
    manifests_aside,
)

CONFIGURATION = {"seed": 1, "dt_ms": 0.1, "populations": {"a": {"size": 3}}}
NETWORK = {"zarr.json": b"{}", "populations/a/state/V/c/0/0": b"\x00\x01\x02", "projections/p/zarr.json": b"{ }"}
SEGMENTS = {"0000000000-0000000010/rank_0.zarr/spikes/a/c/0/0": b"spikes"}


def write(base, files):
    for name, data in files.items():
        (base / name).parent.mkdir(parents=True, exist_ok=True)
        (base / name).write_bytes(data)


def committed_run(run, step=10, network=NETWORK, taken=("zarr.json",)):
    """A run with one more checkpoint; of the files in `taken` the writers took checksums themselves."""
    partial = run / "checkpoints" / f"{step:010d}.zarr.partial"
    write(partial, network)
    write(run / "records", SEGMENTS)
    records = checksums(run / "records", files_below(run / "records"))
    segments = sorted({name.partition("/")[0] for name in records})
    by_writers = checksums(partial, [file for file in files_below(partial) if file.as_posix() in taken])
    return commit(run, step, partial, by_writers, CONFIGURATION, segments, records)


@settings(max_examples=20)
@given(st.dictionaries(st.text("abc", min_size=1, max_size=3), st.binary(max_size=20), max_size=4))
def test_checksums_are_sizes_and_crc32c(tmp_path_factory, files):
    base = tmp_path_factory.mktemp("files")
    write(base, {f"sub/{name}": data for name, data in files.items()})
    table = checksums(base, files_below(base))
    assert table == {f"sub/{name}": (len(data), google_crc32c.value(data)) for name, data in files.items()}


def test_crc32c_is_the_published_one():
    """RFC 3720, B.4: 32 bytes of zeros."""
    assert google_crc32c.value(bytes(32)) == 0x8A9136AA


def test_a_committed_state_is_whole_and_says_what_it_is(tmp_path):
    checkpoint = committed_run(tmp_path)
    manifest = checkpoint.manifest()
    assert (manifest["step"], manifest["configuration"]) == (10, CONFIGURATION)
    assert set(manifest["files"]) == set(NETWORK)
    assert set(manifest["record_files"]) == set(SEGMENTS)
    assert checkpoint.verify() == len(NETWORK) + len(SEGMENTS)
    assert {name: (checkpoint.network_path / name).read_bytes() for name in NETWORK} == NETWORK
    left = {path.name for path in (tmp_path / "checkpoints").iterdir()}
    assert left == {checkpoint.network_path.name, checkpoint.manifest_path.name}, "nothing partial stays"


def test_checkpoints_are_listed_by_step_and_only_with_a_manifest(tmp_path):
    assert committed(tmp_path) == []
    for step in (300, 20, 1_000_000_000_0):
        committed_run(tmp_path, step)
    committed_run(tmp_path, 40).manifest_path.unlink()
    (tmp_path / "checkpoints" / "notes.json").write_text("{}")
    (tmp_path / "checkpoints" / "0000000050.json.partial").write_text("{}")
    (tmp_path / "checkpoints" / "000000000\u00b2\u00b3.json").write_text("{}")  # digits, and no number
    (tmp_path / "checkpoints" / "0000000060.json").mkdir()
    assert [checkpoint.step for checkpoint in committed(tmp_path)] == [20, 300, 10_000_000_000]


def test_a_second_commit_of_a_step_takes_the_place_of_the_first(tmp_path):
    committed_run(tmp_path)
    again = committed_run(tmp_path, network={"zarr.json": b"{}", "other": b"new"})
    assert set(again.manifest()["files"]) == {"zarr.json", "other"}
    assert not (again.network_path / "populations").exists()
    assert again.verify() == 2 + len(SEGMENTS)


class Killed(BaseException):
    pass


def killed_before(monkeypatch, number):
    """Renames as they are, but for one before which the process ends: nothing after it is done."""
    rename, calls = Path.rename, []

    def counted(path, target):
        calls.append(path.name)
        if len(calls) >= number:
            raise Killed
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", counted)
    return calls


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_commit_that_is_interrupted_leaves_the_one_before_it(number, tmp_path, monkeypatch):
    committed_run(tmp_path)
    killed_before(monkeypatch, number)
    with pytest.raises(Killed):
        committed_run(tmp_path, network={"zarr.json": b"new"})
    monkeypatch.undo()
    end_replacements(tmp_path)
    (there,) = committed(tmp_path)
    assert there.verify() == len(NETWORK) + len(SEGMENTS)
    assert set(there.manifest()["files"]) == set(NETWORK), "the one that was there"
    again = committed_run(tmp_path, network={"other": b"new"})
    assert "other" in again.manifest()["files"]


def test_a_replacement_ends_once_the_new_one_is_committed(tmp_path):
    checkpoint = committed_run(tmp_path)
    checkpoint.make_way()
    assert committed(tmp_path) == []
    (tmp_path / "checkpoints" / "0000000010.replaced.zarr" / "of the old").touch()
    for path in list((tmp_path / "checkpoints").iterdir()):  # as if another had been committed
        new = path.with_name(path.name.replace(".replaced", ""))
        shutil.copytree(path, new) if path.is_dir() else shutil.copy(path, new)
    end_replacements(tmp_path)
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == ["0000000010.json", "0000000010.zarr"]


def test_a_half_without_a_manifest_makes_way(tmp_path):
    committed_run(tmp_path).manifest_path.unlink()
    again = committed_run(tmp_path, network={"other": b"new"})
    assert again.verify() == 1 + len(SEGMENTS)


def test_what_is_set_aside_is_no_checkpoint_and_stays(tmp_path):
    for data in (b"1", b"2", b"3"):
        committed_run(tmp_path, network={"file": data}).set_aside()
    assert committed(tmp_path) == []
    folder = tmp_path / "checkpoints"
    names = ["0000000010.unreadable", "0000000010.unreadable-2", "0000000010.unreadable-3"]
    assert [(folder / f"{name}.zarr/file").read_bytes() for name in names] == [b"1", b"2", b"3"]
    assert manifests_aside(tmp_path) == sorted(folder / f"{name}.json" for name in names)


@pytest.mark.parametrize("number", [1, 2])
def test_setting_aside_goes_on_where_it_was_interrupted(number, tmp_path, monkeypatch):
    checkpoint = committed_run(tmp_path)
    killed_before(monkeypatch, number)
    with pytest.raises(Killed):
        checkpoint.set_aside()
    monkeypatch.undo()
    assert committed(tmp_path) == [] or committed(tmp_path)[0].step == 10
    Checkpoint(tmp_path, 10).set_aside()
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == [
        "0000000010.unreadable.json", "0000000010.unreadable.zarr"
    ]  # fmt: skip


def test_what_lies_beyond_a_step_is_known_again(tmp_path):
    for step in (10, 20, 30):
        committed_run(tmp_path, step)
    before = beyond(tmp_path, 10)
    assert [step for step, _ in before] == [20, 30]
    assert beyond(tmp_path, 10) == before
    assert beyond(tmp_path, 30) == []
    committed_run(tmp_path, 30, network={"other": b"new"})
    assert beyond(tmp_path, 10) != before


def test_a_manifest_under_another_step_is_damaged(tmp_path):
    """Files and manifest together, so that all checksums fit."""
    old = committed_run(tmp_path, 10)
    new = Checkpoint(tmp_path, 20)
    old.network_path.rename(new.network_path)
    old.manifest_path.rename(new.manifest_path)
    with pytest.raises(DamageError, match=r"0000000020\.json: damaged manifest \(is of step 10\)$"):
        new.verify()


def test_a_removed_checkpoint_is_no_moment_half_there(tmp_path, monkeypatch):
    checkpoint = committed_run(tmp_path)

    def interrupted(*_, **_options):
        assert not checkpoint.manifest_path.exists()
        raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "rmtree", interrupted)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.remove()
    assert committed(tmp_path) == []
    monkeypatch.undo()
    checkpoint.remove()
    assert list((tmp_path / "checkpoints").iterdir()) == []
    checkpoint.remove()  # what is gone is gone


def changed_byte(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut_short(path):
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (changed_byte, "has changed since it was written"),
        (cut_short, "has {cut} bytes, should have {size}"),
        (lambda path: path.write_bytes(path.read_bytes() + b"\0"), "has {longer} bytes, should have {size}"),
        (lambda path: path.unlink(), "No such file or directory"),
    ],
    ids=["changed", "cut", "longer", "missing"],
)
@pytest.mark.parametrize("name", [*NETWORK, *SEGMENTS])
def test_damage_to_any_file_is_found_and_named(name, damage, said, tmp_path):
    checkpoint = committed_run(tmp_path)
    path = (checkpoint.network_path if name in NETWORK else tmp_path / "records") / name
    size = path.stat().st_size
    damage(path)
    with pytest.raises(StorageError) as error:
        checkpoint.verify()
    assert str(error.value).startswith(f"{path}: {said.format(size=size, cut=size - 1, longer=size + 1)}")


def test_any_changed_value_of_a_manifest_is_found(tmp_path):
    checkpoint = committed_run(tmp_path)
    text = checkpoint.manifest_path.read_text()
    manifest = json.loads(text)
    for key in [key for key in manifest if key not in ("format", "version")]:
        changed = {**manifest, key: manifest[key] + 1 if isinstance(manifest[key], int) else "other"}
        checkpoint.manifest_path.write_text(json.dumps(changed))
        with pytest.raises(StorageError, match=r"damaged manifest \(its checksum does not fit\)$"):
            checkpoint.manifest()
    checkpoint.manifest_path.write_text(json.dumps({**manifest, "more": 1}))
    with pytest.raises(StorageError, match="checksum"):
        checkpoint.manifest()
    checkpoint.manifest_path.write_text(json.dumps(dict(sorted(manifest.items(), reverse=True)), indent=3))
    assert checkpoint.manifest() == manifest, "how it is laid out means nothing"


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"version": 1}', '{"format": "hpcsnn-checkpoint"}'])
def test_what_is_no_manifest_is_told(text, tmp_path):
    checkpoint = committed_run(tmp_path)
    checkpoint.manifest_path.write_text(text)
    with pytest.raises(StorageError) as error:
        checkpoint.manifest()
    assert str(error.value).startswith(f"{checkpoint.manifest_path}: damaged manifest (")


def test_a_manifest_that_is_not_there_or_of_another_kind(tmp_path):
    with pytest.raises(StorageError, match=r"damaged manifest .*No such file"):
        Checkpoint(tmp_path, 3).manifest()
    checkpoint = committed_run(tmp_path)
    checkpoint.manifest_path.write_text(json.dumps({"format": "hpcsnn-checkpoint", "version": 99}))
    with pytest.raises(StorageError, match="is hpcsnn-checkpoint version 99, this hpcsnn reads hpcsnn-checkpoint vers"):
        checkpoint.verify()
