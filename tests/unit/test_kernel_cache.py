"""What was compiled before: whole, this user's alone, and made again where it is not what it was."""

from __future__ import annotations

import os
import stat

import pytest

from hpcsnn import DeviceError
from hpcsnn.kernel_cache import cached, found, made_elsewhere

KEY = ["source", "-O1"]
CONTENT = bytes(range(256)) * 40


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Makes a file of CONTENT, or finds it; and a list with one entry for each time that it was made."""
    monkeypatch.setenv("HPCSNN_CACHE", str(tmp_path / "cache"))
    times = []

    def make(text, partial):
        times.append(1)
        text.write_text("source")
        partial.write_bytes(CONTENT)

    return lambda key=KEY: cached(key, ".so", make), times


def test_it_is_made_once_whole_and_for_this_user_alone(made, tmp_path):
    find, times = made
    before = os.umask(0)
    try:
        path = find()
    finally:
        os.umask(before)
    assert path == find()
    assert path.read_bytes() == CONTENT
    assert len(times) == 1
    assert path.parent == tmp_path / "cache" / f"kernels-{os.geteuid()}"
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700, "whatever the umask says"
    assert [
        file.name for file in path.parent.iterdir() if file.suffix in (".so", ".sha256") and file.stat().st_mode & 0o022
    ] == []
    assert not list(path.parent.glob("*.part"))


def cut(path):
    path.write_bytes(path.read_bytes()[:4000])


def flipped(path):
    content = bytearray(path.read_bytes())
    content[5000] ^= 1
    path.write_bytes(content)


def replaced_by_a_link(path):
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


DAMAGES = {
    "cut": cut,
    "empty": lambda path: path.write_bytes(b""),
    "flipped": flipped,
    "gone": lambda path: path.unlink(),
    "a link": replaced_by_a_link,
    "others may write": lambda path: path.chmod(0o666),
    "without a checksum": lambda path: path.with_name(f"{path.name}.sha256").unlink(),
    "a checksum cut short": lambda path: cut_text(path.with_name(f"{path.name}.sha256")),
}


def cut_text(path):
    path.write_text(path.read_text()[:20])


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_damaged_is_made_again(damage, made):
    find, times = made
    path = find()
    DAMAGES[damage](path)
    assert find() == path
    assert len(times) == 2
    assert path.read_bytes() == CONTENT
    assert not path.is_symlink()
    find()
    assert len(times) == 2, "and then it is whole"


def test_no_other_kernel_passes_for_it(made):
    find, times = made
    one, other = find(), find(["another"])
    for path in (other, other.with_name(f"{other.name}.sha256")):
        path.replace(path.with_name(path.name.replace(other.stem, one.stem)))
    find()
    assert len(times) == 3


def test_it_is_found_without_being_made(made):
    find, times = made
    assert found(KEY, ".so") is None
    path = find()
    assert found(KEY, ".so") == path
    cut(path)
    assert found(KEY, ".so") is None, "it is not whole"
    assert len(times) == 1


def test_how_it_was_made_is_another_part_of_its_name(made):
    """So that those can be found which were made of the same elsewhere."""
    _, times = made

    def make(_text, partial):
        times.append(1)
        partial.write_bytes(CONTENT)

    here, there = (cached(KEY, ".so", make, [how]) for how in ("here", "there"))
    other = cached(["other"], ".so", make, ["here"])
    assert len({here, there, other}) == len(times) == 3
    assert set(made_elsewhere(KEY, ".so")) == {here, there}
    cut(there)
    assert made_elsewhere(KEY, ".so") == [here]
    assert found(KEY, ".so", ["here"]) == here


def test_a_failure_leaves_no_half(made, tmp_path):
    def fails(_text, partial):
        partial.write_bytes(b"half")
        raise DeviceError("does not compile")

    with pytest.raises(DeviceError, match="does not compile"):
        cached(KEY, ".so", fails)
    assert not list((tmp_path / "cache").rglob("*.part"))
    find, times = made
    find()
    assert len(times) == 1


def test_a_folder_that_others_write_to_is_refused(made):
    find, _ = made
    folder = find().parent
    folder.chmod(0o777)
    with pytest.raises(DeviceError) as error:
        find()
    assert str(error.value) == (
        f"the kernel cache {folder} can be written by others (mode 777), and whoever writes there runs code as you: "
        "remove it, or set HPCSNN_CACHE to a folder of your own"
    )


def test_somebody_elses_folder_is_refused(made, monkeypatch):
    find, _ = made
    folder = find().parent
    me = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: me + 1)
    folder.rename(folder.with_name(f"kernels-{me + 1}"))
    with pytest.raises(DeviceError, match=rf"kernels-{me + 1} belongs to user {me}, and whoever writes there"):
        find()


@pytest.mark.parametrize("kind", ["link", "file"])
def test_what_is_no_folder_is_refused(kind, made, tmp_path):
    find, _ = made
    folder = find().parent
    folder.rename(tmp_path / "moved")
    folder.symlink_to(tmp_path / "moved") if kind == "link" else folder.touch()
    with pytest.raises(DeviceError, match=r"kernels-\d+ is no folder, and whoever writes there"):
        find()
