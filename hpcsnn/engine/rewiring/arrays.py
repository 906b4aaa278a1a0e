"""The arrays that a rule of rewiring works on, beside the synapses: bound once, and made longer when rows grow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.codegen.structs import NUMPY
from hpcsnn.models.base import thresholds
from hpcsnn.models.distance_profiles import displacements_within
from hpcsnn.models.rewiring import RewiringRule
from hpcsnn.models.stimuli import SourceModel
from hpcsnn.network import Network, Projection
from hpcsnn.network.attached import rewiring_rule, shared_variables, source_variables, target_variables

if TYPE_CHECKING:
    from hpcsnn.engine.state import RankState

# Events that a log has room for before the host must take them, beside those of one step at most.
_LOG_ENTRIES = 1 << 18
_NOTHING_TO_THIN = (np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.uint64))
_ANYWHERE = 2**31 - 1  # as a squared distance


def spikes_back(network: Network, projection: Projection) -> int:
    """Steps on which the projection's rule looks back for spikes, those that ranks have not exchanged yet included."""
    rule = rewiring_rule(projection)
    if rule is None or rule.select.looks_back_ms is None:
        return 0
    assert projection.rewiring is not None
    return network.steps(projection.rewiring.values[rule.select.looks_back_ms]) + network.min_delay_steps()


def steps_between_updates(network: Network, projection: Projection) -> int:
    """Steps from one update of the rule to the next."""
    rule = rewiring_rule(projection)
    assert rule is not None and projection.rewiring is not None
    if rule.trigger == "stimulus":
        model = projection.source.model
        assert isinstance(model.model, SourceModel)
        return int(model.constants(network.dt_ms)["window_steps"])
    return network.steps(projection.rewiring.values["every_ms"]) if rule.trigger == "every_ms" else 1


def bind_rewiring(state: RankState, projection: Projection) -> None:
    """Make the arrays of a projection's rule and put them into its struct."""
    rule, device, network = rewiring_rule(projection), state.device, state.network
    assert rule is not None and projection.rewiring is not None
    part: Any = getattr(state.struct.projections, projection.name)
    source, target = state.placements[projection.source.name], state.placements[projection.target.name]
    part.rewiring_every_steps = steps_between_updates(network, projection)
    reach_squared = projection.rewiring_reach_squared
    part.rewiring_forms_within = _ANYWHERE if reach_squared is None else reach_squared
    arrays: dict[str, Any] = {"event_log_count": device.zeros(1, np.int32)}
    for prefix, variables, n in (
        ("source", source_variables(projection), source.n_own),
        ("target", target_variables(projection), target.n_own),
        ("shared", shared_variables(projection), source.n_known),
    ):
        for variable in variables:
            initial = np.full(n, variable.initial, dtype=NUMPY[variable.ctype])
            arrays[f"{prefix}_{variable.name}"] = device.upload(initial)
    for name in rule.sums:
        arrays |= {f"{kind}_{name}": device.zeros(1, np.int64) for kind in ("sum", "partial")}
    if rule.attempts:
        arrays |= _attempt_arrays(state, projection, part)
    if rule.per_target:
        arrays["n_proposed"] = device.zeros(target.n_own, np.int32)
        arrays["hook_proposed"] = device.zeros(target.n_own * rule.proposals, np.int32)
    if rule.replace == "target":
        arrays["replace_tried"] = device.zeros(target.n_own, np.int32)
    if rule.replace == "projection" or rule.pairing:
        arrays["n_formed"] = device.zeros(1, np.int64)
    if rule.pairing:
        arrays |= {name: device.zeros(source.n_own, np.int32) for name in ("offers", "out_degree")}
        arrays["demands"] = device.zeros(target.n_own, np.int32)
        arrays["local_out_degree"] = device.zeros(source.n_known, np.int32)
    for name, array in arrays.items():
        state.bind(part, projection.name, name, array)
    fit_event_log(state, projection, 1)


def _attempt_arrays(state: RankState, projection: Projection, part: Any) -> dict[str, Any]:
    rule, network, device = projection.rewiring, state.network, state.device
    assert rule is not None and isinstance(rule.model, RewiringRule)
    target = state.placements[projection.target.name]
    side, attempts = rule.values["block_side"], rule.values["attempts"]
    x, y = target.coordinates()
    blocks_x = projection.target.grid.nx // side
    blocks = np.unique((y // side) * blocks_x + x // side).astype(np.int32)
    part.rewiring_block_x = part.rewiring_block_y = side
    # Where the first wiring is unbounded, an existing synapse may be anywhere.
    part.rewiring_reach_squared = _ANYWHERE if projection.reach_squared is None else projection.reach_squared
    if rule.model.select.looks_back_ms:
        part.rewiring_interval = network.min_delay_steps()
        part.rewiring_looks_back = network.steps(rule.values[rule.model.select.looks_back_ms])
    part.n_blocks = len(blocks)
    part.n_attempts = n_attempts = len(blocks) * attempts
    numbers = (blocks[:, None] * attempts + np.arange(attempts, dtype=np.int32)).ravel()
    corners = np.repeat(blocks, attempts)
    dx, dy, count_threshold = _within_reach(projection, attempts) if rule.model.thins else _NOTHING_TO_THIN
    part.n_within = len(dx)
    return {
        "within_dx": device.upload(dx),
        "within_dy": device.upload(dy),
        "count_threshold": device.upload(count_threshold),
        "attempt_count": device.upload(np.full(len(blocks), attempts, dtype=np.int32)),
        "block_id": device.upload(blocks),
        "attempts_done": device.zeros(len(blocks), np.int32),
        "attempt_number": device.upload(numbers),
        "attempt_x0": device.upload(corners % blocks_x * side),
        "attempt_y0": device.upload(corners // blocks_x * side),
        **{f"attempt_{name}": device.zeros(n_attempts, np.int32) for name in ("target", "source", "distance")},
        "attempt_decision": device.zeros(n_attempts, np.uint32),
    }


def _within_reach(
    projection: Projection, attempts: int
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.uint64]]:
    """Displacements of slots within reach, and 2^32 times the chance of at most 0, 1, .. of the attempts on them.

    Nothing where half of all slots or more are within reach: then all attempts are drawn.
    """
    grid, reach_squared = projection.source.grid, projection.reach_squared
    if reach_squared is None:
        return _NOTHING_TO_THIN
    dx, dy, squared = displacements_within(reach_squared, grid.nx, grid.ny)
    if 2 * len(squared) >= grid.size:
        return _NOTHING_TO_THIN
    from scipy.stats import binom  # takes longer to load than most commands take

    return dx, dy, thresholds(binom.cdf(np.arange(attempts), attempts, len(squared) / grid.size))


def fit_event_log(state: RankState, projection: Projection, capacity: int) -> None:
    """Give the log of events room for all that an update can do while rows have room for `capacity` synapses."""
    rule, part = projection.rewiring, getattr(state.struct.projections, projection.name)
    if rule is None or not isinstance(rule.model, RewiringRule):
        return
    most, whole_rows = 0, rule.model.visits_synapses or rule.model.proposes
    if rule.model.attempts:
        most = int(part.n_blocks) * rule.values["attempts"]
        if rule.model.select.pick or whole_rows:  # an attempt may eliminate and form, or what it forms may go at once
            most *= 2
    if whole_rows:  # each synapse may go, each free place be taken
        most += 2 * capacity * state.placements[projection.target.name].n_own
    part.most_events = most
    if projection.record_events and int(part.event_log_size) < most + _LOG_ENTRIES:
        part.event_log_size = most + _LOG_ENTRIES
        log, before = state.device.zeros(4 * int(part.event_log_size), np.int32), f"{projection.name}.event_log"
        if before in state.arrays:  # what is in it has not been taken yet
            log[: len(state.arrays[before])] = state.arrays[before]
        state.bind(part, projection.name, "event_log", log)
