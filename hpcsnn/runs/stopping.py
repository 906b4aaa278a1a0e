"""Signals that ask a run to stop: all ranks agree on one step, leave a checkpoint there, and end well."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any

from hpcsnn.ranks.communicator import Communicator

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2)


class StopSignals:
    """A context in which SIGTERM, SIGINT, SIGUSR1 and SIGUSR2 are noted; a second SIGINT ends the process at once.

    Args:
        ranks: those that agree.
        leave: what ends the process, without a word to anybody; takes the exit code.
    """

    def __init__(self, ranks: Communicator, leave: Callable[[int], Any] = os._exit) -> None:
        self._ranks, self._leave = ranks, leave
        self._received = 0
        self._interrupts = 0
        self._before: dict[int, Any] = {}
        self._arrived = self._arrives = self._woken_before = -1

    def __enter__(self) -> StopSignals:
        # Handlers run between two steps of Python, and only once for all signals of a kind that came while a kernel
        # ran; in this pipe each of them leaves its number.
        self._arrived, self._arrives = os.pipe2(os.O_NONBLOCK)
        self._woken_before = signal.set_wakeup_fd(self._arrives, warn_on_full_buffer=False)
        self._before = {number: signal.signal(number, self._note) for number in _SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._woken_before)
        os.close(self._arrived)
        os.close(self._arrives)

    def _note(self, number: int, _: FrameType | None) -> None:
        with suppress(BlockingIOError):
            self._interrupts += os.read(self._arrived, 4096).count(signal.SIGINT)
        if self._interrupts > 1:
            self._leave(128 + signal.SIGINT)
        self._received = number

    def agreed(self) -> str | None:
        """Name of a signal that any rank has received so far, or None; a collective call, equal on all ranks."""
        number = self._ranks.most(self._received)
        return signal.Signals(number).name if number else None
