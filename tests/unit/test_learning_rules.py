"""What a learning rule may declare, and what it adds to the neurons that learn by it."""

from __future__ import annotations

import dataclasses

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


@pytest.mark.parametrize("word", ["heard", "error", "local_error", "label_weight"])
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


LOCAL = {**models.FEEDBACK, **models.LOCAL_READOUT}


@pytest.mark.parametrize(
    ("parameters", "more", "message"),
    [
        (
            *(models.FEEDBACK, {}),
            "learning: mine hears of local errors, and has no parameter tau_local_ms, the memory of the readouts that "
            "they are of; must have LOCAL_READOUT of hpcsnn.models.learning among its parameters",
        ),
        (
            *(LOCAL, {"loss": models.SummedCrossEntropy()}),
            "loss: summed_cross_entropy is not allowed with mine, whose local errors are of each step; must be a "
            "loss of each step, such as cross_entropy",
        ),
        (
            *(LOCAL, {"window_steps": 5}),
            "window_steps: 5 is not allowed with mine, whose local readouts go through a sample once; must be null",
        ),
    ],
)
def test_what_local_readouts_do_not_go_with_is_refused(parameters, more, message):
    mine = rule(parameters=parameters, signal="return local_error;")
    with pytest.raises(ConfigurationError, match="^" + as_pattern(message)):
        learner(classifier(), dataclasses.replace(learning(rule=mine()), **more))


def test_times_of_a_rule_are_whole_steps():
    with pytest.raises(ConfigurationError, match=r"^learning\.etlp\.event_interval_ms: 2\.5"):
        learner(classifier(), learning(rule=models.ETLP(event_interval_ms=2.5)))


def test_a_rule_that_goes_by_labels_needs_some():
    mine = rule(signal="return label_weight;")
    learner(classifier(), learning(rule=mine()))
    said = (
        "learning: mine is not allowed with the loss squared_error, whose samples have targets and no labels, "
        "which the rule goes by; must be a loss of labels, such as cross_entropy"
    )
    with pytest.raises(ConfigurationError, match="^" + as_pattern(said)):
        learner(classifier(), learning(models.SquaredError(), mine()))
