"""Which commands execute the Python files that a configuration or a run directory names: those SECURITY.md says."""

from __future__ import annotations

import hashlib
import json
import os
import pwd
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer
import zarr

from hpcsnn.cli.app import app
from hpcsnn.errors import StorageError
from hpcsnn.storage.network_store import StoredNetwork
from hpcsnn.storage.run_directory import RunDirectory
from support.processes import completed
from support.unpacked import unpack

ROOT = Path(__file__).parents[2]
MODEL = """
import os
import pathlib

pathlib.Path(os.environ["HPCSNN_TEST_SEEN"]).touch()

from hpcsnn.models import ALL_SYNAPSES, RewiringRule

Told = RewiringRule("told", "Tells that its file was executed.", select=ALL_SYNAPSES, eliminate="0.01f")
"""
THEIRS = "runs/theirs"
NAMED = ["topomap", "--set", "projections.ff.rewiring=told.py:Told", "--set", "duration_ms=100"]
STUDY = ["--ranks", "1", "--seeds", "1", "--duration", "50ms", "--cluster", "debug", "--out", "runs/study"]
# How each command is put to work on a run of somebody else's, its configuration or its file.
ARGUMENTS = {
    "run": [*NAMED, "--no-figures", "--out", "runs/again"],
    "check": NAMED,
    "compile": [*NAMED, "--ranks", "1"],
    "submit": [*NAMED, "--cluster", "debug", "--dry-run"],
    "sweep": [*NAMED, "--vary", "seed=1", "--cluster", "debug", "--out", "runs/sweep"],
    "scale": ["strong", *NAMED, *STUDY],
    "resume": [THEIRS, "--until", "150ms", "--no-figures"],
    "analyze": [THEIRS],
    "configs": [],
    "digest": [THEIRS],
    "info": [THEIRS],
    "verify": [THEIRS],
    "diff": [THEIRS, THEIRS],
    "plot": [THEIRS],
    "jobs": ["runs"],
    "watch": [THEIRS],
    "logs": [THEIRS],
    "cancel": [THEIRS],
}
# There is no job behind that run.
REFUSED = ("logs", "cancel")


def said(commands_that):
    """The commands of the rows of SECURITY.md's table whose second column fits."""
    rows = re.findall(r"^\| (.*`.*`) \| (.*) \|$", (ROOT / "SECURITY.md").read_text(), flags=re.MULTILINE)
    return [name for commands, what in rows if commands_that(what) for name in re.findall(r"`(\w+)`", commands)]


def executes(what):
    return not what.startswith("nothing")


@pytest.fixture(scope="module")
def hpcsnn(tmp_path_factory):
    """Runs a command in a folder with a model's file and a run of it; whether the file, or its copy, was executed."""
    folder = tmp_path_factory.mktemp("folder")
    (folder / "told.py").write_text(MODEL)

    def run(*arguments, code=0):
        seen = folder / "seen"
        seen.unlink(missing_ok=True)
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "HPCSNN_TEST_SEEN": str(seen)}
        command = [sys.executable, "-m", "hpcsnn", *arguments]
        done = completed(command, cwd=folder, env=environment, stderr=subprocess.STDOUT)
        run.said = done.stdout
        assert done.returncode == code, done.stdout
        return seen.exists()

    assert run("run", *NAMED, "--no-figures", "--out", THEIRS)
    run.folder = folder
    return run


def test_the_table_names_commands_once():
    listed = said(lambda _: True)
    assert len(set(listed)) == len(listed)
    assert set(listed) <= set(typer.main.get_command(app).commands)
    assert set(listed) == {*ARGUMENTS, "rules"}


@pytest.mark.parametrize("command", said(executes))
def test_these_execute_the_file(command, hpcsnn):
    if command == "rules":
        assert hpcsnn("rules", "show", "told.py")
        assert not hpcsnn("rules", "show", "bamford")
        assert not hpcsnn("rules")
        return
    before = hpcsnn.folder / "before"
    shutil.copytree(hpcsnn.folder / THEIRS, before, symlinks=True)
    try:
        assert hpcsnn(command, *ARGUMENTS[command])
    finally:  # as the next command must find it
        shutil.rmtree(hpcsnn.folder / THEIRS)
        before.rename(hpcsnn.folder / THEIRS)


@pytest.mark.parametrize("command", said(lambda what: not executes(what)))
def test_these_do_not(command, hpcsnn):
    assert not hpcsnn(command, *ARGUMENTS[command], code=2 if command in REFUSED else 0)


@pytest.fixture
def stranger(hpcsnn, tmp_path, monkeypatch):
    """The same machine, as one sees it who has not begun that run; the message about its copy of the file."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (copy,) = (hpcsnn.folder / THEIRS / "models").glob("told@*.py")
    digest = hashlib.sha256(copy.read_bytes()).hexdigest()
    user = pwd.getpwuid(copy.stat().st_uid).pw_name
    return (
        "/config.yaml names Python that would be executed, and that is not of a run which you began: "
        f"{copy} (of user {user}, SHA-256 {digest}). Read it, and give --trust if it may run"
    )


FROM_A_RUN = {
    "run": [f"{THEIRS}/config.yaml", "--no-figures", "--set", "duration_ms=50", "--out", "runs/from"],
    "check": [f"{THEIRS}/config.yaml"],
    "submit": [f"{THEIRS}/config.yaml", "--cluster", "debug", "--dry-run"],
    "sweep": [f"{THEIRS}/config.yaml", "--vary", "seed=1", "--set", "duration_ms=50", "--cluster", "debug"],
    "scale": ["strong", f"{THEIRS}/config.yaml", *STUDY],
    "resume": ARGUMENTS["resume"],
    "resume as a job": ["--cluster", "debug", *ARGUMENTS["resume"]],
    "analyze": ARGUMENTS["analyze"],
}


@pytest.mark.parametrize("command", FROM_A_RUN)
def test_what_a_run_of_somebody_elses_names_is_not_executed_unasked(command, hpcsnn, stranger):
    assert not hpcsnn(command.partition(" ")[0], *FROM_A_RUN[command], code=2)
    assert stranger in " ".join(hpcsnn.said.split())


@pytest.mark.usefixtures("stranger")
def test_it_is_executed_once_it_is_trusted_and_from_then_on(hpcsnn):
    asked = ["check", f"{THEIRS}/config.yaml"]
    assert hpcsnn(*asked, "--trust")
    assert hpcsnn(*asked)
    copy = next((hpcsnn.folder / THEIRS / "models").glob("told@*.py"))
    other = hpcsnn.folder / "runs" / "other"
    shutil.copytree(hpcsnn.folder / THEIRS, other, symlinks=True)
    try:
        text = (other / "config.yaml").read_text()
        (other / "models" / "told.py").write_text(copy.read_text() + "# and more\n")
        (other / "config.yaml").write_text(text.replace(copy.name, "told.py"))
        assert not hpcsnn("check", str(other / "config.yaml"), code=2), "another text is another file"
    finally:
        shutil.rmtree(other)


@pytest.mark.usefixtures("stranger")
def test_what_it_extends_came_with_it(hpcsnn):
    run, beside = hpcsnn.folder / THEIRS / "config.yaml", hpcsnn.folder / THEIRS / "beside.yaml"
    before = run.read_text()
    try:
        run.rename(beside)
        run.write_text("extends: beside.yaml\n")
        assert not hpcsnn("check", str(run), code=2)
        (hpcsnn.folder / "mine.yaml").write_text(f"extends: {THEIRS}/config.yaml\n")
        assert not hpcsnn("check", "mine.yaml", code=2)
    finally:
        beside.unlink()
        run.write_text(before)


@pytest.mark.usefixtures("stranger")
def test_a_job_goes_on_without_asking(hpcsnn):
    assert hpcsnn("submit", *NAMED, "--cluster", "debug", "--out", "runs/job")
    assert hpcsnn("resume", "runs/job", "--until", "120ms", "--no-figures"), "this user began it"


def test_a_copy_that_was_changed_is_not_executed(hpcsnn):
    (copy,) = (hpcsnn.folder / THEIRS / "models").glob("told@*.py")
    text = copy.read_text()
    copy.write_text(text + "# changed\n")
    try:
        assert not hpcsnn("resume", THEIRS, code=2)
    finally:
        copy.write_text(text)


def test_no_codec_of_the_older_zarr_is_read(hpcsnn, tmp_path):
    """One of them unpickles: a group or an array of that format counts as damage."""
    zarr.open_group(tmp_path / "old.zarr", mode="w", zarr_format=2)
    with pytest.raises(StorageError, match="no stored network here"):
        StoredNetwork(tmp_path / "old.zarr")
    path = RunDirectory(hpcsnn.folder / THEIRS).network.resolve()
    shutil.copy(path, tmp_path / "mixed.zarr")
    unpack(tmp_path / "mixed.zarr")
    array = tmp_path / "mixed.zarr" / "populations" / "source" / "in_flight"
    shutil.rmtree(array)
    array.mkdir()
    about = {"shape": [1], "chunks": [1], "dtype": "|O", "fill_value": 0, "order": "C"}
    codecs = {"compressor": {"id": "pickle", "protocol": 5}, "filters": [{"id": "vlen-utf8"}]}
    (array / ".zarray").write_text(json.dumps({"zarr_format": 2, **about, **codecs}))
    (array / "0").write_bytes(b"")
    with pytest.raises(StorageError, match="in_flight: cannot be read: 'populations/source/in_flight'"):
        StoredNetwork(tmp_path / "mixed.zarr").array("populations/source/in_flight")
