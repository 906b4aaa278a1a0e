"""Which hypercolumns of the source each hypercolumn listens to: drawn at first, then swapped by what they tell."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hpcsnn.codegen.random_streams import Tag, words
from hpcsnn.network.unsupervised.hypercolumns import Hypercolumns

_STREAM = int(Tag.HYPERCOLUMN) << 24


def first_connections(layer: Hypercolumns, seed: int, first_units: NDArray[np.int32]) -> NDArray[np.int32]:
    """Connections at first: for each hypercolumn as many of the source as the rule says, at random.

    Args:
        first_units: id of the first unit of each hypercolumn.

    Returns:
        Shape (n_hypercolumns, connections), ascending in each row.
    """
    n, sources = len(first_units), np.arange(layer.n_sources, dtype=np.int64)
    drawn = words(seed, _STREAM, np.repeat(first_units, len(sources)), np.tile(sources, n), draw=1)
    order = np.argsort(drawn.reshape(n, -1), axis=1, kind="stable")
    return np.sort(order[:, : layer.connections], axis=1).astype(np.int32)


def swapped(
    connected: NDArray[np.int32], told: NDArray[np.float32], ratio: float, most: int
) -> tuple[NDArray[np.int32], int]:
    """Connections after the least telling ones have given way to silent ones that tell more.

    Hypercolumns follow one another. The score of a connection is what it tells, divided by 1 + the number of other
    hypercolumns that listen to this one of the source (so that no swap changes what it was made by). A hypercolumn
    swaps its worst active connection for its best silent one while that is more than `ratio` times as good, at most
    `most` times; of equal ones the first counts.

    Args:
        connected: (n_hypercolumns, connections), ascending in each row.
        told: (n_hypercolumns, n_sources), mutual information.

    Returns:
        The new connections, likewise, and how many were swapped.
    """
    n_sources = told.shape[1]
    listeners = np.bincount(connected.ravel(), minlength=n_sources).astype(np.float64)
    after, n_swapped = connected.copy(), 0
    for number, information in enumerate(told.astype(np.float64)):
        active = np.zeros(n_sources, dtype=bool)
        active[connected[number]] = True
        others = listeners - active
        score = information / (1.0 + others)
        for _ in range(most if active.any() and not active.all() else 0):
            worst = int(np.argmin(np.where(active, score, np.inf)))
            best = int(np.argmax(np.where(active, -np.inf, score)))
            if not score[best] > ratio * score[worst]:
                break
            active[worst], active[best] = False, True
            n_swapped += 1
        listeners = others + active
        after[number] = np.flatnonzero(active)
    return after, n_swapped
