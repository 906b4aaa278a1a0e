"""Commands that are killed at a chosen change of the folder they work in, and what became of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from support.ranks import TESTS


@dataclass(frozen=True)
class Outcome:
    """Exit code (-9: killed), what was said on both streams, and the changes made, in order: ``os.rename a/b``."""

    code: int
    said: str
    changes: list[str]


class Commands:
    """``hpcsnn ARGUMENTS`` one after the other, each in a fork of a process that has everything imported."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def __call__(
        self,
        *arguments: object,
        folder: Path | None = None,
        last: tuple[str, int] | None = None,
        after: bool = False,
        stand_in_for_submit: bool = False,
        clock_goes_back: bool = False,
    ) -> Outcome:
        """One command, to its end or to a change that it makes to `folder`.

        Args:
            last: the change, as an outcome has it, and at which time it comes.
            after: if that is the opening of a file, end when it is open and empty, not before.
            stand_in_for_submit: submit nothing.
            clock_goes_back: the time of day is an hour earlier each time that somebody looks.
        """
        asked = {
            "arguments": [str(argument) for argument in arguments],
            "folder": None if folder is None else str(folder),
            "last": last,
            "after": after,
            "stand_in_for_submit": stand_in_for_submit,
            "clock_goes_back": clock_goes_back,
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        return Outcome(**json.loads(self._process.stdout.readline()))


@contextmanager
def commands() -> Iterator[Commands]:
    """A server of commands, for as long as the context lasts."""
    path = [str(TESTS), str(TESTS.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    variables = {**os.environ, "COLUMNS": "200", "PYTHONPATH": os.pathsep.join(path)}
    with subprocess.Popen(
        [sys.executable, TESTS / "support" / "kill_server.py"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=variables,
    ) as process:
        yield Commands(process)
        assert process.stdin is not None
        process.stdin.close()


def not_submitted(_cluster: str, runs: list[Path], *_: Any, **__: Any) -> list[str]:
    """In place of `hpcsnn.jobs.executors.submit`: it writes what that writes, and no job comes of it."""
    from hpcsnn.jobs.job_files import JobFiles

    for run in runs:
        files = JobFiles(run)
        files.write_plan(replace(files.plan(), job_id="1"))
    return ["1"] * len(runs)
