"""What a learning rule may declare, and what it adds to the neurons that learn by it."""

from __future__ import annotations

import pytest

from hpcsnn import ConfigurationError, models
from hpcsnn.models import LearningRule, Variable
from hpcsnn.models.learning.rule import PAIRING, WAY
from support.learning import classifier, learner, learning
from support.messages import as_pattern


def rule(name="mine", **given):
    return LearningRule(name, "", **{"parameters": models.FEEDBACK, "shape": "1.0f", **given})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"variables": (Variable("counted", ctype="int"),)},
            "mine.variables.counted: int is not allowed; must be a float",
        ),
        (
            {"parameters": {**models.FEEDBACK, **WAY}, "filters": ("slow",)},
            "mine.gradient: is of e-prop, whose eligibilities are known without a sample's end; not allowed in a rule "
            "with variables, filters, or a signal or backward of its own",
        ),
        (
            {"parameters": {**models.FEEDBACK, **PAIRING}, "signal": "return 2.0f * heard;"},
            "mine.pairing: is of e-prop",
        ),
        ({"filters": ("heard",)}, "mine: the filter 'heard' is not allowed; what snippets of a learning rule see"),
        ({"recorded": {"a b": "1.0f"}}, "mine: the recorded value 'a b' is not allowed; snippets are C++"),
        (
            {"filters": ("trace",), "variables": (Variable("trace"),)},
            "mine: the name 'trace' is given twice, to a variable and a filter",
        ),
    ],
)
def test_what_a_rule_may_not_declare(given, message):
    with pytest.raises(ConfigurationError, match="^" + as_pattern(message)):
        rule(**given)


@pytest.mark.parametrize("signal", ["return rate;", "/* heard */ return 0.0f;"])
def test_a_rule_that_hears_of_nothing_needs_no_feedback(signal):
    mine = rule(parameters={}, signal=signal)
    assert not mine.hears
    learner(classifier(), learning(rule=mine()))


@pytest.mark.parametrize("word", ["heard", "error", "label_weight"])
def test_a_rule_that_hears_of_errors_says_by_which_weights(word):
    mine = rule(parameters={}, signal=f"return {word};")
    said = (
        "learning: mine hears of errors by weights, and has no parameter feedback that says which; must have FEEDBACK "
        "of hpcsnn.models.learning among its parameters"
    )
    with pytest.raises(ConfigurationError, match="^" + as_pattern(said)):
        learner(classifier(), learning(rule=mine()))


def test_what_is_the_neurons_declaration_alone_is_seen():
    assert models.EProp.is_linear and rule().is_linear
    own = ({"filters": ("f",)}, {"backward": "return 0.0f;"}, {"signal": "return error;"}, {"recorded": {"a": "1.0f"}})
    assert not any(rule(**one).is_linear for one in own)


def test_traces_and_what_is_recorded_are_state_of_hidden_neurons_that_begins_as_declared():
    mine = rule(variables=(Variable("trace", 0.25),), recorded={"seen": "trace"})()
    populations = learner(classifier(), learning(rule=mine)).populations
    state = {one.name: one.initial for one in populations["hidden"].state}
    assert (state["rule_trace"], state["rule_recorded_seen"]) == (0.25, 0.0)
    assert not any(one.name.startswith("rule_") for one in populations["output"].state)
