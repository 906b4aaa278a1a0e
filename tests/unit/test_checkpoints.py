"""Committed states on disk: whole or not there, and any damage is found and named."""

from __future__ import annotations

import json
import shutil

import google_crc32c
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn.errors import StorageError
from hpcsnn.storage.checkpoints import Checkpoint, checksums, commit, committed, files_below

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
    assert [checkpoint.step for checkpoint in committed(tmp_path)] == [20, 300, 10_000_000_000]


def test_a_second_commit_of_a_step_takes_the_place_of_the_first(tmp_path):
    committed_run(tmp_path)
    again = committed_run(tmp_path, network={"zarr.json": b"{}", "other": b"new"})
    assert set(again.manifest()["files"]) == {"zarr.json", "other"}
    assert not (again.network_path / "populations").exists()
    assert again.verify() == 2 + len(SEGMENTS)


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
