"""Which names each of a rule's snippets sees: what a compiler's complaint about a name is explained with."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hpcsnn.network import Projection

_PAIR = ("distance_squared", "in_degree", "pre_id", "post_id", "random", "pair_random")
_FUNCTIONS = ("chance", "choose", "exponential", "logarithm", "spike_hash", "torus_distance")
_EVERYWHERE = ("dt_ms", "step", "n_sources", "n_targets")


def names_by_slot(projection: Projection, constants: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """For each slot the names of variables, traces and functions, and those of `constants`, that its snippet sees."""
    rule = projection.rule
    assert rule is not None
    variables = [variable.name for variable in projection.synapse_variables]
    before, after = ([trace.name for trace in traces] for traces in (projection.pre_traces, projection.post_traces))
    state = [f"post.{variable.name}" for variable in projection.target.state]
    source_state = [f"pre.{variable.name}" for variable in projection.source.state]
    targets = [variable.name for variable in projection.target_variables]
    sources = [variable.name for variable in rule.source_variables]
    post = (*state, *(f"post.{name}" for name in targets))
    pre = (*source_state, *(f"pre.{name}" for name in sources))
    pair = (*before, *after, *post, *pre, *_PAIR)
    of_row = (*variables, *before, "size", "find", "source_id", "remove", "propose")
    row = (*(f"row.{name}" for name in of_row), *after, *post, "post_id")
    places = ("source_x", "source_y", "x", "y", "nx", "ny", "random")
    picking = ("tried", "forming", "found", "any_synapse", "weakest")
    recent = ("reach", "recent", "n_recent") if rule.select.looks_back_ms else ()
    slots = {
        "draw": (*places, *recent),
        "pick": (*picking, *after, *post, "in_degree", "post_id", "random"),
        "eliminate": (*variables, *pair),
        "reason": (*variables, *pair),
        "form": pair,
        "initial": tuple(name for name in pair if name != "in_degree"),
        "update": (*variables, *pair),
        "update_source": (*sources, *before, *source_state, "id", "out_degree", "random"),
        "update_target": (*targets, *after, *state, "id", "in_degree", "random"),
        "per_target": (*row, *(f"own_{name}" for name in targets), "random"),
        "sums": (*after, *post, "in_degree", "post_id"),
        "pairing.offers": (*sources, "id", "out_degree"),
        "pairing.after_source": (*sources, "id", "out_degree", "vacant"),
        "pairing.demands": (*targets, "id", "in_degree"),
        "pairing.after_target": (*targets, "id", "in_degree", "vacant"),
    }
    return {
        slot: tuple(dict.fromkeys([*names, *rule.sums, *constants, *_FUNCTIONS, *_EVERYWHERE]))
        for slot, names in slots.items()
    }
