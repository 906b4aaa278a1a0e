"""The folder of a run: free or not, cleared without harm to others' files, one job at a time, small files whole."""

from __future__ import annotations

import json
import shutil

import pytest

from hpcsnn.configuration.files import load_configuration, parse_configuration
from hpcsnn.errors import RunBusyError, StorageError
from hpcsnn.storage.run_directory import RunDirectory
from support.small_disks import a_disk_of


@pytest.fixture
def directory(tmp_path):
    return RunDirectory(tmp_path / "run")


@pytest.fixture
def used(directory):
    """A run with everything that one leaves, and files of somebody's own beside it."""
    path = directory.path
    path.mkdir()
    folders = (directory.checkpoints, directory.records, directory.displacement, directory.figures)
    analyses = (directory.analysis, directory.analysis_partial, directory.analysis_aside)
    for folder in (*folders, directory.models, *analyses, path / "job"):
        folder.mkdir()
        (folder / "inside").write_text("")
    for file in (
        directory.configuration,
        directory.summary,
        directory.report,
        directory.progress,
        directory.progress_lines,
    ):
        file.write_text("{}")
    (directory.checkpoints / "0000000010.zarr").mkdir()
    directory.link_network(directory.checkpoints / "0000000010.zarr")
    (path / "notes.txt").write_text("mine")
    (path / "plots").mkdir()
    (path / "plots" / "one.png").write_text("mine")
    return directory


def entries(path):
    return sorted(entry.name for entry in path.iterdir())


def test_what_is_not_there_or_empty_is_free(directory):
    directory.check_free(overwrite=False)
    assert not directory.path.exists(), "nothing is changed"
    directory.path.mkdir()
    directory.check_free(overwrite=False)
    (directory.path / "job").mkdir()
    with directory.lock():
        directory.check_free(overwrite=False)


def test_a_file_or_a_strangers_folder_is_never_free(directory):
    directory.path.write_text("")
    with pytest.raises(StorageError, match="is a file; give another --out"):
        directory.check_free(overwrite=True)
    directory.path.unlink()
    directory.path.mkdir()
    (directory.path / "thesis.tex").write_text("years of work")
    for overwrite in (False, True):
        with pytest.raises(StorageError, match="is not empty and not a run of hpcsnn"):
            directory.clear(overwrite)
    assert entries(directory.path) == ["thesis.tex"]


def test_a_run_is_kept_unless_told_otherwise(used):
    before = entries(used.path)
    with pytest.raises(StorageError, match="holds a run already, which is kept; give another --out, or --overwrite"):
        used.clear(overwrite=False)
    assert entries(used.path) == before
    used.clear(overwrite=True)
    assert entries(used.path) == ["config.yaml", "job", "models", "notes.txt", "plots"], "until there is a new config"
    assert (used.path / "plots" / "one.png").read_text() == "mine"
    assert (used.path / "job" / "inside").exists(), "the job is the one that carries this run out"


def test_what_a_killed_start_leaves_is_free(directory):
    directory.path.mkdir()
    directory.models.mkdir()
    for name in (".lock", ".config.yaml.part", "models/my@0123abcd.py", "models/.my@0123abcd.py.part"):
        (directory.path / name).write_text("")
    directory.check_free(overwrite=False)
    (directory.models / "mine.py").write_text("")
    with pytest.raises(StorageError, match="is not empty and not a run of hpcsnn"):
        directory.check_free(overwrite=True)


def test_models_of_the_run_before_go_when_its_configuration_is_replaced(used):
    for name in ("my@0123abcd.py", "mine.py"):
        (used.models / name).write_text("")
    used.clear(overwrite=True)
    assert (used.models / "my@0123abcd.py").exists(), "config.yaml names it still"
    used.write_configuration(load_configuration("topomap"))
    assert entries(used.models) == ["inside", "mine.py"]


def test_what_cannot_be_removed_is_told(used, monkeypatch):
    def refused(*_, **__):
        raise PermissionError(13, "Permission denied", str(used.records / "inside"))

    monkeypatch.setattr(shutil, "rmtree", refused)
    with pytest.raises(StorageError, match=r"records/inside: cannot be removed: Permission denied$"):
        used.clear(overwrite=True)


def test_links_in_place_of_folders_go_alone(used, tmp_path):
    thesis = tmp_path / "thesis"
    thesis.mkdir()
    (thesis / "chapter").write_text("years of work")
    shutil.rmtree(used.records)
    used.records.symlink_to(thesis)
    used.clear(overwrite=True)
    assert not used.records.is_symlink()
    assert entries(thesis) == ["chapter"]


def test_a_second_writer_is_kept_out_until_the_first_has_gone(directory):
    other = RunDirectory(directory.path)
    with directory.lock():
        with pytest.raises(RunBusyError, match="another hpcsnn is writing here"), other.lock():
            pass
        with other.lock(first=False):  # the ranks of one job together
            pass
    with other.lock(first=False), pytest.raises(RunBusyError), directory.lock():
        pass  # a rank that outlives its first one
    with other.lock(), pytest.raises(RunBusyError), directory.lock():
        pass


def test_a_lock_that_fails_leaves_the_other_one_in_force(directory):
    with directory.lock():
        for _ in range(2):
            with pytest.raises(RunBusyError), RunDirectory(directory.path).lock():
                pass


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(StorageError, match="cannot be written: Not a directory"),
        RunDirectory(tmp_path / "file/run").lock(),
    ):
        pass


def test_the_network_is_a_link_that_moves_with_the_run(used, tmp_path):
    newer = used.checkpoints / "0000000020.zarr"
    newer.mkdir()
    (newer / "zarr.json").write_text("newer")
    used.link_network(newer)
    assert used.network.is_symlink()
    moved = used.path.rename(tmp_path / "moved")
    assert (moved / "network.zarr" / "zarr.json").read_text() == "newer"
    assert ".network.link" not in entries(moved)


def test_an_interrupted_link_is_no_hindrance(used):
    (used.path / ".network.link").symlink_to("nowhere")
    used.link_network(used.checkpoints / "0000000010.zarr")
    assert used.network.resolve() == (used.checkpoints / "0000000010.zarr").resolve()


def test_summaries_are_read_as_written_and_say_what_is_missing(directory):
    with pytest.raises(StorageError, match=r"no run \(there is no summary\.json\)"):
        directory.read_summary()
    with pytest.raises(StorageError, match=r"no run here \(there is no config\.yaml\)"):
        directory.check_run()
    directory.path.mkdir()
    directory.write_configuration(load_configuration("topomap"))
    directory.check_run()
    with pytest.raises(StorageError, match="an unfinished run"):
        directory.read_summary()
    directory.write_summary({"digest": "abc", "wall_per_model_s": None, "rate_hz": 0.1 + 0.2})
    assert directory.read_summary() == {"digest": "abc", "wall_per_model_s": None, "rate_hz": 0.1 + 0.2}
    directory.summary.write_text("{")
    with pytest.raises(StorageError, match=r"summary\.json: cannot be read: "):
        directory.read_summary()
    directory.forget_summary()
    directory.forget_summary()
    assert not directory.summary.exists()


def test_a_run_that_could_not_begin_leaves_its_folder_free(directory):
    directory.path.mkdir()
    with a_disk_of(100), pytest.raises(StorageError, match=r"config\.yaml: cannot be written: File too large"):
        directory.write_configuration(load_configuration("topomap"))
    directory.check_free(overwrite=False)


def test_small_files_that_cannot_be_written_are_named(directory):
    for file, write in (
        (directory.progress, lambda: directory.write_progress({"step": 1})),
        (directory.summary, lambda: directory.write_summary({})),
        (directory.report, lambda: directory.write_report("<html>")),
        (directory.configuration, lambda: directory.write_configuration(parse_configuration({"populations": {}}))),
    ):
        with pytest.raises(StorageError) as error:
            write()
        assert str(error.value) == f"{file}: cannot be written: No such file or directory"
    directory.path.mkdir()
    directory.write_progress({"step": 1, "rates_hz": {"a": 2.5}})
    assert json.loads(directory.progress.read_text()) == {"step": 1, "rates_hz": {"a": 2.5}}
    directory.add_progress({"phase": "simulating", "step": 1})
    with directory.progress_lines.open("a") as stream:
        stream.write('{"phase": "half a li')
    directory.add_progress({"phase": "σ"})
    assert [json.loads(line)["phase"] for line in directory.progress_lines.read_text().splitlines()] == [
        "simulating", "σ"
    ], "half a line, which a kill has left, is gone"  # fmt: skip
    directory.write_report("σ")
    assert directory.report.read_text() == "σ"
    assert entries(directory.path) == ["progress.json", "progress.jsonl", "report.html"]


OWN = ("checkpoints", "records", "figures", "models", "analysis.zarr", "analysis.partial", "job", "displacement.zarr")


@pytest.mark.parametrize("name", OWN)
def test_nobody_writes_into_a_directory_whose_folders_lead_elsewhere(name, used, tmp_path):
    (used.path / name).rename(tmp_path / "theirs")
    (used.path / name).symlink_to(tmp_path / "theirs")
    with pytest.raises(StorageError, match=rf"run/{name}: is a link to '{tmp_path}/theirs', and"), used.lock():
        pass
    assert entries(tmp_path / "theirs"), "all that is there stays"


def test_a_map_is_not_written_through_links_within(used, tmp_path):
    with used.lock():
        pass
    (used.displacement / "ff").symlink_to(tmp_path)
    with pytest.raises(StorageError, match=r"displacement\.zarr/ff: is a link to "), used.lock():
        pass


def test_the_lock_is_no_link(directory, tmp_path):
    directory.path.mkdir()
    (directory.path / ".lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageError, match="cannot be written: Too many levels of symbolic links"), directory.lock():
        pass
    assert not (tmp_path / "elsewhere").exists()


def test_models_are_not_written_beyond_a_link(directory, tmp_path):
    directory.path.mkdir()
    directory.models.symlink_to(tmp_path)
    with pytest.raises(StorageError, match="run/models: is a link to "):
        directory.write_configuration(load_configuration("topomap"))
