"""A network that learns compiles by every compiler, and on a GPU's threads it learns the same bits."""

from __future__ import annotations

import shutil
from dataclasses import replace
from functools import cache

import pytest

from hpcsnn import models
from hpcsnn.codegen.program import generate
from hpcsnn.training.trainer import Trainer
from support.devices import on_launched
from support.learning import N_STEPS, classifier, learner, learning, samples
from support.nvrtc import ptx_of

# Between them all losses, both pairings, all ways back, gradients by events and online, both neurons, a rule, rows
# with and without room, and what arrives late and lasts.
REWIRED = {"hidden": models.ALIFSubtractive, "rule": models.DeepRByGradient(noise=0.01), "p": 0.5}
LATE = {"delay_ms": models.Uniform(1.0, 5.0), "receptor": models.ExponentialCurrent()}
CASES = {
    "dense": ({}, models.CrossEntropy(), models.EProp()),
    "rewired": (REWIRED, models.CrossEntropy(), models.EProp(pairing="mlgenn", regularisation=0.1)),
    "targets": ({}, models.SquaredError(), models.EProp(feedback="random", regularisation=0.1)),
    "online": (
        {"p": 0.5},
        models.CrossEntropy(),
        models.EProp(gradient="online", feedback="adaptive", regularisation=0.1),
    ),
    "delays": ({**REWIRED, **LATE}, models.CrossEntropy(), models.EProp()),
    "summed": ({"recurrent": False}, models.SummedCrossEntropy(), models.EProp()),
    "guided": ({**REWIRED, **LATE, "rule": models.RigL(every=2)}, models.CrossEntropy(), models.EProp()),
    "windows": ({**REWIRED, **LATE}, models.SquaredError(), models.EProp(regularisation=0.1)),
    "spike times": (
        {"p": 0.5, "delay_ms": models.Uniform(1.0, 5.0), "receptor": models.AlphaCurrent()},
        models.SummedCrossEntropy(),
        models.EventProp(regularisation=0.1),
    ),
    "through": ({**REWIRED, **LATE}, models.CrossEntropy(), models.BPTT(regularisation=0.1)),
}
WINDOW_STEPS = {"windows": 7}


def trained(case: str, device: object) -> tuple[object, ...]:
    """All that comes of five batches, in a form that can be compared."""
    settings, loss, rule = CASES[case]
    targets = loss.model.of_targets
    trainer = Trainer(
        classifier(**settings), "output", N_STEPS, loss=loss, learning=rule, device=device,
        optimiser=models.Adam(learning_rate=0.02), window_steps=WINDOW_STEPS.get(case),
    )  # fmt: skip
    batches = [trainer.train_batch(samples(8, seed, targets)) for seed in range(5)]
    if case == "rewired":
        assert all(sum(batch.rewired.values()) > 0 for batch in batches)
    evaluation = trainer.evaluate(samples(20, 5, targets))
    assert 1.0 < evaluation.hidden_hz["hidden"] < 200.0
    assert targets or len(set(evaluation.predictions.tolist())) > 1
    return trainer.digest(), batches, evaluation.loss, evaluation.predictions.tolist(), evaluation.hidden_hz


@cache
def on_host(case: str) -> tuple[object, ...]:
    return trained(case, "cpu")


@on_launched
@pytest.mark.parametrize("case", CASES)
def test_launched_kernels_learn_the_same_bits(case, device):
    assert trained(case, device) == on_host(case)


@pytest.mark.parametrize("case", ["dense", "rewired"])
def test_another_compiler_learns_the_same_bits(case, monkeypatch):
    """The host's own is g++, where there is one."""
    if shutil.which("clang++") is None:
        pytest.skip("needs clang++")
    of_default = on_host(case)
    monkeypatch.setenv("CXX", "clang++")
    assert trained(case, "cpu") == of_default


@pytest.mark.parametrize("architecture", [80, 90])
@pytest.mark.parametrize("case", CASES)
def test_code_for_gpus_is_made_of_it(case, architecture):
    settings, loss, rule = CASES[case]
    by = replace(learning(loss, rule), window_steps=WINDOW_STEPS.get(case))
    program = generate(learner(classifier(**settings), by), 1)
    made = ptx_of(program.kernels, architecture)
    kernels = {stage.kernel for stage in program.stages} | set(program.setup_kernels)
    assert {name for name in kernels if f".entry {name}(" not in made} == set()
    ways = (
        {"online_input_hidden", "online_output"} if case == "online" else {"backward_hidden", "gradient_input_hidden"}
    )
    assert {"play_input", "score_output", "optimise_output", *ways} <= kernels
    assert ".ftz" not in made
    assert "fma.rn.f32" not in made
    assert made.count("sqrt.rn.f32") >= 3, "one in the optimiser of each projection"


@pytest.mark.parametrize("architecture", [80, 90])
def test_code_for_gpus_is_made_of_a_network_that_ranks_share(architecture):
    settings, loss, rule = CASES["delays"]
    program = generate(learner(classifier(**settings), learning(loss, rule)), 2)
    made = ptx_of(program.kernels, architecture)
    kernels = {stage.kernel for stage in program.stages} | {"accept_received"}
    assert {name for name in kernels if f".entry {name}(" not in made} == {"send_spikes", "accept_spikes"}
    assert "bring_output" in kernels
