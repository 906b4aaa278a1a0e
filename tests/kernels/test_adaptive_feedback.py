"""Errors that come back by weights which learn as the readout's do, beside what that comes to."""

import numpy as np
import pytest

from hpcsnn import models
from hpcsnn.training.trainer import Trainer
from support.learning import N_HIDDEN, N_OUT, N_STEPS, classifier, samples

ADAM = models.Adam(learning_rate=0.01, weight_decay=2.0)


def trainer_of(optimiser, **rule):
    rule = models.EProp(**{"feedback": "adaptive", **rule})
    return Trainer(classifier(), "output", N_STEPS, learning=rule, optimiser=optimiser, device="cpu")


def dense(trainer, column):
    rows = trainer.synapses("hidden_output")
    values = np.zeros((N_HIDDEN, N_OUT))
    values[rows["pre"], rows["post"]] = rows[column]
    return values


@pytest.mark.parametrize("clip", [{}, {"clip": "value", "clip_at": 1.0}, {"clip": "norm", "clip_at": 20.0}])
def test_they_change_as_the_weights_that_go_the_other_way(clip):
    trainer = trainer_of(models.SGD(learning_rate=2.0**-8, momentum=0.5, **clip))
    feedback, weights = trainer.feedback()["hidden"], dense(trainer, "weight")
    assert feedback["feedback"].shape == (N_HIDDEN, N_OUT)
    assert feedback["feedback"].std() == pytest.approx(N_OUT**-0.5, rel=0.2)
    for seed in range(3):
        trainer.train_batch(samples(seed=seed))
    after = trainer.feedback()["hidden"]
    changed = dense(trainer, "weight") - weights
    assert abs(changed).max() > 0.01
    np.testing.assert_allclose(after["feedback"] - feedback["feedback"], changed, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(after["of_feedback_velocity"], dense(trainer, "velocity").astype(np.float32))


def test_with_a_weight_decay_both_become_alike():
    """Their difference decays by it alone, since all else changes both alike (Kolen & Pollack 1994)."""
    trainer, n_batches = trainer_of(ADAM), 40
    apart = trainer.feedback()["hidden"]["feedback"] - dense(trainer, "weight")
    for seed in range(n_batches):
        trainer.train_batch(samples(seed=seed))
    now = trainer.feedback()["hidden"]["feedback"] - dense(trainer, "weight")
    np.testing.assert_allclose(now, apart * 0.98**n_batches, rtol=0, atol=1e-5)


def test_hidden_neurons_hear_by_them():
    """Before the first batch as by random ones; with other weights, with those."""
    adaptive, random = trainer_of(ADAM), trainer_of(ADAM, feedback="random")
    batch = samples()
    first = {name: trainer.gradients(batch)["input_hidden"]["gradient"] for name, trainer in
             (("adaptive", adaptive), ("random", random))}  # fmt: skip
    np.testing.assert_array_equal(first["adaptive"], first["random"])
    for trainer in (adaptive, random):
        trainer.train_batch(batch)
    np.testing.assert_array_equal(adaptive.synapses("recurrent")["weight"], random.synapses("recurrent")["weight"])
    heard = (trainer.gradients(batch)["input_hidden"]["gradient"] for trainer in (adaptive, random))
    assert (np.subtract(*heard) != 0).any()
    assert random.feedback() == {}


def test_they_are_kept_on_disk(tmp_path):
    trainer, other = trainer_of(ADAM), trainer_of(ADAM)
    trainer.train_batch(samples())
    trainer.save(tmp_path / "kept")
    other.restore(tmp_path / "kept")
    for one in (trainer, other):
        one.train_batch(samples(seed=3))
    assert other.digest() == trainer.digest()
    fresh = trainer_of(ADAM, feedback="random")
    for seed in (0, 3):
        fresh.train_batch(samples(seed=seed))
    assert fresh.digest() != trainer.digest()
