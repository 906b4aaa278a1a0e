"""What a unit test does without is not there: a test that needs a compiler or a process belongs to another lane."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest


class Refused(subprocess.Popen[Any]):
    """A process that does not start."""

    def __init__(self, command: Any, *_: Any, **__: Any) -> None:
        raise AssertionError(f"a unit test starts no process, and this one would start {command}")


@pytest.fixture(autouse=True)
def one_process_without_a_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No C++ compiler is found, nor what one has made before, and no process starts."""
    monkeypatch.setenv("CXX", "none-in-unit-tests")
    monkeypatch.setenv("HPCSNN_CACHE", str(tmp_path_factory.getbasetemp() / "empty-cache"))
    monkeypatch.setattr(subprocess, "Popen", Refused)
