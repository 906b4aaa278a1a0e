"""A run directory from somebody else, in which links lead to the user's own files: these stay as they are."""

from __future__ import annotations

import pytest

from support.runs import PLAIN

RESUME = ("resume", "--from", "0", "--until", "60ms", *PLAIN)
COMMANDS = {"resume": RESUME, "analyze": ("analyze",), "plot": ("plot",)}


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("command", "name"),
    [("resume", "records"), ("resume", "checkpoints"), ("resume", "displacement.zarr"), ("analyze", "analysis.partial"),
     ("analyze", "figures"), ("plot", "figures"), ("resume", "progress.jsonl")],
)  # fmt: skip
def test_nothing_is_written_or_removed_beyond_a_link(command, name, hpcsnn, copy, tmp_path):
    theirs = tmp_path / "theirs"
    if (copy / name).is_dir():
        (copy / name).rename(theirs)
    (copy / name).unlink(missing_ok=True)
    for mine in ("thesis", "0000000000-0000000001", "0000000900.zarr.partial"):
        (theirs / mine).mkdir(parents=True)
        (theirs / mine / "chapter").write_text("years of work")
    before = contents(theirs)
    (copy / name).symlink_to(theirs)
    word, *rest = COMMANDS[command]
    done = hpcsnn(word, copy, *rest)
    assert done.code == 2, done.said
    assert done.said.startswith(f"error: {copy / name}: is a link to {str(theirs)!r}, and hpcsnn writes and removes")
    assert contents(theirs) == before


def test_files_that_are_links_are_replaced(hpcsnn, copy, tmp_path):
    theirs = tmp_path / "theirs"
    theirs.write_text("years of work")
    (copy / "figures").mkdir(exist_ok=True)
    linked = [".config.yaml.part", ".summary.json.part", "progress.json", "figures/rates.png"]
    for name in linked:
        (copy / name).unlink(missing_ok=True)
        (copy / name).symlink_to(theirs)
    assert hpcsnn("resume", copy, "--until", "60ms", *PLAIN).code == 0
    assert hpcsnn("plot", copy).code == 0
    assert theirs.read_text() == "years of work"
    assert not (copy / "progress.json").is_symlink()
