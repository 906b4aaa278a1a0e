"""What killed writers leave goes; what any checkpoint may vouch for, and what is somebody's own, stays."""

from __future__ import annotations

import os

import pytest

from hpcsnn.storage.checkpoints import checksums, commit, committed, files_below
from hpcsnn.storage.leftovers import remove_leftovers
from hpcsnn.storage.records import segment_name


@pytest.fixture
def run(tmp_path):
    """Two checkpoints with a segment each, and a third segment that nobody committed."""
    segments = [segment_name(0, 10), segment_name(10, 20), segment_name(20, 30)]
    for name in segments:
        (tmp_path / "records" / name).mkdir(parents=True)
        (tmp_path / "records" / name / "spikes").write_text(name)
    for number in (1, 2):
        partial = tmp_path / "checkpoints" / f"{number}.partial"
        partial.mkdir(parents=True)
        records = checksums(tmp_path / "records", files_below(tmp_path / "records"))
        valid = {name: entry for name, entry in records.items() if name.split("/")[0] in segments[:number]}
        commit(tmp_path, 10 * number, partial, {}, {}, segments[:number], valid)
    return tmp_path


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_halves_go_and_the_rest_stays(run):
    (run / "checkpoints" / "0000000030.zarr.partial" / "a").mkdir(parents=True)
    for name in ("0000000030.json.partial", "thesis.partial", ".DS_Store"):
        (run / "checkpoints" / name).touch()
    for name in (".DS_Store", "0000000099-0000000100"):
        (run / "records" / name).touch()
    (run / "records" / "mine").mkdir()
    remove_leftovers(run)
    assert names(run / "checkpoints") == [
        ".DS_Store", "0000000010.json", "0000000010.zarr", "0000000020.json", "0000000020.zarr", "thesis.partial"
    ]  # fmt: skip
    assert names(run / "records") == [
        ".DS_Store", segment_name(0, 10), segment_name(10, 20), "0000000099-0000000100", "mine"
    ]  # fmt: skip
    for checkpoint in committed(run):
        checkpoint.verify()


def test_halves_of_small_files_go_but_for_this_process_own(run):
    mine, theirs = os.getpid(), os.getpid() + 1
    for name in (f".summary.json.{theirs}.0.part", f".config.yaml.{theirs}.12.part", f".progress.json.{mine}.3.part"):
        (run / name).touch()
    for name in (".notes.part", f".notes.{theirs}.0.part"):
        (run / name).touch()
    remove_leftovers(run)
    left = [".notes.part", f".notes.{theirs}.0.part", f".progress.json.{mine}.3.part"]
    assert names(run) == sorted([*left, "checkpoints", "records"])


@pytest.mark.parametrize("aside", [False, True])
def test_no_segment_goes_that_an_unreadable_manifest_may_list(aside, run):
    before = names(run / "records")
    newest = committed(run)[-1]
    newest.manifest_path.write_text(newest.manifest_path.read_text().replace('"version": 2', '"version": 3'))
    if aside:
        newest.set_aside()
    remove_leftovers(run)
    assert names(run / "records") == before


def test_links_are_not_followed(run, tmp_path_factory):
    thesis = tmp_path_factory.mktemp("thesis")
    (thesis / "chapter").touch()
    (run / "checkpoints" / "0000000040.zarr.partial").symlink_to(thesis)
    (run / "records" / segment_name(30, 40)).symlink_to(thesis)
    remove_leftovers(run)
    assert names(thesis) == ["chapter"]
    assert "0000000040.zarr.partial" not in names(run / "checkpoints")


def test_a_run_without_either_folder_has_none(tmp_path):
    remove_leftovers(tmp_path)
    assert names(tmp_path) == []
