"""The page on clusters: each block is carried out, by stand-ins where a test has no such machine.

srun, prterun and Apptainer run what they are given on this machine, so that what stands behind them is a command that
works; pip, module and python3 -m venv fetch and load nothing. All of them keep what they were given.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys

import pytest
import yaml
from typer.testing import CliRunner

from hpcsnn.cli.app import app
from hpcsnn.planning.site_profiles import load_profile
from support.pages import ROOT, blocks, commands, of_reader, says_what_is_shown
from support.processes import PROGRAMS, completed

STAND_IN = f"""#!{sys.executable}
import json, os, pathlib, sys

name, words = os.path.basename(sys.argv[0]), sys.argv[1:]
with open(os.environ["HPCSNN_TEST_GIVEN"], "a") as given:
    print(json.dumps([name, *words]), file=given)
mpiexec, hpcsnn = {str(PROGRAMS / "mpiexec")!r}, {str(PROGRAMS / "hpcsnn")!r}
if name == "python3":
    assert words[:2] == ["-m", "venv"]
    activate = pathlib.Path(words[2], "bin", "activate")
    activate.parent.mkdir(parents=True)
    activate.touch()
elif name == "srun" and words == ["--mpi=list"]:
    print("MPI plugin types are...")
elif name == "srun":
    options = dict(word[2:].split("=") for word in words if word.startswith("--") and words.index(word) < 3)
    ranks = int(options.pop("nodes")) * int(options.pop("ntasks-per-node"))
    assert options.keys() == {{"mpi"}}
    os.execv(mpiexec, ["mpiexec", "-n", str(ranks), *words[3:]])
elif name == "prterun":
    os.execv(mpiexec, ["mpiexec", *words])
elif name == "apptainer":
    verb, image, *behind = words
    if verb == "build":
        assert pathlib.Path(behind[0]).is_file()
        pathlib.Path(image).touch()
    else:
        assert pathlib.Path(image).is_file()
        command = [hpcsnn, *behind] if verb == "run" else behind
        os.execvp(command[0], command)
"""
NAMES = ("srun", "prterun", "apptainer", "pip", "module", "python3")
BLOCKS = blocks("cluster")
SCRIPTS = [text for language, text in BLOCKS if language == "sh"]
PROFILES = {
    name: keys for language, text in BLOCKS if language == "yaml" for name, keys in yaml.safe_load(text).items()
}


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """Carries out all blocks, in order, as one reader in one folder; what the stand-ins were given, in order."""
    folder = tmp_path_factory.mktemp("reader")
    (folder / "stand-ins").mkdir()
    for name in NAMES:
        (folder / "stand-ins" / name).write_text(STAND_IN)
        (folder / "stand-ins" / name).chmod(0o755)
    (folder / "launch").symlink_to(ROOT / "launch")
    (folder / "home").mkdir()
    environment = {
        "HPCSNN_CACHE": str(folder / "home" / "cache"),
        **of_reader(),
        "HOME": str(folder / "home"),
        "HPCSNN_TEST_GIVEN": str(folder / "given"),
    }
    environment["PATH"] = f"{folder / 'stand-ins'}:{environment['PATH']}"
    for language, text in BLOCKS:
        if language == "sh":
            done = completed(
                ["bash", "-euo", "pipefail", "-c", text], cwd=folder, env=environment, stderr=subprocess.STDOUT
            )
            assert done.returncode == 0, f"{text}\n{done.stdout}"
            if "hpcsnn digest" in text:
                assert len({line.split()[0] for line in done.stdout.splitlines()[-2:]}) == 1
        elif language == "console":
            for command, shown in commands(text):
                says_what_is_shown(command, shown, folder, environment)
        else:
            assert language == "yaml", f"a block of {language} is not tried"
    return [json.loads(line) for line in (folder / "given").read_text().splitlines()]


def test_all_that_a_test_has_not_is_asked_for(given):
    assert {words[0] for words in given} == set(NAMES)
    plugins = [words[1] for words in given if words[0] == "srun"]
    assert plugins == ["--mpi=pmi2", "--mpi=list", "--mpi=pmix", "--mpi=pmi2"]


@pytest.mark.parametrize("tool", ["pip", "srun"])
def test_the_tools_have_the_options_that_they_are_given(tool, given):
    if shutil.which(tool) is None or (tool == "srun" and subprocess.run([tool, "--version"], check=False).returncode):
        pytest.skip(f"no {tool} here")
    for words in (words for words in given if words[0] == tool):
        verb = words[1:2] if tool == "pip" else []
        said = subprocess.run([tool, *verb, "--help"], capture_output=True, text=True, check=True).stdout
        known = {word.split("=")[0].strip(",") for word in said.split()}
        options = [word.split("=")[0] for word in words if word.startswith("--")]
        assert set(options) <= known, shlex.join(words)


@pytest.mark.quick
@pytest.mark.parametrize("name", PROFILES)
def test_every_profile_of_the_page_is_one_that_a_job_can_have(name, tmp_path, monkeypatch):
    (tmp_path / "clusters.yaml").write_text(yaml.safe_dump(PROFILES))
    monkeypatch.setenv("HPCSNN_CLUSTERS", str(tmp_path / "clusters.yaml"))
    monkeypatch.chdir(tmp_path)
    assert load_profile(name).model_dump(mode="json", exclude_unset=True) == PROFILES[name]
    done = CliRunner().invoke(app, ["submit", "topomap", "--profile", name, "--dry-run"])
    assert done.exit_code == 0, done.output
    for line in (*PROFILES[name].get("setup", []), *PROFILES[name].get("modules", [])):
        assert line in done.stdout


@pytest.mark.quick
def test_setup_lines_are_shell():
    lines = [line for profile in PROFILES.values() for line in profile.get("setup", [])]
    assert len(lines) >= 4
    script = "\n".join([*lines, "env"])
    done = subprocess.run(
        ["sh", "-euc", script], capture_output=True, text=True, check=True, env={**os.environ, "HOME": "/h"}
    )
    assert "XDG_STATE_HOME=/scratch/me/state" in done.stdout.splitlines()
