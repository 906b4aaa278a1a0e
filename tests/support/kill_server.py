"""Commands of hpcsnn in forks of one process, each killed at a change that it makes to a folder.

Run by `support.killed.Commands`, which sends a line of JSON for each command and reads one for what became of it. What
takes long is imported and read before the first fork; nothing is computed, so that no thread is forked away.
"""

from __future__ import annotations

import gc
import itertools
import json
import os
import re
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
# Names of files on their way may end with numbers that are others each time.
_NUMBERED = re.compile(r"\.[0-9]+\.[0-9]+\.part$")
# Event of the interpreter -> which of its arguments is the path that changes, and which the folder it is relative to.
_CHANGES = {
    "os.rename": (1, 3),
    "os.remove": (0, 1),
    "os.rmdir": (0, 1),
    "os.mkdir": (0, 2),
    "os.symlink": (1, 2),
    "os.link": (1, 3),
    "os.truncate": (0, None),
}


class Changes:
    """An audit hook that writes down each change below a folder before it is made, and ends the process at one.

    Args:
        folder: absolute.
        log: an open file that outlives the process.
        last: the change at which to end, as it is written down, and at which time it is made; None: never.
        after: end when a file has been opened, which is then there and empty, and not before.
    """

    def __init__(self, folder: str, log: int, last: tuple[str, int] | None, after: bool) -> None:
        self._folder, self._log, self._last, self._after = folder, log, last, after
        self._times = 0
        self._lock = threading.RLock()
        self._inside = False

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            if not isinstance(arguments[0], str) or not arguments[2] & _WRITES:
                return
            self._change("open", arguments[0], arguments[2])
        elif event in _CHANGES:
            place, folder = _CHANGES[event]
            path = os.fsdecode(arguments[place])
            if folder is not None and arguments[folder] not in (-1, None):
                path = str(Path(f"/proc/self/fd/{arguments[folder]}").readlink() / path)
            self._change(event, path, None)

    def _change(self, event: str, path: str, flags: int | None) -> None:
        if not path.startswith(f"{self._folder}/") and path != self._folder:
            return
        with self._lock:
            if self._inside:
                return
            change = f"{event} {_NUMBERED.sub('', path[len(self._folder) + 1 :])}"
            os.write(self._log, f"{change}\n".encode())
            if self._last is None or change != self._last[0]:
                return
            self._times += 1
            if self._times != self._last[1]:
                return
            if flags is not None and self._after:
                self._inside = True
                os.open(path, flags, 0o666)
            os.kill(os.getpid(), signal.SIGKILL)
            signal.pause()


def _command(asked: dict[str, Any], said: int, log: int) -> None:
    """In the fork: one command, from its arguments to the end of the process."""
    os.dup2(said, 1)
    os.dup2(said, 2)
    if asked["stand_in_for_submit"]:
        from hpcsnn.cli import job_actions
        from support.killed import not_submitted

        job_actions.submit = not_submitted
    if asked["clock_goes_back"]:
        now, looks = time.time(), itertools.count()
        time.time = lambda: now - 3600.0 * next(looks)
    if asked["folder"]:
        sys.addaudithook(Changes(asked["folder"], log, asked["last"], asked["after"]))
    sys.argv = ["hpcsnn", *asked["arguments"]]
    from hpcsnn.cli.app import app

    app()
    sys.exit("a command ends by itself")


def _serve() -> None:
    for line in sys.stdin:
        asked = json.loads(line)
        with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as log:
            child = os.fork()
            if child == 0:
                _command(asked, said.fileno(), log.fileno())
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            for stream in (said, log):
                stream.seek(0)
            answer = {"code": code, "said": said.read().decode(), "changes": log.read().decode().splitlines()}
        print(json.dumps(answer), flush=True)


def _imports() -> None:
    import hpcsnn.analysis.report
    import hpcsnn.cli.job_actions
    import hpcsnn.cli.tables.of_runs
    import hpcsnn.runs.experiment
    from hpcsnn.codegen.program import generate
    from hpcsnn.configuration.files import load_configuration

    assert hpcsnn
    generate(load_configuration("topomap").network(), 1)  # reads the kernels' templates


if __name__ == "__main__":
    _imports()
    gc.freeze()  # or each fork, as it ends, looks through all of this once more, and copies it by doing so
    _serve()
