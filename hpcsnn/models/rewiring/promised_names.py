"""What each snippet of a rule sees beside variables, traces, sums and constants, as docs/slots.md promises it."""

from __future__ import annotations

_PAIR = ("post", "pre", "distance_squared", "pre_id", "post_id", "random", "pair_random")
# Where a network learns no neuron is removed.
_REMOVED = ("pre_removed", "post_removed")
_EVERYWHERE = ("dt_ms", "step", "n_sources", "n_targets")

# Methods of ``row``.
ROW = ("size", "find", "source_id", "remove", "propose")
# Of sources that spiked, where a selection looks back.
RECENT = ("reach", "recent", "n_recent")
# By slot; those of ``sums`` and ``initial`` are for each of them.
SLOTS: dict[str, tuple[str, ...]] = {
    slot: (*names, *_EVERYWHERE)
    for slot, names in {
        "draw": ("source_x", "source_y", "x", "y", "nx", "ny", "period_x", "period_y", "squared_to", "random", *RECENT),
        "pick": ("tried", "forming", "found", "any_synapse", "weakest", "post", "in_degree", "post_id", "random"),
        "eliminate": (*_PAIR, *_REMOVED, "in_degree"),
        "reason": (*_PAIR, *_REMOVED, "in_degree"),
        "form": (*_PAIR, "in_degree"),
        "initial": _PAIR,
        "gradient": tuple(name for name in _PAIR if name != "random"),
        "turnover.least": (*(name for name in _PAIR if name != "random"), *_REMOVED, "in_degree"),
        "guide.most": ("gradient", *(name for name in _PAIR if name != "random")),
        "update": (*_PAIR, *_REMOVED, "in_degree"),
        "update_if": (*(name for name in _PAIR if name != "random"), *_REMOVED, "in_degree"),
        "update_source": ("pre", "id", "out_degree", "random"),
        "update_target": ("post", "id", "in_degree", "random"),
        "per_target": ("row", "post", "post_id", "post_removed", "random"),
        "sums": ("post", "in_degree", "post_id"),
        "pairing.offers": ("id", "out_degree"),
        "pairing.after_source": ("id", "out_degree", "vacant"),
        "pairing.demands": ("id", "in_degree"),
        "pairing.after_target": ("id", "in_degree", "vacant"),
    }.items()
}
# By any snippet.
ANY_SLOT = tuple(dict.fromkeys(name for names in SLOTS.values() for name in names))
