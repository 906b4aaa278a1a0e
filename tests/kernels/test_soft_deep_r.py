"""Soft DEEP R: how many synapses there are in the long run follows from its walk; nothing is kept of dormant pairs."""

from __future__ import annotations

import numpy as np
import pytest

from hpcsnn import ConfigurationError, models
from hpcsnn.training.data.samples import Samples
from support.classifiers import N_CHANNELS, N_CLASSES, classes_in_noise, classifier, trainer
from support.messages import as_pattern
from support.thread_ranks import on_ranks

NAMES = ("input_hidden", "hidden_hidden")
N_PAIRS = 12 * 20 + 20 * 20
NOISE, WIDEST = 0.02, 0.02 * 3**0.5


def silence() -> Samples:
    """One sample without a spike: only the bias of outputs has a gradient."""
    nothing = np.zeros(0, np.int64)
    return Samples.from_events(
        nothing, nothing.astype(float), nothing, labels=[0], n_classes=N_CLASSES, n_channels=N_CHANNELS,
        duration_ms=2.0, dt_ms=1.0,
    )  # fmt: skip


def walking(l1: float, depth: float, p: float = 0.2):
    """A trainer in whose silent network strengths fall by l1 / 100 a batch, beside the noise."""
    rule = models.SoftDeepR(l1=l1, noise=NOISE, depth=depth)
    sgd = models.SGD(learning_rate=0.01)
    return trainer(classifier(p=p, rule=rule, scale=0.3), n_steps=2, optimiser=sgd)


def n_synapses(made) -> int:
    return sum(len(made.synapses(name)["pre"]) for name in NAMES)


def walk(fall: float, depth: float, n_pairs: int = 2000) -> tuple[float, float]:
    """Soft-DEEP R without data, dormant pairs and all: the part that is connected, and its mean strength."""
    random = np.random.default_rng(5)
    strength, parts, means = random.uniform(-depth, depth, n_pairs), [], []
    for number in range(1500):
        step = WIDEST * (2 * random.random(n_pairs) - 1) - np.where(strength >= 0, fall, 0)
        strength += step
        strength = np.where(strength < -depth, -2 * depth - strength, strength)
        if number >= 300:
            parts.append((strength >= 0).mean())
            means.append(strength[strength >= 0].mean())
    return float(np.mean(parts)), float(np.mean(means))


@pytest.mark.parametrize(("l1", "depth"), [(0.2, 0.4), (0.4, 0.05)])
def test_the_part_of_the_pairs_that_is_connected_is_that_of_the_walk(l1, depth):
    """In small steps strengths above 0 are exponential, with the mean noise^2 / (2 fall), and uniform below."""
    mean, samples = NOISE**2 / (2 * 0.01 * l1), silence()
    part, strength = walk(0.01 * l1, depth)
    assert (part, strength) == (pytest.approx(mean / (mean + depth), rel=0.05), pytest.approx(mean, rel=0.05))
    made = walking(l1, depth, p=part)
    found, strengths = [], []
    for number in range(1200):
        made.train_batch(samples)
        if number >= 300 and number % 10 == 0:
            found.append(n_synapses(made))
            strengths.append(abs(made.synapses("hidden_hidden")["weight"]).mean())
    assert np.mean(found) / N_PAIRS == pytest.approx(part, rel=0.08)
    assert np.mean(strengths) == pytest.approx(strength, rel=0.1)
    assert np.std(found) > 0


def test_as_many_come_as_the_walk_brings_anywhere_and_as_strong():
    """From a network without synapses: each pair with the same chance, no stronger than a step."""
    depth, made = 0.05, walking(0.0, 0.05, p=0.0)
    chance = WIDEST / (4 * depth + WIDEST)
    assert n_synapses(made) == pytest.approx(N_PAIRS * chance, abs=4 * (N_PAIRS * chance * (1 - chance)) ** 0.5)
    strengths = np.concatenate([made.synapses(name)["weight"] * made.synapses(name)["sign"] for name in NAMES])
    assert (strengths >= 0).all()
    assert strengths.max() < WIDEST
    # 1 - sqrt(u) has the mean 1/3 and the variance 1/18.
    assert strengths.mean() == pytest.approx(WIDEST / 3, abs=4 * WIDEST * (1 / 18 / len(strengths)) ** 0.5)
    for name in NAMES:
        pairs = np.column_stack([made.synapses(name)[end] for end in ("pre", "post")])
        assert len(np.unique(pairs, axis=0)) == len(pairs)


def learnt(comm=None):
    rule = models.SoftDeepR(l1=0.01, noise=0.01, depth=0.5)
    made = trainer(classifier(p=0.2, rule=rule), comm=comm, optimiser=models.Adam(learning_rate=0.02))
    before, samples, moved = n_synapses(made), classes_in_noise(), 0
    for _ in range(6):
        result = made.train_batch(samples)
        moved += sum(result.rewired.values())
        for name in NAMES:
            rows = made.synapses(name)
            assert (rows["weight"] * rows["sign"] >= 0).all()
    assert moved > 0
    assert n_synapses(made) != before
    return made.digest()


def test_ranks_draw_the_same_arrivals():
    alone = learnt()
    for n_ranks in (2, 4):
        assert on_ranks(n_ranks, learnt) == [alone] * n_ranks


def test_a_floor_within_a_step_is_refused():
    said = (
        "here.depth: 0.01 is not allowed; must be at least the largest step of the walk, 0.0173, which is noise (0.01) "
        "times the root of 3"
    )
    with pytest.raises(ConfigurationError, match="^" + as_pattern(said) + "$"):
        models.SoftDeepR.configure("here", {"noise": 0.01, "depth": 0.01})


def test_arrivals_that_lead_nowhere_are_refused():
    with pytest.raises(
        ConfigurationError, match=r"^mine\.arrivals: parameter: unknown name .p_come.; allowed: p_comes"
    ):
        models.RewiringRule("mine", "", parameters={"p_comes": models.probability(0.1, "")}, arrivals="p_come")
