"""Pairs that are drawn: those that may replace what went, and those of a batch whose gradients say which will grow.

Pairs are numbered, and each is drawn by its number alone; every rank draws all of them and keeps those of its targets.
Nothing of them outlasts a batch: a training that is resumed draws the next one's as if it had not been stopped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.devices.base import Executable
from hpcsnn.engine.arrays import RankArrays
from hpcsnn.models.rewiring import Update
from hpcsnn.network import Projection
from hpcsnn.network.learning import guided_projections

# Candidates of an update have a random number each, told apart by 32 bits.
MOST_CANDIDATES = 2**32
_DRAWN = ("candidate_source", "candidate_next")
_GUIDED = {"candidate_target": np.int32, "candidate_gradient": np.int64, "candidate_rank": np.float32}


def update_of(state: RankArrays, projection: Projection, number: int) -> Update:
    """What update `number` of a projection begins with; a collective call."""
    here = int(state.arrays[f"{projection.name}.in_degree"].sum(dtype=np.int64))
    return Update(number, sum(state.communicator.gather(here)), projection.source.size * projection.target.size)


def draw(state: RankArrays, executable: Executable, projection: Projection, first: int, n: int) -> None:
    """List by target the pairs numbered from `first` on, so many."""
    part = state.projection_part(projection.name)
    part.n_candidates, part.first_candidate = n, first
    _fit(state, projection, dict.fromkeys(_DRAWN, np.int32), n)
    executable.run(f"draw_candidates_{projection.name}", n)


def draw_for_batch(state: RankArrays, executable: Executable, batch: int) -> None:
    """Draw the pairs whose gradients of a batch say where synapses grow, if there is a rule that goes by them; a
    collective call of the ranks that share a network, before the batch is played."""
    state.set_control("step", batch)
    for projection in guided_projections(state.network):
        assert projection.rewiring is not None and projection.rewiring.model.guide is not None
        update = update_of(state, projection, batch)
        asked = projection.rewiring.model.guide.candidates(projection.rewiring.values, update)
        n = min(asked, MOST_CANDIDATES // 2)
        part = state.projection_part(projection.name)
        part.n_guided = n
        if n <= 0:
            continue
        _fit(state, projection, _GUIDED, n)
        state.arrays[f"{projection.name}.candidate_target"][...] = -1
        state.arrays[f"{projection.name}.candidate_gradient"][...] = 0
        draw(state, executable, projection, 0, n)
        executable.run(f"keep_free_{projection.name}", state.placements[projection.target.name].n_own)


def gradient_sums(state: RankArrays) -> list[str]:
    """Names of the arrays that candidates' gradients of this batch are added up in."""
    return [
        f"{one.name}.candidate_gradient"
        for one in guided_projections(state.network)
        if state.projection_part(one.name).n_guided > 0
    ]


def n_guided(state: RankArrays, projection: Projection) -> int:
    """Pairs that were drawn for this batch."""
    rule = projection.rule
    return 0 if rule is None or rule.guide is None else int(state.projection_part(projection.name).n_guided)


def best(
    state: RankArrays, executable: Executable, projections: Sequence[Projection], n: int
) -> list[NDArray[np.int64]]:
    """The n of highest rank of all pairs that were drawn for this batch in these projections; a collective call.

    Returns:
        By projection those of this rank, shape (m, 2): target and source, as this rank numbers them.
    """
    rows = [np.zeros((0, 4), np.int64)]  # projection, number, target, source
    ranks = [np.zeros(0, np.float32)]
    for at, projection in enumerate(projections):
        name, drawn = projection.name, n_guided(state, projection)
        if drawn == 0:
            continue
        executable.run(f"rank_candidates_{name}", drawn)
        state.projection_part(name).n_guided = 0
        rank, target, source = (state.read(f"{name}.candidate_{one}")[:drawn] for one in ("rank", "target", "source"))
        own = np.flatnonzero(target >= 0)
        rows.append(np.column_stack([np.full(len(own), at), own, target[own], source[own]]).astype(np.int64))
        ranks.append(rank[own])
    mine, rank = np.concatenate(rows), np.concatenate(ranks)
    first = highest(rank, mine, n)  # of what this rank has, no more than might form
    mine, rank = mine[first], rank[first]
    everyone = state.communicator.gather((rank, mine[:, :2]))
    of_all, keys = (np.concatenate(columns) for columns in zip(*everyone, strict=True))
    chosen = keys[highest(of_all, keys, n)]
    taken = mine[np.isin(mine[:, 0] * MOST_CANDIDATES + mine[:, 1], chosen[:, 0] * MOST_CANDIDATES + chosen[:, 1])]
    return [taken[taken[:, 0] == at, 2:] for at in range(len(projections))]


def highest(ranks: NDArray[np.float32], keys: NDArray[np.int64], n: int) -> NDArray[np.intp]:
    """Places of the n largest, from the largest on; of equal ones those whose keys (two columns) come first."""
    return np.lexsort((keys[:, 1], keys[:, 0], -ranks))[:n]


def _fit(state: RankArrays, projection: Projection, arrays: dict[str, Any], n: int) -> None:
    """Room for so many candidates, with some to spare for later ones."""
    for name, dtype in arrays.items():
        if len(state.arrays.get(f"{projection.name}.{name}", ())) < n:
            room = state.device.zeros(n + n // 2, dtype)
            state.bind(state.projection_part(projection.name), projection.name, name, room)
