"""What a start loads, which is what it costs; and that each command still says what it takes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from hpcsnn.cli.app import app

ROOT = Path(__file__).resolve().parents[2]
# What any command line costs: the packages that typer takes for the smallest application, as in `loaded`.
SMALLEST = "import typer\ndef command(count: int = 1): pass\ntyper.run(command)"
# What a list of a run's checkpoints takes beside the standard library.
CHECKPOINTS = {"google_crc32c"}


def loaded(*words):
    """Packages beside the standard library that ``python WORDS`` imports, and what it prints.

    Neither what this Python imports by itself, nor what was tried and is not installed.
    """
    runs = [
        subprocess.run([sys.executable, "-X", "importtime", *arguments], capture_output=True, text=True, check=True)
        for arguments in (("-c", "pass"), words)
    ]
    modules = r"^import time:.*\| *([\w.]+)$"
    before, after = (
        {name.partition(".")[0] for name in re.findall(modules, run.stderr, flags=re.MULTILINE)} for run in runs
    )
    others = after - before - set(sys.stdlib_module_names)
    return {name for name in others if find_spec(name) is not None}, runs[1].stdout


@pytest.fixture
def folder_of_runs(tmp_path):
    """Two runs, as far as a list of them looks."""
    for name, step in (("one", 1000), ("two", 2000)):
        (tmp_path / name / "checkpoints").mkdir(parents=True)
        (tmp_path / name / "config.yaml").write_text("{}\n")
        (tmp_path / name / "checkpoints" / f"{step:010d}.json").write_text("{}\n")
        (tmp_path / name / "summary.json").write_text(json.dumps({"completed": True, "digest": name}))
    return tmp_path


@pytest.fixture(scope="module")
def of_typer():
    """The packages of typer itself: imported, reading a number, and drawing a page of help."""
    imported, called, asked = ("import typer",), (SMALLEST,), (SMALLEST, "--help")
    return [loaded("-c", *words)[0] | {"hpcsnn"} for words in (imported, called, asked)]


def test_the_check_sees_what_is_loaded():
    assert loaded("-c", "import numpy, hpcsnn.errors")[0] == {"numpy", "hpcsnn"}
    assert loaded("-c", "import hpcsnn; hpcsnn.Simulation")[0] >= {"numpy", "jinja2"}


def test_the_package_loads_nothing_until_a_name_is_asked_for():
    assert loaded("-c", "import hpcsnn")[0] == {"hpcsnn"}


def test_the_version_takes_typer_alone(of_typer):
    imported, _, _ = of_typer
    packages, said = loaded("-m", "hpcsnn", "--version")
    assert said.startswith("hpcsnn ")
    assert packages <= imported


def test_help_takes_what_draws_it(of_typer):
    _, called, asked = of_typer
    packages, said = loaded("-m", "hpcsnn", "--help")
    assert "Commands" in said
    assert packages <= asked
    packages, said = loaded("-m", "hpcsnn", "submit", "--help")
    assert "--gpus-per-node" in said
    assert packages <= asked | called


def test_a_list_of_runs_for_programs_reads_their_files_and_nothing_else(folder_of_runs, of_typer):
    _, called, _ = of_typer
    packages, said = loaded("-m", "hpcsnn", "jobs", str(folder_of_runs), "--json")
    listed = [(entry["digest"], entry["state"], entry["checkpoint_step"]) for entry in json.loads(said)]
    assert listed == [("one", "completed", 1000), ("two", "completed", 2000)]
    assert packages <= called | CHECKPOINTS


def test_what_the_list_itself_takes_is_less_than_what_reads_its_arguments(folder_of_runs, of_typer):
    imported, _, _ = of_typer
    text = "import pathlib, sys; from hpcsnn.cli.job_commands import jobs; jobs(pathlib.Path(sys.argv[1]), True)"
    packages, said = loaded("-c", text, str(folder_of_runs))
    assert len(json.loads(said)) == 2
    assert packages <= imported | CHECKPOINTS


def test_sizes_are_told_without_what_runs_or_stores():
    packages, said = loaded("-m", "hpcsnn", "check", "topomap")
    assert "ff" in said
    assert "numpy" in packages
    assert not packages & {"zarr", "jinja2", "scipy", "matplotlib", "mpi4py", "submitit", "dask", "xarray"}


def commands_of(command, path=()):
    """Every command below one, groups too, with the words that lead to it."""
    yield path, command
    for name, below in getattr(command, "commands", {}).items():
        yield from commands_of(below, (*path, name))


COMMANDS = dict(commands_of(get_command(app)))


def help_of(*path):
    """What ``hpcsnn PATH --help`` says, as one line without its frames."""
    done = CliRunner().invoke(app, [*path, "--help"], prog_name="hpcsnn", env={"COLUMNS": "160"})
    assert done.exit_code == 0, done.output
    return " ".join(re.sub("[│╭╮╰╯─]", " ", done.output).split())


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: " ".join(("hpcsnn", *path)))
def test_every_command_has_help_that_names_all_it_takes(path):
    said = help_of(*path)
    assert " ".join(("Usage: hpcsnn", *path)) in said
    for parameter in COMMANDS[path].params:
        names = [parameter.metavar] if parameter.param_type_name == "argument" else parameter.opts
        for name in (*names, *parameter.secondary_opts):
            assert name.strip("[]").removesuffix("...") in said, name
    for name in getattr(COMMANDS[path], "commands", {}):
        assert f" {name} " in said
    assert "<bool>" not in said, "a flag takes no value"


@pytest.mark.parametrize("file", sorted((ROOT / "hpcsnn" / "cli").glob("*_commands.py")), ids=lambda file: file.stem)
def test_a_function_in_a_groups_file_is_a_command_of_hpcsnn(file):
    """Its first paragraph stands in the list of its group's commands."""
    group = import_module(f"hpcsnn.cli.{file.stem}").commands
    assert group.registered_commands
    for registered in group.registered_commands:
        name = registered.callback.__name__.replace("_", "-")
        (path,) = (path for path in COMMANDS if path[-1:] == (name,))
        first = " ".join(registered.callback.__doc__.split("\n\n")[0].split())
        assert f" {name} {first}" in help_of(*path[:-1])
