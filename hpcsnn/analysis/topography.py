"""The map that a projection makes: where each target neuron's receptive field lies."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def receptive_field_centres(
    grid: tuple[int, int], pre: NDArray[np.int32], post: NDArray[np.int32], weight: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Centre of every target neuron's afferents, relative to the neuron's own place.

    Per axis the weighted circular mean, which is what a mean is on a torus (Bamford, Murray & Willshaw 2010 search the
    centre of least weighted spread, which agrees for fields much smaller than the torus).

    Args:
        grid: (ny, nx) of both populations.
        pre, post, weight: shape (n,), one entry a synapse.

    Returns:
        Shape (ny, nx, 2): x and y of the centre minus the neuron's, in grid units, each in [-n / 2, n / 2]; NaN for
        neurons without afferents of positive weight.
    """
    ny, nx = grid
    centres = np.full((ny * nx, 2), np.nan)
    from_y, from_x = np.divmod(pre, nx)
    to_y, to_x = np.divmod(post, nx)
    total = np.bincount(post, weights=np.abs(weight), minlength=ny * nx)
    for axis, (side, distance) in enumerate(((nx, from_x - to_x), (ny, from_y - to_y))):
        angle = 2 * np.pi * distance / side
        east = np.bincount(post, weights=weight * np.cos(angle), minlength=ny * nx)
        north = np.bincount(post, weights=weight * np.sin(angle), minlength=ny * nx)
        # Where afferents cancel all around the torus there is no mean.
        somewhere = np.hypot(east, north) > 1e-9 * np.maximum(total, 1e-30)
        centres[somewhere, axis] = np.arctan2(north, east)[somewhere] * side / (2 * np.pi)
    return centres.reshape(ny, nx, 2)
