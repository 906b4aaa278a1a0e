"""What is handed out: the wheel says what it is, and the sdist is a checkout from which the tests run."""

from __future__ import annotations

import email
import os
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import hpcsnn
from support.processes import completed

ROOT = Path(__file__).parents[2]


def succeeds(*command, cwd=ROOT, **environment):
    done = completed(command, 550, cwd=cwd, env={**os.environ, **environment})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A folder with the wheel and the sdist."""
    folder = tmp_path_factory.mktemp("dist")
    succeeds(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-t", "sdist", "-d", str(folder))
    return folder


@pytest.fixture(scope="module")
def unpacked(built, tmp_path_factory):
    """The sdist's folder, and the names of its files below it."""
    (archive,) = built.glob("*.tar.gz")
    folder = tmp_path_factory.mktemp("sdist")
    with tarfile.open(archive) as files:
        names = {str(Path(*Path(one.name).parts[1:])) for one in files if one.isfile()}
        files.extractall(folder, filter="data")
    return folder / f"hpcsnn-{hpcsnn.__version__}", names


def test_the_wheel_says_what_it_is(built):
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as files:
        names = files.namelist()
        (metadata,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        said = email.message_from_bytes(files.read(metadata))
        (licence,) = (name for name in names if name.endswith(".dist-info/licenses/LICENSE"))
        assert files.read(licence).decode() == (ROOT / "LICENSE").read_text()
    assert "hpcsnn/py.typed" in names
    assert said["Version"] == hpcsnn.__version__
    assert said["License-Expression"] == "BSD-3-Clause"
    assert said["Author"] == "the hpcsnn developers"
    classifiers = said.get_all("Classifier")
    assert "Typing :: Typed" in classifiers
    assert not [one for one in classifiers if one.startswith("License ::")], "the expression says it"
    oldest = said["Requires-Python"].removeprefix(">=")
    assert f"Programming Language :: Python :: {oldest}" in classifiers
    assert {"cuda12", "cuda13", "docs", "interop", "mpich", "openmpi", "tensorboard", "test", "training"} == set(
        said.get_all("Provides-Extra")
    )
    assert said["Keywords"]


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a checkout: nobody says what belongs to it")
def test_the_sdist_has_every_file_of_the_checkout(unpacked):
    _, names = unpacked
    tracked = set(succeeds("git", "ls-files").splitlines())
    untracked = set(succeeds("git", "ls-files", "--others", "--exclude-standard").splitlines())
    assert {name for name in tracked if (ROOT / name).exists()} <= names
    assert names - tracked - untracked == {"PKG-INFO"}


def test_tests_run_from_the_sdist(unpacked):
    folder, _ = unpacked
    only = ["tests/unit/test_exports.py", "tests/project/test_quotes.py"]
    script = f"import hpcsnn; assert hpcsnn.__file__.startswith({str(folder)!r}), hpcsnn.__file__"
    succeeds(sys.executable, "-c", script, cwd=folder, PYTHONPATH=str(folder))
    pytest_ = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", *only]
    assert " passed" in succeeds(*pytest_, cwd=folder, PYTHONPATH=str(folder))
