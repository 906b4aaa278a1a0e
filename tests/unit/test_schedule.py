"""The stages of a step: what ARCHITECTURE.md says of their order, for networks of every model."""

from __future__ import annotations

import dataclasses
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn import Grid, Network, models
from hpcsnn.codegen.schedule import (
    ACCEPT,
    EXCHANGE,
    PHASES,
    SEND,
    host_stage_kernels,
    rewiring_stages,
    schedule,
    side_by_side,
)
from hpcsnn.codegen.structs import Struct, network_struct
from hpcsnn.models import rewiring
from support.networks import topographic_map
from support.random_networks import networks
from support.rules import Tended, Wanderer

# One step, as ARCHITECTURE.md has it, and an update of a rule, as `RewiringRule` has it.
STEP = (
    *("begin_step", "window", "deliver", ACCEPT, "relay", "trace", "postsynaptic", "change_synapses", "backpropagate"),
    *("update", "spikes", "follow"),
    *(SEND, "rewiring", "end_step"),
)
UPDATE = (
    *("tally", "sources", "share", "targets", "visit_synapses", "draw_attempts", "rewire"),
    *("per_target", "form_hooked", "clear_tries", "replace", "meet"),
)
RANKS = st.sampled_from([1, 2, 5])


def split(stage, network):
    """A stage's kernel without its owner, and its owner."""
    for owner in (*network.populations, *network.projections):
        if stage.kernel.endswith(f"_{owner}") and stage.kernel not in EXCHANGE:
            return stage.kernel.removesuffix(f"_{owner}"), owner
    return stage.kernel, None


def place(kind):
    return "rewiring" if kind in UPDATE else kind


@settings(max_examples=60)
@given(networks(), RANKS)
def test_side_by_side_is_what_has_different_owners_and_nobody_overtakes(network, n_ranks):
    stages = schedule(network, n_ranks)
    groups = list(side_by_side(stages))
    for lists in groups:
        if len(lists) > 1:
            owners = [{split(stage, network)[1] for stage in one} for one in lists]
            recorded = {stage.phase for one in lists for stage in one} == {"recording"}
            assert recorded or all(len(of) == 1 and None not in of for of in owners)
            assert recorded or len(set.union(*owners)) == len(lists), "one list for each owner"
            assert not any(stage.meets or stage.kernel in EXCHANGE for one in lists for stage in one)
    place_of = {stage: place for place, stage in enumerate(stages)}
    assert sorted(place_of[stage] for lists in groups for one in lists for stage in one) == list(range(len(stages)))
    for before, after in itertools.pairwise(groups):
        assert max(place_of[one[-1]] for one in before) < min(place_of[one[0]] for one in after)
    for lists in groups:
        assert all(one == sorted(one, key=place_of.__getitem__) for one in lists)


@settings(max_examples=60)
@given(networks(), RANKS)
def test_stages_come_in_the_order_of_a_step(network, n_ranks):
    stages = schedule(network, n_ranks)
    kinds = [split(stage, network) for stage in stages]
    order = [STEP.index(place(kind)) for kind, _ in kinds]
    assert order == sorted(order)
    assert len(set(kinds)) == len(kinds)
    # Within a part of the step, owners come as they were declared; a rule's update is done before the next begins.
    for part in STEP:
        owners = [owner for kind, owner in kinds if place(kind) == part and owner]
        declared = [name for name in (*network.populations, *network.projections) if name in owners]
        assert list(dict.fromkeys(owners)) == declared
        assert owners == sorted(owners, key=declared.index)


@settings(max_examples=60)
@given(networks(), RANKS)
def test_everyone_has_the_stages_that_its_model_needs(network, n_ranks):
    expected = {("begin_step", None), ("end_step", None)}
    if n_ranks > 1:
        expected |= {(stage, None) for stage in EXCHANGE}
        expected |= {("relay", name) for name in network.projections}
    for name, population in network.populations.items():
        expected |= {("window", name), ("spikes", name)} if population.is_source else {("update", name)}
    for name, projection in network.projections.items():
        expected.add(("deliver", name))
        if projection.synapse.name == "triplet_stdp":  # the one that reads, at a spike, the traces of the same side
            expected.add(("trace", name))
        if projection.synapse.model.on_post_spike:
            expected.add(("postsynaptic", name))
        if projection.synapse.name in ("clopath", "dopamine_stdp"):
            expected |= {("change_synapses", name), ("follow", name)}
        if projection.synapse.model.post_traces and projection.dendritic_delay_ms:
            expected.add(("backpropagate", name))
    stages = schedule(network, n_ranks)
    found = [split(stage, network) for stage in stages]
    assert {one for one in found if place(one[0]) != "rewiring"} == expected
    rewired = {owner for kind, owner in found if place(kind) == "rewiring"}
    assert rewired == {name for name, projection in network.projections.items() if projection.rewiring is not None}


@settings(max_examples=60)
@given(networks(), RANKS)
def test_a_stage_names_numbers_that_are_in_the_struct(network, n_ranks):
    """How many items a kernel loops over, and every how many steps it runs."""
    struct = network_struct(network)
    for stage in schedule(network, n_ranks):
        paths = [stage.items] if stage.items else []
        paths += [stage.trigger.every] if stage.trigger else []
        for path in paths:
            inner = struct
            for part in path.split("."):
                inner = dict(inner.fields)[part]
            assert inner == "int" and not isinstance(inner, Struct), path
        assert not stage.team or stage.items


@settings(max_examples=60)
@given(networks(), RANKS)
def test_triggers_and_phases(network, n_ranks):
    stages = schedule(network, n_ranks)
    phases = {"window": "neurons", "deliver": "delivery", "postsynaptic": "plasticity", "update": "neurons"}
    phases |= {
        "backpropagate": "plasticity",
        "change_synapses": "plasticity",
        "follow": "plasticity",
        "spikes": "neurons",
        **dict.fromkeys(EXCHANGE, "exchange"),
        **dict.fromkeys(("relay", "trace"), "delivery"),
        "rewiring": "rewiring",
        "begin_step": "neurons",
    }
    for stage in stages[:-1]:
        kind, owner = split(stage, network)
        assert stage.phase == phases[place(kind)]
        assert stage.phase in PHASES
        own = {"window": f"window_{owner}", "rewiring": f"rewiring_{owner}", SEND: "send", ACCEPT: "accept"}
        trigger = own.get(place(kind))
        assert (stage.trigger.name if stage.trigger else None) == trigger
        # The first window begins with the first step; the first update and what is sent first end an interval.
        assert not stage.trigger or stage.trigger.at_start == (kind in ("window", ACCEPT))
        assert not stage.trigger or bool(stage.trigger.behind) == (kind == ACCEPT)
        assert stage.meets == (kind in ("tally", "share", "meet"))
    assert stages[-1].phase == stages[-2].phase, "the end of a step begins no phase of its own"


def test_the_map_on_one_rank_and_on_several():
    """Two projections that rewire by attempts: spikes are sent between neurons and rules, and accepted when those of
    the rank are delivered; nothing else changes."""
    network = topographic_map()
    alone = [stage.kernel for stage in schedule(network, 1)]
    together = [stage.kernel for stage in schedule(network, 2)]
    relays = ["relay_ff", "relay_lat"]
    assert [kernel for kernel in together if kernel not in (*EXCHANGE, *relays)] == alone
    accepts = together.index(ACCEPT)
    assert together[accepts - 2 : accepts + 3] == ["deliver_ff", "deliver_lat", ACCEPT, *relays]
    assert together[together.index(SEND) - 1] == "spikes_source"
    assert together[together.index(SEND) + 1 :] == [
        *(f"{kernel}_{name}" for name in ("ff", "lat") for kernel in ("draw_attempts", "rewire")),
        "end_step",
    ]
    assert schedule(network, 2) == schedule(network, 64)


def rewired(rule, synapse=None):
    network = Network(seed=1)
    network.add_population("a", Grid(8, 8), models.Poisson())
    network.add_population("b", Grid(8, 8), models.LIF())
    network.add_projection(
        "ab", "a", "b", models.FixedProbability(p=0.1), models.ExponentialCurrent(), 0.1,
        synapse or models.AdditiveSTDP(), rewiring=rule,
    )  # fmt: skip
    return network


# What of an update each rule has, and what of it halts for the ranks to meet.
PARTS = [
    (models.Bamford(p_max=0.5, sigma=1.0, block_side=4), None, ["draw_attempts", "rewire"], set()),
    (rewiring.DeepR(), models.Static(), ["visit_synapses", "meet"], {"meet"}),
    (rewiring.Homeostatic(), None, ["sources", "targets", "meet"], {"meet"}),
    (rewiring.PatchSwaps(), models.BCPNN(), ["visit_synapses", "per_target", "form_hooked"], set()),
    (Wanderer(), models.Static(), ["visit_synapses", "clear_tries", "replace"], set()),
    (
        Tended(),
        models.Static(),
        ["sources", "share", "targets", "visit_synapses", "per_target", "form_hooked", "meet"],
        {"share", "meet"},
    ),
]


@pytest.mark.parametrize(("rule", "synapse", "parts", "meets"), PARTS, ids=lambda part: getattr(part, "name", ""))
def test_an_update_has_the_parts_of_its_rule_in_order(rule, synapse, parts, meets):
    projection = rewired(rule, synapse).projections["ab"]
    stages = rewiring_stages(projection, projection.rule)
    assert [stage.kernel for stage in stages] == [f"{part}_ab" for part in parts]
    assert parts == sorted(parts, key=UPDATE.index)
    assert {stage.kernel.removesuffix("_ab") for stage in stages if stage.meets} == meets


def test_sources_that_ask_for_their_out_degree_are_told_first():
    grown = rewiring.Homeostatic
    asking = dataclasses.replace(grown, update_source=f"{grown.update_source} axon_elements += out_degree;")
    projection = rewired(asking()).projections["ab"]
    first = rewiring_stages(projection, projection.rule)[0]
    assert (first.kernel, first.meets, first.items) == ("tally_ab", True, None)


@pytest.mark.parametrize("n_ranks", [1, 3])
def test_a_rule_on_call_is_not_in_the_step(n_ranks):
    on_call = dataclasses.replace(Tended, trigger="call")
    every, called = rewired(Tended(), models.Static()), rewired(on_call(), models.Static())
    left = [stage.kernel for stage in schedule(called, n_ranks)]
    update = [stage.kernel for stage in rewiring_stages(called.projections["ab"], called.projections["ab"].rule)]
    assert [stage.kernel for stage in schedule(every, n_ranks)] == [*left[:-1], *update, left[-1]]
    assert not set(update) & set(left)


def test_a_rule_that_waits_for_a_stimulus_is_in_the_step():
    """It is asked every window, as a rule with a time of its own is asked every so many steps."""
    network = Network(seed=1)
    network.add_population("a", Grid(8, 8), models.MovingGaussianPoisson(field_side=8, positions=3))
    network.add_population("b", Grid(8, 8), models.LIF())
    waiting = dataclasses.replace(Wanderer, trigger="stimulus")
    network.add_projection("ab", "a", "b", models.OneToOne(), models.ExponentialCurrent(), 0.1, rewiring=waiting())
    kernels = [stage.kernel for stage in schedule(network, 1)]
    update = [stage.kernel for stage in rewiring_stages(network.projections["ab"], waiting)]
    assert kernels[-1 - len(update) : -1] == update
    assert network.update_steps(network.projections["ab"]) == 200  # 20 ms


def test_hosts_run_what_their_meeting_needs():
    """Sums for each sum, candidates where any pair may come, lists where synapses form from them, all of pairing."""
    pairing = {"offers", "demands", "drop_surplus", "retract", "count_out_degree", "settle"}
    expected = {
        "bamford": set(),
        "deep_r": {"draw_candidates", "form_candidates"},
        "homeostatic": {"form_proposed", *pairing},
        "patch_swaps": set(),
        "wanderer": set(),
        "tended": {"sum_0"},
    }
    for rule, *_ in PARTS:
        kernels = host_stage_kernels(rule.model)
        assert set(kernels) == expected[rule.name]
        assert len(set(kernels)) == len(kernels)
