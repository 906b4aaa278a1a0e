"""What ranks tell each other of a projection's sources: owners know a neuron's variables, others its synapses."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.ranks.communicator import Communicator
from hpcsnn.ranks.partition import Placement


class SourceValues:
    """Values of source neurons between their owners and the ranks that they can be wired to; collective calls.

    Args:
        communicator: the ranks.
        placement: the source population on this rank.

    Attributes:
        owner: the rank of each neuron known here, shape (n_known,).
    """

    def __init__(self, communicator: Communicator, placement: Placement) -> None:
        self._ranks, self._placement = communicator, placement
        # For each rank: places of its neurons among those known here; and of neurons here that it knows.
        tiles = placement.known_tiles[len(placement.own_tiles) :]
        owner = np.repeat(placement.owners, placement.tiling.sizes(tiles))
        halo = np.arange(placement.n_own, placement.n_known)
        self.owner = np.concatenate([np.full(placement.n_own, communicator.rank), owner])
        self._from_owner = [halo[owner == rank] for rank in range(communicator.size)]
        asked = communicator.swap([placement.known_id[places] for places in self._from_owner])
        self._to_others = [placement.local(ids) for ids in asked]

    def shared(self, own: NDArray[Any]) -> NDArray[Any]:
        """Owners' values, shape (n_own,), as all neurons known here have them, shape (n_known,)."""
        known = np.empty(self._placement.n_known, dtype=own.dtype)
        known[: len(own)] = own
        received = self._ranks.swap([own[places] for places in self._to_others])
        for places, values in zip(self._from_owner, received, strict=True):
            known[places] = values
        return known

    def added_up(self, known: NDArray[Any]) -> NDArray[Any]:
        """Sum over ranks of what each knows of a neuron, shape (n_known, ..), at its owner, shape (n_own, ..).

        Only what is not zero travels.
        """
        total = known[: self._placement.n_own].copy()
        messages = []
        for places in self._from_owner:
            there = places[known[places].any(axis=tuple(range(1, known.ndim)))]
            messages.append((self._placement.known_id[there], known[there]))
        for ids, values in self._ranks.swap(messages):
            total[self._placement.local(ids)] += values
        return total
