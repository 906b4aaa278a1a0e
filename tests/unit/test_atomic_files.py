"""Files that others find whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hpcsnn.atomic_files import replace_file, write_json
from hpcsnn.errors import StorageError


def test_a_file_is_replaced_as_a_whole(tmp_path):
    path = tmp_path / "a.txt"
    for text in ("first\n", "σ" * 10_000, ""):
        replace_file(path, text)
        assert path.read_text() == text
    assert list(tmp_path.iterdir()) == [path]


class DiskFullError(OSError):
    pass


@pytest.fixture
def full_disk(monkeypatch):
    """Every file takes the first half of what is written to it."""
    whole = Path.write_text

    def half(self, text, *arguments, **options):
        whole(self, text[: len(text) // 2], *arguments, **options)
        raise DiskFullError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", half)


@pytest.mark.usefixtures("full_disk")
@pytest.mark.parametrize(("write", "error"), [(replace_file, DiskFullError), (write_json, StorageError)])
def test_the_old_file_stays_where_the_new_one_cannot_be_written(write, error, tmp_path):
    path = tmp_path / "state.json"
    path.write_bytes(b"the old one")
    with pytest.raises(error, match="No space left on device"):
        write(path, "the new one")
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
