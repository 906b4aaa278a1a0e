"""Which names a complaint lists for each slot of a rule: those that the guide promises, and those that rules use."""

from __future__ import annotations

import re

import pytest

from hpcsnn import Grid, Network, models
from hpcsnn.codegen.snippet_names import names_by_slot
from hpcsnn.models import Pairing, RewiringRule, SpikeTrace, Variable, rewiring
from hpcsnn.models.snippet_text import without_comments
from support.rules import Swap, Tended, Wanderer

BLOCKS = {"block_side": 4}
CONSTANTS = ("a_parameter", "a_table", "n_a_table")

# What docs/slots.md says is seen everywhere, and of a pair, in words of the network below.
EVERYWHERE = {
    *("step", "dt_ms", "n_sources", "n_targets", "chance", "choose", "exponential", "logarithm", "torus_distance"),
    *("spike_hash", "flushed", "poisson_events", "waiting_steps", "square_root", "sine_of_turns"),
    *("standard_normal", "a_sum", *CONSTANTS),
}
TARGET_TRACES, SOURCE_TRACES = {"post_trace", "target_trace"}, {"pre_trace", "source_trace"}
POST = {"post.V_mV", "post.frozen_steps", "post.of_target"}
PRE = {"pre.n_past", "pre.of_source"}
SYNAPSE = {"weight", "of_synapse"}
PAIR = {*POST, *PRE, *TARGET_TRACES, *SOURCE_TRACES, "pre_id", "post_id", "distance_squared", "pair_random", "random"}
THERE = PAIR | SYNAPSE | {"in_degree", "pre_removed", "post_removed"}
SEES = {
    "update": THERE,
    "eliminate": THERE,
    "reason": THERE,
    "update_if": THERE - {"random"},
    "gradient": (PAIR | SYNAPSE) - {"random"},
    "turnover.least": THERE - {"random"},
    "guide.most": (PAIR - {"random"}) | {"gradient"},
    "form": PAIR | {"in_degree"},
    "initial": PAIR,
    "draw": {"source_x", "source_y", "x", "y", "nx", "ny", "period_x", "period_y", "squared_to", "random"},
    "pick": {"tried", "forming", "found", "any_synapse", "weakest", "random", "in_degree", "post_id"}
    | (POST | TARGET_TRACES),
    "update_source": {"id", "out_degree", "of_source", "pre.n_past", "random"} | SOURCE_TRACES,
    "update_target": {"id", "in_degree", "of_target", "post.V_mV", "post.frozen_steps", "random"} | TARGET_TRACES,
    "per_target": {f"row.{name}" for name in (*SYNAPSE, *SOURCE_TRACES)}
    | {f"row.{name}" for name in ("size", "find", "source_id", "remove", "propose")}
    | {"post_id", "post_removed", "own_of_target", "random", *POST, *TARGET_TRACES},
    "sums": {"in_degree", "post_id", *POST, *TARGET_TRACES},
    "pairing.offers": {"id", "out_degree", "of_source"},
    "pairing.demands": {"id", "in_degree", "of_target"},
    "pairing.after_source": {"id", "out_degree", "of_source", "vacant"},
    "pairing.after_target": {"id", "in_degree", "of_target", "vacant"},
}


def wired(rule, source=None, synapse=None):
    network = Network(seed=1)
    network.add_population("a", Grid(8, 8), source or models.SpikeArray(neurons=[], times_ms=[]))
    network.add_population("b", Grid(8, 8), models.LIF())
    return network.add_projection(
        "ab", "a", "b", models.FixedProbability(p=0.1), models.ExponentialCurrent(), 0.1,
        synapse or models.AdditiveSTDP(), rewiring=rule,
    )  # fmt: skip


def rule_with_everything(**more):
    trace = {f"{end}_traces": (SpikeTrace(f"{end}_trace", "tau_ms"),) for end in ("source", "target")}
    variables = {f"{what}_variables": (Variable(f"of_{what}"),) for what in ("synapse", "source", "target")}
    parameters = {
        "tau_ms": models.Parameter(10.0, "ms", ""),
        "every": models.Parameter(2, "", "", ctype="int", minimum=1),
    }
    return RewiringRule(
        "sees_all", "", parameters=parameters, sums={"a_sum": "in_degree"}, pairing=Pairing("0", "0", "every"),
        **trace, **variables, **more,
    )  # fmt: skip


def test_every_slot_lists_what_the_guide_promises():
    names = names_by_slot(wired(rule_with_everything()()), CONSTANTS)
    assert {slot: set(seen) for slot, seen in names.items()} == {slot: EVERYWHERE | own for slot, own in SEES.items()}
    for seen in names.values():
        assert len(set(seen)) == len(seen)


def test_who_looks_back_sees_recent_spikes_while_drawing():
    rule = rewiring.LastToFire(p_max=0.5, sigma=1.0, **BLOCKS)
    plain, looking = (names_by_slot(wired(one), ()) for one in (Swap(**BLOCKS), rule))
    recent = {"reach", "recent", "n_recent"}
    assert recent <= set(looking["draw"])
    assert not recent & set(plain["draw"])
    assert not recent & set(looking["pick"])


def test_a_replaced_targets_debt_is_a_variable_of_the_target():
    names = names_by_slot(wired(rewiring.DeepR(), synapse=models.Static()), ())
    assert "post.owed" in names["eliminate"]


def texts(rule):
    """The rule's snippets by slot."""
    plain = ("update", "update_source", "update_target", "per_target", "gradient")
    slots = {name: [getattr(rule, name)] for name in plain}
    slots |= {name: [getattr(rule, name)] for name in ("eliminate", "reason", "form")}
    slots |= {"draw": [rule.select.draw], "pick": [rule.select.pick]}
    slots |= {"initial": [*rule.initials.values()], "sums": [*rule.sums.values()]}
    slots |= {"turnover.least": [rule.turnover.least]} if rule.turnover else {}
    slots |= {"guide.most": [rule.guide.most]} if rule.guide else {}
    for name in ("offers", "demands", "after_source", "after_target") if rule.pairing else ():
        slots[f"pairing.{name}"] = [getattr(rule.pairing, name)]
    return slots


RULES = [
    models.Bamford(p_max=0.5, sigma=1.0, **BLOCKS),
    rewiring.Bamford2010(p_max=0.5, sigma=1.0, **BLOCKS),
    rewiring.LastToFire(p_max=0.5, sigma=1.0, **BLOCKS),
    rewiring.LocalProposals(sigma=1.0, p_form=0.1, **BLOCKS),
    *(rewiring.DeepR(), rewiring.DeepRByGradient(), rewiring.Homeostatic(), rewiring.PatchSwaps()),
    *(rewiring.DeepRSharedBudget(), rewiring.SoftDeepR(noise=0.01, depth=0.1)),
    *(rewiring.SparseEvolution(), rewiring.RigL(), rewiring.RigLSharedBudget(), rewiring.DeepRGuided()),
    *(Swap(**BLOCKS), Wanderer(), Tended()),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_slot_lists_all_names_that_rules_use_there(rule):
    """A name that one of hpcsnn's own rules uses in a slot, and that any slot lists, is in this slot's list."""
    source = models.MovingGaussianPoisson(field_side=8, positions=3) if rule.model.trigger == "stimulus" else None
    on_call = ("deep_r_by_gradient", "deep_r_shared_budget", "soft_deep_r", "deep_r_guided")
    trained = dict.fromkeys((*on_call, "sparse_evolution", "rig_l", "rig_l_shared_budget"), models.Trained())
    synapse = {"patch_swaps": models.BCPNN(), "deep_r": models.Static(), **trained}.get(rule.name)
    constants = tuple(name for name, _ in rule.constant_types())
    names = names_by_slot(wired(rule, source, synapse), (*constants, *rule.model.tables))
    assert set(texts(rule.model)) <= set(names)
    vocabulary = {name for seen in names.values() for name in seen}
    used = 0
    for slot, parts in texts(rule.model).items():
        text = without_comments(" ".join(parts))
        words = set(re.findall(r"(?:\b(?:pre|post|row)\.)?\b[A-Za-z_]\w*", text))
        of_its_own = set(re.findall(r"\b(?:int|float|bool|auto|u?int64|uint32)\s+(\w+)", text))
        mentioned = (words & vocabulary) - of_its_own
        assert mentioned <= set(names[slot]), slot
        used += len(mentioned)
    assert used >= 2
