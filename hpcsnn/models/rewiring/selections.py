"""Ways to select who is tried. One's way to draw can go with another's way to pick: ``LOCAL.trying(PLACE)``."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.errors import ConfigurationError
from hpcsnn.models.distance_profiles import displacements_within, gaussian_by_squared_distance, gaussian_reach_squared
from hpcsnn.models.parameters import Parameter
from hpcsnn.models.rewiring.rule import NOBODY, Selection
from hpcsnn.models.tables import LatticeAxis, PlacementContext, Table

# Displacements of a local selection between unequal grids: about two seconds and 64 MB.
MOST_DISPLACEMENTS = 2**22

ATTEMPTS = {
    "attempts": Parameter(10, "", "attempts per block and update", ctype="int", minimum=1),
    "block_side": Parameter(16, "grid units", "side of a block of targets", ctype="int", minimum=1),
}

UNIFORM = Selection(
    "uniform",
    "Every pair of the projection with the same chance.",
    every_pair_alike=True,
    unequal_grids=True,
    free_positions=True,
    parameters=ATTEMPTS,
    draw="""
uint32 rest;
source_x = (int)choose(random.y, (uint32)nx, &rest);
source_y = (int)choose(rest, (uint32)ny, &rest);
""",
)


def local_profile(sigma: float, period_x: int, period_y: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Displacements dx, dy for such periods where exp(-d^2 / (2 sigma^2)) is at least 2^-32, and the chances."""
    dx, dy, squared = displacements_within(gaussian_reach_squared(1.0, sigma), period_x, period_y)
    return dx, dy, gaussian_by_squared_distance(1.0, sigma)[squared]


def alias_table(chances: NDArray[np.float64]) -> tuple[NDArray[np.int32], NDArray[np.uint32]]:
    """Walker's alias table: entry k stands for itself below its threshold, else for the other one (Vose 1991)."""
    n = len(chances)
    share = chances / chances.sum() * n
    other, keep = np.arange(n, dtype=np.int32), np.ones(n)
    small, large = [k for k in range(n) if share[k] < 1], [k for k in range(n) if share[k] >= 1]
    while small and large:
        low, high = small.pop(), large[-1]
        keep[low], other[low] = share[low], high
        share[high] -= 1 - share[low]
        if share[high] < 1:
            small.append(large.pop())
    return other, np.minimum(np.rint(keep * 2.0**32), 2.0**32 - 1).astype(np.uint32)


@lru_cache(maxsize=4)
def unequal_local_tables(sigma: float, along_x: LatticeAxis, along_y: LatticeAxis) -> tuple[NDArray[Any], ...]:
    """The local proposals' tables between unequal grids: sources dx, dy and alias tables, of one kind of target after
    the other, where each begins, and after how many targets and sources kinds come again, in x and in y.

    Targets are of one kind if the same displacements lead to sources; dx and dy are from the source with which the
    repeat begins that the target is in.

    Raises:
        ConfigurationError: more displacements than tables are made of.
    """
    reach_squared = gaussian_reach_squared(1.0, sigma)
    repeats = (along_x.repeats, along_y.repeats)
    within = math.pi * reach_squared * math.prod(every for every, _ in repeats) / (along_x.stride * along_y.stride)
    if within > MOST_DISPLACEMENTS:
        grids = f"{along_x.sources} x {along_y.sources} and {along_x.targets} x {along_y.targets}"
        raise ConfigurationError(
            f"sigma: {sigma / along_x.fineness:g} grid units are not allowed between these grids, of {grids}: about "
            f"{within:.2g} different displacements are within reach, at most {MOST_DISPLACEMENTS}; sides with a larger "
            "common divisor have fewer"
        )
    profile, reach = gaussian_by_squared_distance(1.0, sigma), math.isqrt(reach_squared)
    columns: list[list[NDArray[Any]]] = [[], [], [], []]
    for y, x in np.ndindex(repeats[1][0], repeats[0][0]):
        # What is beyond the sides of an open grid is drawn too, and comes to nothing.
        (of_x, apart_x), (of_y, apart_y) = along_x.near(x, reach, beyond=True), along_y.near(y, reach, beyond=True)
        squared = np.add.outer(apart_y**2, apart_x**2)
        row, column = np.nonzero(squared <= reach_squared)
        kind = (of_x[column].astype(np.int32), of_y[row].astype(np.int32))
        for to, values in zip(columns, (*kind, *alias_table(profile[squared[row, column]])), strict=True):
            to.append(values)
    first = np.cumsum([0, *map(len, columns[0])]).astype(np.int32)
    return (*map(np.concatenate, columns), first, np.array(repeats, dtype=np.int32).ravel())


@dataclass(frozen=True)
class _LocalColumn:
    """One of the local proposals' tables; no function in a function, which would not pickle."""

    part: int

    def __call__(self, context: PlacementContext) -> NDArray[Any]:
        sigma = context.values["sigma"]
        if context.lattice is not None:
            return unequal_local_tables(sigma, *context.lattice)[self.part]
        dx, dy, chances = local_profile(sigma, context.period_x, context.period_y)
        first, repeats = np.array([0, len(dx)], dtype=np.int32), np.ones(4, dtype=np.int32)
        return (dx, dy, *alias_table(chances), first, repeats)[self.part]


LOCAL = Selection(
    "local",
    "The source is drawn from a Gaussian around the target: the rate per neuron does not fall with the network's size.",
    parameters={**ATTEMPTS, "sigma": Parameter(2.5, "grid units", "width of the Gaussian", above=0.0)},
    tables={
        "local_dx": Table("int", _LocalColumn(0)),
        "local_dy": Table("int", _LocalColumn(1)),
        "local_other": Table("int", _LocalColumn(2)),
        "local_keep": Table("uint32", _LocalColumn(3)),
        "local_first": Table("int", _LocalColumn(4)),
        "local_repeats": Table("int", _LocalColumn(5)),
    },
    unequal_grids=True,
    draw="""
uint32 rest;
const int repeat_x = x / local_repeats[0], repeat_y = y / local_repeats[2];
const int kind = (y - repeat_y * local_repeats[2]) * local_repeats[0] + x - repeat_x * local_repeats[0];
const int first = local_first[kind], n = local_first[kind + 1] - first;
if (n > 0) {
    int k = first + (int)choose(random.y, (uint32)n, &rest);
    k = rest < local_keep[k] ? k : first + local_other[k];
    source_x = repeat_x * local_repeats[1] + local_dx[k];
    source_x += source_x < 0 ? period_x : source_x >= nx ? -period_x : 0;
    source_y = repeat_y * local_repeats[3] + local_dy[k];
    source_y += source_y < 0 ? period_y : source_y >= ny ? -period_y : 0;
}
""",
)

BY_SPIKE = Selection(
    "by spike",
    "The source is one of the neurons within reach that spiked in the last `recent_ms`, each with the same chance.",
    parameters={**ATTEMPTS, "recent_ms": Parameter(1.0, "ms", "how long ago a spike may be", above=0.0, in_steps=True)},
    draw="""
uint64 least = ~(uint64)0;
for (int n = 0; n < n_recent; ++n) {
    const int id = recent(n);
    const uint64 key = spike_hash((int)random.y, id);
    const int other_x = id % nx, other_y = id / nx;
    if (squared_to(other_x, other_y) > reach || key >= least) continue;
    least = key;
    source_x = other_x;
    source_y = other_y;
}
""",
    unequal_grids=True,
    free_positions=True,
    looks_back_ms="recent_ms",
)

PLACE = Selection(
    "one of the target's places",
    "One of the target's `max_in_degree` places is drawn: the synapse in it may go, an empty one takes the source.",
    parameters={"max_in_degree": Parameter(32, "", "places for synapses that a target has", ctype="int", minimum=1)},
    pick="""
const bool taken = (int)(((uint64)random() * (uint32)max_in_degree) >> 32) < in_degree;
tried = taken ? any_synapse() : -1;
forming = !taken && found < 0;
""",
)

WEAKEST = Selection(
    "the target's weakest synapse",
    "The weakest synapse of the target may go, and one to the source drawn may come.",
    pick="""
tried = in_degree > 0 ? weakest() : -1;
forming = found < 0;
""",
)

ALL_SYNAPSES = Selection("all synapses", "Each synapse is tried in each update.", every_synapse=True)

PER_TARGET = NOBODY
