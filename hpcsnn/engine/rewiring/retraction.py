"""Which synapses go, wherever their targets are: of sources that have too many, or the weakest of all."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def of_least_key(found: NDArray[np.int64], surplus: NDArray[np.int64]) -> NDArray[np.int64]:
    """The synapses of least key of each source, as many as it has too many; all of them where it has fewer.

    The least of the least of some shares are the least of all, so ranks may choose of their own first.

    Args:
        found: synapses of these sources alone, shape (n, 3 or more): source, key, target, and what else belongs to it.
        surplus: shape (m, 2): source, each once, and how many are to go.

    Returns:
        Rows of `found`, by source, then key, then target.
    """
    found = found[np.lexsort((found[:, 2], found[:, 1], found[:, 0]))]
    sources, first = np.unique(found[:, 0], return_index=True)
    place = np.arange(len(found)) - np.repeat(first, np.diff(np.append(first, len(found))))
    order = np.argsort(surplus[:, 0])
    allowed = surplus[order][np.searchsorted(surplus[order, 0], found[:, 0]), 1]
    assert np.isin(sources, surplus[:, 0]).all()
    return found[place < allowed]


def weakest(weakness: NDArray[np.float32], pairs: NDArray[np.int64], n: int) -> NDArray[np.intp]:
    """Places of the n synapses with the smallest values, the smallest first; of equal ones by target, then source.

    Args:
        weakness: shape (m,).
        pairs: shape (m, 2): target and source, by their ids.
    """
    if 0 < n < len(weakness):  # only those up to the n-th smallest value need be in order
        among = np.flatnonzero(weakness <= np.partition(weakness, n - 1)[n - 1])
    else:
        among = np.arange(len(weakness))
    return among[np.lexsort((pairs[among, 1], pairs[among, 0], weakness[among]))][:n]
