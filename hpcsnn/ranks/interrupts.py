"""Ctrl-C during a run: it waits until all ranks are between the same two steps."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType


class Interrupts:
    """A context in which the first Ctrl-C is noted in `came`, for whoever can raise it with the state whole.

    A second one is raised at once. One that nobody has raised is raised where the context ends. Only Python's own
    handler of SIGINT is replaced: who has set another keeps it, and only the main thread can be interrupted.
    """

    def __init__(self) -> None:
        self.came = False
        self._replaces = False

    def __enter__(self) -> Interrupts:
        in_main = threading.current_thread() is threading.main_thread()
        self._replaces = in_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if self._replaces:
            signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._replaces:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        if self.came and kind is None:
            raise KeyboardInterrupt

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        if self.came:
            raise KeyboardInterrupt
        self.came = True
