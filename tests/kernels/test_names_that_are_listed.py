"""A complaint about a name lists what its slot sees: each of these names compiles there."""

from __future__ import annotations

import dataclasses

import pytest

from hpcsnn import Grid, Network, models
from hpcsnn.codegen.snippet_names import names_by_slot
from hpcsnn.devices import HostDevice
from hpcsnn.engine.simulation import Simulation
from hpcsnn.models import BY_SPIKE, Pairing, RewiringRule, Selection, SpikeTrace, Variable

# How a name is used that is no value.
CALLS = {
    "chance": "chance(7u, 0.5f)",
    "choose": "choose(7u, 3u, (uint32*)0)",
    "exponential": "exponential(1.0f)",
    "logarithm": "logarithm(1.0f)",
    "spike_hash": "spike_hash(1, 2)",
    "torus_distance": "torus_distance(1, 2, 16)",
    "row.size": "row.size()",
}
WHAT_IT_GIVES = {"eliminate": "false", "reason": "0", "form": "false", "initial": "0.1f", "sums": "in_degree"}


def plain_rule(every_synapse):
    """A rule with variables and traces on all sides, whose texts do nothing yet."""
    select = dataclasses.replace(BY_SPIKE, every_pair_alike=False)
    return RewiringRule(
        "names",
        "",
        parameters={
            "tau_ms": models.Parameter(10.0, "ms", ""),
            "every": models.Parameter(2, "", "", ctype="int", minimum=1),
        },
        select=models.ALL_SYNAPSES if every_synapse else select,
        pairing=Pairing("0", "0", "every"),
        sums={"a_sum": "in_degree"},
        **{f"{what}_variables": (Variable(f"of_{what}"),) for what in ("synapse", "source", "target")},
        **{f"{end}_traces": (SpikeTrace(f"{end}_trace", "tau_ms"),) for end in ("source", "target")},
    )


def wired(rule):
    network = Network(seed=1)
    for name in ("a", "b"):
        network.add_population(name, Grid(16, 16), models.LIF())
    network.add_projection(
        "ab", "a", "b", models.FixedProbability(p=0.1), models.ExponentialCurrent(), 0.1, models.AdditiveSTDP(),
        rewiring=rule(),
    )  # fmt: skip
    return network


@pytest.mark.parametrize("every_synapse", [False, True])
def test_every_name_that_is_listed_is_there(every_synapse):
    rule = plain_rule(every_synapse)
    constants = tuple(name for name, _ in rule().constant_types())
    names = names_by_slot(wired(rule).projections["ab"], (*constants, *rule.tables))

    def uses(slot):
        lines = []
        for name in names[slot]:
            of_row = name.startswith("row.") and name not in CALLS
            lines.append(f"(void)({CALLS.get(name, f'{name}(0)' if of_row else name)});")
        value = WHAT_IT_GIVES.get(slot, "0" if slot in ("pairing.offers", "pairing.demands") else "")
        return "\n".join([*lines, f"return {value};" if value else ""])

    slots = ["eliminate", "reason", "initial", "update", "update_source", "update_target", "per_target"]
    changes = {slot: uses(slot) for slot in (slots if every_synapse else [*slots, "form"])}
    changes["sums"] = {"a_sum": uses("sums")}
    parts = ("offers", "demands", "after_source", "after_target")
    changes["pairing"] = dataclasses.replace(rule.pairing, **{part: uses(f"pairing.{part}") for part in parts})
    if not every_synapse:
        select = rule.select
        changes["select"] = Selection(
            "", "", select.parameters, draw=uses("draw"), pick=uses("pick"), looks_back_ms=select.looks_back_ms
        )
    # The kernels are compiled; none of the rule's runs.
    Simulation(wired(dataclasses.replace(rule, **changes)), device=HostDevice(("-O0",)))
