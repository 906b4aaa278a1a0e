"""The synapses of one projection on one rank: rows by target, outgoing lists by source, each pointing at the other.

A row holds a target's synapses without holes, ``capacity = 1 << row_shift`` places wide; its k-th synapse is in slot
(target << row_shift) + k.
A source's outgoing list holds the slots of its synapses on this rank, -1 where a removal left room. ``entry`` of a
slot is its place in that list, so adding or removing a synapse touches one row and one or two list entries.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.checked_numbers import whole_steps_of
from hpcsnn.codegen.random_streams import Purpose, Tag, stream
from hpcsnn.devices.base import Executable
from hpcsnn.engine.arrays import RankArrays
from hpcsnn.engine.synapse_rows import SynapseRows
from hpcsnn.errors import SimulationError
from hpcsnn.models.connectors.rows import OwnTargets
from hpcsnn.models.connectors.synapse_lists import ListedSynapses
from hpcsnn.models.parameters import Distribution, GivenValues
from hpcsnn.network import Projection
from hpcsnn.network.delays import GivenDelays
from hpcsnn.network.fields import Growth, synapse_fields

_MOST_SLOTS = 2**31 - 1


def shift_for(n: int) -> int:
    """The smallest s with 2^s >= n."""
    return max(int(n) - 1, 0).bit_length()


class SynapseStore:
    """The synapses of one projection, in arrays of the rank's state.

    Args:
        state: where the arrays are, already bound to the projection's struct.
    """

    def __init__(self, state: RankArrays, projection: Projection) -> None:
        self._state, self._device, self._projection = state, state.device, projection
        self._struct = state.projection_part(projection.name)
        self.n_rows = state.placements[projection.target.name].n_own
        self.n_sources = state.placements[projection.source.name].n_known
        fields = {field.name: field for field in synapse_fields(projection)}
        self._slot_fields = [field for field in fields.values() if field.growth is Growth.ROWS]
        self._list_fields = [field for field in fields.values() if field.growth is Growth.LISTS]
        # Columns of rows, and the arrays of slots behind them.
        self._columns = {"source": fields["source"]} | {
            column.name: fields[f"synapse_{column.name}"] for column in projection.synapse_columns
        }

    def array(self, name: str) -> Any:
        """The device array of a field."""
        return self._state.arrays[f"{self._projection.name}.{name}"]

    def _bind(self, name: str, array: Any) -> None:
        self._state.bind(self._struct, self._projection.name, name, array)

    def connect(self, executable: Executable) -> None:
        """Make the first wiring: count, make room, write, then list by source."""
        name, xp = self._projection.name, self._device.xp
        executable.run(f"count_sources_{name}", self.n_rows)
        needed = int(xp.max(self.array("in_degree"))) if self.n_rows else 0
        asked = self._projection.capacity
        capacity = max(needed, 1) if asked is None else asked
        if self._projection.rows_grow:
            capacity = max(capacity, needed)
        self._allocate_rows(shift_for(capacity))
        executable.run(f"connect_{name}", self.n_rows)
        weights, delays = self._projection.weights, self._projection.delays
        if self._projection.synapse_list is not None and self._projection.synapse_list.weights is not None:
            pass  # the connector's snippet has given them
        elif isinstance(weights, GivenValues):
            self._put("weight", lambda pre, post: weights.of(self._positions(pre, post), post))
        elif weights is not None:
            self._put("weight", lambda pre, post: self._drawn(executable, weights, pre, post))
        if isinstance(delays, GivenDelays):
            self._put("delay_steps", lambda pre, post: self._given_steps(delays, pre, post))
        self._list_outgoing(executable)

    def _put(self, column: str, values: Callable[[NDArray[np.int32], NDArray[np.int32]], NDArray[Any]]) -> None:
        """Set a column by the two neurons of each synapse."""
        slots, pre, post = self.pairs()
        array = self._device.download(self.array(f"synapse_{column}"))
        array[slots] = values(pre, post)
        self.array(f"synapse_{column}")[...] = self._device.upload(array)

    def _drawn(
        self, executable: Executable, weights: Distribution, pre: NDArray[np.int32], post: NDArray[np.int32]
    ) -> NDArray[np.float64]:
        """A weight for each synapse from its two neurons: draw ``pre`` of entity ``post``."""
        index = list(self._state.network.projections).index(self._projection.name)
        number = stream(Purpose.CONNECT, index) | Tag.WEIGHT << 24
        return weights.values(self._state.words(executable, post, number, pre))

    def _given_steps(self, delays: GivenDelays, pre: NDArray[np.int32], post: NDArray[np.int32]) -> NDArray[np.int64]:
        """The delay of each synapse in steps, as it was given."""
        if delays.values is None:
            own, places = self._listed(pre, post)
            assert own.delay_ms is not None
            delay_ms = own.delay_ms[places]
        else:
            delay_ms = delays.values.of(self._positions(pre, post), post)
        return whole_steps_of(f"projections.{self._projection.name}.delay_ms", delay_ms, self._state.network.dt_ms)

    def _listed(self, pre: NDArray[np.int32], post: NDArray[np.int32]) -> tuple[ListedSynapses, NDArray[np.intp]]:
        """This rank's part of the connector's list, and where these synapses are in it."""
        assert self._projection.synapse_list is not None
        targets = OwnTargets(self._state.placements[self._projection.target.name].global_id)
        own = self._projection.synapse_list.of_targets(targets.ids)
        return own, own.places(pre, post)

    def _positions(self, pre: NDArray[np.int32], post: NDArray[np.int32]) -> NDArray[np.int64] | None:
        """Which synapse of the connector's list each of these is, if there is a list."""
        if self._projection.synapse_list is None:
            return None
        own, places = self._listed(pre, post)
        return own.position[places]

    def restore(self, executable: Executable, rows: SynapseRows) -> None:
        """Put stored synapses, rows in local order and sources as local indices, in place of all there are."""
        in_degree = rows.in_degree
        shift = max(int(self._struct.row_shift), shift_for(int(in_degree.max(initial=0))))
        self._allocate_rows(shift)
        self.array("in_degree")[...] = self._device.upload(in_degree)
        slot = (rows.row << shift) + rows.place
        for field, values in rows.columns.items():
            whole = np.zeros(self.n_rows << shift, dtype=values.dtype)
            whole[slot] = values
            self.array(self._columns[field].name)[...] = self._device.upload(whole)
        self.array("outgoing_count")[...] = 0
        self._list_outgoing(executable)

    def _list_outgoing(self, executable: Executable) -> None:
        """Make the outgoing lists from the rows; the counts are at zero."""
        name, xp = self._projection.name, self._device.xp
        executable.run(f"count_outgoing_{name}", self.n_rows)
        self._allocate_lists(shift_for(int(xp.max(self.array("outgoing_count"))) if self.n_sources else 1))
        self.array("outgoing_count")[...] = 0
        executable.run(f"list_outgoing_{name}", self.n_rows)

    def _slots(self, row_shift: int) -> int:
        slots = self.n_rows << row_shift
        if slots > _MOST_SLOTS:
            raise SimulationError(
                f"projections.{self._projection.name}: {self.n_rows} targets of {1 << row_shift} synapses are "
                f"more than a rank can number ({_MOST_SLOTS}); use more ranks"
            )
        return slots

    def _allocate_rows(self, row_shift: int) -> None:
        self._struct.row_shift = row_shift
        for field in self._slot_fields:
            self._bind(field.name, self._device.zeros(self._slots(row_shift), field.dtype))

    def _allocate_lists(self, outgoing_shift: int) -> None:
        self._struct.outgoing_shift = outgoing_shift
        for field in self._list_fields:
            self._bind(field.name, self._device.zeros(self.n_sources << outgoing_shift, field.dtype))

    def grow_rows(self) -> None:
        """Double every row; slots are numbered anew, so the outgoing lists follow."""
        old_shift = int(self._struct.row_shift)
        old = {field.name: self.array(field.name) for field in self._slot_fields}
        self._allocate_rows(old_shift + 1)
        width = 1 << old_shift
        for name, array in old.items():
            self.array(name).reshape(self.n_rows, 2 * width)[:, :width] = array.reshape(self.n_rows, width)
        outgoing = self.array("outgoing")
        slots = outgoing[outgoing >= 0]
        outgoing[outgoing >= 0] = ((slots >> old_shift) << (old_shift + 1)) + (slots & (width - 1))

    def grow_lists(self) -> None:
        """Double every outgoing list; places in the lists stay."""
        old_shift = int(self._struct.outgoing_shift)
        old = {field.name: self.array(field.name) for field in self._list_fields}
        self._allocate_lists(old_shift + 1)
        width = 1 << old_shift
        for name, array in old.items():
            self.array(name).reshape(self.n_sources, 2 * width)[:, :width] = array.reshape(self.n_sources, width)

    @property
    def capacity(self) -> int:
        """Synapses that each row has room for now."""
        return 1 << int(self._struct.row_shift)

    def counter(self, name: str) -> int:
        """``formed``, ``eliminated`` or ``refused`` so far, on this rank."""
        return int(self.array(name)[0])

    def set_counter(self, name: str, value: int) -> None:
        """Set ``formed``, ``eliminated`` or ``refused``."""
        self.array(name)[...] = value

    def n_synapses(self) -> int:
        """Synapses on this rank."""
        return int(self._device.xp.sum(self.array("in_degree"), dtype=np.int64))

    def _filled(self) -> NDArray[np.intp]:
        """The slots that hold a synapse, ascending."""
        in_degree = self._device.download(self.array("in_degree"))
        return np.flatnonzero((np.arange(self.capacity)[None, :] < in_degree[:, None]).ravel())

    def pairs(self) -> tuple[NDArray[np.intp], NDArray[np.int32], NDArray[np.int32]]:
        """Slot, pre and post (global ids) of each synapse on this rank, shape (n,) each, by slot."""
        slots, placements = self._filled(), self._state.placements
        pre = placements[self._projection.source.name].known_id[self._device.download(self.array("source"))[slots]]
        post = placements[self._projection.target.name].global_id[slots >> int(self._struct.row_shift)]
        return slots, pre, post

    def packed(self, executable: Executable, order: NDArray[np.intp]) -> SynapseRows:
        """A copy of all synapses of this rank, with rows (by their local numbers) in the order given."""
        rows, sort_rows = self.copy_rows(executable, order)
        sort_rows()
        return rows

    def copy_rows(
        self, executable: Executable, order: NDArray[np.intp], spare: SynapseRows | None = None
    ) -> tuple[SynapseRows, Callable[[], None]]:
        """The first half of `packed`, which a run waits for, and the second, which brings each row into order.

        Args:
            spare: an earlier copy that is needed no more, whose memory may be used again.
        """
        name, device = self._projection.name, self._device
        in_degree = device.download(self.array("in_degree"))
        ends = np.cumsum(in_degree[order], dtype=np.int32)
        n, start = int(ends[-1]) if len(ends) else 0, np.empty(self.n_rows, dtype=np.int32)
        start[order] = ends - in_degree[order]
        where = {"packing_start": device.upload(start), "packing_in_degree": device.upload(in_degree)}
        columns = {
            column: device.room(n, field.dtype, spare.columns[column] if spare else None)
            for column, field in self._columns.items()
        }
        packed = {f"packed_{field}": array for field, array in columns.items()}
        for field, array in (where | packed).items():
            setattr(self._struct, field, device.address(array))
        executable.run(f"pack_{name}", self.n_rows)
        sort = executable.later(f"order_{name}", self.n_rows)
        rows = SynapseRows(in_degree[order], {field: device.release(array) for field, array in columns.items()})

        def sort_rows() -> None:
            sort()
            _ = where  # lives until here

        return rows, sort_rows

    def check(self) -> None:
        """Assert that rows and outgoing lists point at each other, entry by entry (for tests and conformance).

        Raises:
            AssertionError: with the first slot that is wrong.
        """
        slot = self._filled()
        source = self._device.download(self.array("source"))[slot]
        entry = self._device.download(self.array("entry"))[slot]
        outgoing = self._device.download(self.array("outgoing"))
        place = (source.astype(np.int64) << int(self._struct.outgoing_shift)) + entry
        wrong = np.flatnonzero(outgoing[place] != slot)
        assert wrong.size == 0, f"slot {slot[wrong[0]]} is not where its source's list should have it"
        for column in self._projection.listed_columns:
            of_slots, of_lists = (
                self._device.download(self.array(f"{where}_{column.name}")) for where in ("synapse", "listed")
            )
            wrong = np.flatnonzero(of_lists[place] != of_slots[slot])
            assert wrong.size == 0, f"slot {slot[wrong[0]]} has another {column.name} than its source's list"
        count = self._device.download(self.array("outgoing_count"))
        lists = outgoing.reshape(self.n_sources, 1 << int(self._struct.outgoing_shift))
        listed = (np.arange(lists.shape[1])[None, :] < count[:, None]) & (lists >= 0)
        assert listed.sum() == len(slot), f"{listed.sum()} listed synapses, {len(slot)} in rows"
        pairs = (slot >> int(self._struct.row_shift)) * self.n_sources + source
        assert len(np.unique(pairs)) == len(pairs), "a pair has two synapses"
