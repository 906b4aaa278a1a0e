"""Reward in place of errors: what comes back is the gradient of the expected reward, by actions that are drawn."""

import dataclasses

import numpy as np
import pytest

from hpcsnn import Network, models
from hpcsnn.testing.racing_threads import RacingThreads
from hpcsnn.training.trainer import Trainer
from support.classifiers import classes_in_noise, classifier, trained
from support.learning import N_IN, N_OUT, N_STEPS, samples

BASELINE = 0.25


def readout_alone():
    """Outputs that add up what comes in, with a bias: what an output is in each step is known."""
    network = Network(seed=1, dt_ms=1.0)
    network.add_population("input", N_IN, models.SampleInput())
    network.add_population("output", N_OUT, models.LeakyReadout(tau_m_ms=1e-3), {"bias": 0.5})
    network.add_projection(
        "direct", "input", "output", models.AllToAll(), models.DeltaCurrent(), models.Normal(0.0, 0.6), models.Trained()
    )
    return Trainer(network, "output", N_STEPS, loss=models.MissedReward(baseline=BASELINE), device="cpu")


def means_of_outputs(trainer, given):
    """Of an output without memory: its bias, and the weights of channels that spiked a step before."""
    weights = np.zeros((N_IN, N_OUT))
    rows = trainer.synapses("direct")
    weights[rows["pre"], rows["post"]] = rows["weight"]
    sums = np.zeros((len(given), N_OUT))
    of_sample = np.repeat(np.arange(len(given)), np.diff(given.first_event))
    heard = given.event_steps < N_STEPS - 1
    np.add.at(sums, of_sample[heard], weights[given.event_channels[heard]])
    return 0.5 + sums / N_STEPS


def test_gradients_are_those_of_the_log_of_an_action_that_is_drawn_by_its_chance():
    trainer, given = readout_alone(), samples(200)
    chances = np.exp(means_of_outputs(trainer, given))
    chances /= chances.sum(1, keepdims=True)
    taken = np.zeros((len(given), N_OUT))
    for number, label in enumerate(given.labels):
        found = trainer.gradients(given.select(np.array([number])))["output"]["bias"]
        reward = (np.arange(N_OUT) == label).astype(float)  # by the action
        each = (reward - BASELINE)[:, None] * (chances[number] - np.eye(N_OUT))
        action = int(abs(each - found).max(1).argmin())
        np.testing.assert_allclose(found, each[action], rtol=0, atol=2e-5)
        taken[number, action] = 1
    # Each action as often as its chances say: the sum of so many independent draws.
    spread = np.sqrt((chances * (1 - chances)).sum(0))
    assert (abs(taken.sum(0) - chances.sum(0)) < 4 * spread).all()
    assert (taken.sum(0) > 5).all()


def test_draws_are_of_the_sample_and_the_batch():
    trainer, given = readout_alone(), samples(40)
    first = trainer.gradients(given)["direct"]["gradient"]
    np.testing.assert_array_equal(trainer.gradients(given)["direct"]["gradient"], first)
    backwards = given.select(np.arange(40)[::-1])
    np.testing.assert_array_equal(trainer.gradients(backwards)["direct"]["gradient"], first)
    others = dataclasses.replace(given, ids=np.arange(40) + 40)
    assert (trainer.gradients(others)["direct"]["gradient"] != first).any()


def test_it_is_one_answer_and_learns():
    rewarded = {"loss": models.MissedReward(baseline=1 / 3), "optimiser": models.Adam(learning_rate=0.02)}
    digest = trained(**rewarded).digest()
    assert trained(device=RacingThreads(), replicas=3, **rewarded).digest() == digest
    learns = trained(classifier(p=1.0), n_batches=60, **rewarded)
    answers = learns.evaluate(classes_in_noise(60, seed=7))
    assert answers.accuracy == pytest.approx(1.0, abs=0.45)  # a third by chance
