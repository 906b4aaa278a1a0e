"""Everything that one rank holds on its device, put together: populations, projections, the exchange of spikes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.codegen.constants import Control, HaltReason
from hpcsnn.devices.base import Device, Executable
from hpcsnn.engine.arrays import RankArrays
from hpcsnn.engine.initial_values import draw_initial, draw_parameters
from hpcsnn.engine.learning.arrays import bind_learning
from hpcsnn.engine.model_binding import bind_decays, bind_model, bind_places, bind_stimulation, words_of
from hpcsnn.engine.recording.recorder_arrays import bind_recorders, fit_recorders
from hpcsnn.engine.rewiring.arrays import bind_rewiring, fit_event_log
from hpcsnn.engine.synapse_store import SynapseStore
from hpcsnn.errors import SimulationError
from hpcsnn.network import Network, Population, Projection
from hpcsnn.network.exchange_fields import exchange_fields
from hpcsnn.network.fields import PopulationRoom, ProjectionRoom, population_fields, projection_fields
from hpcsnn.phases import doing
from hpcsnn.ranks.communicator import Communicator
from hpcsnn.ranks.exchange.mpi_calls import MpiCalls, words_of_mpi
from hpcsnn.ranks.exchange.neighbours import has_neighbours
from hpcsnn.ranks.exchange.plan import ExchangePlan, plan_exchange
from hpcsnn.ranks.partition import Placement

# Rate histograms have bins of this length.
BIN_MS = 100.0
# Spikes, or rewiring events, that a log has room for before the host must take them, beside those of one step at most.
LOG_ENTRIES = 1 << 18


def population_room(network: Network, population: Population, placement: Placement, log_entries: int) -> PopulationRoom:
    """How much a rank holds of a population at the start."""
    replicas = network.replicas
    logged = log_entries + placement.n_own * replicas if population.record_spikes else 0
    slots, n_tiles = network.ring_slots(population), len(placement.tile_base)
    return PopulationRoom(placement.n_own, placement.n_known, n_tiles, slots, logged, replicas=replicas)


class RankState(RankArrays):
    """The network struct of one rank, filled in, with every array that it points at.

    Args:
        network, placements: what is simulated and which part of it is here.
        device: where the arrays live.
        communicator: the ranks.
        exchange_block: spikes per rank and round of the exchange; None: chosen from the number of neurons.
        log_entries: spikes, or rewiring events, that a log has room for before the host takes them.
        exchange: how ranks swap spikes; see `hpcsnn.ranks.exchange.plan`.
    """

    def __init__(
        self,
        network: Network,
        placements: dict[str, Placement],
        device: Device,
        communicator: Communicator,
        exchange_block: int | None = None,
        log_entries: int = LOG_ENTRIES,
        exchange: str = "auto",
    ) -> None:
        super().__init__(network, placements, device, communicator)
        self.stores: dict[str, SynapseStore] = {}
        self.log_entries = log_entries
        self.bin_steps = max(1, round(BIN_MS / network.dt_ms))
        self._bind_control()
        first_id = first_own = 0
        for population in network.populations.values():
            self._bind_population(population, first_id, first_own)
            first_id += population.size
            first_own += placements[population.name].n_own
        for projection in network.projections.values():
            self._bind_projection(projection)
        bind_recorders(self, log_entries)
        self.exchange: ExchangePlan | None = None
        self._bind_exchange(exchange_block, exchange)
        if network.learning is not None:
            bind_learning(self)

    def start(self, executable: Executable) -> None:
        """Draw parameters and the initial state."""
        for index, population in enumerate(self.network.populations.values()):
            draw_parameters(self, executable, index, population)
            draw_initial(self, executable, index, population)

    def connect(self, executable: Executable) -> None:
        """Make the first wiring."""
        for name, store in self.stores.items():
            with doing(f"wiring {name}"):
                store.connect(executable)
            self._fit_logs(self.network.projections[name], store.capacity)

    def restore_rows(self, executable: Executable, projection: str, rows: Any) -> None:
        """Put stored synapses in place of those there are; see `SynapseStore.restore`."""
        store = self.stores[projection]
        store.restore(executable, rows)
        self._fit_logs(self.network.projections[projection], store.capacity)

    def make_room(self, reason: HaltReason) -> None:
        """Remove the cause of a halt for a full row or list, and the halt."""
        if reason in (HaltReason.ROWS_FULL, HaltReason.OUTGOING_FULL):
            projection = list(self.network.projections.values())[self.control("owner")]
            store = self.stores[projection.name]
            if reason == HaltReason.ROWS_FULL:
                store.grow_rows()
                self._fit_logs(projection, store.capacity)
            else:
                store.grow_lists()
        self.set_control("halt", HaltReason.RUNNING)

    def _fit_logs(self, projection: Projection, capacity: int) -> None:
        """Room for what is logged of a projection whose rows have places for so many synapses."""
        fit_event_log(self, projection, capacity, self.log_entries)
        fit_recorders(self, projection, capacity, self.log_entries)

    # -- counts and logs -----------------------------------------------------------------------------------------------

    def total_spikes(self, population: str) -> int:
        """Spikes of this rank's neurons so far."""
        return int(self.read(f"{population}.spikes_per_bin").sum())

    def reserve_bins(self, n_steps: int) -> None:
        """Make the rate histograms long enough for steps below `n_steps`."""
        needed = n_steps // self.bin_steps + 1
        for name in self.network.populations:
            old = self.read(f"{name}.spikes_per_bin")
            if len(old) < needed:
                new = np.zeros(needed, dtype=np.uint64)
                new[: len(old)] = old
                self.bind(self.population_part(name), name, "spikes_per_bin", self.device.upload(new))

    def take_spikes(self, population: str) -> NDArray[np.int32]:
        """Spikes logged since the last call, shape (n, 2): step and global id; the log is empty afterwards."""
        return self._take(f"{population}.log", 2)

    def take_events(self, projection: str) -> NDArray[np.int32]:
        """Rewiring logged since the last call, shape (n, 4): step, pre, post and what (0 formed, 1 + reason)."""
        return self._take(f"{projection}.event_log", 4)

    def _take(self, log: str, width: int) -> NDArray[np.int32]:
        count = self.arrays[f"{log}_count"]
        n = int(self.device.download(count)[0])
        count[...] = 0
        room = len(self.arrays[log]) // width
        if n > room:
            raise SimulationError(f"{log}: {n} entries in a log of {room}; this is a bug of hpcsnn")
        return self.device.download(self.arrays[log][: width * n]).reshape(n, width)

    def input_in_flight(self, projection: str) -> list[NDArray[Any]]:
        """Input on its way to this rank's neurons, for the next step, the one after it, ..: fixed point, shape (n,)."""
        ring = self.network.projections[projection].input_ring
        return [] if ring is None else ring.ahead(self.read(f"{projection}.input"), self.control("step"))

    # -- binding -------------------------------------------------------------------------------------------------------

    def _bind_control(self) -> None:
        seed = self.network.seed
        control = Control(bin_steps=self.bin_steps, seed0=seed & 0xFFFFFFFF, seed1=seed >> 32)
        words = np.frombuffer(bytes(control), dtype=np.int32)
        self.bind(self.struct, "", "control", self.device.upload(words))
        self.struct.dt_ms = self.network.dt_ms

    def _bind_population(self, population: Population, first_id: int, first_own: int) -> None:
        part, name = self.population_part(population.name), population.name
        placement, tiling = self.placements[name], self.placements[name].tiling
        room = population_room(self.network, population, placement, self.log_entries)
        part.n_own, part.n_known = placement.n_own, placement.n_known
        part.first_id, part.first_own = first_id, first_own
        part.n_simulated, part.slot_size = (n * room.replicas for n in (placement.n_own, placement.n_known))
        part.nx, part.ny = population.grid.nx, population.grid.ny
        part.tiles_x, part.tiles_y = tiling.tiles_x, tiling.tiles_y
        part.window_x, part.window_y = placement.window.x, placement.window.y
        part.window_width, part.window_height = placement.window.width, placement.window.height
        part.period_x, part.period_y = population.grid.periods
        part.tile_shift_x, part.tile_shift_y = tiling.shift_x, tiling.shift_y
        part.ring_mask, part.log_size = room.ring_slots - 1, room.log_entries
        for field in ("global_id", "known_id", "tile_base"):
            self.bind(part, name, field, self.device.upload(getattr(placement, field)))
        if population.spikes_of is not None:
            logged = np.isin(placement.global_id, population.spikes_of).astype(np.int32)
            self.bind(part, name, "logged", self.device.upload(logged))
        if population.group_size:
            members = np.argsort(placement.global_id, kind="stable").astype(np.int32)
            part.n_groups = len(members) // population.group_size
            self.bind(part, name, "group_member", self.device.upload(members))
        self.allocate(part, name, population_fields(population), room)
        bind_model(self, part, name, "model_", population.model, placement)
        for number, stimulation in enumerate(population.stimulations):
            bind_stimulation(self, part, name, number, stimulation, placement)
        if population.removed is not None:
            removed = np.isin(placement.known_id, population.removed).astype(np.int32)
            self.bind(part, name, "removed", self.device.upload(removed))

    def _bind_projection(self, projection: Projection) -> None:
        part, name = self.projection_part(projection.name), projection.name
        target, source = self.placements[projection.target.name], self.placements[projection.source.name]
        arriving = projection.input_format
        part.delay_steps = projection.delay_steps
        part.rows_grow = int(projection.rows_grow)
        part.input_scale, part.input_unit, part.input_limit = arriving.scale, 1.0 / arriving.scale, arriving.limit
        for variable in projection.synapse_variables:
            initial = projection.weight if variable.name == "weight" else variable.initial
            setattr(part, f"initial_{variable.name}", initial)
        if projection.delays is not None:
            thresholds = projection.delays.thresholds
            part.n_delay_threshold = len(thresholds)
            self.bind(part, name, "delay_threshold", self.device.upload(thresholds))
        if projection.input_ring is not None:
            part.input_mask = projection.input_ring.slots - 1
        if projection.dendritic_steps:
            part.dendritic_steps = projection.dendritic_steps
        bind_places(self, projection, target)
        room = ProjectionRoom(target.n_own, source.n_own, source.n_known, replicas=self.network.replicas)
        made = bind_rewiring(self, projection, room)
        self.allocate(part, name, projection_fields(projection), made)
        bind_decays(self, projection)
        for prefix, configured in projection.models.items():
            bind_model(self, part, name, prefix, configured, target, source, words_of(self.network, projection))
        self.stores[name] = SynapseStore(self, projection)

    def _bind_exchange(self, asked_block: int | None, way: str) -> None:
        part, ranks = self.struct.exchange, self.communicator
        if ranks.size == 1:
            return
        # Who stands in for ranks in one process swaps blocks of all, unless it is asked.
        with_neighbours = way == "neighbours" or (
            way == "auto" and ranks.mpi is not None and has_neighbours(self.network)
        )
        plan = plan_exchange(
            self.network, self.placements, ranks.rank, ranks.size, ranks.most, asked_block, with_neighbours
        )
        self.exchange = plan
        part.interval, part.lag, part.number_bits = plan.interval, plan.lag, plan.number_bits
        part.n_ranks, part.rank, part.block = ranks.size, ranks.rank, plan.room.block
        room = plan.room if ranks.mpi is None else replace(plan.room, **words_of_mpi())
        self.allocate(part, "exchange", exchange_fields(), room)
        if plan.neighbours is not None:
            part.by_neighbours, part.n_in, part.n_out = 1, plan.room.n_in, plan.room.n_out
        for name, values in plan.tables().items():
            self.bind(part, "exchange", name, self.device.upload(values))
        if ranks.mpi is not None and self.device.calls_mpi:
            arrays = {name: self.arrays[f"exchange.{name}"] for name in ("boxes", "requests")}
            self._mpi_calls = MpiCalls(part, ranks.mpi, plan, arrays)
            for name, values in self._mpi_calls.boxes.items():
                self.bind(part, "exchange", name, self.device.upload(values))
