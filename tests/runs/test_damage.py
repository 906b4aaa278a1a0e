"""Damaged checkpoints, one kind at a time: a message that names the file and the way out, and no traceback."""

from __future__ import annotations

import json
import os
import shutil
import subprocess

import google_crc32c
import numpy as np
import pytest
import yaml

from hpcsnn.storage.checkpoints import Checkpoint, committed
from hpcsnn.storage.network_store import StoredNetwork
from support.lanes import some
from support.ranks import hpcsnn
from support.runs import PLAIN, RECORD, assert_same_run, flip, succeeds
from support.unpacked import place

SIZE = ["--set", "scale=2", "--set", "duration_ms=300", *RECORD, *PLAIN]
OLD, NEW = 1000, 3000
SHARD = "projections/ff/synapse/weight/c/0/0"


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    run = tmp_path_factory.mktemp("original") / "run"
    succeeds("run", "topomap", *SIZE, "--checkpoint-every", "100ms", "--out", run, ranks=2)
    assert [checkpoint.step for checkpoint in committed(run)] == [1000, 2000, 3000]
    return run


@pytest.fixture
def run(original, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(original, copy, symlinks=True)
    Checkpoint(copy, 2000).remove()
    return copy


def rewrite_manifest(checkpoint, **changes):
    """A manifest whose own checksum is right, as another version of hpcsnn might have written it."""
    manifest = json.loads(checkpoint.manifest_path.read_text())
    manifest = {key: value for key, value in {**manifest, **changes}.items() if key != "crc32c"}
    checksum = google_crc32c.value(json.dumps(manifest, sort_keys=True).encode())
    checkpoint.manifest_path.write_text(json.dumps({**manifest, "crc32c": checksum}))


CHANGED = "has changed since it was written (CRC32C does not fit)"


def in_chunk(newest):
    flip(newest.network_path, place(newest.network_path, SHARD) + 100)
    return newest.network_path, CHANGED


def in_metadata(newest):
    flip(newest.network_path, place(newest.network_path, "projections/ff/synapse/weight/zarr.json") + 40)
    return newest.network_path, CHANGED


def in_directory(newest):
    flip(newest.network_path, -40)
    return newest.network_path, CHANGED


def in_manifest(newest):
    path = newest.manifest_path
    path.write_text(path.read_text().replace('"step": 3000', '"step": 3001'))
    return path, "damaged manifest (its checksum does not fit)"


def cut_manifest(newest):
    path = newest.manifest_path
    path.write_text(path.read_text()[:1000])
    return path, "damaged manifest ("


def missing_file(newest):
    newest.network_path.unlink()
    return newest.network_path, "No such file or directory"


def truncated_file(newest):
    path = newest.network_path
    size = path.stat().st_size
    os.truncate(path, size // 2)
    return path, f"has {size // 2} bytes, should have {size}"


def newer_version(newest):
    rewrite_manifest(newest, version=3)
    return newest.manifest_path, (
        "is hpcsnn-checkpoint version 3, this hpcsnn reads hpcsnn-checkpoint version 1 and 2; use the hpcsnn that "
        "wrote it"
    )


def in_record(newest):
    (name, *_) = (name for name in newest.manifest()["record_files"] if name.startswith("0000002000"))
    flip(newest.run / "records" / name, 200)
    return newest.run / "records" / name, CHANGED


KINDS = [
    in_chunk,
    in_metadata,
    in_directory,
    in_manifest,
    cut_manifest,
    missing_file,
    truncated_file,
    newer_version,
    in_record,
]


@pytest.mark.parametrize("damage", some(KINDS, 3), ids=lambda kind: kind.__name__)
def test_damage_is_named_and_an_older_checkpoint_goes_on(damage, run, original):
    path, message = damage(Checkpoint(run, NEW))
    done = hpcsnn("verify", run)
    assert done.returncode == 2
    assert f"step {NEW}: {path}: {message}" in done.stdout.replace("\n", "")
    assert f"step {OLD}: " in done.stdout
    assert done.stderr == f"error: {run}: 1 of 2 checkpoints damaged; resume --from {OLD}\n"
    done = hpcsnn("resume", run, "--from", NEW, *PLAIN)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {path}: {message}")
    assert f"an older checkpoint may serve: --from {OLD}" in done.stderr
    assert "Traceback" not in done.stderr
    # Without being asked for a step, it takes the newest good one, and says so.
    done = succeeds("resume", run, *PLAIN, ranks=2)
    assert f"warning: {path}: {message}" in done.stdout
    assert f"going on from step {OLD} instead" in done.stdout
    assert_same_run(original, run)
    assert hpcsnn("verify", run).returncode == 0
    aside = run / "checkpoints" / f"{NEW:010d}.unreadable.json"
    assert aside.is_file()
    assert aside.with_suffix(".zarr").is_file() == (damage is not missing_file)
    assert f"set aside, since it could not be read: {aside}" in succeeds("info", run).stdout


def test_going_back_removes_nothing_where_it_cannot_run(run, monkeypatch, tmp_path):
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    monkeypatch.setenv("CXX", "no-such-compiler")
    monkeypatch.setenv("HPCSNN_CACHE", str(tmp_path / "cache"))
    done = hpcsnn("resume", run, "--from", OLD, *PLAIN)
    assert done.returncode == 1
    assert "no-such-compiler" in done.stderr
    assert f"checkpoints of later steps ({NEW}) stay until there is a new one, which replaces them" in done.stdout
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_verify_lets_the_network_name_the_newest_again(run):
    (run / "network.zarr").unlink()
    (run / "network.zarr").symlink_to(f"checkpoints/{OLD:010d}.zarr")
    done = hpcsnn("digest", run)
    assert done.stderr == (
        f"error: {run}: the stored network is of step {OLD}, its summary of step {NEW}: hpcsnn resume {run} brings "
        "them together\n"
    )
    said = f"{run}/network.zarr: names the newest checkpoint again, checkpoints/{NEW:010d}.zarr"
    assert said in succeeds("verify", run).stdout
    succeeds("digest", run)


def test_when_every_checkpoint_is_damaged(run):
    for step in (OLD, NEW):
        in_chunk(Checkpoint(run, step))
    done = hpcsnn("resume", run, *PLAIN)
    assert done.returncode == 2
    assert done.stderr.endswith("(CRC32C does not fit); no checkpoint of this run is whole: start it again\n")
    assert "no other checkpoint is whole: start the run again" in hpcsnn("verify", run).stderr


def test_reading_damage_that_nobody_verified_is_told_as_well(run):
    """Zarr's own checksums stand behind the manifest's."""
    path = committed(run)[-1].network_path
    flip(path, place(path, SHARD) + 100)
    done = hpcsnn("digest", run)
    assert done.returncode == 2
    assert f"error: {run / 'network.zarr' / 'projections/ff'}: cannot be read: " in done.stderr
    assert "Traceback" not in done.stderr


def test_a_checkpoint_of_another_configuration(run):
    configuration = yaml.safe_load((run / "config.yaml").read_text())
    (run / "config.yaml").write_text(yaml.safe_dump({**configuration, "seed": 7}))
    done = hpcsnn("resume", run, *PLAIN)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: seed: 1 in the checkpoint, 7 in {run / 'config.yaml'}; a resumed run may")


def test_info_shows_what_is_there_and_what_is_damaged(run):
    in_manifest(Checkpoint(run, NEW))
    done = succeeds("info", run)
    first, busiest, header, old, new = done.stdout.splitlines()[:5]
    assert busiest.startswith("busiest rank ")
    assert first.startswith(f"{run}: completed at 0.3 s, 2 ranks, digest ")
    assert header.split()[:3] == ["checkpoint", "at", "(s)"]
    assert old.split()[:2] == ["1000", "0.1"]
    assert new.split()[0] == "3000"
    assert "damaged manifest" in new
    assert (
        hpcsnn("info", run / "records").stderr == f"error: {run / 'records'}: no run here (there is no config.yaml)\n"
    )


def test_diff_says_what_differs(run, tmp_path):
    other = tmp_path / "other"
    succeeds("run", "topomap", *SIZE, "--set", "projections.ff.synapse.additive_stdp.a_minus=0.0076", "--out", other)
    done = hpcsnn("diff", run, other)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    ours, theirs = (StoredNetwork(path / "network.zarr") for path in (run, other))
    differ = (ours.neurons("target")["V_mV"] != theirs.neurons("target")["V_mV"]).sum()
    assert any(line.startswith(f"target.V_mV: {differ} of 1,024 differ, at most by ") for line in lines)
    assert any(line.startswith(("ff.weight: ", "ff: ")) for line in lines)
    assert not any(line.startswith("source.") for line in lines)
    assert hpcsnn("diff", run, run).stdout.startswith("equal at step 3000: digest ")
    again = tmp_path / "shorter"
    succeeds("run", "topomap", *SIZE, "--set", "duration_ms=200", "--out", again)
    assert "step: 3000 and 2000" in hpcsnn("diff", run, again).stdout
    assert hpcsnn("diff", run, tmp_path / "none").returncode == 2


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 2 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("no mount command")
    if mounted.returncode != 0:
        pytest.skip(f"a small file system needs the right to mount: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("ranks", [1, 2])
def test_no_space_left(ranks, small_disk, tmp_path):
    """The run stops and says so; what was committed is whole and goes on elsewhere, or once there is room."""
    run = small_disk / "run"
    often = ["--set", "duration_ms=20000", "--set", "scale=2", "--checkpoint-every", "50ms", "--keep", "1000"]
    done = hpcsnn("run", "topomap", *often, *PLAIN, "--out", run, ranks=ranks)
    assert done.returncode == 2
    assert "No space left on device" in done.stderr
    newest = committed(run)[-1]
    assert f"; the checkpoint of step {newest.step} is whole: make room, then hpcsnn resume {run}" in done.stderr
    assert "Traceback" not in done.stderr
    newest.verify()
    moved = tmp_path / "moved"
    shutil.copytree(run, moved, symlinks=True)
    end_ms = newest.step * 0.1 + 30
    straight = tmp_path / "straight"
    succeeds("resume", moved, "--until", f"{end_ms}ms", *PLAIN)
    succeeds("run", "topomap", "--set", f"duration_ms={end_ms}", "--set", "scale=2", *PLAIN, "--out", straight)
    np.testing.assert_equal(*(json.loads((path / "summary.json").read_text())["digest"] for path in (moved, straight)))


def test_no_space_for_what_comes_before_the_first_step(small_disk):
    with pytest.raises(OSError, match="No space left"):
        (small_disk / "ballast").write_bytes(bytes(4_000_000))
    os.truncate(small_disk / "ballast", (small_disk / "ballast").stat().st_size - 16_384)  # room for config.yaml alone
    done = hpcsnn("run", "topomap", "--set", "duration_ms=10", *PLAIN, "--out", small_disk / "run")
    assert done.returncode == 2
    assert done.stderr == f"error: {small_disk / 'run/displacement.zarr'}: cannot be written: No space left on device\n"
    (small_disk / "ballast").unlink()
    succeeds("run", "topomap", "--set", "duration_ms=10", *PLAIN, "--out", small_disk / "run", "--overwrite")


def test_no_space_for_the_first_checkpoint(small_disk):
    (small_disk / "ballast").write_bytes(bytes(2_000_000))
    done = hpcsnn("run", "topomap", "--set", "scale=2", "--set", "duration_ms=10", *PLAIN, "--out", small_disk / "run")
    assert done.returncode == 2
    assert "No space left on device; no checkpoint is committed yet: make room and start again" in done.stderr
    assert "Traceback" not in done.stderr
