"""Everything that one rank holds on its device: the network struct and the arrays behind it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.codegen.structs import NUMPY, Control, DecayTable, network_struct
from hpcsnn.devices.base import OUTGOING_FULL, ROWS_FULL, RUNNING, Device, Executable
from hpcsnn.engine.initial_values import draw_initial, draw_parameters
from hpcsnn.engine.neuron_parameters import ValuesForTables
from hpcsnn.engine.rewiring.arrays import bind_rewiring, fit_event_log, spikes_back
from hpcsnn.engine.synapse_store import SynapseStore
from hpcsnn.errors import SimulationError
from hpcsnn.models.base import Configured, PlacementContext
from hpcsnn.network import Network, Population, Projection
from hpcsnn.network.attached import post_traces, pre_traces, synapse_variables
from hpcsnn.ranks.partition import Placement
from hpcsnn.ranks.spike_exchange import bind_allgather, block_size

# Rate histograms have bins of this length.
BIN_MS = 100.0
# Spikes, or rewiring events, that a log has room for before the host must take them, beside those of one step at most.
_LOG_ENTRIES = 1 << 18
_CONTROL = {name: index for index, (name, *_) in enumerate(Control._fields_)}
TRACE = np.dtype([("value", np.float32), ("last", np.int32)])
# "Long ago" for a trace that has seen no spike; far from overflow when subtracted from a step.
_LONG_AGO = -(2**30)
_NEVER = 2**31 - 1
# Arrays read in groups end in this much padding.
PADDING = 64


def reach_back(network: Network, population: Population) -> int:
    """Steps whose spikes may still be needed: the longest delay out of the population, or what a rule looks back on.

    Of delays that differ within a projection, the smallest counts: after it, input is in flight and not the spike.
    """
    outgoing = network.outgoing(population)
    return max([1, *(max(projection.delay_steps, spikes_back(network, projection)) for projection in outgoing)])


def ring_slots(network: Network, population: Population) -> int:
    """Steps whose spikes are kept: a power of two above those that may still be needed."""
    return 1 << reach_back(network, population).bit_length()


class RankState:
    """The network struct of one rank, and by name every array that it points at.

    Args:
        network, placements: what is simulated and which part of it is here.
        device: where the arrays live.
        comm: an mpi4py communicator, or None for one process without MPI.
        exchange_block: spikes a rank and round of the exchange; None: chosen from the number of neurons.
    """

    def __init__(
        self, network: Network, placements: dict[str, Placement], device: Device, comm: Any, exchange_block: int | None
    ) -> None:
        self.network, self.placements, self.device, self.comm = network, placements, device, comm
        self.struct: Any = network_struct(network).ctype()()
        self.arrays: dict[str, Any] = {}
        self.stores: dict[str, SynapseStore] = {}
        self.bin_steps = max(1, round(BIN_MS / network.dt_ms))
        self._bind_control()
        first_id = 0
        for population in network.populations.values():
            self._bind_population(population, first_id)
            first_id += population.size
        for projection in network.projections.values():
            self._bind_projection(projection)
        self._bind_exchange(first_id, exchange_block)

    # -- reading and writing -------------------------------------------------------------------------------------------

    def control(self, name: str) -> int:
        """One field of the control block."""
        return int(self.device.download(self.arrays["control"])[_CONTROL[name]])

    def set_control(self, name: str, value: int) -> None:
        """Set one field of the control block."""
        self.arrays["control"][_CONTROL[name]] = value

    def read(self, name: str, spare: NDArray[Any] | None = None) -> NDArray[Any]:
        """A NumPy copy of the array bound as `name`, such as ``target.state_V_mV``; see `Device.download`."""
        return self.device.download(self.arrays[name], spare)

    def write(self, name: str, values: NDArray[Any]) -> None:
        """Set the first entries of the array bound as `name`."""
        self.arrays[name][: len(values)] = self.device.upload(values)

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
                self.bind(self._population(name), name, "spikes_per_bin", self.device.upload(new))

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

    def spikes_in_flight(self, population: str) -> NDArray[np.int32]:
        """Own spikes of the steps that a delay still reaches back to, shape (n, 2): step and global id."""
        declared, placement = self.network.populations[population], self.placements[population]
        ring = self.read(f"{population}.ring").reshape(-1, max(placement.n_known, 1))
        own_count, step = self.read(f"{population}.own_count"), self.control("step")
        parts = [np.empty((0, 2), dtype=np.int32)]
        for earlier in range(max(0, step - reach_back(self.network, declared)), step):
            slot = earlier & (len(own_count) - 1)
            ids = placement.global_id[ring[slot, : own_count[slot]]]
            parts.append(np.stack([np.full_like(ids, earlier), ids], axis=1))
        return np.concatenate(parts)

    def input_in_flight(self, projection: str) -> list[NDArray[Any]]:
        """Input on its way to this rank's neurons, for the next step, the one after it, ..: fixed point, shape (n,)."""
        delays = self.network.projections[projection].delays
        return [] if delays is None else delays.ahead(self.read(f"{projection}.input"), self.control("step"))

    def put_in_flight(self, population: str, spikes: NDArray[np.int32]) -> None:
        """Fill the ring with given spikes (step, id) of all ranks, as if they had just been emitted and received."""
        placement = self.placements[population]
        ring = self.read(f"{population}.ring").reshape(-1, max(placement.n_known, 1))
        own_count, remote_count = np.zeros((2, len(ring)), dtype=np.int32)
        local = np.full(placement.tiling.grid.size, -1, dtype=np.int32)
        local[placement.known_id] = np.arange(placement.n_known)
        for step, neuron in spikes.tolist():
            index, slot = local[neuron], step & (len(ring) - 1)
            if 0 <= index < placement.n_own:
                ring[slot, own_count[slot]] = index
                own_count[slot] += 1
            elif index >= 0:
                remote_count[slot] += 1
                ring[slot, placement.n_known - remote_count[slot]] = index
        for name, values in (("ring", ring.ravel()), ("own_count", own_count), ("remote_count", remote_count)):
            self.write(f"{population}.{name}", values)

    def make_room(self, reason: int) -> None:
        """Remove the cause of a halt for a full row or list, and the halt."""
        if reason in (ROWS_FULL, OUTGOING_FULL):
            projection = list(self.network.projections.values())[self.control("population")]
            store = self.stores[projection.name]
            if reason == ROWS_FULL:
                store.grow_rows()
                fit_event_log(self, projection, store.capacity)
            else:
                store.grow_lists()
        self.set_control("halt", RUNNING)

    def n_bytes(self) -> int:
        """Bytes of all arrays."""
        stores = (array for store in self.stores.values() for array in store.arrays.values())
        return sum(array.nbytes for array in (*self.arrays.values(), *stores))

    def start(self, executable: Executable) -> None:
        """Draw parameters and the initial state, and make the first wiring; a collective call."""
        for index, population in enumerate(self.network.populations.values()):
            draw_parameters(self, executable, index, population)
            draw_initial(self, executable, index, population)
        for name, store in self.stores.items():
            store.connect(executable)
            fit_event_log(self, self.network.projections[name], store.capacity)

    # -- binding -------------------------------------------------------------------------------------------------------

    def _population(self, name: str) -> Any:
        return getattr(self.struct.populations, name)

    def bind(self, part: Any, prefix: str, field: str, array: Any) -> None:
        self.arrays[f"{prefix}.{field}" if prefix else field] = array
        setattr(part, field, self.device.address(array))

    def _bind_control(self) -> None:
        seed = self.network.seed
        control = Control(bin_steps=self.bin_steps, seed0=seed & 0xFFFFFFFF, seed1=seed >> 32)
        words = np.frombuffer(bytes(control), dtype=np.int32)
        self.bind(self.struct, "", "control", self.device.upload(words))
        self.struct.dt_ms = self.network.dt_ms

    def _bind_population(self, population: Population, first_id: int) -> None:
        part, name, device = self._population(population.name), population.name, self.device
        placement = self.placements[name]
        tiling = placement.tiling
        slots = ring_slots(self.network, population)
        for field, value in {
            "n_own": placement.n_own,
            "n_known": placement.n_known,
            "nx": population.grid.nx,
            "ny": population.grid.ny,
            "tile_shift_x": tiling.shift_x,
            "tile_shift_y": tiling.shift_y,
            "tiles_x": tiling.tiles_x,
            "first_id": first_id,
            "ring_mask": slots - 1,
            "log_size": self._log_size(population) if population.record_spikes else 0,
        }.items():
            setattr(part, field, value)
        arrays = {
            "global_id": device.upload(placement.global_id),
            "known_id": device.upload(placement.known_id),
            "tile_base": device.upload(placement.tile_base),
            "ring": device.zeros(slots * placement.n_known, np.int32),
            "own_count": device.zeros(slots, np.int32),
            "remote_count": device.zeros(slots, np.int32),
            "log": device.zeros(2 * int(part.log_size), np.int32),
            "log_count": device.zeros(1, np.int32),
            "fingerprint": device.zeros(1, np.uint64),
            "spikes_per_bin": device.zeros(1, np.uint64),
        }
        if population.is_source:
            arrays["next_spike"] = device.upload(np.full(placement.n_own + PADDING, _NEVER, dtype=np.int32))
        model: Any = population.model.model
        for variable in model.state:
            arrays[f"state_{variable.name}"] = device.zeros(placement.n_own, NUMPY[variable.ctype])
        for field, array in arrays.items():
            self.bind(part, name, field, array)
        for constant, ctype in population.model.array_types():  # their values are drawn at the start
            self.bind(part, name, f"model_{constant}", device.zeros(placement.n_own, NUMPY[ctype]))
        self._bind_model(part, name, "model_", population.model, placement, None)

    def _bind_projection(self, projection: Projection) -> None:
        part, name, device = getattr(self.struct.projections, projection.name), projection.name, self.device
        target, source = self.placements[projection.target.name], self.placements[projection.source.name]
        input_type, scale = projection.input_scale()
        part.delay_steps = projection.delay_steps
        part.rows_grow = int(projection.rows_grow)
        part.input_scale, part.input_unit = scale, 1.0 / scale
        receptor: Any = projection.receptor.model
        for variable in synapse_variables(projection):
            setattr(
                part, f"initial_{variable.name}", projection.weight if variable.name == "weight" else variable.initial
            )
        slots = 1
        if projection.delays is not None:
            slots, thresholds = projection.delays.slots, projection.delays.thresholds
            part.input_mask, part.n_delay_threshold = slots - 1, len(thresholds)
            self.bind(part, name, "delay_threshold", device.upload(thresholds))
        self.bind(part, name, "input", device.zeros(target.n_own * slots, NUMPY[input_type]))
        for variable in receptor.state:
            initial = np.full(target.n_own, variable.initial, dtype=NUMPY[variable.ctype])
            self.bind(part, name, f"receptor_state_{variable.name}", device.upload(initial))
        rule = projection.rewiring
        constants = (rule.constants(self.network.dt_ms) if rule else {}) | projection.synapse.constants(
            self.network.dt_ms
        )
        for side, traces, n in (
            ("pre", pre_traces(projection), source.n_known),
            ("post", post_traces(projection), target.n_own),
        ):
            for trace in traces:
                silent = np.zeros(n, dtype=TRACE)
                silent["last"] = _LONG_AGO
                self.bind(part, name, f"{side}_{trace.name}", device.upload(silent.view(np.int32)))
                setattr(part, f"decay_{trace.name}", self._decay_table(name, trace.name, float(constants[trace.tau])))
        self._bind_model(part, name, "synapse_", projection.synapse, target, source)
        self._bind_model(part, name, "receptor_", projection.receptor, target, source)
        self._bind_model(part, name, "connector_", projection.connector, target, source)
        if rule is not None:
            self._bind_model(part, name, "rewiring_", rule, target, source)
            bind_rewiring(self, projection)
        self.stores[name] = SynapseStore(device, part, projection, target.n_own, source.n_known)

    def _bind_model(
        self, part: Any, owner: str, prefix: str, configured: Configured, here: Placement, source: Placement | None
    ) -> None:
        constants = configured.constants(self.network.dt_ms)
        for name, value in constants.items():
            setattr(part, prefix + name, value)
        if not configured.model.tables:
            return
        x, y = here.coordinates()
        grid, source_grid = here.tiling.grid, (source or here).tiling.grid
        values = ValuesForTables(configured, constants)
        context = PlacementContext(
            values, self.network.dt_ms, here.global_id, x, y, grid.nx, grid.ny, source_grid.nx, source_grid.ny
        )
        for name, table in configured.model.tables.items():
            array = np.ascontiguousarray(table.make(context), dtype=NUMPY[table.ctype])
            self.bind(part, owner, prefix + name, self.device.upload(array))
            setattr(part, f"n_{prefix}{name}", array.size)

    def _decay_table(self, owner: str, trace: str, tau_ms: float) -> DecayTable:
        """Tables of decay^n, n = 256 coarse + fine, until 1e-30: far below what a float32 weight can feel."""
        rate = self.network.dt_ms / tau_ms
        n_coarse = min(math.ceil(math.log(1e30) / rate / 256) + 1, 1 << 20)
        table = DecayTable(n_coarse=n_coarse)
        for field, steps in (("fine", np.arange(256)), ("coarse", 256 * np.arange(n_coarse))):
            array = self.device.upload(np.exp(-rate * steps).astype(np.float32))
            self.bind(table, f"{owner}.decay_{trace}", field, array)
        return table

    def _bind_exchange(self, n_ids: int, asked_block: int | None) -> None:
        part, comm = self.struct.exchange, self.comm
        part.n_ids = max(n_ids, 1)
        if comm is None or comm.Get_size() == 1:
            return
        n_own = sum(placement.n_own for placement in self.placements.values())
        interval = self.network.min_delay_steps()
        sizes = comm.allgather(block_size(n_own, interval, asked_block))
        part.interval, part.n_ranks, part.rank, part.block = interval, comm.Get_size(), comm.Get_rank(), max(sizes)
        for field, n in {
            "send": n_own * interval,
            "outbox": part.block + 1,
            "inbox": part.n_ranks * (part.block + 1),
        }.items():
            self.bind(part, "exchange", field, self.device.zeros(n, np.uint32))
        self.bind(part, "exchange", "send_count", self.device.zeros(1, np.int32))
        self.bind(part, "exchange", "rounds", self.device.zeros(1, np.int64))
        bind_allgather(part, comm)

    # -- the start -----------------------------------------------------------------------------------------------------

    def _log_size(self, population: Population) -> int:
        return _LOG_ENTRIES + self.placements[population.name].n_own

    def words(
        self,
        executable: Executable,
        ids: NDArray[np.int32],
        stream_number: int,
        draws: NDArray[np.int32],
        step: int = 0,
    ) -> NDArray[np.uint32]:
        """One random word for each of `ids` and `draws`, both of shape (n,), as the kernels draw them."""
        part, n = self.struct.initial, len(ids)
        where = [self.device.upload(array) for array in (ids, draws)]
        words = self.device.zeros(n, np.uint32)
        part.n, part.step, part.stream = n, step, stream_number
        part.ids, part.draws, part.words = (self.device.address(array) for array in (*where, words))
        executable.run("draw_words", n)
        return self.device.download(words).view(np.uint32)
