"""The schedule as sequences of kernel launches, for devices that are handed kernels from outside (GPUs).

The host compiles the same schedule into one loop (kernels/step/advance_host.cpp). Here the launches between two
exchanges make one sequence, which a GPU replays as a captured graph. The sequence holds only the kernels that are due
in its steps, so equal sequences, and their graphs, come back again and again.
"""

from __future__ import annotations

import itertools
import operator
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from hpcsnn.codegen.constants import TIMED_EVERY, HaltReason, StepTimes
from hpcsnn.codegen.program import Program
from hpcsnn.codegen.schedule import EXCHANGE, PHASES, Phase, Stage
from hpcsnn.devices.base import KernelState
from hpcsnn.devices.measures import Measures, count_cycle, count_parts, is_parted
from hpcsnn.ranks.exchange.staged import Staged, staged

# Where nothing is exchanged, the host asks this often (in sequences) whether a kernel has halted.
_LOOKED_AT_EVERY = 8
# Of as many sequences as steps are timed in on the host, one is launched kernel by kernel, with a mark between phases;
# how long steps take is seen by another one.
_CYCLE_OF = TIMED_EVERY // 2


# A phase that ends, and when: a function to call after the device is done. None begins a sequence.
Mark = tuple[Phase | None, Callable[[], float]]
# When a sequence begins, when it ends, and its steps.
Cycle = tuple[Callable[[], float], Callable[[], float], int]


@dataclass(frozen=True)
class Sequence:
    """Stages to launch in order, the (step, stage) that follows, and whether spikes are to be exchanged before it.

    Behind a kernel that halts for a meeting there is nothing to launch: `meets`.
    """

    stages: tuple[Stage, ...]
    next_step: int
    next_stage: int
    exchange: bool
    meets: bool = False

    @property
    def n_steps(self) -> int:
        """How many steps end in it."""
        return sum(stage.kernel == "end_step" for stage in self.stages)


class Launching(ABC):
    """An executable that launches kernels; a device says how (`launch`, `replay`, `mark`, `send_struct`)."""

    defers = False
    # Where nothing is exchanged, sequences end at multiples of so many steps: each other end makes other sequences, and
    # each sequence is a graph.
    steps_a_sequence = 100

    def __init__(self, program: Program, state: KernelState) -> None:
        self._stages, self._state = program.stages, state
        self._every = {
            stage.trigger: int(operator.attrgetter(stage.trigger.every)(state.struct))
            for stage in program.stages
            if stage.trigger
        }
        self._repeats = {one.repeats: operator.attrgetter(one.repeats) for one in program.stages if one.repeats}
        self._items: dict[str, Callable[[], int]] = {stage.kernel: self._counter(stage) for stage in program.stages}
        self._staged: Staged | None = None
        if self._exchanges:
            assert state.exchange is not None
            self._staged = staged(state.communicator, state.exchange)
            self._received = state.device.zeros(self._staged.capacity, np.uint32)
            self._received_count = state.device.zeros(1, np.int32)
            state.struct.exchange.received = state.device.address(self._received)
            state.struct.exchange.received_count = state.device.address(self._received_count)
        self._times = StepTimes()
        self._advance_s = 0.0
        self._n_sequences = 0

    # -- what a device adds --------------------------------------------------------------------------------------------

    @abstractmethod
    def launch(self, kernel: str, items: int, team: bool) -> None:
        """Start one kernel over `items` items, with LANES threads per item if `team`."""

    @abstractmethod
    def replay(self, stages: tuple[Stage, ...]) -> None:
        """Start the kernels of all stages, side by side where they may be (`codegen.schedule.side_by_side`)."""

    @abstractmethod
    def mark(self) -> Callable[[], float]:
        """A moment in the order of launches; called after `wait`, it gives the moment's time in seconds."""

    @abstractmethod
    def wait(self) -> None:
        """Until all that was started is done."""

    @abstractmethod
    def send_struct(self) -> None:
        """Make the kernels see the struct as it stands on the host."""

    # -- the schedule --------------------------------------------------------------------------------------------------

    @property
    def _exchanges(self) -> bool:
        return any(stage.kernel == EXCHANGE for stage in self._stages)

    def _counter(self, stage: Stage) -> Callable[[], int]:
        if stage.items is None:
            return lambda: 1
        read = operator.attrgetter(stage.items)
        return lambda: int(read(self._state.struct))

    def items(self, stage: Stage) -> int:
        """Items that the stage's kernel loops over."""
        return self._items[stage.kernel]()

    def _due(self, stage: Stage, step: int) -> bool:
        if stage.trigger is None:
            return True
        return (step if stage.trigger.at_start else step + 1) % self._every[stage.trigger] == 0

    def _due_from(self, first_stage: int, step: int) -> Iterator[tuple[int, Stage]]:
        """The stages of a step from number `first_stage` on, with their numbers, as often as each is due."""
        due = [one for one in enumerate(self._stages) if one[0] >= first_stage and self._due(one[1], step)]
        for repeats, group in itertools.groupby(due, key=lambda one: one[1].repeats):
            yield from list(group) * (self._repeats[repeats](self._state.struct) if repeats else 1)

    def sequence(self, step: int, first_stage: int, until: int) -> Sequence:
        """What follows (step, first_stage), up to the next exchange or `until`."""
        stages: list[Stage] = []
        while True:
            for index, stage in self._due_from(first_stage, step):
                if stage.kernel == EXCHANGE:
                    return Sequence(tuple(stages), step, index + 1, True)
                stages.append(stage)
                if stage.meets:
                    return Sequence(tuple(stages), step, index + 1, False, meets=True)
            step, first_stage = step + 1, 0
            if step == until or (self._staged is None and step % self.steps_a_sequence == 0):
                return Sequence(tuple(stages), step, 0, False)

    def run(self, kernel: str, items: int) -> None:
        """Run one set-up kernel; see `hpcsnn.devices.base.Executable`."""
        self.send_struct()
        self.launch(kernel, items, team=False)
        self.wait()

    def later(self, kernel: str, items: int) -> Callable[[], None]:
        """Run one set-up kernel; see `hpcsnn.devices.base.Executable`."""
        self.run(kernel, items)
        return lambda: None

    def advance(self, until_step: int) -> int:
        """Run the schedule; see `hpcsnn.devices.base.Executable`.

        Kernels that follow a halt return at once, so that without exchange it is enough to ask now and then.
        """
        start = time.perf_counter()
        marks: list[Mark] = []
        cycles: list[Cycle] = []
        self.send_struct()
        step, stage = self._state.control("step"), self._state.control("stage")
        self._state.set_control("stage", 0)
        halted: int = HaltReason.RUNNING
        while step < until_step and halted == HaltReason.RUNNING:
            sequence = self.sequence(step, stage, until_step)
            step, stage = sequence.next_step, sequence.next_stage
            self._n_sequences += 1
            begins = self.mark() if self._n_sequences % TIMED_EVERY == _CYCLE_OF else None
            if self._n_sequences % TIMED_EVERY == 0:
                marks += self._launched_one_by_one(sequence.stages)
            elif sequence.stages:
                self.replay(sequence.stages)
            if sequence.exchange or sequence.meets or begins or self._n_sequences % _LOOKED_AT_EVERY == 0:
                halted = self._state.control("halt")
            if sequence.exchange and halted == HaltReason.RUNNING:
                self._exchange(is_parted(step))
            if begins and sequence.n_steps and halted in (HaltReason.RUNNING, HaltReason.MEETING):
                cycles.append((begins, self.mark(), sequence.n_steps))
        self.wait()
        self._take(marks)
        for before, after, n_steps in cycles:
            count_cycle(self._times, (after() - before()) / n_steps)
        if self._staged is not None:
            for name, counts in (("rounds", self._staged.n_rounds), ("sent", self._staged.sent)):
                self._state.arrays[f"exchange.{name}"][...] = self._state.device.upload(counts)
        self._advance_s += time.perf_counter() - start
        return self._state.control("halt")

    def exchange_seconds(self, n: int) -> float:
        """Of an exchange of nothing; see `hpcsnn.devices.base.Executable`."""
        assert self._staged is not None
        nothing, start = np.empty(0, np.uint32), time.perf_counter()
        counted = self._staged.n_rounds.copy(), self._staged.sent.copy()
        for _ in range(n):
            list(self._staged.rounds(nothing))
        spent_s = time.perf_counter() - start
        self._staged.n_rounds[...], self._staged.sent[...] = counted
        return spent_s / n

    def _exchange(self, parted: bool) -> None:
        assert self._staged is not None
        state, times = self._state, self._times
        start = time.perf_counter()
        if parted:
            state.communicator.barrier()
        together, accepting_s = time.perf_counter(), 0.0
        count = int(state.read("exchange.send_count")[0])
        messages = state.device.download(state.arrays["exchange.send"][:count])
        for received in self._staged.rounds(messages):
            arrived = time.perf_counter()
            self._received[: len(received)] = state.device.upload(received)
            self._received_count[...] = len(received)
            self.launch("accept_received", len(received), team=False)
            self.wait()
            accepting_s += time.perf_counter() - arrived
        state.arrays["exchange.send_count"][...] = 0
        end = time.perf_counter()
        times.exchange += end - start
        times.exchanges += 1
        if parted:
            count_parts(times, end - together - accepting_s, accepting_s)

    # -- time ----------------------------------------------------------------------------------------------------------

    def _launched_one_by_one(self, stages: tuple[Stage, ...]) -> list[Mark]:
        marks: list[Mark] = [(None, self.mark())]
        for phase, group in itertools.groupby(stages, key=lambda stage: stage.phase):
            for stage in group:
                self.launch(stage.kernel, self.items(stage), stage.team)
            marks.append((phase, self.mark()))
        return marks

    def _take(self, marks: list[Mark]) -> None:
        for (_, before), (phase, after) in itertools.pairwise(marks):
            if phase is not None:
                self._times.phases[PHASES.index(phase)] += after() - before()

    @property
    def measures(self) -> Measures:
        """Where the time in `advance` went, as in the sequences that were launched kernel by kernel; how long a step of
        others took, on average over those of a sequence, which are one step to count."""
        return Measures.of(self._times, self._advance_s)
