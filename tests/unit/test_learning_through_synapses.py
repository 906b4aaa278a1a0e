"""What a rule that goes back through synapses between hidden neurons may be trained with, and how its stages follow."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hpcsnn import ConfigurationError, Network, models
from hpcsnn.codegen.learning.schedule import with_learning
from hpcsnn.codegen.schedule import schedule, side_by_side
from hpcsnn.models import LearningRule
from support.learning import classifier, learner, learning
from support.messages import as_pattern

LAYERS = [("input", "first"), ("first", "first"), ("first", "second"), ("second", "output")]


def network_of(ways=LAYERS, synapses=None):
    network = Network(seed=1, dt_ms=1.0)
    network.add_population("input", 4, models.SampleInput())
    for name in ("first", "second"):
        network.add_population(name, 4, models.LIFSubtractive())
    network.add_population("output", 2, models.LeakyReadout())
    for source, target in ways:
        name = f"{source}_{target}"
        network.add_projection(
            name, source, target, models.AllToAll(), models.DeltaCurrent(), 0.1,
            (synapses or {}).get(name, models.Trained()),
        )  # fmt: skip
    return network


def stages_of(network):
    return with_learning(network, schedule(network, 1))


def test_words_of_outgoing_synapses_are_what_makes_a_rule_go_through_them():
    def goes_through(signal):
        return LearningRule("mine", "", parameters=models.FEEDBACK, signal=signal).goes_through

    assert models.BPTT.goes_through and models.EventProp.goes_through
    assert goes_through("return through_later;")
    assert not goes_through("return heard; // not through")
    assert not (models.EProp.goes_through or models.SuperSpike.goes_through)


def test_each_step_goes_back_through_all_hidden_populations_before_the_one_before_it():
    stages = stages_of(learner(network_of(), learning(rule=models.BPTT())))
    repeated = [stage for stage in stages if stage.repeats]
    groups = [[[stage.kernel for stage in one] for one in group] for group in side_by_side(repeated)]
    assert groups == [[["go_back"]], [["through_first"]], [["backward_first"], ["backward_second"]]]
    assert {stage.repeats for stage in repeated} == {"learning.steps_back"}
    kernels = [stage.kernel for stage in stages]
    assert kernels.index("backward_output") < kernels.index("go_back")
    assert kernels.index("backward_second") < kernels.index("gradient_input_first")
    assert not any(stage.repeats for stage in stages_of(learner()))


@pytest.mark.parametrize(
    ("network", "more", "message"),
    [
        (
            network_of(synapses={"first_second": models.Static()}),
            {},
            "projections.first_second.synapse: static is not allowed with learning: bptt, which goes back through "
            "synapses between hidden neurons; must be trained",
        ),
        (
            network_of([*LAYERS[:2], ("input", "second"), LAYERS[3]]),
            {},
            "populations.first: has no way onto the readout 'output', by which errors would come back; add a "
            "projection, or set feedback: random",
        ),
        (
            network_of(),
            {"window_steps": 7},
            "window_steps: 7 is not allowed with learning: bptt, which goes back through all hidden neurons step by "
            "step; must be null",
        ),
    ],
)
def test_what_it_does_not_reach_is_refused(network, more, message):
    with pytest.raises(ConfigurationError, match="^" + as_pattern(message)):
        learner(network, replace(learning(rule=models.BPTT()), **more))


@pytest.mark.parametrize(
    ("neurons", "receptor", "message"),
    [
        (
            models.ALIFSubtractive,
            models.ExponentialCurrent(),
            "populations.hidden.model: alif_subtractive is not allowed with learning: eventprop, which is not derived "
            "for it; must be lif_subtractive",
        ),
        (
            models.LIFSubtractive,
            models.DeltaCurrent(),
            "projections.input_hidden.receptor: delta_current is not allowed with learning: eventprop, which is not "
            "derived for it; must be exponential_current or alpha_current",
        ),
    ],
)
def test_neurons_and_receptors_that_a_rule_is_not_derived_for_are_refused(neurons, receptor, message):
    network = classifier(neurons, receptor=receptor)
    with pytest.raises(ConfigurationError, match="^" + as_pattern(message)):
        learner(network, learning(rule=models.EventProp()))


def test_e_prop_still_wants_a_projection_onto_the_readout():
    with pytest.raises(
        ConfigurationError, match=r"populations\.first: has no projection onto the readout 'output', by"
    ):
        learner(network_of())


def test_no_way_of_its_own_is_needed_where_errors_come_by_random_weights():
    learner(network_of([*LAYERS[:2], ("input", "second"), LAYERS[3]]), learning(rule=models.BPTT(feedback="random")))
