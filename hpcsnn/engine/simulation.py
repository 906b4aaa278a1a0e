"""A network that runs: placed on ranks, compiled for a device, advanced in model time, read as NumPy arrays."""

from __future__ import annotations

import math
import operator
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.brief import Brief, BriefRows
from hpcsnn.checked_numbers import LAST_STEP, Limits, real_number, shown_time, truth_value, whole_number, whole_steps
from hpcsnn.codegen.constants import HaltReason
from hpcsnn.codegen.program import generate
from hpcsnn.devices import choose_device
from hpcsnn.devices.base import Device
from hpcsnn.engine.faults import fault
from hpcsnn.engine.recording.recorded import Recorded, Taken
from hpcsnn.engine.recording.rows import Average, Rows, SynapseValues
from hpcsnn.engine.rewiring.host_stages import HostStages
from hpcsnn.engine.state import LOG_ENTRIES, RankState
from hpcsnn.engine.timing import Timing
from hpcsnn.errors import ConfigurationError, SimulationError, check_known, shown
from hpcsnn.network import Network
from hpcsnn.network.neuron_arrays import column_of, neuron_arrays
from hpcsnn.ranks.exchange.plan import check_way
from hpcsnn.ranks.interrupts import Interrupts
from hpcsnn.ranks.partition import DEFAULT_TILE, check_tile_side, place_network
from hpcsnn.ranks.world import on_every_rank, ranks_of
from hpcsnn.run_bar import RunBar

# A run is cut into pieces of about this length, between which it looks whether it was interrupted.
_LOOKED_EVERY_S = 0.1
# Steps before the first look, when nothing is known yet of how long a step takes: little even in the largest network,
# and soon many more in a small one.
_FIRST_LOOK_STEPS = 10


class Simulation(Brief):
    """What `hpcsnn.Simulation` is of, with the same arguments and attributes: a network that runs."""

    def __init__(
        self,
        network: Network,
        comm: Any = None,
        device: str | Device = "auto",
        tile: int = DEFAULT_TILE,
        exchange_block: int | None = None,
        log_entries: int = LOG_ENTRIES,
        exchange: str = "auto",
    ) -> None:
        start = time.perf_counter()
        if not isinstance(network, Network):
            raise ConfigurationError(f"network: {shown(network)} is not allowed; must be a Network")
        self.halts: Counter[HaltReason] = Counter()
        network = network.copy()  # what is added to the user's from now on is not simulated
        tile = check_tile_side(tile)
        if exchange_block is not None:
            exchange_block = whole_number("exchange_block", exchange_block, Limits(minimum=1))
        log_entries = whole_number("log_entries", log_entries, Limits(minimum=0, maximum=2**28))
        exchange = check_way(network, exchange)
        ranks = ranks_of(comm)
        self.network, self.communicator = network, ranks
        self.rank, self.n_ranks = ranks.rank, ranks.size
        self.tile = tile
        if not network.populations:
            raise ConfigurationError("populations: the network has none")
        self._timing, self.advance_s = Timing(), 0.0
        with self._timing.making("place"):
            self.placements = on_every_rank(ranks, lambda: place_network(network, tile, ranks.rank, ranks.size))
        with self._timing.making("compile"):
            self.device = choose_device(device, ranks)
        self._room = exchange_block, log_entries, exchange
        self._begin()
        self.startup_s = time.perf_counter() - start
        self._timing.started(self.startup_s)

    def _begin(self) -> None:
        """Make the state that the network begins with; a collective call."""
        network, making = self.network, self._timing.making
        try:
            self.state = RankState(network, self.placements, self.device, self.communicator, *self._room)
            with making("compile"):
                self.program = generate(network, self.n_ranks)
                self.executable = self.device.load(self.program, self.state)
                self.executable.run("check_values", 1)
                self.mend()
            self.state.start(self.executable)
            with making("connect"):
                self.state.connect(self.executable)
        except MemoryError as error:
            raise SimulationError(f"rank {self.rank}: the network does not fit into memory: {error}") from None
        self._host_stages = HostStages(self.state, self.executable)
        self._rewired_at: dict[str, int] = {}
        self._recorded = Recorded(network, self.state)
        self._steps_a_look = max(_FIRST_LOOK_STEPS, self.executable.steps_a_sequence)

    def _headline(self) -> str:
        where = f"rank {self.rank} of {self.n_ranks} on {self.device.name}"
        return f"Simulation at {shown_time(self.time_ms)} ms (step {self.step:,}), {where}"

    def _rows(self) -> BriefRows:
        return self.network._rows()

    def __reduce__(self) -> Any:
        raise TypeError(
            "a Simulation cannot be pickled: it holds a device's memory; pickle its network and make one from it, or "
            "read what is needed (neurons, synapses, spikes) and pickle that"
        )

    @property
    def step(self) -> int:
        """Steps done."""
        return self.state.control("step")

    @property
    def time_ms(self) -> float:
        """Model time in ms."""
        return self.step * self.network.dt_ms

    def run(
        self,
        duration_ms: float,
        observe: Callable[[Simulation], bool | None] | None = None,
        observe_every_s: float = 0.25,
        progress: bool = True,
        observe_every_ms: float | None = None,
    ) -> None:
        """Advance model time.

        Args:
            duration_ms: how far, a whole number of steps.
            observe: called about every `observe_every_s` of wall time, on all ranks at the same step; the run stops
                there if it returns True (the same on all ranks).
            progress: show a bar of what takes longer than two seconds, on a terminal or in a notebook.
            observe_every_ms: call `observe` in model time and not in wall time: exactly where model time is a multiple
                of this, a whole number of steps. A run then stops at the same step whenever it is run.

        Raises:
            ConfigurationError: a time that is no whole number of steps, or that ends beyond step 2^31 - 1.
            SimulationError: a variable of a neuron or synapse is not finite, a weight has outgrown its bound, or an
                exchange failed, or memory has run out.
            KeyboardInterrupt: Ctrl-C on any rank, where SIGINT has Python's own handler; on all ranks, after the same
                step, at most some tenths of a second later. The simulation is whole and can go on.
        """
        start = time.perf_counter()
        if observe is not None and not callable(observe):
            raise ConfigurationError(f"observe: {shown(observe)} is not allowed; must be a function of the simulation")
        # Whoever runs up to a time gives a difference of times, which lacks the last digits of both.
        n_steps = whole_steps("duration_ms", duration_ms, self.network.dt_ms, after_ms=self.time_ms)
        observe_every_s = real_number("observe_every_s", observe_every_s, Limits("s", minimum=0.0, in_kernels=False))
        every = None
        if observe_every_ms is not None:
            every = whole_steps("observe_every_ms", observe_every_ms, self.network.dt_ms, least=1)
            if observe is None:
                raise ConfigurationError("observe_every_ms: not allowed without observe, which it is for")
        progress = truth_value("progress", progress)
        end = self.step + n_steps
        if end > LAST_STEP:
            left_ms = shown_time((LAST_STEP - self.step) * self.network.dt_ms)
            raise ConfigurationError(
                f"duration_ms: {shown(duration_ms)} is not allowed; from step {self.step} on it ends at step {end}, "
                f"and steps are counted up to 2^31 - 1: must be <= {left_ms}"
            )
        self.state.reserve_bins(end + 1)
        try:
            bar = RunBar(self.step, end, self.network.dt_ms, progress and self.rank == 0)
            with Interrupts() as interrupts, bar:
                self._run_to(end, interrupts, observe, observe_every_s, every, bar)
        except MemoryError as error:
            held = self.state.n_bytes() / 2**30
            raise SimulationError(
                f"rank {self.rank}: no memory in step {self.step} ({self.time_ms:g} ms), beside {held:.3g} GiB "
                f"that the network takes: {error}"
            ) from None
        finally:
            self.advance_s += time.perf_counter() - start

    def _run_to(
        self,
        end: int,
        interrupts: Interrupts,
        observe: Callable[[Simulation], bool | None] | None,
        observe_every_s: float,
        every: int | None,
        bar: RunBar,
    ) -> None:
        look_s = _LOOKED_EVERY_S if observe is None else min(_LOOKED_EVERY_S, observe_every_s)
        visited = -math.inf
        while (step := self.step) < end:
            with self._timing.waiting():  # for whoever takes longer to observe
                self.communicator.barrier()
            looked, chunk = time.perf_counter(), self._steps_a_look
            until = min(end, *((step // one + 1) * one for one in (chunk, every) if one is not None))
            self._advance_to(until)
            bar.at(until)
            now = time.perf_counter()
            due = until == end or now - visited >= observe_every_s - look_s / 2 if every is None else until % every == 0
            round_number = _round_number(min(look_s * (until - step) / (now - looked), 4 * chunk))
            next_chunk = max(round_number, self.executable.steps_a_sequence)
            # All ranks look at the same steps and do the same there: the first one says what, but for interrupts.
            with self._timing.waiting():
                due, self._steps_a_look = self.communicator.broadcast((due, next_chunk))
                interrupted = self.communicator.most(int(interrupts.came))
            if interrupted:
                raise KeyboardInterrupt
            if observe is not None and due:
                visited = now
                if observe(self):
                    break

    def _advance_to(self, until: int) -> None:
        while self.step < until:
            reason = self.executable.advance(until)
            self._recorded.take_logs()
            if reason:
                self._mend(HaltReason(reason))

    def rewire(self, *projections: str) -> None:
        """An update of each projection's rule, whose ``trigger`` is ``"call"``, between two steps; a collective call.

        Those with ``replace="projections"`` share a budget: what went from any comes back anywhere in them.

        Raises:
            ConfigurationError: no such projection, or the second call in one step: it would draw the same numbers.
        """
        for projection in projections:
            self._update_on_call(projection)
        self._host_stages.share_budget(projections)
        self._recorded.take_logs()

    def _update_on_call(self, projection: str) -> None:
        check_known("projections with a rule on call", projection, self.program.on_call)
        if self._rewired_at.get(projection) == self.step:
            raise ConfigurationError(f"projections.{projection}: rewired in step {self.step} already; advance first")
        self._rewired_at[projection] = self.step
        for stage in self.program.on_call[projection]:
            items = int(operator.attrgetter(stage.items)(self.state.struct)) if stage.items else 1
            self.executable.run(stage.kernel, items)
            while reason := self.state.control("halt"):
                self._mend(HaltReason(reason))
                if reason != HaltReason.MEETING:
                    self.executable.run(stage.kernel, items)
        self.state.set_control("stage", 0)

    def mend(self) -> None:
        """Remove the cause for which a kernel that ran by itself has halted, or raise."""
        if reason := self.state.control("halt"):
            self._mend(HaltReason(reason))

    def _mend(self, reason: HaltReason) -> None:
        """Remove the cause of a halt, or raise; logs have been taken already."""
        self.halts[reason] += 1
        if (error := fault(self, reason)) is not None:
            raise error
        if reason == HaltReason.MEETING:
            self._host_stages.attend()
        else:
            self.state.make_room(reason)

    def _state_arrays(self, population: str) -> dict[str, NDArray[Any]]:
        """The variables of this rank's neurons that the digest counts, in local order, by column."""
        n_own = self.placements[population].n_own
        columns = {}
        for array in neuron_arrays(self.network, self.network.populations[population]):
            column = column_of(array.path)
            if column is not None:
                columns[column] = self.state.read(array.name)[:n_own]
        return columns

    # -- reading -------------------------------------------------------------------------------------------------------

    def neurons(self, population: str) -> dict[str, NDArray[Any]]:
        """This rank's neurons: ``id`` (global, ascending), state variables, receptors' as ``projection.variable``, and
        those of rules as ``projection.source.variable`` or ``projection.target.variable``.

        Raises:
            ConfigurationError: no population of this name.
        """
        check_known("population", population, self.network.populations)
        ids = self.placements[population].global_id
        order = np.argsort(ids, kind="stable")
        return {"id": ids[order], **{name: array[order] for name, array in self._state_arrays(population).items()}}

    def synapses(self, projection: str) -> dict[str, NDArray[Any]]:
        """This rank's synapses: ``pre`` and ``post`` (global ids), ``weight`` and other variables, by post, then pre.

        Where delays differ, ``delay_steps`` (int32) too: from the spike to the arrival of what it brings, but for the
        projection's dendritic delay.

        Raises:
            ConfigurationError: no projection of this name.
        """
        check_known("projection", projection, self.network.projections)
        declared = self.network.projections[projection]
        ids = self.placements[declared.target.name].global_id
        order = np.argsort(ids, kind="stable")
        rows = self.state.stores[projection].packed(self.executable, order)
        variables = {name: column for name, column in rows.columns.items() if name != "source"}
        return {"pre": rows.columns["source"], "post": np.repeat(ids[order], rows.in_degree), **variables}

    def spikes(self, population: str) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Steps and global ids of the spikes of this rank's neurons, or of those that `record` asks for, by step, id.

        Raises:
            ConfigurationError: the population does not record its spikes.
        """
        return self._recorded.spikes(population)

    def events(self, projection: str) -> NDArray[np.int32]:
        """Formations and eliminations onto this rank's neurons, shape (n, 4), by step, post, pre.

        Columns: step in which it happened, pre and post (global ids), and what: 0 formed, 1 + n eliminated for the n-th
        of the rule's ``reasons``.

        Raises:
            ConfigurationError: the projection does not record its events.
        """
        return self._recorded.events(projection)

    def recorded(self, population: str, variable: str) -> Rows:
        """What was recorded of a variable of this rank's neurons: ``steps`` done, ``ids``, and ``values`` (step, id).

        Raises:
            ConfigurationError: the population does not record it.
        """
        return self._recorded.rows(population, variable)

    def recorded_average(self, population: str, variable: str) -> Average:
        """What was recorded of a variable on average over neurons of all ranks: ``steps`` done, ``mean``, ``min`` and
        ``max``; a collective call.

        Raises:
            ConfigurationError: the population does not record its average.
        """
        return self._recorded.average(population, variable)

    def recorded_synapses(self, projection: str, variable: str) -> SynapseValues:
        """What was recorded of a variable of synapses onto this rank's neurons: ``steps`` done, ``pre``, ``post`` and
        ``values``, an entry a synapse and time, by step, post, pre.

        Raises:
            ConfigurationError: the projection does not record it.
        """
        return self._recorded.synapses(projection, variable)

    @property
    def recorded_bytes(self) -> int:
        """Of variables that were recorded on this rank and not taken."""
        return self._recorded.n_bytes

    def take_recorded(self) -> Taken:
        """What `spikes` (as rows of step and id), `events` and `recorded`, .. hold; they are empty afterwards.

        Spikes, events and synapses come by step, in no order within it: sorting takes longer than writing. A collective
        call where averages are recorded, which come on the first rank.
        """
        return self._recorded.take()

    def rates_hz(self, population: str) -> NDArray[np.float64]:
        """Mean rate of the whole population in each full 100 ms of model time, over all ranks.

        Raises:
            ConfigurationError: no population of this name.
        """
        check_known("population", population, self.network.populations)
        counts = self.state.read(f"{population}.spikes_per_bin")[: self.step // self.state.bin_steps].astype(np.float64)
        counts = self.sum_over_ranks(counts)
        seconds = self.state.bin_steps * self.network.dt_ms * 1e-3
        return counts / (self.network.populations[population].size * seconds)

    def sum_over_ranks(self, values: NDArray[Any]) -> NDArray[Any]:
        """Sum of an array over all ranks, on all ranks."""
        return self.communicator.total(values)

    @property
    def phase_seconds(self) -> dict[str, float]:
        """Wall seconds of this rank in each phase of the steps, and ``start_up``."""
        return self._timing.phase_seconds(self)

    def measured(self) -> dict[str, Any]:
        """What this rank has measured of itself, an entry of ``per_rank`` in ``summary.json``; no collective call."""
        return self._timing.measured(self)

    def count_on_from(self, before: Simulation) -> None:
        """Let what a simulation has measured and counted that is over, and whose place this one takes, be its own."""
        self._timing.add(before._timing)
        self._timing.keep(before)
        self.advance_s += before.advance_s
        self.halts.update(before.halts)


def _round_number(at_most: float) -> int:
    """The largest of 1, 2, 5, 10, 20, 50, .. that is no more than this; at least 1."""
    power = 10 ** int(math.log10(max(at_most, 1.0)))
    return power * max(first for first in (1, 2, 5) if first == 1 or first * power <= at_most)
