"""What a run shows while it goes: a live line in a terminal, plain lines elsewhere, from rank 0."""

from __future__ import annotations

import time
from types import TracebackType

import numpy as np
from rich.console import Console
from rich.live import Live
from rich.text import Text

from hpcsnn.simulation import Simulation

# Plain lines come this far apart: a log file should not drown in them.
_PLAIN_EVERY_S = 5.0


class Progress:
    """A context in which `update` shows where a simulation is; every rank calls it, rank 0 shows.

    Args:
        end_ms: model time at which the run ends.
    """

    def __init__(self, console: Console, end_ms: float, quiet: bool = False) -> None:
        self._console, self._end_ms, self._quiet = console, end_ms, quiet
        self._live: Live | None = None
        self._started = self._last_line = time.perf_counter()
        self._before: tuple[float, dict[str, int]] | None = None

    def __enter__(self) -> Progress:
        if self._console.is_terminal and not self._quiet:
            self._live = Live(console=self._console, refresh_per_second=8, transient=True)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def update(self, simulation: Simulation) -> None:
        """Show the state; a collective call."""
        counts = _totals(simulation)
        if simulation.rank != 0 or self._quiet:
            return
        line = self._line(simulation, counts)
        if self._live is not None:
            self._live.update(Text(line))
        elif time.perf_counter() - self._last_line >= _PLAIN_EVERY_S:
            self._last_line = time.perf_counter()
            self._console.print(line, highlight=False, soft_wrap=True)

    def _line(self, simulation: Simulation, counts: dict[str, int]) -> str:
        now, wall = simulation.time_ms, time.perf_counter() - self._started
        before_ms, before = self._before or (0.0, dict.fromkeys(counts, 0))
        self._before = now, counts
        rates = [
            f"{name} {(counts[name] - before[name]) / population.size / max(now - before_ms, 1e-9) * 1e3:.1f}"
            for name, population in simulation.network.populations.items()
        ]
        synapses = sum(counts[name] for name in simulation.network.projections)
        speed = now * 1e-3 / wall
        left = (self._end_ms - now) * 1e-3 / max(speed, 1e-9)
        return (
            f"{now * 1e-3:.2f} of {self._end_ms * 1e-3:g} s  {speed:.3g} x real time  {clock(left)} left  "
            f"{synapses:,} synapses  {', '.join(rates)} Hz"
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
