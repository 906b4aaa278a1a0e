"""What the shell is told when a user presses the tab key."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from hpcsnn.cli.app import app
from hpcsnn.shipped_files import shipped_configurations


def completed(*words):
    """The words that bash is offered for the last of these."""
    environment = {
        "_HPCSNN_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(words),
        "COMP_CWORD": str(len(words) - 1),
    }
    return CliRunner().invoke(app, prog_name="hpcsnn", env=environment).stdout.split()


@pytest.mark.parametrize("command", ["run", "check", "submit", "sweep"])
def test_configurations_that_ship_are_completed(command):
    maps = [name for name in shipped_configurations() if name.startswith("topomap_")]
    assert len(maps) > 3
    assert completed("hpcsnn", command, "topomap_") == maps


def test_commands_and_options_are_completed():
    assert {"run", "resume"} <= set(completed("hpcsnn", "r"))
    assert completed("hpcsnn", "run", "topomap", "--over") == ["--overwrite"]


def test_run_directories_are_left_to_the_shell():
    """Nothing is offered, upon which the shell completes names of files and folders."""
    assert completed("hpcsnn", "info", "runs/") == []


def test_completion_can_be_installed():
    assert completed("hpcsnn", "--install") == ["--install-completion"]
    assert completed("hpcsnn", "--show") == ["--show-completion"]
