"""Figures drawn by processes of their own, side by side on the cores that are there.

matplotlib takes a second to load. A `Drawing` that begins with a run has it loaded by the time there is something to
draw, and its process then divides itself: one part a core, each with matplotlib at hand.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from subprocess import PIPE, Popen
from threading import Thread
from typing import Any, Self, TypeVar

Drawn = TypeVar("Drawn")
Tasks = Sequence[Callable[[], Drawn]]

_tasks: Tasks[Any] = []  # of a process that draws; its parts have them from it


class Drawing:
    """A process that draws figures when asked.

    It belongs to no terminal, so that Ctrl-C, which lets a run end with its figures, does not end it; it ends with
    whoever began it.

    Args:
        module: what its tasks need to have loaded.
    """

    def __init__(self, module: str = "hpcsnn.analysis.drawing.figures") -> None:
        self._process: Popen[bytes] | None = None
        # -P: nothing is imported from the folder that happens to be the current one.
        command = [sys.executable, "-P", "-m", __name__, module]
        one_thread = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
        with suppress(OSError):  # then figures are drawn here
            self._process = Popen(command, stdin=PIPE, stdout=PIPE, env=one_thread, start_new_session=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                with suppress(OSError):
                    assert pipe is not None
                    pipe.close()

    def draw(self, tasks: Tasks[Drawn]) -> list[Drawn]:
        """What `tasks` return, in their order; functions of modules, since another process calls them.

        Where that fails, whatever the reason, they are called here, which either goes well or says what is wrong.
        """
        if self._process is not None:
            assert self._process.stdin is not None and self._process.stdout is not None
            with suppress(OSError, EOFError, pickle.PickleError):
                pickle.dump(list(tasks), self._process.stdin)
                self._process.stdin.flush()
                results: list[Drawn] = pickle.load(self._process.stdout)
                return results
        return [task() for task in tasks]


def drawn(function: str, *arguments: Any) -> list[Path]:
    """The files that a function draws, named as ``module:function``; its module is loaded only where it is called."""
    module, _, name = function.partition(":")
    files: list[Path] = getattr(import_module(module), name)(*arguments)
    return files


def _call(number: int) -> Any:
    return _tasks[number]()


def _serve() -> None:
    """Draw what comes in once; an error of a task is told by whoever asks, who then calls it too."""
    global _tasks
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # answers alone go there
    import_module(sys.argv[1])
    try:
        _tasks = pickle.load(sys.stdin.buffer)
    except EOFError:
        return
    with get_context("fork").Pool(min(len(_tasks), len(os.sched_getaffinity(0)))) as parts:
        Thread(target=_end_with_whoever_asked, daemon=True).start()
        results = parts.map(_call, range(len(_tasks)), chunksize=1)
    pickle.dump(results, answers)
    answers.close()


def _end_with_whoever_asked() -> None:
    while os.read(0, 1 << 10):  # not by sys.stdin, whose lock an interpreter that ends wants
        pass
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    # Under its own name, where tasks are called from.
    with suppress(Exception):
        import_module("hpcsnn.analysis.drawing.processes")._serve()
