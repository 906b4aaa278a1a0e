"""What a batch does to weights and biases, beside PyTorch's optimisers, schedules and clipping; and to one answer."""

from __future__ import annotations

import numpy as np
import pytest

from hpcsnn import models
from hpcsnn.models.learning.optimisers import learning_rate
from support.classifiers import classes_in_noise, classifier, trained, trainer
from support.thread_ranks import on_ranks

N_BATCHES, EPOCH = 10, 4
WARM, DECAY, TO = 3, 20, 0.25  # batches, batches, a part
DEEP_R = models.DeepRByGradient(l1=0.01)
COURSE = {"schedule": "cosine", "warm_up_epochs": 0.5, "decay_epochs": 2.0, "decay_to": 0.1}
# Of the gradients below, which are some 10 a weight and 200 in all.
CLIPS = {"none": {}, "value": {"clip": "value", "clip_at": 3.0}, "norm": {"clip": "norm", "clip_at": 40.0}}


@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine", "exponential", "step"])
@pytest.mark.parametrize("warm", [0, WARM])
def test_a_schedule_is_the_one_of_torch(schedule, warm):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed", exc_type=ImportError)
    course = torch.optim.lr_scheduler
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
    behind = {
        "constant": lambda: course.ConstantLR(optimiser, 1.0),
        "linear": lambda: course.LinearLR(optimiser, 1.0, TO, DECAY),
        "cosine": lambda: course.CosineAnnealingLR(optimiser, DECAY, 0.5 * TO),
        "exponential": lambda: course.ExponentialLR(optimiser, TO ** (1 / DECAY)),
        "step": lambda: course.StepLR(optimiser, DECAY, TO),
    }[schedule]()
    if warm:
        rising = course.LinearLR(optimiser, 1 / warm, 1.0, warm - 1)
        behind = course.SequentialLR(optimiser, [rising, behind], [warm])
    expected = []
    # PyTorch's cosine, written as a recursion, rises again behind its end, where this one stays.
    for _ in range(warm + DECAY + 1 if schedule == "cosine" else warm + 3 * DECAY):
        expected.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        behind.step()
    adam = models.Adam(
        learning_rate=0.5, schedule=schedule, warm_up_epochs=warm / 10, decay_epochs=DECAY / 10, decay_to=TO
    )
    found = [learning_rate(adam, 1.0, batch + 1, 10) for batch in range(len(expected))]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def optimisers(torch):
    """By name those of hpcsnn and of PyTorch, each of all weights."""
    return {
        "sgd": (models.SGD, {"learning_rate": 2e-4}, torch.optim.SGD, {}),
        "momentum": (models.SGD, {"learning_rate": 2e-4, "momentum": 0.8}, torch.optim.SGD, {"momentum": 0.8}),
        "adam": (models.Adam, {"learning_rate": 0.02}, torch.optim.Adam, {}),
        "adamw": (
            models.Adam, {"learning_rate": 0.02, "weight_decay": 0.1}, torch.optim.AdamW, {"weight_decay": 0.1}
        ),
    }  # fmt: skip


def weights_of(made) -> dict[str, np.ndarray]:
    found = {name: made.synapses(name)["weight"] for name in made.network.projections}
    return {**found, "bias": made.neurons("output")["bias"]}


@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize("name", ["sgd", "momentum", "adam", "adamw"])
def test_weights_are_those_of_torch(name, clip):
    """Each batch by the gradient that hpcsnn says it has."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed", exc_type=ImportError)
    model, values, other, others = optimisers(torch)[name]
    made, samples = trainer(optimiser=model(**values, **COURSE, **CLIPS[clip])), classes_in_noise()
    beside = {name: torch.tensor(weights) for name, weights in weights_of(made).items()}
    optimiser = other(beside.values(), lr=values["learning_rate"], **others)
    rising = torch.optim.lr_scheduler.LinearLR(optimiser, 0.5, 1.0, 1)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 2 * EPOCH, 0.1 * values["learning_rate"])
    course = torch.optim.lr_scheduler.SequentialLR(optimiser, [rising, falling], [2])
    clipped = 0
    for number in range(N_BATCHES):
        batch = samples.select(np.arange(10) + 10 * (number % 4))
        gradients = {
            owner: columns["bias" if owner == "output" else "gradient"]
            for owner, columns in made.gradients(batch).items()
        }
        gradients["bias"] = gradients.pop("output")
        for owner, gradient in gradients.items():
            beside[owner].grad = torch.tensor(gradient, dtype=torch.float32)
        before = [one.grad.clone() for one in beside.values()]
        if clip == "value":
            torch.nn.utils.clip_grad_value_(beside.values(), 3.0)
        if clip == "norm":
            torch.nn.utils.clip_grad_norm_(beside.values(), 40.0)
        clipped += any((one.grad != was).any() for one, was in zip(beside.values(), before, strict=True))
        optimiser.step()
        course.step()
        made.train_batch(batch, EPOCH)
        for owner, weights in weights_of(made).items():
            np.testing.assert_allclose(weights, beside[owner].numpy(), rtol=2e-5, atol=2e-6, err_msg=owner)
    assert (clipped > 0) == (clip != "none")


@pytest.mark.parametrize("clip", ["value", "norm"])
def test_ranks_clip_to_the_same_bits(clip):
    """The norm is over synapses, whose order in memory rewiring changes, and over ranks' sums."""

    def digest(comm):
        optimiser = models.Adam(learning_rate=0.02, **COURSE, **CLIPS[clip])
        return trained(classifier(rule=DEEP_R), comm=comm, optimiser=optimiser).digest()

    alone = digest(None)
    for n_ranks in (2, 4):
        assert on_ranks(n_ranks, digest) == [alone] * n_ranks
    unclipped = trained(classifier(rule=DEEP_R), optimiser=models.Adam(learning_rate=0.02, **COURSE))
    assert unclipped.digest() != alone


def test_a_restart_goes_on_in_the_schedule(tmp_path):
    """Bit for bit, with rows in another order than those that were there before."""
    optimiser = models.Adam(learning_rate=0.02, **COURSE, **CLIPS["norm"])
    network, samples = classifier(rule=DEEP_R), classes_in_noise()
    first, second = (trainer(network, optimiser=optimiser) for _ in range(2))
    for _ in range(5):
        first.train_batch(samples, EPOCH)
    first.save(tmp_path / "saved")
    second.restore(tmp_path / "saved")
    for made in (first, second):
        for _ in range(4):
            made.train_batch(samples, EPOCH)
    assert first.digest() == second.digest()


def test_fit_counts_the_batches_of_its_epochs():
    """40 samples, 10 a batch: with a step after each epoch of 4 the third epoch has a quarter of the rate."""
    falls = models.SGD(learning_rate=0.004, schedule="step", decay_epochs=1, decay_to=0.5)
    fitted, batched = trainer(optimiser=falls), trainer(optimiser=falls)
    fitted.fit(classes_in_noise(), epochs=3)
    for epoch in range(3):
        for chosen in batched.batches(40, epoch):
            batched.train_batch(classes_in_noise().select(chosen), 4)
    assert fitted.digest() == batched.digest()


def test_what_a_rule_pulls_by_is_not_clipped():
    """Where spikes are none there is no other gradient: weights fall by rate * l1 * samples, whatever clip_at is."""
    sgd = models.SGD(learning_rate=0.01, clip="value", clip_at=1e-6)
    made = trainer(classifier(rule=models.DeepRByGradient(l1=0.05), scale=1e-3), optimiser=sgd)

    def strengths():
        rows = made.synapses("hidden_hidden")
        return dict(zip(zip(rows["pre"], rows["post"], strict=True), abs(rows["weight"]), strict=True))

    before = strengths()
    made.train_batch(classes_in_noise().select(np.arange(1)))
    after = strengths()
    stayed = [pair for pair in before if after.get(pair, 0.0) > 0.0]
    fell = [before[pair] - after[pair] for pair in stayed]
    np.testing.assert_allclose(fell, 0.01 * 0.05, rtol=1e-3)
    assert len(fell) > 0
