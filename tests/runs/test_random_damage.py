"""Random damage to any file of a run: commands are right or say what is wrong, and what was whole stays whole."""

from __future__ import annotations

import os
import random
import shutil

import pytest

from hpcsnn.errors import StorageError
from hpcsnn.storage.checkpoints import committed
from support.runs import PLAIN, digest_of_run

SIZE = ["--set", "duration_ms=20", "--set", "projections.ff.record_events=true", "--checkpoint-every", "10ms"]
DAMAGES, PARTS, FAST = 200, 10, 4


@pytest.fixture(scope="module")
def whole(hpcsnn, tmp_path_factory):
    run = tmp_path_factory.mktemp("whole") / "run"
    assert hpcsnn("run", "topomap", *SIZE, "--keep", "9", *PLAIN, "--out", run).code == 0
    return run


def flip(path, _other, chance):
    data = bytearray(path.read_bytes())
    if data:
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)


def cut(path, _other, chance):
    os.truncate(path, chance.randrange(path.stat().st_size + 1))


def delete(path, _other, _chance):
    path.unlink()


def swap(path, other, _chance):
    aside = path.with_name("aside")
    path.rename(aside)
    other.rename(path)
    aside.rename(other)


def link(path, other, chance):
    target = chance.choice([other, path.parent, path.with_name("nowhere"), path])
    path.unlink()
    path.symlink_to(target)


def damaged(run, seed):
    """One file, or folder of a checkpoint, damaged in some way; what was done."""
    chance = random.Random(seed)
    files = [path for path in sorted(run.rglob("*")) if path.is_file() and path.name != ".lock"]
    # As likely in what is small and matters as in one of many arrays.
    few = [path for path in files if ".zarr" not in str(path.relative_to(run))]
    path, other = chance.choice(chance.choice((files, few))), chance.choice(chance.choice((files, few)))
    kind = chance.choice((flip, cut, delete, swap, link))
    kind(path, other if other != path else files[0], chance)
    return f"{kind.__name__} {path.relative_to(run)} {other.relative_to(run)}"


def good(run):
    """Manifests of the checkpoints that are whole, by step."""
    there = {}
    for checkpoint in committed(run):
        try:
            checkpoint.verify()
            there[checkpoint.step] = checkpoint.manifest_path.read_bytes()
        except StorageError:
            pass
    return there


def survives(hpcsnn, whole, run, seed):
    shutil.copytree(whole, run, symlinks=True)
    what = damaged(run, seed)
    before = good(run)
    for command in ("info", "verify", "digest", "resume", "digest", "verify"):
        done = hpcsnn(command, run, *(PLAIN if command == "resume" else []))
        assert done.code in (0, 1, 2), (what, command, done.said)
        assert "Traceback" not in done.said, (what, command, done.said)
        assert done.code == 0 or "error: " in done.said, (what, command, done.said)
        if command == "resume" and done.code == 0 and "config.yaml" not in what:
            assert digest_of_run(run) == digest_of_run(whole), what
    assert before.items() <= good(run).items(), what


@pytest.mark.parametrize("seed", range(FAST))
def test_damage_anywhere_is_survived_or_told(seed, hpcsnn, whole, tmp_path):
    survives(hpcsnn, whole, tmp_path / "run", seed)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", range(PARTS))
def test_two_hundred_damages(part, hpcsnn, whole, tmp_path):
    for seed in range(FAST + part, FAST + DAMAGES, PARTS):
        survives(hpcsnn, whole, tmp_path / str(seed), seed)
        shutil.rmtree(tmp_path / str(seed))
