"""Functions that run in a process each, forked from one that has loaded hpcsnn: how each ended, whatever it did."""

from __future__ import annotations

import importlib
import os
import pickle
import resource
import select
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from support.processes import patience

TESTS = Path(__file__).parent.parent
# What the processes share: nothing that starts a thread when it is loaded, or a child would miss it.
LOADED = (
    *("hpcsnn.cli.app", "hpcsnn.cli.tables.of_runs", "hpcsnn.configuration.files", "hpcsnn.engine.simulation"),
    *("hpcsnn.models", "hpcsnn.runs.experiment", "rich.console", "scipy.special"),
)
ADDRESS_SPACE = 4 * 2**30
CPU_S = 120


@dataclass(frozen=True)
class Ended:
    """How a process ended.

    Attributes:
        code: its exit status; None where a signal ended it.
        signal: the signal's number, 0 without one.
        hung: whether it had to be ended, for its time was over.
        out, err: what it said.
        result: what its function returned; None where it did not.
    """

    code: int | None
    signal: int
    hung: bool
    out: str
    err: str
    result: Any


class Forks:
    """A process that forks; a context manager. What it forks has `wall_s` seconds, more where the machine is busy."""

    def __init__(self, wall_s: float = 120.0) -> None:
        self._wall_s = wall_s

    def __enter__(self) -> Forks:
        path = [str(TESTS), str(TESTS.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
        # Most structures are compiled for the one case that has them: quickly, which changes no bit of any answer.
        own = {"PYTHONPATH": os.pathsep.join(path), "COLUMNS": "200", "CXXFLAGS": "-O0", "OMP_NUM_THREADS": "1"}
        variables = {**os.environ, **own, "LC_ALL": "C.UTF-8"}
        command = [sys.executable, "-c", "from support.forked import serve; serve()"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=variables)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def call(self, function: str, *arguments: Any) -> Ended:
        """``module:function`` of `arguments`, which are pickled, in a process of its own.

        A process may take `ADDRESS_SPACE` bytes and `CPU_S` seconds of a processor.
        """
        pid, folder = self._ask("fork", function, arguments)
        status = self._ask("wait", pid, self._wall_s)
        if status is None:
            status = self._ask("wait", pid, patience(self._wall_s) - self._wall_s)
        ended = self._ask("end", pid, folder, status)
        return replace(ended, hung=status is None or ended.signal == signal.SIGXCPU)

    def _ask(self, *request: Any) -> Any:
        pickle.dump(request, self._process.stdin)
        self._process.stdin.flush()
        return pickle.load(self._process.stdout)


def serve() -> None:
    """Do what `Forks` asks for on standard input, until that ends."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    for name in LOADED:
        importlib.import_module(name)
    while True:
        try:
            what, *arguments = pickle.load(requests)
        except EOFError:
            return None
        if what == "fork":
            folder = Path(tempfile.mkdtemp(prefix="forked-"))
            pid = os.fork()
            if pid == 0:
                _become(folder, requests, replies)
                return _carry_out(folder, *arguments)  # up to the end of the interpreter, as in a process of its own
            reply: Any = pid, folder
        else:
            reply = {"wait": _wait, "end": _end}[what](*arguments)
        pickle.dump(reply, replies)
        replies.flush()


def _become(folder: Path, requests: BinaryIO, replies: BinaryIO) -> None:
    os.setsid()
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(folder / name, os.O_CREAT | os.O_WRONLY, 0o600), number)
    os.close(requests.fileno())
    os.close(replies.fileno())
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S + 5))


def _carry_out(folder: Path, function: str, arguments: tuple[Any, ...]) -> None:
    module, name = function.split(":")
    work: Callable[..., Any] = getattr(importlib.import_module(module), name)
    try:
        result = work(*arguments)
    except Exception:
        traceback.print_exc()
        raise SystemExit(1) from None
    (folder / "result").write_bytes(pickle.dumps(result))


def _wait(pid: int, limit_s: float) -> int | None:
    """The status of a process that has ended within its limit; else None, and it goes on."""
    descriptor = os.pidfd_open(pid)
    try:
        ended = select.select([descriptor], [], [], limit_s)[0]
    finally:
        os.close(descriptor)
    return os.waitpid(pid, 0)[1] if ended else None


def _end(pid: int, folder: Path, status: int | None) -> Ended:
    if status is None:
        os.killpg(pid, signal.SIGKILL)
        status = os.waitpid(pid, 0)[1]
    said = {name: (folder / name).read_text(errors="replace") for name in ("out", "err") if (folder / name).exists()}
    result = folder / "result"
    ended = Ended(
        os.WEXITSTATUS(status) if os.WIFEXITED(status) else None,
        os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0,
        False,
        said.get("out", ""),
        said.get("err", ""),
        pickle.loads(result.read_bytes()) if result.exists() else None,
    )
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    return ended
