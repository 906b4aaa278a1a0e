"""What one rank measures of itself: how long it was made, where the time of its steps went, what it sent."""

from __future__ import annotations

import platform
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hpcsnn.codegen.constants import CYCLE_EDGES_US, ExchangePart, Sent
from hpcsnn.devices.measures import Measures

if TYPE_CHECKING:
    from hpcsnn.engine.simulation import Simulation

# What making a simulation takes: tiles and who knows whom; memory, parameters, the initial state and all else; the
# device and kernels for it; the first wiring.
CONSTRUCTION = ("place", "create", "compile", "connect")


class Timing:
    """Of a simulation, and of those whose place it took.

    Attributes:
        construction_s: wall seconds of each part of `CONSTRUCTION`, until the first step could begin.
        waited_s: wall seconds in which this rank waited for others between pieces of a run.
        measures: of executables that are gone.
        sent: of states that are gone: by `Sent`, and behind these rounds of exchange; shape (4,).
    """

    def __init__(self) -> None:
        self.construction_s = dict.fromkeys(CONSTRUCTION, 0.0)
        self._started, self.waited_s = False, 0.0
        self.measures = Measures()
        self.sent = np.zeros(len(Sent) + 1, np.int64)

    @contextmanager
    def making(self, part: str) -> Iterator[None]:
        """Count the time of the context for a part of `CONSTRUCTION`, before the simulation has `started`."""
        start = time.perf_counter()
        yield
        if not self._started:
            self.construction_s[part] += time.perf_counter() - start

    def started(self, after_s: float) -> None:
        """Now the first step could begin, so long after it was asked for."""
        self._started = True
        self.construction_s["create"] += after_s - sum(self.construction_s.values())

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count the time of the context as waiting for other ranks."""
        start = time.perf_counter()
        yield
        self.waited_s += time.perf_counter() - start

    def keep(self, simulation: Simulation) -> None:
        """Count what a simulation's executable and state have, for these go."""
        self.measures += simulation.executable.measures
        self.sent += _sent(simulation)

    def add(self, other: Timing) -> None:
        """Count all of another one, too."""
        for part, seconds in other.construction_s.items():
            self.construction_s[part] += seconds
        self.waited_s += other.waited_s
        self.measures += other.measures
        self.sent += other.sent

    def phase_seconds(self, simulation: Simulation) -> dict[str, float]:
        """Wall seconds in each phase of the steps, and until the first one could begin."""
        phases_s = (self.measures + simulation.executable.measures).phases_s
        return {
            **{str(phase): seconds for phase, seconds in phases_s.items()},
            "start_up": sum(self.construction_s.values()),
        }

    def measured(self, simulation: Simulation) -> dict[str, Any]:
        """What `Simulation.measured` gives."""
        measures, sent = self.measures + simulation.executable.measures, self.sent + _sent(simulation)
        phases_s = {str(phase): seconds for phase, seconds in measures.phases_s.items() if phase != "exchange"}
        phases_s |= {f"exchange_{part.name.lower()}": measures.parts_s[part] for part in ExchangePart}
        phases_s["exchange_wait"] += self.waited_s
        placements, stores = simulation.placements.values(), simulation.state.stores
        return {
            "rank": simulation.rank,
            "host": platform.node(),
            "device": simulation.device.name,
            "neurons": sum(one.n_own for one in placements),
            "known_sources": sum(one.n_known - one.n_own for one in placements),
            "synapses": sum(int(simulation.state.read(f"{name}.in_degree").sum()) for name in stores),
            "construction_s": dict(self.construction_s),
            **propagated(phases_s, simulation.advance_s),
            "cycle_us": {"edges": list(CYCLE_EDGES_US), "counts": measures.cycles.tolist()},
            "sent": {one.name.lower(): int(sent[one]) for one in Sent},
            "exchange_rounds": int(sent[-1]),
            "memory_bytes": peak_bytes(),
        }


def propagated(phases_s: dict[str, float], propagation_s: float) -> dict[str, Any]:
    """``propagation_s`` and ``phases_s``, in which what is in no phase of the steps is the host's."""
    in_steps = sum(seconds for phase, seconds in phases_s.items() if phase != "host")
    return {"propagation_s": propagation_s, "phases_s": phases_s | {"host": max(0.0, propagation_s - in_steps)}}


def _sent(simulation: Simulation) -> Any:
    if simulation.n_ranks == 1:
        return np.zeros(len(Sent) + 1, np.int64)
    return np.concatenate([simulation.state.read(f"exchange.{name}") for name in ("sent", "rounds")])


def peak_bytes() -> int:
    """The most memory that this process has had resident, in bytes, since its program began."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
