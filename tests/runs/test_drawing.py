"""The processes that draw figures: they draw, they fail as drawing here would, and they end with whoever asked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from hpcsnn.analysis.drawing.processes import Drawing
from support.processes import until


def test_tasks_are_done_elsewhere_and_answered_in_order():
    with Drawing("json") as drawing:
        answers = drawing.draw([partial(divmod, number, 3) for number in range(7)] + [os.getpid])
    assert answers[:7] == [divmod(number, 3) for number in range(7)]
    assert answers[7] != os.getpid()


def test_what_goes_wrong_there_goes_wrong_here():
    with Drawing("json") as drawing, pytest.raises(ValueError, match="invalid literal"):
        drawing.draw([partial(int, "1"), partial(int, "x")])


@pytest.mark.parametrize("python", [sys.executable, "/no/such/python"])
def test_what_cannot_be_drawn_elsewhere_is_drawn_here(python, monkeypatch):
    monkeypatch.setattr(sys, "executable", python)
    with Drawing("no_such_module") as drawing:
        assert drawing.draw([os.getpid]) == [os.getpid()]


def test_nothing_is_imported_from_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("json", "pickle", "matplotlib"):
        (tmp_path / f"{name}.py").write_text("open('executed', 'w')")
    with Drawing() as drawing:
        assert drawing.draw([os.getpid]) != [os.getpid()]
    assert not (tmp_path / "executed").exists()


ASKS = """
import time
from functools import partial
from hpcsnn.analysis.drawing.processes import Drawing
drawing = Drawing("json")
drawing.draw([partial(time.sleep, 600)] * 2) if {draws} else time.sleep(600)
"""


@pytest.mark.parametrize("draws", [False, True])
def test_it_ends_with_whoever_asked(draws):
    with subprocess.Popen([sys.executable, "-c", ASKS.format(draws=draws)]) as asks:
        until(lambda: any(parent == asks.pid for _, parent, _ in alive()))
        (group,) = (process for process, parent, _ in alive() if parent == asks.pid)
        until(lambda: sum(of == group for _, _, of in alive()) == (3 if draws else 1))
        asks.send_signal(signal.SIGKILL)
    until(lambda: all(of != group for _, _, of in alive()))


def alive():
    """Process, parent and group of all that run."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            state, parent, group = path.read_text().rpartition(")")[2].split()[:3]
            if state != "Z":
                found.append((int(path.parent.name), int(parent), int(group)))
    return found
