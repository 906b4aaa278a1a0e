"""The language of rules: what a rule has follows from its slots, and slots that lead nowhere are refused."""

from __future__ import annotations

import pytest

from hpcsnn import ConfigurationError
from hpcsnn.models.parameters import Parameter
from hpcsnn.models.rewiring.rule import NOBODY, Pairing, RewiringRule
from hpcsnn.models.rewiring.selections import ALL_SYNAPSES, BY_SPIKE, PLACE, UNIFORM
from hpcsnn.models.synapses import SpikeTrace

PAIRING = Pairing("(int)grown - out_degree", "1", "often")
OFTEN = {"often": Parameter(1, "", "", ctype="int", minimum=1)}
FACTS = (
    "attempts",
    "thins",
    "visits_synapses",
    "proposes",
    "meets",
    "only_pairs",
    "shares",
    "tallies",
    "uses_places",
)


@pytest.mark.parametrize(
    ("slots", "true"),
    [
        ({}, set()),
        ({"select": UNIFORM}, {"attempts", "thins", "uses_places"}),
        ({"select": UNIFORM.trying(PLACE)}, {"attempts", "uses_places"}),
        ({"select": BY_SPIKE}, {"attempts", "uses_places"}),
        ({"select": ALL_SYNAPSES}, {"visits_synapses"}),
        ({"update": "weight *= 0.5f;"}, {"visits_synapses"}),
        ({"update": "weight *= pre.x;"}, {"visits_synapses", "shares"}),
        ({"update": "weight = 1; // pre.x"}, {"visits_synapses"}),
        ({"update": "weight *= distance_squared;"}, {"visits_synapses", "uses_places"}),
        ({"update_source": "x += pre.x;"}, set()),
        ({"per_target": "row.propose(3);"}, {"proposes"}),
        ({"replace": "target"}, {"proposes"}),
        ({"replace": "projection"}, {"proposes", "meets"}),
        ({"sums": {"n": "1"}}, {"meets"}),
        ({"pairing": PAIRING, "parameters": OFTEN}, {"proposes", "meets", "only_pairs"}),
        ({"pairing": PAIRING, "parameters": OFTEN, "sums": {"n": "1"}}, {"proposes", "meets"}),
        (
            {"pairing": PAIRING, "parameters": OFTEN, "update_source": "x = out_degree;"},
            {"proposes", "meets", "only_pairs", "tallies"},
        ),
        ({"reach_squared": lambda values: 4}, {"uses_places"}),
    ],
    ids=lambda value: value[:60] if isinstance(value, str) else ", ".join(sorted(value)),
)
def test_what_an_update_does_follows_from_what_is_given(slots, true):
    rule = RewiringRule("r", "", **slots)
    assert {fact for fact in FACTS if getattr(rule, fact)} == true


def test_a_selections_parameters_are_the_rules_and_the_rules_own_go_before_them():
    rule = RewiringRule("r", "", select=UNIFORM, parameters={"attempts": Parameter(3, "", "few", ctype="int")})
    assert list(rule.parameters) == ["every_ms", "attempts", "block_side"]
    assert rule.parameters["attempts"].default == 3
    assert "every_ms" not in RewiringRule("r", "", select=UNIFORM, trigger="call").parameters


def test_initial_is_the_weights_or_one_by_variable():
    assert dict(RewiringRule("r", "", initial="0.5f").initials) == {"weight": "0.5f"}
    assert dict(RewiringRule("r", "", initial={"age": "1"}).initials) == {"age": "1"}
    assert dict(RewiringRule("r", "").initials) == {}


def test_words_are_whole_and_comments_none():
    rule = RewiringRule("r", "", update="weighty = 1; /* weight */", sums={"n": "age"})
    assert not rule.mentions("weight")
    assert rule.mentions("weighty")
    assert rule.mentions("age")
    assert rule.mentions_of_source("x") is False


def test_pairing_names_both_reasons():
    assert RewiringRule("r", "", pairing=PAIRING, parameters=OFTEN).reasons == ("target", "source")
    given = RewiringRule("r", "", pairing=PAIRING, parameters=OFTEN, reasons=("a", "b"))
    assert given.reasons == ("a", "b")


@pytest.mark.parametrize(
    ("slots", "message"),
    [
        ({"select": PLACE}, r"r\.select: .* picks a synapse but draws no source; use"),
        ({"form": "1.0f"}, r"r\.form: is never asked, since select is 'nobody'"),
        ({"eliminate": "true"}, r"r\.eliminate: is never asked, since select is 'nobody'"),
        ({"select": ALL_SYNAPSES, "form": "true"}, r"r\.form: is never asked, since select is 'all synapses'"),
        ({"replace": "row"}, r"r\.replace: 'row' is not allowed; one of '', 'target', 'projection'"),
        ({"trigger": "often"}, r"r\.trigger: 'often' is not allowed; one of 'every_ms', 'stimulus', 'call'"),
        ({"pairing": PAIRING}, r"r\.pairing\.every: parameter: unknown name 'often'"),
        (
            {"pairing": PAIRING, "parameters": {"often": Parameter(1, "", "")}},
            r"r\.pairing\.every: 'often' is not allowed",
        ),
        ({"source_traces": (SpikeTrace("x", "tau"),)}, r"r\.source_traces: parameter: unknown name 'tau'"),
    ],
    ids=lambda value: value[:60] if isinstance(value, str) else ", ".join(sorted(value)),
)
def test_slots_that_lead_nowhere_are_refused(slots, message):
    with pytest.raises(ConfigurationError, match=f"^{message}"):
        RewiringRule("r", "", **slots)


def test_nobody_is_whom_a_rule_selects_without_a_word():
    assert RewiringRule("r", "").select is NOBODY
