"""The page of a first day on a cluster: its blocks are carried out, with this machine in place of all others."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml

from hpcsnn.planning.site_profiles import load_profile
from support.pages import blocks, of_reader, says_what_is_shown
from support.pages import commands as typed
from support.processes import PROGRAMS, completed

# Jobs run here; what would be fetched is not; the other machine is this one.
STAND_IN = f"""#!{sys.executable}
import os, pathlib, shutil, sys

name, words = os.path.basename(sys.argv[0]), sys.argv[1:]
if name == "hpcsnn":
    submits = words[0] in ("submit", "sweep") and "--dry-run" not in words
    here = ["--cluster", "local", "--device", "cpu"] if submits else []
    os.execv({str(PROGRAMS / "hpcsnn")!r}, ["hpcsnn", *words, *here])
elif name == "python3":
    activate = pathlib.Path(words[2], "bin", "activate")
    activate.parent.mkdir(parents=True, exist_ok=True)
    activate.touch()
elif name == "rsync":
    option, source, target = words
    assert option == "-a"
    source = pathlib.Path(source.removeprefix("cluster:"))
    shutil.copytree(source, pathlib.Path(target, source.name), symlinks=True)
"""
BLOCKS = blocks("first_day")


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cluster")
    (folder / "programs").mkdir()
    for name in ("hpcsnn", "python3", "pip", "module", "conda", "rsync"):
        (folder / "programs" / name).write_text(STAND_IN)
        (folder / "programs" / name).chmod(0o755)
    reader = of_reader()
    return {**reader, "PATH": f"{folder / 'programs'}:{reader['PATH']}", **{
        name: str(folder / name.lower()) for name in ("WORK", "SCRATCH", "HOME")
    }, "HPCSNN_CACHE": reader.get("HPCSNN_CACHE", str(folder / "cache"))}  # fmt: skip


@pytest.fixture(scope="module")
def home(environment):
    """Where the reader types."""
    folder = Path(environment["HOME"])
    folder.mkdir()
    return folder


def test_installing_and_looking_at_a_job_do_what_they_say(environment, home):
    for text in (text for language, text in BLOCKS if language == "sh" and "install" in text):
        done = completed(["bash", "-euo", "pipefail", "-c", text], cwd=home, env=environment)
        assert done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}"
    (looked,) = (
        one for language, text in BLOCKS if language == "console" for one in typed(text) if "--dry-run" in one[0]
    )
    says_what_is_shown(*looked, home, environment)


@pytest.mark.slow
def test_every_block_does_what_it_says(environment, home):
    for language, text in BLOCKS:
        if language == "sh":
            done = completed(["bash", "-euo", "pipefail", "-c", text], cwd=home, env=environment)
            assert done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}"
        elif language == "console":
            for command, shown in typed(text):
                says_what_is_shown(command, shown, home, environment)
    assert (home / "runs" / "first" / "network.zarr").is_symlink()
    for run in ("seed=1", "seed=2"):
        done = completed(["hpcsnn", "watch", f"{environment['SCRATCH']}/seeds/{run}"], cwd=home, env=environment)
        assert done.returncode == 0, done.stdout
    files = [path for path in Path(environment["SCRATCH"], "seeds").rglob("*") if path.is_file()]
    assert len(files) / 2 == pytest.approx(30, abs=12), "the page says how many files a run is"


@pytest.mark.quick
def test_the_profile_is_one_that_a_job_can_have(tmp_path, monkeypatch):
    ((profile),) = (yaml.safe_load(text) for language, text in BLOCKS if language == "yaml")
    (tmp_path / "clusters.yaml").write_text(yaml.safe_dump(profile))
    monkeypatch.setenv("HPCSNN_CLUSTERS", str(tmp_path / "clusters.yaml"))
    assert load_profile(None).model_dump(mode="json", exclude_unset=True) == profile["default"]
