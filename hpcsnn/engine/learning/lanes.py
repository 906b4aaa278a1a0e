"""State that is carried on from sample to sample: a batch has lanes, and each sample of one begins as the last ended.

That is how mlGeNN trains. A lane is one place in a batch, and the rank that plays it keeps its state. What goes back is
the gradient of a sample alone: nothing of an earlier one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.engine.arrays import RankArrays
from hpcsnn.network.learning_fields import set_aside


class Lanes:
    """The state of each lane, as samples leave it; at first of one, that in which the network is now.

    Args:
        state: the network's, which one sample has at a time.
    """

    def __init__(self, state: RankArrays) -> None:
        self._state = state
        self._slots: dict[str, int] = {}
        for population in state.network.populations.values():
            for one in set_aside(state.network, population):
                name = f"{one.owner.partition('_')[2]}.{one.array}"
                self._slots[name] = one.slots
        self._kept = {name: self._now(name)[None].copy() for name in self._slots}

    @property
    def names(self) -> set[str]:
        """Of the arrays that `columns` gives."""
        return set(self._slots)

    def _now(self, name: str) -> Any:
        """An array of the network's state, shape (slots, values)."""
        return self._state.arrays[name].reshape(self._slots[name], -1)

    def put_back(self, lane: int, step: int) -> None:
        """Let the network be in a lane's state, in the step with which the lane's next sample begins."""
        for name, kept in self._kept.items():
            self._now(name)[...] = self._state.device.xp.roll(kept[lane], step % self._slots[name], axis=0)

    def set_aside(self, lane: int, step: int) -> None:
        """Keep the state that the network is in for a lane; its sample's last step was the one before `step`.

        Spikes and input on their way are kept as if that were step 0.
        """
        for name, kept in self._kept.items():
            kept[lane] = self._state.device.xp.roll(self._now(name), -(step % self._slots[name]), axis=0)

    def copies(self, n: int = 1) -> Lanes:
        """So many of each as it is now."""
        other = object.__new__(Lanes)
        other._state, other._slots = self._state, self._slots
        other._kept = {name: self._state.device.xp.repeat(array, n, axis=0) for name, array in self._kept.items()}
        return other

    def columns(self) -> dict[str, NDArray[Any]]:
        """By array what lanes have, shape (lanes, slots, values): the same for equal answers, whoever played them."""
        found = {name: self._state.device.download(array) for name, array in self._kept.items()}
        for population in self._state.network.populations:
            # A ring holds in no order the neurons that spiked, and behind them what was there before.
            ring, count = found[f"{population}.ring"], found[f"{population}.own_count"]
            there = np.arange(ring.shape[2]) < count.reshape(*ring.shape[:2], 1)
            ring = np.sort(np.where(there, ring, np.iinfo(np.int32).max), axis=2)
            found[f"{population}.ring"] = np.where(there, ring, 0)
        return found

    def restore(self, columns: Mapping[str, NDArray[Any]]) -> None:
        """Be what `columns` has given, of these lanes alone."""
        for name, values in columns.items():
            kept = self._kept[name]
            kept[...] = self._state.device.upload(values).reshape(kept.shape)
