"""What a rule of rewiring works on beside the synapses: its numbers, blocks and attempts, and a log that has room."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.checked_numbers import LARGEST_WHOLE
from hpcsnn.engine.arrays import RankArrays
from hpcsnn.errors import SimulationError
from hpcsnn.models.chance_tables import thresholds
from hpcsnn.models.distance_profiles import displacements_within
from hpcsnn.network import Projection
from hpcsnn.network.fields import ProjectionRoom
from hpcsnn.ranks.partition import Placement

_NOTHING_TO_THIN = (np.empty(0, np.int32), np.empty(0, np.int32))
_ANYWHERE = 2**31 - 1  # as a squared distance


def bind_rewiring(state: RankArrays, projection: Projection, room: ProjectionRoom) -> ProjectionRoom:
    """Put the numbers of a projection's rule into its struct; the room with what the rule needs.

    Arrays whose entries are made here are bound; the others follow from the room.
    """
    rule, network = projection.rule, state.network
    if rule is None:
        return room
    part = state.projection_part(projection.name)
    part.rewiring_every_steps = network.update_steps(projection)
    reach_squared = projection.rewiring_reach_squared
    part.rewiring_forms_within = _ANYWHERE if reach_squared is None else reach_squared
    if not rule.attempts:
        return room
    return _bind_attempts(state, projection, part, room)


def _bind_attempts(state: RankArrays, projection: Projection, part: Any, room: ProjectionRoom) -> ProjectionRoom:
    rule, network = projection.rewiring, state.network
    assert rule is not None
    side, attempts = rule.values["block_side"], rule.values["attempts"]
    blocks, blocks_x = blocks_of(projection, state.placements[projection.target.name])
    part.rewiring_block_x = part.rewiring_block_y = side
    # Where the first wiring is unbounded, an existing synapse may be anywhere.
    part.rewiring_reach_squared = _ANYWHERE if projection.reach_squared is None else projection.reach_squared
    if rule.model.select.looks_back_ms:
        part.rewiring_looks_back = network.steps(rule.values[rule.model.select.looks_back_ms])
    part.n_blocks, part.n_attempts = len(blocks), len(blocks) * attempts
    corners = np.repeat(blocks, attempts)
    dx, dy = thinned_displacements(projection)
    part.n_within = len(dx)
    for name, values in {
        "block_id": blocks,
        "attempt_number": (blocks[:, None] * attempts + np.arange(attempts, dtype=np.int32)).ravel(),
        "attempt_x0": corners % blocks_x * side,
        "attempt_y0": corners // blocks_x * side,
        "within_dx": dx,
        "within_dy": dy,
        "count_threshold": _count_thresholds(projection, len(dx)),
    }.items():
        state.bind(part, projection.name, name, state.device.upload(values))
    return replace(room, n_blocks=len(blocks), n_within=len(dx))


def blocks_of(projection: Projection, target: Placement) -> tuple[NDArray[np.int32], int]:
    """Numbers of the blocks of targets that this rank has neurons of, shape (n,), and how many there are in x."""
    assert projection.rewiring is not None
    side = projection.rewiring.values["block_side"]
    blocks_x = projection.target.grid.nx // side
    x, y = target.coordinates()
    return np.unique((y // side) * blocks_x + x // side).astype(np.int32), blocks_x


def thinned_displacements(projection: Projection) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Displacements of slots within reach, where only attempts on them are drawn.

    Nothing where half of all slots or more are within reach, the rule asks otherwise, or grids are unequal, whose
    targets have other displacements each: then all attempts are drawn.
    """
    grid, reach_squared = projection.source.grid, projection.reach_squared
    if projection.rule is None or not projection.rule.thins or reach_squared is None or projection.lattice is not None:
        return _NOTHING_TO_THIN
    dx, dy, squared = displacements_within(reach_squared, *grid.periods)
    return (dx, dy) if 2 * len(squared) < grid.size else _NOTHING_TO_THIN


def _count_thresholds(projection: Projection, n_within: int) -> NDArray[np.uint64]:
    """2^32 times the chance that at most 0, 1, .. of a block's attempts are on slots within reach."""
    if n_within == 0:
        return np.empty(0, np.uint64)
    from scipy.stats import binom  # takes longer to load than most commands take

    assert projection.rewiring is not None
    attempts = int(projection.rewiring.values["attempts"])
    return thresholds(binom.cdf(np.arange(attempts), attempts, n_within / projection.source.grid.size))


def most_events(projection: Projection, n_blocks: int, n_targets: int, capacity: int) -> int:
    """Events of one update at most, while rows have room for `capacity` synapses."""
    rule = projection.rewiring
    if rule is None:
        return 0
    most, whole_rows = 0, rule.model.visits_synapses or rule.model.proposes
    if rule.model.attempts:
        most = n_blocks * int(rule.values["attempts"])
        if rule.model.select.pick or whole_rows:  # an attempt may eliminate and form, or what it forms may go at once
            most *= 2
    if whole_rows:  # each synapse may go, each free place be taken
        most += 2 * capacity * n_targets
    return most


def fit_event_log(state: RankArrays, projection: Projection, capacity: int, log_entries: int) -> None:
    """Give the log of events room for all that an update can do while rows have room for `capacity` synapses."""
    rule, part = projection.rule, state.projection_part(projection.name)
    if rule is None:
        return
    n_blocks = int(part.n_blocks) if rule.attempts else 0
    most = most_events(projection, n_blocks, state.placements[projection.target.name].n_own, capacity)
    if most + log_entries > LARGEST_WHOLE:
        raise SimulationError(
            f"projections.{projection.name}: an update may come to {most} events, more than a rank can number "
            f"(2^31 - 1, with {log_entries} that wait for the host); use more ranks, or fewer places in rows"
        )
    part.most_events = most
    if projection.record_events and int(part.event_log_size) < most + log_entries:
        part.event_log_size = most + log_entries
        log, before = state.device.zeros(4 * int(part.event_log_size), np.int32), f"{projection.name}.event_log"
        log[: len(state.arrays[before])] = state.arrays[before]  # what is in it has not been taken yet
        state.bind(part, projection.name, "event_log", log)
