"""Which synapses go where a source has more than its elements serve, wherever their targets are."""

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
