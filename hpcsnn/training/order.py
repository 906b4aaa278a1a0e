"""The order in which an epoch shows its samples: a function of seed and epoch alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Told apart from whatever else is drawn with the same seed.
_STREAM = 0x5EED_0F0E_90C8


def epoch_order(seed: int, epoch: int, n_samples: int) -> NDArray[np.int64]:
    """A permutation of the samples, shape (n_samples,).

    Philox's raw words are ranked: unlike what NumPy draws from them, they are the same in every version of it.

    Args:
        seed: in [0, 2^64).
        epoch: from 1.
    """
    key, counter = np.array([seed, _STREAM], np.uint64), np.array([0, 0, 0, epoch], np.uint64)
    words = np.random.Philox(key=key, counter=counter).random_raw(n_samples)
    return np.argsort(words, kind="stable").astype(np.int64)
