"""What a map is compared with: the same neurons wired, or their synapses weighted, by chance alone.

Bamford, Murray & Willshaw 2010 compare each final map with one of the same in-degrees whose sources are drawn anew, and
with one whose weights are shuffled among each neuron's synapses.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.network import Grid

# Random numbers drawn at a time: some megabytes.
_DRAWS_AT_A_TIME = 1 << 21


def drawn_sources(
    grid: Grid,
    in_degree: NDArray[Any],
    profile: NDArray[np.float64],
    random: np.random.Generator,
    targets: NDArray[Any] | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Sources of neurons with given in-degrees, drawn one after the other with the chances of a formation profile.

    A pair has at most one synapse, so a source that was drawn is out for the neuron's next draws. In-degrees beyond the
    number of sources within the profile's reach, which only another rule can have made, are filled as far as it goes.

    Args:
        grid: of both populations.
        in_degree: shape (n,).
        profile: chance at squared distances 0, 1, .., which need not sum to 1.
        targets: ids of the neurons, shape (n,), where borders are open: places beyond them are not drawn.

    Returns:
        row, dx, dy: one entry per synapse: its target (0 .. n - 1, ascending), its source's place minus its target's.
    """
    places_x, places_y = (np.arange(-((side - 1) // 2), side // 2 + 1) for side in grid.periods)
    reach = int(np.sqrt(max(len(profile) - 1, 0)))
    dx, dy = (
        axis.ravel() for axis in np.meshgrid(places_x[np.abs(places_x) <= reach], places_y[np.abs(places_y) <= reach])
    )
    squared = dx**2 + dy**2
    within = squared < len(profile)
    within[within] = profile[squared[within]] > 0
    dx, dy, chance = dx[within], dy[within], profile[squared[within]].astype(np.float32)
    wanted = np.minimum(in_degree, len(dx))
    chosen = [np.empty(0, dtype=np.intp)]
    at_a_time = max(1, _DRAWS_AT_A_TIME // max(len(dx), 1))
    for first in range(0, len(wanted), at_a_time):
        here = slice(first, first + at_a_time)
        beyond = None
        if grid.is_open:
            assert targets is not None
            beyond = ~_on_grid(grid, targets[here, None], dx, dy)
            wanted[here] = np.minimum(wanted[here], len(dx) - beyond.sum(axis=1))
        degrees = wanted[here]
        # Exponential waiting times with these chances as rates: the first to come (Efraimidis & Spirakis 2006).
        waiting = random.standard_exponential((len(degrees), len(dx)), dtype=np.float32) / chance
        if beyond is not None:
            waiting[beyond] = np.inf
        most = int(degrees.max(initial=0))
        if most == 0:
            continue
        first_ones = np.argpartition(waiting, most - 1, axis=1)[:, :most]
        order = np.argsort(np.take_along_axis(waiting, first_ones, axis=1), axis=1)
        chosen.append(np.take_along_axis(first_ones, order, axis=1)[np.arange(most)[None, :] < degrees[:, None]])
    index = np.concatenate(chosen)
    return np.repeat(np.arange(len(wanted)), wanted), dx[index], dy[index]


def _on_grid(grid: Grid, ids: NDArray[Any], dx: NDArray[np.int64], dy: NDArray[np.int64]) -> NDArray[np.bool_]:
    x, y = ids % grid.nx, ids // grid.nx
    return (x + dx >= 0) & (x + dx < grid.nx) & (y + dy >= 0) & (y + dy < grid.ny)


def shuffled_within_rows(values: NDArray[Any], row: NDArray[Any], random: np.random.Generator) -> NDArray[Any]:
    """`values` (one per synapse, rows ascending) in a random order within each row."""
    return values[np.lexsort((random.random(len(values)), row))]
