"""A run directory that nobody can write to, and a clock that goes back: right, or an error that says what is wrong."""

from __future__ import annotations

import shlex
import shutil
import subprocess

import pytest

from support.processes import completed
from support.ranks import hpcsnn_command
from support.runs import PLAIN, digest_of_run

# In a name space of its own, in which this user is root, the folder is mounted over itself to be read only.
READ_ONLY = "mount --bind {0} {0} && mount -o remount,ro,bind {0} && cd . && exec "


def read_only(folder, *arguments):
    command = READ_ONLY.format(shlex.quote(str(folder))) + shlex.join(arguments)
    return completed(["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", command])


@pytest.fixture
def locked(copy):
    """A run in a folder that is read only to what `read_only` starts."""
    if shutil.which("unshare") is None:
        pytest.skip("there is no unshare to make a folder read only, which to root is none")
    try:
        tried = read_only(copy, "touch", str(copy / "new"))
    except subprocess.SubprocessError as error:
        pytest.skip(f"this system makes no name spaces: {error}")
    if "Read-only file system" not in tried.stderr:
        pytest.skip(f"this system makes no name spaces: {tried.stderr.strip()}")
    return copy


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["info", "{run}"], 0),
        (["verify", "{run}"], 0),
        (["digest", "{run}"], 0),
        (["analyze", "{run}"], 2),
        (["plot", "{run}"], 2),
        (["resume", "{run}", "--until", "60ms", *PLAIN], 2),
        (["resume", "{run}", "--from", "200", *PLAIN], 2),
        (["run", "topomap", "--set", "duration_ms=10", *PLAIN, "--out", "{run}", "--overwrite"], 2),
        (["submit", "topomap", "--cluster", "local", "--out", "{run}/other"], 2),
    ],
)
def test_a_directory_that_is_read_only_is_read_or_the_command_says_so(arguments, code, locked):
    before = {path: path.read_bytes() for path in locked.rglob("*") if path.is_file()}
    done = read_only(locked, *hpcsnn_command(*(text.format(run=locked) for text in arguments)))
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    if code:
        assert done.stderr.startswith(f"error: {locked}")
        assert "Read-only file system" in done.stderr
    assert {path: path.read_bytes() for path in locked.rglob("*") if path.is_file()} == before


def test_a_clock_that_goes_back_changes_nothing(hpcsnn, theirs, tmp_path):
    """As when the time of day is set while a run goes on, or differs between machines."""
    run = tmp_path / "run"
    more = ["--set", "projections.ff.record_events=true", "--checkpoint-every", "20ms", *PLAIN, "--out", run]
    for arguments in (
        ["run", "topomap", "--set", "duration_ms=30", *more],
        ["resume", run, "--until", "50ms", *PLAIN],
        ["info", run],
        ["verify", run],
        ["jobs", tmp_path],
        ["digest", run],
    ):
        done = hpcsnn(*arguments, clock_goes_back=True)
        assert done.code == 0, done.said
        assert "Traceback" not in done.said
    assert digest_of_run(run) == digest_of_run(theirs)
