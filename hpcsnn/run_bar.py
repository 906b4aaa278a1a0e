"""A bar for whoever waits for `Simulation.run` in a script or a notebook."""

from __future__ import annotations

import sys
from time import perf_counter
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

# Nobody needs a bar for less; and nobody sees more of it than this.
_SHOWN_AFTER_S, _DRAWN_EVERY_S = 2.0, 0.25


class RunBar:
    """A context in which `at` shows how far a run is, once it has taken two seconds.

    It is there on a terminal (on standard error) or in a notebook and nowhere else, and gone at the end. It has no
    thread: it is drawn when `at` is called, a few times a second.

    Args:
        begin, end: steps.
        dt_ms: length of a step.
        wanted: whether there may be one: not on another rank than the first, nor where the caller does not want it.
    """

    def __init__(self, begin: int, end: int, dt_ms: float, wanted: bool) -> None:
        self._begin, self._end, self._dt_ms = begin, end, dt_ms
        self._wanted = wanted
        self._due = perf_counter() + _SHOWN_AFTER_S
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def at(self, step: int) -> None:
        """So many steps are done."""
        if not self._wanted or (now := perf_counter()) < self._due:
            return
        self._due = now + _DRAWN_EVERY_S
        if self._bar is None:
            if not _is_watched():
                self._wanted = False
                return
            self._bar, self._task = self._begun()
        assert self._task is not None
        self._bar.update(self._task, completed=step - self._begin, model_s=step * self._dt_ms * 1e-3, refresh=True)

    def _begun(self) -> tuple[Progress, TaskID]:
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn  # which few runs need

        from hpcsnn.terminal import terminal

        columns = (
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[model_s]:.2f} s"),
            TimeRemainingColumn(),
        )
        bar = Progress(*columns, console=terminal(stderr=True), transient=True, auto_refresh=False)
        bar.start()
        return bar, bar.add_task("", total=self._end - self._begin, model_s=self._begin * self._dt_ms * 1e-3)


def _is_watched() -> bool:
    """Whether somebody may look at what is drawn."""
    return "ipykernel" in sys.modules or (sys.stderr is not None and sys.stderr.isatty())
