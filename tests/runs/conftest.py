"""What tests of runs begin with: commands in forks of one process, and a run as a stranger sends it."""

from __future__ import annotations

import shutil

import pytest

from support.killed import commands
from support.runs import PLAIN


@pytest.fixture(scope="session")
def hpcsnn():
    """``hpcsnn ARGUMENTS``, each in a fork of a process that has everything imported; see `support.killed`."""
    with commands() as server:
        yield server


@pytest.fixture(scope="session")
def theirs(hpcsnn, tmp_path_factory):
    """A short run with three checkpoints and events, which nobody changes."""
    run = tmp_path_factory.mktemp("theirs") / "run"
    more = ["--set", "duration_ms=50", "--set", "projections.ff.record_events=true", "--checkpoint-every", "20ms"]
    assert hpcsnn("run", "topomap", *more, *PLAIN, "--out", run).code == 0
    return run


@pytest.fixture
def copy(theirs, tmp_path):
    """A copy of that run, to be changed."""
    copy = tmp_path / "run"
    shutil.copytree(theirs, copy, symlinks=True)
    return copy
