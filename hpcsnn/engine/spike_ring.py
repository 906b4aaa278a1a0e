"""The ring of recent steps that projections read spikes from: how long it is, what is in it, and how it is filled."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hpcsnn.engine.arrays import RankArrays


def spikes_in_flight(state: RankArrays, population: str) -> NDArray[np.int32]:
    """Own spikes of the steps that a delay still reaches back to, shape (n, 2): step and global id."""
    declared, placement = state.network.populations[population], state.placements[population]
    own_count, step = state.read(f"{population}.own_count"), state.control("step")
    ring = state.read(f"{population}.ring").reshape(len(own_count), placement.n_known)
    parts = [np.empty((0, 2), dtype=np.int32)]
    for earlier in range(max(0, step - state.network.steps_kept(declared)), step):
        slot = earlier & (len(own_count) - 1)
        ids = placement.global_id[ring[slot, : own_count[slot]]]
        parts.append(np.stack([np.full_like(ids, earlier), ids], axis=1))
    return np.concatenate(parts)


def put_in_flight(state: RankArrays, population: str, spikes: NDArray[np.int32]) -> None:
    """Fill the ring with given spikes (step, id) of all ranks, as if they had just been emitted and received."""
    placement = state.placements[population]
    own_count, remote_count = np.zeros((2, len(state.arrays[f"{population}.own_count"])), dtype=np.int32)
    ring = state.read(f"{population}.ring").reshape(len(own_count), placement.n_known)
    for step, index in zip(spikes[:, 0].tolist(), placement.local(spikes[:, 1]).tolist(), strict=True):
        slot = step & (len(ring) - 1)
        if 0 <= index < placement.n_own:
            ring[slot, own_count[slot]] = index
            own_count[slot] += 1
        elif index >= 0:
            remote_count[slot] += 1
            ring[slot, placement.n_known - remote_count[slot]] = index
    for name, values in (("ring", ring.ravel()), ("own_count", own_count), ("remote_count", remote_count)):
        state.write(f"{population}.{name}", values)
