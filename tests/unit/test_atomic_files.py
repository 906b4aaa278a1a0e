"""Files that others find whole or not at all."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import shutil
import stat
from pathlib import Path
from types import SimpleNamespace

import pytest

from hpcsnn.atomic_files import (
    append_line,
    open_own,
    refuse_link,
    replace_file,
    replace_folder,
    replaced,
    restore_folder,
    write_json,
)
from hpcsnn.errors import StorageError
from support.small_disks import a_disk_of


def test_a_file_is_replaced_as_a_whole(tmp_path):
    path = tmp_path / "a.txt"
    for text in ("first\n", "σ" * 10_000, ""):
        replace_file(path, text)
        assert path.read_text() == text
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("write", "error"), [(replace_file, OSError), (write_json, StorageError)])
def test_the_old_file_stays_where_the_new_one_cannot_be_written(write, error, tmp_path):
    path = tmp_path / "state.json"
    path.write_bytes(b"the old one")
    with a_disk_of(100), pytest.raises(error, match="File too large"):
        write(path, "the new one" * 10_000)
    assert path.read_bytes() == b"the old one"
    assert list(tmp_path.iterdir()) == [path], "a half would take room for good"


@pytest.mark.parametrize(("write", "error"), [(replace_file, IsADirectoryError), (write_json, StorageError)])
def test_what_cannot_be_put_in_place_leaves_nothing_behind(write, error, tmp_path):
    (tmp_path / "taken").mkdir()
    with pytest.raises(error):
        write(tmp_path / "taken", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_text_that_no_encoding_has_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError):
        replace_file(path, "new \udc80")
    assert path.read_text() == "old"


def test_json_is_written_with_its_folder_and_read_as_it_was(tmp_path):
    path = tmp_path / "job" / "plan.json"
    value = {"ranks": 3, "limit": 0.1 + 0.2, "name": "σ\udc80", "none": None}
    write_json(path, value)
    assert json.loads(path.read_text()) == value
    write_json(path, {"path": Path("a/b")})
    assert json.loads(path.read_text()) == {"path": "a/b"}, "what JSON has not is told as text"
    assert list(path.parent.iterdir()) == [path]


def test_a_write_within_a_write_of_the_same_file_does_no_harm(tmp_path):
    """As a signal handler does: each writes beside the other, and the outer one, which ends last, stays."""
    path = tmp_path / "state.json"

    class Interrupted:
        def __str__(self):
            write_json(path, "inner")
            assert json.loads(path.read_text()) == "inner"
            return "outer"

    write_json(path, Interrupted())
    assert json.loads(path.read_text()) == "outer"
    assert list(tmp_path.iterdir()) == [path]


def test_json_that_cannot_be_written_names_the_file(tmp_path):
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "state.json"
    with pytest.raises(StorageError) as error:
        write_json(path, {})
    assert str(error.value).startswith(f"{path}: cannot be written: ")


@pytest.mark.parametrize("write", [replace_file, write_json])
def test_a_link_is_replaced_and_not_written_through(write, tmp_path):
    theirs, path = tmp_path / "theirs", tmp_path / "a.json"
    theirs.write_text("kept")
    path.symlink_to(theirs)
    write(path, "new")
    assert theirs.read_text() == "kept"
    assert not path.is_symlink()
    assert "new" in path.read_text()


def test_no_name_that_can_be_foreseen_is_written_through(tmp_path):
    """Links in the place of what is written beside the file lead somewhere else."""
    theirs, path = tmp_path / "theirs", tmp_path / "a"
    theirs.write_text("kept")
    for name in (".a.part", ".a.partial", *(f".a.{os.getpid()}.{n}.part" for n in range(2000))):
        (tmp_path / name).symlink_to(theirs)
    try:
        replace_file(path, "new")
    except FileExistsError:
        assert not path.exists()
    assert theirs.read_text() == "kept"


def test_a_stream_of_bytes_takes_the_place_at_its_end(tmp_path):
    path = tmp_path / "map.png"
    path.write_bytes(b"old")
    with replaced(path) as stream:
        stream.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) & 0o111 == 0
    with pytest.raises(KeyError), replaced(path) as stream:
        stream.write(b"half")
        raise KeyError
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_of_fixed_name_is_no_link(tmp_path):
    path = tmp_path / ".lock"
    for _ in range(2):
        open_own(path).close()
    path.write_text("kept")
    open_own(path).close()
    assert path.read_text() == "kept"
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="Too many levels of symbolic links"):
        open_own(path)
    assert not (tmp_path / "elsewhere").exists()


def test_a_folder_that_is_a_link_is_named(tmp_path):
    inside = tmp_path / "own" / "a" / "b"
    inside.mkdir(parents=True)
    refuse_link(tmp_path / "own", below=True)
    refuse_link(tmp_path / "none", below=True)
    (tmp_path / "link").symlink_to("own")
    (inside / "x").symlink_to("/nowhere")
    with pytest.raises(StorageError) as error:
        refuse_link(tmp_path / "link")
    assert str(error.value) == (
        f"{tmp_path / 'link'}: is a link to 'own', and hpcsnn writes and removes nothing beyond a link; put in its "
        "place what it leads to, or remove it"
    )
    refuse_link(tmp_path / "own")
    with pytest.raises(StorageError, match="a/b/x: is a link to '/nowhere', and"):
        refuse_link(tmp_path / "own", below=True)


@pytest.fixture(params=["exchanges", "cannot", "has no such call"])
def system(request, monkeypatch):
    """Systems that exchange two names in one step and others."""
    if request.param == "cannot":
        monkeypatch.setattr(ctypes, "get_errno", lambda: errno.EINVAL)
        no_exchange = SimpleNamespace(renameat2=lambda *_: -1)
        monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: no_exchange)
    if request.param == "has no such call":
        monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: SimpleNamespace())
    return request.param


@pytest.fixture
def folders(tmp_path):
    """The new folder, the old one that it is to replace, and where that may be in between."""
    for name in ("new", "old"):
        (tmp_path / name / "inside").mkdir(parents=True)
        (tmp_path / name / "inside" / "text").write_text(name)
    return tmp_path / "new", tmp_path / "old", tmp_path / "aside"


def text_in(folder):
    return (folder / "inside" / "text").read_text()


@pytest.mark.usefixtures("system")
def test_a_folder_takes_the_place_of_another(folders, tmp_path):
    new, old, aside = folders
    replace_folder(new, old, aside)
    assert text_in(old) == "new"
    assert list(tmp_path.iterdir()) == [old]
    old.rename(new)
    replace_folder(new, old, aside)
    assert text_in(old) == "new"


@pytest.mark.usefixtures("system")
def test_a_file_and_a_link_are_replaced_by_a_folder(folders, tmp_path):
    new, old, aside = folders
    (tmp_path / "link").symlink_to(old)
    replace_folder(new, tmp_path / "link", aside)
    assert (text_in(tmp_path / "link"), text_in(old)) == ("new", "old")
    (tmp_path / "file").write_text("")
    replace_folder(tmp_path / "link", tmp_path / "file", aside)
    assert text_in(tmp_path / "file") == "new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "old"]


@pytest.mark.parametrize(("module", "name"), [(Path, "rename"), (shutil, "rmtree")])
def test_one_of_both_is_there_wherever_it_ends(module, name, system, folders, monkeypatch):
    """The last rename, or the removal, is not done."""
    new, old, aside = folders
    own = getattr(module, name)

    def fails(path, *more):
        if path in (new, aside):
            raise OSError(errno.EIO, "the end")
        return own(path, *more)

    monkeypatch.setattr(module, name, fails)
    if (system, name) == ("exchanges", "rename"):
        replace_folder(new, old, aside)  # which takes no such call
    else:
        with pytest.raises(OSError, match="the end"):
            replace_folder(new, old, aside)
    monkeypatch.undo()
    restore_folder(old, aside)
    assert text_in(old) == ("old" if name == "rename" and system != "exchanges" else "new")
    assert not aside.exists()


def test_what_was_put_aside_comes_back_if_nothing_took_its_place(folders):
    new, old, aside = folders
    restore_folder(old, aside)
    assert text_in(old) == "old"
    old.rename(aside)
    restore_folder(old, aside)
    assert text_in(old) == "old"
    new.rename(aside)
    restore_folder(old, aside)
    assert text_in(old) == "old"
    assert not aside.exists()


def test_a_file_that_is_to_last_is_on_disk_before_it_has_its_name(tmp_path, monkeypatch):
    path, calls = tmp_path / "config.yaml", []
    path.write_text("old")
    fsync, replace = os.fsync, Path.replace
    monkeypatch.setattr(
        os, "fsync", lambda number: calls.append(str(Path(f"/proc/self/fd/{number}").readlink())) or fsync(number)
    )
    monkeypatch.setattr(Path, "replace", lambda self, other: calls.append("named") or replace(self, other))
    replace_file(path, "new", lasting=True)
    written, *rest = calls
    assert Path(written).name.startswith(".config.yaml.")
    assert rest == ["named", str(tmp_path)]
    assert path.read_text() == "new"


@pytest.mark.parametrize("left", [b"", b"one\n", b"one\nhalf", b"half", b"one\n" + b"x" * 10_000, b"x" * 4096])
def test_a_line_goes_behind_the_last_whole_one(left, tmp_path):
    path = tmp_path / "lines"
    path.write_bytes(left)
    append_line(path, "σ")
    append_line(path, "three")
    assert path.read_text() == ("one\n" if left.startswith(b"one") else "") + "σ\nthree\n"


def test_no_line_goes_through_a_link_or_into_what_is_no_file(tmp_path):
    theirs = tmp_path / "theirs"
    theirs.write_text("years of work")
    (tmp_path / "link").symlink_to(theirs)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="symbolic link"):
        append_line(tmp_path / "link", "line")
    with pytest.raises(OSError, match="is no file"):
        append_line(tmp_path / "pipe", "line")
    with a_disk_of(100), pytest.raises(OSError, match="File too large"):
        append_line(tmp_path / "lines", "x" * 1000)
    append_line(tmp_path / "lines", "whole")
    assert (tmp_path / "lines").read_text() == "whole\n", "what did not fit is gone"
    assert theirs.read_text() == "years of work"
