"""Zip files of several writers: what each has put in is there, and checksums are those of the whole."""

from __future__ import annotations

import zipfile

import google_crc32c
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn.storage.packed.opening import open_group
from hpcsnn.storage.packed.zip_file import Entry, PartWriter, Written, close, crc32c_of_both, join, offsets

NAMES = st.text("abc/üß", min_size=1, max_size=9).filter(lambda name: not name.startswith("/"))
FILES = st.lists(
    st.dictionaries(NAMES, st.lists(st.binary(max_size=99), max_size=3), max_size=4), min_size=1, max_size=4
)


def write(folder, of_ranks):
    """As ranks do; the file, and what its writers say of it."""
    parts = []
    for rank, files in enumerate(of_ranks):
        with PartWriter(folder / (f"{rank}" if rank else "whole"), aligned=len(of_ranks) > 1) as part:
            for name, pieces in files.items():
                part.add(f"{rank}{name}", pieces)
            parts.append(part.finish())
    for rank in reversed(range(1, len(of_ranks))):
        join(folder / f"{rank}", folder / "whole", offsets(parts)[rank])
    return folder / "whole", close(folder / "whole", parts)


@settings(max_examples=40)
@given(FILES)
def test_what_every_rank_has_written_is_there(tmp_path_factory, of_ranks):
    folder = tmp_path_factory.mktemp("zip")
    whole, said = write(folder, of_ranks)
    expected = {
        f"{rank}{name}": b"".join(pieces) for rank, files in enumerate(of_ranks) for name, pieces in files.items()
    }
    with zipfile.ZipFile(whole) as read:
        assert read.testzip() is None
        assert {entry.filename: read.read(entry) for entry in read.infolist()} == expected
    data = whole.read_bytes()
    assert said == (len(data), google_crc32c.value(data))
    assert [path.name for path in folder.iterdir()] == ["whole"]


@given(st.binary(max_size=3000), st.binary(max_size=3000))
def test_a_checksum_of_two_texts_is_that_of_both_behind_each_other(first, second):
    both = crc32c_of_both(google_crc32c.value(first), google_crc32c.value(second), len(second))
    assert both == google_crc32c.value(first + second)


def test_the_same_files_are_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    one, two = (write(tmp_path / name, [{"a": [b"1"]}, {"b": [b"2"]}])[0] for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


def test_more_files_than_the_first_zips_could_have(tmp_path):
    whole, _ = write(tmp_path, [{f"{n}": [b"x"] for n in range(70_000)}])
    with zipfile.ZipFile(whole) as read:
        assert len(read.namelist()) == 70_000
        assert read.read("069999") == b"x"


def test_offsets_beyond_four_gib(tmp_path):
    """A file with a hole where another rank would have written."""
    with PartWriter(tmp_path / "far") as part:
        part.add("far", [b"away"])
        far = part.finish()
    parts = [Written([], 5 << 30, 0), far]
    (tmp_path / "whole").touch()
    join(tmp_path / "far", tmp_path / "whole", offsets(parts)[1])
    close(tmp_path / "whole", parts)
    with zipfile.ZipFile(tmp_path / "whole") as read:
        assert read.read("far") == b"away"


def test_sizes_beyond_four_gib_are_told(tmp_path):
    whole = tmp_path / "whole"
    whole.touch()
    close(whole, [Written([Entry("large", 0, 6 << 30, 0)], 7 << 30, 0)])
    with zipfile.ZipFile(whole) as read:
        assert read.getinfo("large").file_size == 6 << 30


def test_nothing_is_written_over(tmp_path):
    (tmp_path / "whole").write_text("somebody's")
    with pytest.raises(FileExistsError):
        PartWriter(tmp_path / "whole")


def test_what_is_packed_once_more_is_refused(tmp_path):
    """It may be a thousand times as large in memory."""
    with zipfile.ZipFile(tmp_path / "bomb", "w", zipfile.ZIP_DEFLATED) as written:
        written.writestr("zarr.json", "{}" + " " * 9999)
    with pytest.raises(ValueError, match=r"zarr\.json is compressed, must be stored"):
        open_group(tmp_path / "bomb")
