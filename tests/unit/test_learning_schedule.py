"""The stages of a step while a network learns: what a sample begins with, plays, scores and ends with, in order."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hpcsnn import models
from hpcsnn.codegen.learning.schedule import BEGINS, ENDS, WindowStages, batch_kernels, window_stages, with_learning
from hpcsnn.codegen.program import generate
from hpcsnn.codegen.schedule import ACCEPT, EXCHANGE, SEND, schedule, side_by_side
from support.learning import N_STEPS, classifier, learner, learning

REWIRED = {"rule": models.DeepRByGradient(), "p": 0.5}


def stages_of(network):
    return with_learning(network, schedule(network, 1))


def test_the_stages_of_a_step_in_order():
    assert [stage.kernel for stage in stages_of(learner())] == [
        *("begin_step", "begin_sample_input", "begin_sample_hidden", "begin_sample_output"),
        *("deliver_input_hidden", "deliver_recurrent", "deliver_hidden_output"),
        *("update_hidden", "update_output", "play_input", "remember_input", "remember_hidden"),
        *("score_output", "backward_output", "backward_hidden"),
        *("gradient_input_hidden", "gradient_recurrent", "gradient_hidden_output", "end_step"),
    ]


def test_what_a_gpu_may_do_at_the_same_time():
    groups = [[[stage.kernel for stage in one] for one in lists] for lists in side_by_side(stages_of(learner()))]
    assert groups == [
        [["begin_step"]],
        [["begin_sample_input"], ["begin_sample_hidden"], ["begin_sample_output"]],
        [["deliver_input_hidden"], ["deliver_recurrent"], ["deliver_hidden_output"]],
        [["update_hidden"], ["update_output"], ["play_input"]],
        [["remember_input"], ["remember_hidden"], ["score_output"]],
        *([[kernel]] for kernel in ("backward_output", "backward_hidden")),
        *([[f"gradient_{name}"]] for name in ("input_hidden", "recurrent", "hidden_output")),
        [["end_step"]],
    ]


def test_ranks_that_share_a_network_swap_spikes_before_they_remember_them_and_errors_behind_the_readout():
    alone, stages = stages_of(learner()), with_learning(learner(), schedule(learner(), 2))
    kernels = [stage.kernel for stage in stages]
    assert [kernel for kernel in kernels if kernel not in (*EXCHANGE, "bring_output")] == [
        stage.kernel for stage in alone
    ]
    at = kernels.index(SEND)
    assert kernels[at - 1 : at + 3] == ["play_input", SEND, ACCEPT, "remember_input"]
    at = kernels.index("bring_output")
    assert kernels[at - 1 : at + 2] == ["backward_output", "bring_output", "backward_hidden"]
    assert (stages[at].meets, stages[at].trigger) == (True, ENDS)
    assert learner().exchange_steps() == 1
    assert "bring_output" not in generate(learner(), 1).kernels


def test_online_every_step_costs_every_synapse():
    stages = {stage.kernel: stage for stage in stages_of(learner(by=learning(rule=models.EProp(gradient="online"))))}
    online = ["online_input_hidden", "online_recurrent", "online_hidden_output", "online_output"]
    assert list(stages)[-5:] == [*online, "end_step"]
    assert not [kernel for kernel in stages if kernel.startswith(("backward", "gradient"))]
    assert {stages[kernel].trigger for kernel in online} == {None}
    assert [stages[kernel].team for kernel in online] == [True, True, True, False]


def test_what_ends_a_sample_runs_in_its_last_step_alone():
    triggers = {stage.kernel: stage.trigger for stage in stages_of(learner())}
    for kernel, trigger in triggers.items():
        kind = kernel.partition("_")[0]
        if kernel.startswith("begin_sample_"):
            assert trigger == BEGINS, kernel
        elif kind in ("backward", "gradient"):
            assert trigger == ENDS, kernel
        else:
            assert trigger is None, kernel
    assert (BEGINS.every, BEGINS.at_start) == (ENDS.every, not ENDS.at_start) == ("learning.sample_steps", True)


def test_gradients_are_shared_by_teams_and_count_targets():
    stages = {stage.kernel: stage for stage in stages_of(learner())}
    gradient = stages["gradient_input_hidden"]
    assert (gradient.team, gradient.items) == (True, "population_hidden.n_simulated"), "those of all replicas"
    assert stages["score_output"].items == "learning.replicas", "one thread sees all outputs of a sample"


@pytest.mark.parametrize("feedback", ["symmetric", "random", "adaptive"])
def test_what_the_host_runs_between_batches(feedback):
    network = learner(by=learning(rule=models.EProp(feedback=feedback)))
    freeze = [f"freeze_{name}" for name in network.projections]
    back = {"symmetric": ["feedback_hidden"], "random": [], "adaptive": ["adapt_hidden"]}[feedback]
    optimise = [f"optimise_{name}" for name in network.projections]
    assert batch_kernels(network) == [*freeze, *back, *optimise, "optimise_output"]


def test_windows_of_a_sample_begin_and_end_when_the_host_says_so():
    """And no kernel of them is there without."""
    whole, network = learner(), learner(by=replace(learning(), window_steps=7))
    assert [stage.kernel for stage in stages_of(network)][-2:] == ["score_output", "end_step"]
    windows = window_stages(network)
    gradients = [f"gradient_{name}" for name in network.projections]
    assert [stage.kernel for stage in windows.gradients] == ["backward_output", "backward_hidden", *gradients]
    for kind, stages in (("set_aside", windows.set_aside), ("put_back", windows.put_back)):
        assert [stage.kernel for stage in stages] == [f"{kind}_{name}" for name in network.populations]
    run = {stage.kernel for stage in (*windows.set_aside, *windows.put_back, *windows.gradients)}
    assert run == set(batch_kernels(network)) - set(batch_kernels(whole))
    assert window_stages(whole) == WindowStages()
    as_long = learner(by=replace(learning(), window_steps=N_STEPS))
    assert stages_of(as_long) == stages_of(whole)


def test_a_rule_on_call_is_no_stage_of_a_step():
    plain, rewired = learner(), learner(classifier(**REWIRED))
    assert [stage.kernel for stage in stages_of(rewired)] == [stage.kernel for stage in stages_of(plain)]
    assert set(generate(rewired, 1).on_call) == {"input_hidden", "recurrent"}


def test_a_network_that_does_not_learn_has_none_of_it():
    kernels = [stage.kernel for stage in generate(classifier(), 1).stages]
    assert "spikes_input" in kernels
    assert not [name for name in kernels if name.startswith(("begin_sample", "play", "remember", "score", "backward"))]
