"""The schedule as sequences of kernel launches, for devices that are handed kernels from outside (GPUs).

The host compiles the same schedule into one loop (kernels/step/advance_host.cpp). Here the launches between two stages
of the exchange make one sequence, which a GPU replays as a captured graph. The sequence holds only the kernels that are
due in its steps, so equal sequences, and their graphs, come back again and again. Between sending and accepting the
host launches what there is to do meanwhile, and then swaps spikes with other ranks while the device is at it.
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
from hpcsnn.codegen.schedule import ACCEPT, EXCHANGE, PHASES, SEND, Phase, Stage
from hpcsnn.devices.base import KernelState
from hpcsnn.devices.measures import Measures, count_cycle, count_parts, is_parted
from hpcsnn.ranks.exchange.staged import Messages, Staged, staged

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
    """Stages to launch in order, the (step, stage) that follows, and the stage of the exchange before it, if any.

    Behind a kernel that halts for a meeting there is nothing to launch: `meets`.
    """

    stages: tuple[Stage, ...]
    next_step: int
    next_stage: int
    exchange: str = ""
    meets: bool = False

    @property
    def n_steps(self) -> int:
        """How many steps end in it."""
        return sum(stage.kernel == "end_step" for stage in self.stages)


@dataclass(frozen=True)
class Sent:
    """Spikes that are under way, whether their exchange is told apart into parts, and what sending has taken."""

    messages: Messages
    parted: bool
    seconds: float


class Launching(ABC):
    """An executable that launches kernels; a device says how (`launch`, `replay`, `mark`, `send_struct`)."""

    defers = False
    # Where nothing is exchanged, sequences end at multiples of so many steps: each other end makes other sequences, and
    # each sequence is a graph.
    steps_a_sequence = 100

    def __init__(self, program: Program, state: KernelState) -> None:
        self._stages, self._state = program.stages, state
        self._every = {stage.trigger: self._number(stage.trigger.every) for stage in self._stages if stage.trigger}
        self._behind = {trigger: self._number(trigger.behind) for trigger in self._every if trigger.behind}
        self._repeats = {one.repeats: operator.attrgetter(one.repeats) for one in program.stages if one.repeats}
        self._items: dict[str, Callable[[], int]] = {stage.kernel: self._counter(stage) for stage in program.stages}
        self._staged: Staged | None = None
        self._under_way: Sent | None = None
        if any(stage.kernel in EXCHANGE for stage in self._stages):
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

    def _number(self, path: str) -> int:
        return int(operator.attrgetter(path)(self._state.struct))

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
        first = self._behind.get(stage.trigger, 0) if stage.trigger.at_start else -1
        return (step - first) % self._every[stage.trigger] == 0

    def _due_from(self, first_stage: int, step: int) -> Iterator[tuple[int, Stage]]:
        """The stages of a step from number `first_stage` on, with their numbers, as often as each is due."""
        numbered = enumerate(self._stages[first_stage:], first_stage)
        due = (one for one in numbered if self._due(one[1], step))
        for repeats, group in itertools.groupby(due, key=lambda one: one[1].repeats):
            if repeats:
                group = iter(list(group) * self._repeats[repeats](self._state.struct))
            yield from group

    def sequence(self, step: int, first_stage: int, until: int) -> Sequence:
        """What follows (step, first_stage), up to the next stage of an exchange or `until`."""
        stages: list[Stage] = []
        while True:
            for index, stage in self._due_from(first_stage, step):
                if stage.kernel in EXCHANGE:
                    return Sequence(tuple(stages), step, index + 1, stage.kernel)
                stages.append(stage)
                if stage.meets:
                    return Sequence(tuple(stages), step, index + 1, meets=True)
            step, first_stage = step + 1, 0
            if step == until or (self._staged is None and step % self.steps_a_sequence == 0):
                return Sequence(tuple(stages), step, 0)

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
            looks = self._staged is None and self._n_sequences % _LOOKED_AT_EVERY == 0
            if sequence.exchange == SEND or sequence.meets or begins or looks:
                halted = self._state.control("halt")
            if sequence.exchange == SEND and halted == HaltReason.RUNNING:
                self._send(step)
            elif sequence.exchange == ACCEPT:
                self._accept()
            if begins and sequence.n_steps and halted in (HaltReason.RUNNING, HaltReason.MEETING):
                cycles.append((begins, self.mark(), sequence.n_steps))
        self._accept()  # whoever looks at the state finds nothing under way
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

    def _send(self, step: int) -> None:
        """Take what is to be sent from the device, which may go on then. Where the parts of an exchange are told apart,
        no rank begins it before all are here."""
        state, parted, start = self._state, is_parted(step), time.perf_counter()
        if parted:
            state.communicator.barrier()
        together = time.perf_counter()
        count = int(state.read("exchange.send_count")[0])
        messages = state.device.download(state.arrays["exchange.send"][:count])
        state.arrays["exchange.send_count"][...] = 0
        state.arrays["exchange.under_way"][...] = step + 1
        end = time.perf_counter()
        self._under_way = Sent(messages, parted, end - together)
        self._times.exchange += end - start
        self._times.exchanges += 1

    def _accept(self) -> None:
        """Swap what has been sent, whatever has halted since, and let the device take what has come.

        It takes as long as the device has nothing else to do; where parts are told apart, that is from the beginning.
        """
        sent, state = self._under_way, self._state
        if sent is None:
            return
        assert self._staged is not None
        if sent.parted:
            self.wait()
        reached, start, accepting_s = self.mark(), time.perf_counter(), 0.0
        for received in self._staged.rounds(sent.messages):
            arrived = time.perf_counter()
            self._received[: len(received)] = state.device.upload(received)
            self._received_count[...] = len(received)
            self.launch("accept_received", len(received), team=False)
            if sent.parted:
                self.wait()
            accepting_s += time.perf_counter() - arrived
        if sent.parted:
            count_parts(self._times, sent.seconds + time.perf_counter() - start - accepting_s, accepting_s)
        accepted = self.mark()
        self.wait()
        state.arrays["exchange.under_way"][...] = 0
        self._times.exchange += accepted() - reached()
        self._under_way = None

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
