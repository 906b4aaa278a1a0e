"""What a run shows while it goes: a live line in a terminal, plain lines elsewhere, from rank 0."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from hpcsnn.phases import heard_by, shown_by

if TYPE_CHECKING:
    from hpcsnn.engine.simulation import Simulation
    from hpcsnn.storage.run_directory import RunDirectory

# Plain lines come this far apart: a log file should not drown in them.
PLAIN_EVERY_S = 5.0
_WRITTEN_EVERY_S = 1.0
# Lines of ``progress.jsonl`` come this part of the time that has passed apart, and no further than that: some hundred
# in the first minutes, and 1,440 a day.
_LINES_APART, _LINES_FURTHEST_S = 0.01, 60.0
_BAR_WIDTH = 16


class StateDisplay:
    """A context in which states are shown: ``progress.json`` now and then, a live line in a terminal, else plain lines.

    A line of ``progress.jsonl`` is what ``progress.json`` said, with the name of the `PHASE`.

    Args:
        directory: where ``progress.json`` is kept up to date, for those who watch from elsewhere.
        quiet: show and write nothing.
        plain_every_s: wall seconds between two plain lines.
    """

    PHASE: ClassVar[str]

    def __init__(self, console: Console, directory: RunDirectory, quiet: bool, plain_every_s: float) -> None:
        self._console, self._directory = console, directory
        self._quiet, self._plain_every_s = quiet, plain_every_s
        self._live: Live | None = None
        self._started = self._last_line = time.perf_counter()
        self._last_written = self._last_added = 0.0

    def __enter__(self) -> Self:
        if self._console.is_terminal and not self._quiet:
            self._live = Live(console=self._console, refresh_per_second=8, transient=True)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def _show(
        self,
        state: dict[str, Any],
        line: str,
        done: float,
        last: bool = False,
        plain: bool = False,
    ) -> None:
        """Show a state by its `line`, in a terminal behind a bar; write it if it is the `last` or that is due.

        Args:
            done: the part of all that is done, from 0 to 1.
            plain: print a plain line, whenever the last one was.
        """
        if last or time.perf_counter() - self._last_written >= _WRITTEN_EVERY_S:
            self._last_written = time.perf_counter()
            self._directory.write_progress(state)
            passed_s = self._last_written - self._started
            if last or self._last_written - self._last_added >= min(_LINES_APART * passed_s, _LINES_FURTHEST_S):
                self._last_added = self._last_written
                self._directory.add_progress({"phase": self.PHASE, **state})
        if self._live is not None:
            self._live.update(bar_and_line(done, line))
        elif plain or time.perf_counter() - self._last_line >= self._plain_every_s:
            self._last_line = time.perf_counter()
            self._console.print(line, highlight=False, soft_wrap=True)


class Progress(StateDisplay):
    """A context in which `update` shows where a simulation is; every rank calls it, rank 0 shows.

    Args:
        end_ms: model time at which the run ends.
        directory, quiet, plain_every_s: as of `StateDisplay`.
    """

    PHASE = "simulating"

    def __init__(
        self,
        console: Console,
        end_ms: float,
        directory: RunDirectory,
        quiet: bool = False,
        plain_every_s: float = PLAIN_EVERY_S,
    ) -> None:
        super().__init__(console, directory, quiet, plain_every_s)
        self._end_ms = end_ms
        self._start_ms: float | None = None
        self._before: tuple[float, dict[str, int]] | None = None
        self._rates_hz: dict[str, float] = {}

    def update(self, simulation: Simulation, last: bool = False) -> None:
        """Show the state, in ``progress.json`` now and then and at the `last` time; a collective call.

        The first call is the beginning, from which rates and speed are counted.
        """
        counts = _totals(simulation)
        if simulation.rank != 0 or self._quiet:
            return
        if self._start_ms is None:
            self._start_ms = simulation.time_ms
        state = self._state(simulation, counts)
        whole_ms = self._end_ms - self._start_ms
        done = (simulation.time_ms - self._start_ms) / whole_ms if whole_ms > 0 else 1.0
        self._show(state, progress_line(state), done, last)

    def _state(self, simulation: Simulation, counts: dict[str, int]) -> dict[str, Any]:
        """What ``progress.json`` says: times in s, speed in model s a wall second, rates in Hz since the last look.

        A look at a step that was looked at before shows the rates that led to it.
        """
        now, wall = simulation.time_ms, time.perf_counter() - self._started
        before_ms, before = self._before or (now, counts)
        if now > before_ms:
            self._rates_hz = {
                name: (counts[name] - before[name]) / population.size / (now - before_ms) * 1e3
                for name, population in simulation.network.populations.items()
            }
        self._before = now, counts
        speed = (now - (self._start_ms or 0.0)) * 1e-3 / wall
        return {
            "updated": time.time(),
            "step": simulation.step,
            "model_s": now * 1e-3,
            "end_s": self._end_ms * 1e-3,
            "speed": speed,
            "left_s": (self._end_ms - now) * 1e-3 / max(speed, 1e-9),
            "synapses": sum(counts[name] for name in simulation.network.projections),
            "rates_hz": {name: self._rates_hz.get(name, 0.0) for name in simulation.network.populations},
        }


def bar_and_line(done: float, line: str) -> Table:
    """What a terminal shows: one line, whose end is cut where the terminal is too narrow."""
    shown = Table.grid(padding=(0, 1))
    shown.add_column(width=_BAR_WIDTH, no_wrap=True)
    shown.add_column(no_wrap=True, overflow="ellipsis")
    shown.add_row(ProgressBar(1.0, done, width=_BAR_WIDTH), Text(line, no_wrap=True, overflow="ellipsis"))
    return shown


@contextmanager
def name_phases(console: Console) -> Iterator[None]:
    """Have what takes a while named in a terminal, as long as it lasts."""
    if not console.is_terminal:
        yield
        return
    status, names = console.status(""), list[str]()

    @contextmanager
    def show(what: str) -> Iterator[None]:
        names.append(what)
        status.update(what)
        if len(names) == 1:
            status.start()
        try:
            yield
        finally:
            names.pop()
            if names:
                status.update(names[-1])
            else:
                status.stop()

    with shown_by(show):
        yield


@contextmanager
def phases_written(directory: RunDirectory, quiet: bool) -> Iterator[None]:
    """Have a line of ``progress.jsonl`` written of each phase when it begins, as long as the context lasts.

    Args:
        quiet: of another rank than the first, which writes nothing.
    """
    if quiet:
        yield
        return
    with heard_by(lambda phase: directory.add_progress({"phase": phase, "updated": time.time()})):
        yield


def end_written(directory: RunDirectory, stopped_by: str | None) -> None:
    """Have the last line of ``progress.jsonl`` say that the run, or the training, has ended, and how."""
    phase = "completed" if stopped_by is None else "stopped"
    directory.add_progress({"phase": phase, "updated": time.time(), "stopped_by": stopped_by})


def progress_line(state: Mapping[str, Any]) -> str:
    """One line of what ``progress.json`` says."""
    rates = ", ".join(f"{name} {rate:.1f}" for name, rate in state["rates_hz"].items())
    return (
        f"{state['model_s']:.2f} of {state['end_s']:g} s  {state['speed']:.3g} x real time  "
        f"{clock(state['left_s'])} left  {state['synapses']:,} synapses  {rates} Hz"
    )


def clock(seconds: float) -> str:
    """``1:02:03`` or ``2:03``."""
    minutes, second = divmod(round(seconds), 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour}:{minute:02d}:{second:02d}" if hour else f"{minute}:{second:02d}"


def _totals(simulation: Simulation) -> dict[str, int]:
    """Spikes of each population and synapses of each projection so far, over all ranks."""
    counts = {name: simulation.state.total_spikes(name) for name in simulation.network.populations}
    counts |= {name: store.n_synapses() for name, store in simulation.state.stores.items()}
    total = simulation.sum_over_ranks(np.array(list(counts.values()), dtype=np.int64))
    return dict(zip(counts, total.tolist(), strict=True))
