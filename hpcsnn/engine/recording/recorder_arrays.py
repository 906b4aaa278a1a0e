"""The arrays of a rank's recorders: bound, made as large as rows are, and emptied by the host."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.checked_numbers import LARGEST_WHOLE
from hpcsnn.engine.arrays import RankArrays
from hpcsnn.errors import SimulationError
from hpcsnn.network import Projection
from hpcsnn.network.recording.exact_sums import WINDOWS
from hpcsnn.network.recording.recorders import Recorder, RecorderRoom, recorders
from hpcsnn.ranks.partition import Placement

# Of which a GPU's thread makes one sum, before it adds it to that of all.
_NEURONS_A_THREAD = 64
# Numbers in a row of averages.
_AVERAGES_WIDTH = WINDOWS + 2


def recorded_neurons(recorder: Recorder, placement: Placement) -> NDArray[np.int32]:
    """Of a rank's own neurons those that are chosen, by their local numbers, in the order of ids."""
    own, ids = placement.global_id, recorder.recording.ids
    chosen = np.arange(len(own)) if ids is None else np.flatnonzero(np.isin(own, ids))
    return chosen[np.argsort(own[chosen], kind="stable")].astype(np.int32)


def recorded_ids(recorder: Recorder, placement: Placement) -> NDArray[np.int32]:
    """Their global ids, in the same order."""
    return placement.global_id[recorded_neurons(recorder, placement)]


def recorder_room(recorder: Recorder, placement: Placement, log_entries: int, capacity: int) -> RecorderRoom:
    """How much a rank records of a variable until its host takes it, while a target has places for so many synapses."""
    n_neurons = len(recorded_neurons(recorder, placement))
    if recorder.kind == "averages":
        return RecorderRoom(n_neurons, -(-n_neurons // _NEURONS_A_THREAD), max(1, log_entries // _AVERAGES_WIDTH))
    n_items = n_neurons * capacity if recorder.kind == "synapses" else n_neurons
    return RecorderRoom(n_neurons, n_items, max(1, log_entries // max(n_items, 1)))


def bind_recorders(state: RankArrays, log_entries: int) -> None:
    """Make the arrays of all recorders, but for rows of synapses, which `fit_recorders` makes once there are any."""
    for recorder in recorders(state.network):
        part, placement = getattr(state.struct, recorder.name), state.placements[recorder.neurons.name]
        part.every_steps = recorder.recording.every_steps
        state.bind(part, recorder.name, "neuron", state.device.upload(recorded_neurons(recorder, placement)))
        if recorder.kind != "synapses":
            _make_room(state, recorder, recorder_room(recorder, placement, log_entries, 1))


def fit_recorders(state: RankArrays, projection: Projection, capacity: int, log_entries: int) -> None:
    """Let rows of a projection's synapses be as wide as its targets have places; what was in them has been taken."""
    if not projection.record:
        return
    for recorder in recorders(state.network):
        if recorder.owner is projection:
            placement = state.placements[recorder.neurons.name]
            _make_room(state, recorder, recorder_room(recorder, placement, log_entries, capacity))


def _make_room(state: RankArrays, recorder: Recorder, room: RecorderRoom) -> None:
    if room.n_items > LARGEST_WHOLE:
        raise SimulationError(
            f"{recorder.place}: {room.n_neurons} targets have room for "
            f"{room.n_items} synapses, more than a rank can number (2^31 - 1); record fewer targets, or use more ranks"
        )
    part = getattr(state.struct, recorder.name)
    part.n_neurons, part.n_items, part.n_rows = room.n_neurons, room.n_items, room.n_rows
    state.allocate(part, recorder.name, recorder.fields, room)


def record_from_here(state: RankArrays) -> None:
    """Rows of the steps before this one are not to come: the state is one that was stored."""
    for recorder in recorders(state.network):
        getattr(state.struct, recorder.name).rows_taken = state.control("step") // recorder.recording.every_steps


def take_rows(state: RankArrays, recorder: Recorder) -> tuple[NDArray[np.int32], dict[str, NDArray[Any]]]:
    """The rows that are there since the last call: so many steps had been done, shape (n,); and the arrays, n rows of
    each, by their names in `Recorder.fields`."""
    part, every = getattr(state.struct, recorder.name), recorder.recording.every_steps
    first, end = int(part.rows_taken), state.control("step") // every
    n, rows = end - first, {}
    for field in recorder.fields:
        if field.made:
            continue
        array = state.arrays[f"{recorder.name}.{field.name}"]
        width = len(array) // int(part.n_rows)
        rows[field.name] = state.device.download(array[: n * width]).reshape(n, width)
        if recorder.kind == "averages":  # to which kernels add
            array[: n * width] = field.first
    part.rows_taken = end
    return np.arange(first + 1, end + 1, dtype=np.int32) * np.int32(every), rows
