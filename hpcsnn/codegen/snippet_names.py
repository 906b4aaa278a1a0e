"""Which names each of a rule's snippets sees: what its function takes, and what a complaint about a name lists."""

from __future__ import annotations

from hpcsnn.models.rewiring.promised_names import RECENT, ROW, SLOTS
from hpcsnn.models.snippet_text import FUNCTIONS
from hpcsnn.network import Projection


def names_by_slot(projection: Projection, constants: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """For each slot the names of variables, traces and functions, and those of `constants`, that its snippet sees.

    Members of ``post``, ``pre`` and ``row`` are listed one by one.
    """
    rule = projection.rule
    assert rule is not None
    variables = [variable.name for variable in projection.synapse_variables]
    before, after = ([trace.name for trace in traces] for traces in (projection.pre_traces, projection.post_traces))
    targets = [variable.name for variable in projection.target_variables]
    sources = [variable.name for variable in rule.source_variables]
    members = {
        "post": [variable.name for variable in projection.target.state],
        "pre": [variable.name for variable in projection.source.state],
        "row": [*variables, *before, *ROW],
    }
    own = {
        **dict.fromkeys(
            ("eliminate", "reason", "update", "update_if", "gradient", "turnover.least"), (*variables, *before, *after)
        ),
        **dict.fromkeys(("form", "initial", "guide.most"), (*before, *after)),
        **dict.fromkeys(("pick", "sums"), after),
        "update_source": (*sources, *before),
        "update_target": (*targets, *after),
        "per_target": (*after, *(f"own_{variable.name}" for variable in rule.target_variables)),
        **dict.fromkeys(("pairing.offers", "pairing.after_source"), sources),
        **dict.fromkeys(("pairing.demands", "pairing.after_target"), targets),
    }
    left_out = (*(() if rule.select.looks_back_ms else RECENT), *(() if rule.pairing else ("out_degree",)))

    def listed(slot: str, name: str) -> list[str]:
        if name not in members:
            return [] if name in left_out else [name]
        of_rule = {"post": targets, "pre": sources}.get(name, [])
        own_neuron = slot in ("update_source", "update_target")  # whose variables have their own names there
        return [f"{name}.{member}" for member in (*members[name], *([] if own_neuron else of_rule))]

    return {
        slot: tuple(
            dict.fromkeys(
                [
                    *own.get(slot, ()),
                    *(one for name in names for one in listed(slot, name)),
                    *rule.sums,
                    *constants,
                    *FUNCTIONS,
                ]
            )
        )
        for slot, names in SLOTS.items()
    }
