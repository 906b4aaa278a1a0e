"""Everything that one rank holds on its device: the network struct and the arrays behind it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.devices.base import Device, Executable
from hpcsnn.exchange import bind_allgather, block_size
from hpcsnn.layout import Control, DecayTable, network_struct
from hpcsnn.models.base import Configured, PlacementContext
from hpcsnn.models.distributions import Normal, Uniform
from hpcsnn.models.synapses import SynapseModel
from hpcsnn.network import Network, Population, Projection
from hpcsnn.neuron_parameters import ValuesForTables, constants_on_ranks
from hpcsnn.partition import Placement
from hpcsnn.streams import Purpose, stream
from hpcsnn.synapse_store import SynapseStore

# Rate histograms have bins of this length.
BIN_MS = 100.0
# Spikes, or rewiring events, that a log has room for before the host must take them, beside those of one step at most.
_LOG_ENTRIES = 1 << 18
_NUMPY = {"int": np.int32, "float": np.float32, "uint32": np.uint32, "uint64": np.uint64, "int64": np.int64}
_CONTROL = {name: index for index, (name, *_) in enumerate(Control._fields_)}
TRACE = np.dtype([("value", np.float32), ("last", np.int32)])
_ATTEMPT_WORDS = 4  # of struct Attempt in kernels/network.cuh
# "Long ago" for a trace that has seen no spike; far from overflow when subtracted from a step.
_LONG_AGO = -(2**30)
_NEVER = 2**31 - 1
# Arrays read in groups end in this much padding.
PADDING = 64


def reach_back(network: Network, population: Population) -> int:
    """Steps whose spikes may still be needed: the longest delay out of the population, a projection's smallest each."""
    return max((projection.delay_steps for projection in network.outgoing(population)), default=1)


def ring_slots(network: Network, population: Population) -> int:
    """Steps whose spikes are kept: a power of two above the longest delay."""
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
                self._bind(self._population(name), name, "spikes_per_bin", self.device.upload(new))

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

    def n_bytes(self) -> int:
        """Bytes of all arrays."""
        stores = (array for store in self.stores.values() for array in store.arrays.values())
        return sum(array.nbytes for array in (*self.arrays.values(), *stores))

    def start(self, executable: Executable) -> None:
        """Draw parameters and the initial state, and make the first wiring; a collective call."""
        for index, population in enumerate(self.network.populations.values()):
            self._draw_parameters(executable, index, population)
            self._draw_initial(executable, index, population)
        for store in self.stores.values():
            store.connect(executable)

    # -- binding -------------------------------------------------------------------------------------------------------

    def _population(self, name: str) -> Any:
        return getattr(self.struct.populations, name)

    def _bind(self, part: Any, prefix: str, field: str, array: Any) -> None:
        self.arrays[f"{prefix}.{field}" if prefix else field] = array
        setattr(part, field, self.device.address(array))

    def _bind_control(self) -> None:
        seed = self.network.seed
        control = Control(bin_steps=self.bin_steps, seed0=seed & 0xFFFFFFFF, seed1=seed >> 32)
        words = np.frombuffer(bytes(control), dtype=np.int32)
        self._bind(self.struct, "", "control", self.device.upload(words))
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
            arrays[f"state_{variable.name}"] = device.zeros(placement.n_own, _NUMPY[variable.ctype])
        for field, array in arrays.items():
            self._bind(part, name, field, array)
        for constant, ctype in population.model.array_types():  # their values are drawn at the start
            self._bind(part, name, f"model_{constant}", device.zeros(placement.n_own, _NUMPY[ctype]))
        self._bind_model(part, name, "model_", population.model, placement, None)

    def _bind_projection(self, projection: Projection) -> None:
        part, name, device = getattr(self.struct.projections, projection.name), projection.name, self.device
        target, source = self.placements[projection.target.name], self.placements[projection.source.name]
        input_type, scale = projection.input_scale()
        part.delay_steps = projection.delay_steps
        part.rows_grow = int(projection.rows_grow)
        part.input_scale, part.input_unit = scale, 1.0 / scale
        synapse: Any = projection.synapse.model
        receptor: Any = projection.receptor.model
        assert isinstance(synapse, SynapseModel)
        for variable in synapse.variables:
            setattr(
                part, f"initial_{variable.name}", projection.weight if variable.name == "weight" else variable.initial
            )
        slots = 1
        if projection.delays is not None:
            slots, thresholds = projection.delays.slots, projection.delays.thresholds
            part.input_mask, part.n_delay_threshold = slots - 1, len(thresholds)
            self._bind(part, name, "delay_threshold", device.upload(thresholds))
        self._bind(part, name, "input", device.zeros(target.n_own * slots, _NUMPY[input_type]))
        for variable in receptor.state:
            initial = np.full(target.n_own, variable.initial, dtype=_NUMPY[variable.ctype])
            self._bind(part, name, f"receptor_state_{variable.name}", device.upload(initial))
        constants = projection.synapse.constants(self.network.dt_ms)
        for side, traces, n in (
            ("pre", synapse.pre_traces, source.n_known),
            ("post", synapse.post_traces, target.n_own),
        ):
            for trace in traces:
                silent = np.zeros(n, dtype=TRACE)
                silent["last"] = _LONG_AGO
                self._bind(part, name, f"{side}_{trace.name}", device.upload(silent.view(np.int32)))
                setattr(part, f"decay_{trace.name}", self._decay_table(name, trace.name, float(constants[trace.tau])))
        self._bind_model(part, name, "synapse_", projection.synapse, target, source)
        self._bind_model(part, name, "receptor_", projection.receptor, target, source)
        self._bind_model(part, name, "connector_", projection.connector, target, source)
        if projection.rewiring is not None:
            self._bind_rewiring(part, projection, projection.rewiring, target, source)
        self.stores[name] = SynapseStore(device, part, projection, target.n_own, source.n_known)

    def _bind_rewiring(
        self, part: Any, projection: Projection, rule: Configured, target: Placement, source: Placement
    ) -> None:
        self._bind_model(part, projection.name, "rewiring_", rule, target, source)
        side, attempts = rule.values["block_side"], rule.values["attempts"]
        x, y = target.coordinates()
        blocks = np.unique((y // side) * (projection.target.grid.nx // side) + x // side).astype(np.int32)
        part.rewiring_every_steps = self.network.steps(rule.values["every_ms"])
        part.rewiring_block_x = part.rewiring_block_y = side
        # Where the first wiring is unbounded, an existing synapse may be anywhere.
        part.rewiring_reach_squared = 2**31 - 1 if projection.reach_squared is None else projection.reach_squared
        part.n_blocks = len(blocks)
        part.event_log_size = _LOG_ENTRIES + len(blocks) * attempts if projection.record_events else 0
        for field, array in {
            "block_id": self.device.upload(blocks),
            "attempts": self.device.zeros(_ATTEMPT_WORDS * len(blocks) * attempts, np.int32),
            "event_log": self.device.zeros(4 * int(part.event_log_size), np.int32),
            "event_log_count": self.device.zeros(1, np.int32),
            "attempts_drawn": self.device.zeros(len(blocks), np.int32),
            "attempts_done": self.device.zeros(len(blocks), np.int32),
        }.items():
            self._bind(part, projection.name, field, array)

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
            array = np.ascontiguousarray(table.make(context), dtype=_NUMPY[table.ctype])
            self._bind(part, owner, prefix + name, self.device.upload(array))
            setattr(part, f"n_{prefix}{name}", array.size)

    def _decay_table(self, owner: str, trace: str, tau_ms: float) -> DecayTable:
        """Tables of decay^n, n = 256 coarse + fine, until 1e-30: far below what a float32 weight can feel."""
        rate = self.network.dt_ms / tau_ms
        n_coarse = min(math.ceil(math.log(1e30) / rate / 256) + 1, 1 << 20)
        table = DecayTable(n_coarse=n_coarse)
        for field, steps in (("fine", np.arange(256)), ("coarse", 256 * np.arange(n_coarse))):
            array = self.device.upload(np.exp(-rate * steps).astype(np.float32))
            self._bind(table, f"{owner}.decay_{trace}", field, array)
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
            self._bind(part, "exchange", field, self.device.zeros(n, np.uint32))
        self._bind(part, "exchange", "send_count", self.device.zeros(1, np.int32))
        self._bind(part, "exchange", "rounds", self.device.zeros(1, np.int64))
        bind_allgather(part, comm)

    # -- the start -----------------------------------------------------------------------------------------------------

    def _log_size(self, population: Population) -> int:
        return _LOG_ENTRIES + self.placements[population.name].n_own

    def _draw_parameters(self, executable: Executable, index: int, population: Population) -> None:
        """Fill the constants that have one value a neuron; draws are numbered on from the state variables'."""
        model, ids = population.model, self.placements[population.name].global_id
        if not model.of_neurons:
            return
        states: Any = population.model.model
        drawn = {}
        for draw, name in enumerate(model.model.parameters, len(states.state)):
            if name in model.of_neurons:
                drawn[name] = self._of_neurons(executable, index, population, draw, model.values[name])
        where = f"populations.{population.name}.model.{model.model.name}"
        for name, values in constants_on_ranks(self.comm, model, where, self.network.dt_ms, ids, drawn).items():
            array = self.arrays[f"{population.name}.model_{name}"]
            array[...] = self.device.upload(values.astype(array.dtype))

    def _draw_initial(self, executable: Executable, index: int, population: Population) -> None:
        model: Any = population.model.model
        for draw, variable in enumerate(model.state):
            value = population.initial.get(variable.name, variable.initial)
            values = self._of_neurons(executable, index, population, draw, value)
            state = self.arrays[f"{population.name}.state_{variable.name}"]
            state[...] = self.device.upload(values.astype(_NUMPY[variable.ctype]))

    def _of_neurons(
        self, executable: Executable, index: int, population: Population, draw: int, value: Any
    ) -> NDArray[np.float64]:
        """One value a neuron of this rank from a number, a distribution or all neurons' values."""
        placement = self.placements[population.name]
        if isinstance(value, (Normal, Uniform)):
            return value.values(self._words(executable, placement, stream(Purpose.INITIAL, index), draw))
        array = np.asarray(value, dtype=np.float64)
        return array[placement.global_id] if array.ndim else np.full(placement.n_own, float(array))

    def _words(self, executable: Executable, placement: Placement, stream_number: int, draw: int) -> NDArray[np.uint32]:
        part = self.struct.initial
        ids, words = self.device.upload(placement.global_id), self.device.zeros(placement.n_own, np.uint32)
        part.n, part.draw, part.stream = placement.n_own, draw, stream_number
        part.ids, part.words = self.device.address(ids), self.device.address(words)
        executable.run("draw_initial", placement.n_own)
        return self.device.download(words).view(np.uint32)
