"""Samples in windows of steps, so that what gradients need of each step is kept of one window at a time.

A sample is simulated to its end, and the state at each window's beginning set aside. Then the windows follow from the
last to the first: the state is put back, the window's steps are simulated once more while they are recorded, and
gradients go back through them, from where the window behind has left off. It is the gradient of the whole sample, to
the bit, for about one more simulation of it.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable

from hpcsnn.codegen.constants import GPU_LANES
from hpcsnn.codegen.learning.schedule import window_stages
from hpcsnn.codegen.schedule import Stage
from hpcsnn.engine.simulation import Simulation


class Windows:
    """The windows of the samples that a simulation learns from."""

    def __init__(self, simulation: Simulation) -> None:
        learning = simulation.network.learning
        assert learning is not None and learning.window_steps is not None
        self._simulation, self._part = simulation, simulation.state.struct.learning
        self._sample_steps, self._window_steps = learning.sample_steps, learning.window_steps
        self._stages = window_stages(simulation.network)

    def evaluate(self, rounds: int) -> None:
        """Simulate so many samples of each replica, and record nothing."""
        self._part.records = self._part.replays = 0
        self._simulate(0, rounds * self._sample_steps)

    def learn(self, rounds: int) -> None:
        """Simulate so many samples of each replica, and add up their gradients."""
        try:
            for number in range(rounds):
                self._learn(number * self._sample_steps)
        finally:
            self._part.records = self._part.replays = 0

    def _learn(self, first: int) -> None:
        """The samples that begin in step `first` of the simulation."""
        end = first + self._sample_steps
        *begins, last = range(first, end, self._window_steps)
        self._part.records = self._part.replays = 0
        for number, begin in enumerate([*begins[1:], last]):
            self._simulate(begin - self._window_steps, begin)
            self._at_state(number, self._stages.set_aside)
        # The last window is recorded at once. Its state is of no more use: what the sample ends with takes its place.
        self._part.records = 1
        self._simulate(last, end)
        self._go_back(end)
        at_end = len(begins) - 1
        self._at_state(at_end, self._stages.set_aside)
        self._part.replays = 1
        for number, begin in reversed(list(enumerate(begins, -1))):
            if begin > first:  # else it begins as the sample does
                self._at_state(number, self._stages.put_back)
            self._simulate(begin, begin + self._window_steps)
            self._go_back(begin + self._window_steps)
        self._at_state(at_end, self._stages.put_back)
        self._simulation.state.set_control("step", end)

    def _simulate(self, begin: int, end: int) -> None:
        self._simulation.state.set_control("step", begin)
        self._simulation.run((end - begin) * self._simulation.network.dt_ms, progress=False)

    def _at_state(self, number: int, stages: Iterable[Stage]) -> None:
        self._part.aside = number
        self._run(stages)

    def _go_back(self, end: int) -> None:
        """Add up the gradients of the window that ends before step `end`."""
        self._simulation.state.set_control("step", end - 1)
        self._run(self._stages.gradients)

    def _run(self, stages: Iterable[Stage]) -> None:
        for stage in stages:
            assert stage.items is not None
            n_items = operator.attrgetter(stage.items)(self._simulation.state.struct)
            self._simulation.executable.run(stage.kernel, n_items * (GPU_LANES if stage.team else 1))
            self._simulation.mend()
