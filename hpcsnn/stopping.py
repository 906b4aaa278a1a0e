"""Signals that ask a run to stop: all ranks agree on one step, leave a checkpoint there, and end well."""

from __future__ import annotations

import os
import signal
from types import FrameType, TracebackType
from typing import Any

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2)


class StopSignals:
    """A context in which SIGTERM, SIGINT, SIGUSR1 and SIGUSR2 are noted; a second SIGINT ends the process at once."""

    def __init__(self, comm: Any) -> None:
        self._comm = comm
        self._received = 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopSignals:
        self._before = {number: signal.signal(number, self._note) for number in _SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, _: FrameType | None) -> None:
        if number == signal.SIGINT and self._received == signal.SIGINT:
            os._exit(128 + signal.SIGINT)
        self._received = number

    def agreed(self) -> str | None:
        """Name of a signal that any rank has received so far, or None; a collective call, equal on all ranks."""
        number = self._received
        if self._comm is not None:
            from mpi4py import MPI

            number = self._comm.allreduce(number, MPI.MAX)
        return signal.Signals(number).name if number else None
