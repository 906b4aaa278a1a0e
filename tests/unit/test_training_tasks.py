"""Data that are made: cues where the task says, labels that follow from them, a camera that sees what changes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hpcsnn.errors import ConfigurationError
from hpcsnn.training.data.registry import find_data_set
from hpcsnn.training.data.sets.mnist_1d import TEMPLATES, mnist_1d
from hpcsnn.training.data.sets.saccades import MARGIN, camera_path, moved, saccade_spikes
from support.messages import as_pattern


def counts(samples, steps, channels):
    """Spikes of each sample in a range of steps and of channels."""
    of = np.repeat(np.arange(len(samples)), np.diff(samples.first_event))
    within = (samples.event_steps >= steps.start) & (samples.event_steps < steps.stop)
    within &= (samples.event_channels >= channels.start) & (samples.event_channels < channels.stop)
    return np.bincount(of[within], minlength=len(samples))


def near(count, mean):
    """Whether a number of rare events is within 5 standard deviations."""
    return abs(count - mean) < 5 * math.sqrt(mean)


def test_evidence_is_the_side_with_more_cues():
    data = find_data_set("evidence_accumulation").load(
        {"train_samples": 600, "test_samples": 9, "rate_hz": 400}, seed=2
    )
    samples = data.train
    assert (samples.n_steps, samples.n_channels, data.class_names) == (7 * 150 + 1050 + 150, 40, ("left", "right"))
    assert set(samples.first_scored_step.tolist()) == {2100}
    sides = []
    for k in range(7):
        cue = slice(k * 150 + 50, (k + 1) * 150)
        left, right = counts(samples, cue, slice(0, 10)), counts(samples, cue, slice(10, 20))
        assert not np.any((left > 0) & (right > 0))
        assert near(left.sum() + right.sum(), 600 * 100 * 10 * 0.4)
        assert not counts(samples, slice(k * 150, k * 150 + 50), slice(0, 20)).any()
        sides.append(right > 0)
    right_cues = np.sum(sides, axis=0)
    assert np.array_equal(samples.labels, right_cues > 3)
    # Sides are equally likely, and cues of a sample are on its favoured side with probability 0.7.
    mean_square = np.mean((right_cues - 3.5) ** 2)
    assert abs(mean_square - (7 * 0.21 + (7 * 0.2) ** 2)) < 0.6
    assert not counts(samples, slice(1050, 2250), slice(0, 20)).any()
    assert not counts(samples, slice(0, 2100), slice(20, 30)).any()
    assert near(counts(samples, slice(2100, 2250), slice(20, 30)).sum(), 600 * 150 * 10 * 0.4)
    assert near(counts(samples, slice(0, 2250), slice(30, 40)).sum(), 600 * 2250 * 10 * 0.01)


def test_delayed_xor_is_whether_the_cues_differ():
    data = find_data_set("delayed_xor").load({"train_samples": 200, "rate_hz": 500}, seed=2)
    samples = data.train
    assert samples.n_steps == 50 + 100 + 50 + 100 + 50
    first = [counts(samples, slice(0, 50), slice(10 * g, 10 * g + 10)) > 0 for g in (0, 1)]
    second = [counts(samples, slice(150, 200), slice(10 * g, 10 * g + 10)) > 0 for g in (0, 1)]
    assert np.array_equal(first[0], ~first[1])
    assert np.array_equal(second[0], ~second[1])
    assert np.array_equal(samples.labels, first[1] != second[1])
    assert np.bincount(first[1] * 2 + second[1]).tolist() == [50, 50, 50, 50]
    assert set(samples.first_scored_step.tolist()) == {300}


@pytest.mark.parametrize("name", ["evidence_accumulation", "delayed_xor", "mnist_1d", "pattern_generation"])
def test_made_data_follow_the_seed_and_are_not_those_to_test_by(name):
    few = {"train_samples": 20, "test_samples": 20}
    one, same, other = (find_data_set(name).load(few, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(one.train.event_steps, same.train.event_steps)
    assert not np.array_equal(one.train.event_steps[:50], other.train.event_steps[:50])
    assert not np.array_equal(one.train.event_steps[:50], one.test.event_steps[:50])


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("evidence_accumulation", {"n_cues": 6}, "evidence_accumulation.n_cues: 6 is not allowed; must be odd"),
        (
            "evidence_accumulation",
            {"n_inputs": 41},
            "evidence_accumulation.n_inputs: 41 is not allowed; must be a multiple of 4",
        ),
        (
            "evidence_accumulation",
            {"cue_ms": 151},
            "evidence_accumulation.cue_ms: 151 is not allowed; must be at most cue_every_ms",
        ),
        (
            "evidence_accumulation",
            {"rate_hz": 1001},
            "evidence_accumulation.rate_hz: 1001 is not allowed; must be at most 1000 Hz",
        ),
        (
            "evidence_accumulation",
            {"delay_ms": 0.5},
            "evidence_accumulation.delay_ms: 0.5 is not allowed; must be a whole number",
        ),
        (
            "evidence_accumulation",
            {"delay_ms": 2.0**31 - 1},
            "evidence_accumulation: samples of 2147484847 steps are not allowed",
        ),
        (
            "pattern_generation",
            {"noise_hz": 1001},
            "pattern_generation.noise_hz: 1001 is not allowed; must be at most 1000 Hz",
        ),
        ("delayed_xor", {"noise_hz": -1}, "delayed_xor.noise_hz: -1 is not allowed; must be a number in Hz >= 0"),
        (
            "saccades",
            {"view_ms": 30, "images": "digits", "train_samples": 1},
            "saccades.view_ms: 30 is not allowed; must be 100, saccade_ms,",
        ),
    ],
)
def test_numbers_that_make_no_task_are_refused(name, values, message):
    with pytest.raises(ConfigurationError, match=as_pattern(message)):
        find_data_set(name).load(values)


def test_signals_of_mnist_1d_are_their_templates_padded_scaled_and_moved(monkeypatch):
    for constant in ("CORRELATED_NOISE", "WHITE_NOISE", "SHEAR"):
        monkeypatch.setattr(f"hpcsnn.training.data.sets.mnist_1d.{constant}", 0.0)
    labels = np.arange(60) % 10
    signals = mnist_1d(labels, np.random.default_rng(1))
    shapes = (TEMPLATES - TEMPLATES.mean(axis=1, keepdims=True)) / TEMPLATES.std(axis=1, keepdims=True)
    shapes = (shapes - shapes[:, :1]) / 6
    for signal, label in zip(signals, labels, strict=True):
        # The nearest of all paddings, scales and moves, each of which is written out here by interpolation.
        best = math.inf
        for padding in range(36, 61):
            padded = np.concatenate([shapes[label], np.zeros(padding)])
            stretched = np.interp(np.linspace(0, padded.size - 1, 72), np.arange(padded.size), padded)
            every = np.stack([np.roll(stretched, k) for k in range(48)])
            at = np.linspace(0, 71, 40)
            low = np.minimum(at.astype(int), 70)
            candidates = every[:, low] * (1 - (at - low)) + every[:, low + 1] * (at - low)
            norms = (candidates**2).sum(axis=1)
            scales = candidates @ signal / norms
            left = ((candidates * scales[:, None] - signal) ** 2).sum(axis=1)
            best = min(best, left[(scales >= 0.8 - 1e-9) & (scales <= 1.2 + 1e-9)].min(initial=math.inf))
        assert best < 1e-20


def test_noise_and_slope_of_mnist_1d_are_as_large_as_they_say(monkeypatch):
    def signals():
        return mnist_1d(np.arange(4000) % 10, np.random.default_rng(2))

    def without(constant):
        with monkeypatch.context() as patch:
            patch.setattr(f"hpcsnn.training.data.sets.mnist_1d.{constant}", 0.0)
            return signals()

    kept = np.linspace(0, 71, 40)
    part = kept - kept.astype(int)
    # A point between two has the variance of a weighted mean of them.
    white = (signals() - without("WHITE_NOISE"))[:, 1:-1].std(axis=0)
    assert np.allclose(white, 0.02 * np.sqrt((1 - part) ** 2 + part**2)[1:-1], rtol=0.06)
    slopes = signals() - without("SHEAR")
    assert np.allclose(slopes, slopes[:, -1:] * (kept / 35.5 - 1), atol=1e-12)
    assert 0.18 < np.abs(slopes[:, -1]).max() <= 0.75 / 4
    kernel = np.exp(-(np.arange(-8, 9) ** 2) / 8.0)
    kernel /= kernel.sum()
    own, beside = (kernel**2).sum(), (kernel[1:] * kernel[:-1]).sum()
    noise = signals() - without("CORRELATED_NOISE")
    k = 20  # far from the ends, where the filter reflects
    found = noise[np.abs(noise[:, k - 1 : k + 2]).min(axis=1) > 0, k]
    f = part[k]
    expected = 0.25 * np.sqrt(((1 - f) ** 2 + f**2) * own + 2 * f * (1 - f) * beside)
    assert abs(found.std() / expected - 1) < 0.06


def test_an_image_moves_by_whole_pixels_and_between_them():
    image = np.zeros((1, 5, 4), dtype=np.float32)
    image[0, 2, 1] = 1.0
    field = moved(image, 1.0, -2.0)
    assert field.shape == (1, 5 + 2 * MARGIN, 4 + 2 * MARGIN)
    assert np.argwhere(field[0]).tolist() == [[2 + MARGIN + 1, 1 + MARGIN - 2]]
    between = moved(image, 0.25, -0.5)[0]
    assert between[2 + MARGIN, 1 + MARGIN] == between[2 + MARGIN, MARGIN] == 0.375
    assert between[3 + MARGIN, 1 + MARGIN] == 0.125
    assert between.sum() == 1.0


def test_the_camera_comes_back_to_where_it_began():
    path = camera_path(4.0, 10)
    assert path.shape == (31, 2)
    assert path[0].tolist() == path[-1].tolist() == [-2.0, -2.0]
    assert path[10].tolist() == [2.0, 0.0]
    assert path[20].tolist() == [-2.0, 2.0]
    assert np.abs(path).max() < MARGIN


def test_a_pixel_tells_each_threshold_that_its_light_crosses():
    # A single bright pixel that moves by one pixel: where it leaves, light falls 1, 0; where it comes, it rises 0, 1.
    image = np.ones((1, 1, 1), dtype=np.float32)
    spikes = saccade_spikes(image, np.array([[0.0, 0.0], [0.0, 1.0]]), view_steps=100, threshold=0.25)
    width = 1 + 2 * MARGIN
    left, right = (MARGIN * width + MARGIN) * 2, (MARGIN * width + MARGIN + 1) * 2 + 1
    found = list(zip(spikes.event_steps.tolist(), spikes.event_channels.tolist(), strict=True))
    assert found == [(step, channel) for step in (25, 50, 75, 99) for channel in (left, right)]


def test_events_add_up_to_the_change_of_light_to_a_threshold():
    random = np.random.default_rng(3)
    images = random.random((3, 6, 6)).astype(np.float32)
    path = camera_path(4.0, 5)[:8]
    spikes = saccade_spikes(images, path, view_steps=1000, threshold=0.1)
    of = np.repeat(np.arange(3), np.diff(spikes.first_event))
    told = np.zeros((3, 12 * 12))
    np.add.at(told, (of, spikes.event_channels // 2), np.where(spikes.event_channels % 2, 0.1, -0.1))
    change = (moved(images, *path[-1]) - moved(images, *path[0])).reshape(3, -1)
    assert np.abs(told - change).max() < 0.1 + 1e-5


def test_saccades_over_digits_have_two_polarities_and_return():
    data = find_data_set("saccades").load({"images": "digits", "train_samples": 40, "test_samples": 10})
    assert (data.train.n_channels, data.train.n_steps, data.image_shape) == (14 * 14 * 2, 300, None)
    brighter = (data.train.event_channels % 2).mean()
    assert 0.4 < brighter < 0.6


@pytest.mark.parametrize(
    ("name", "values", "dt_ms"),
    [
        ("evidence_accumulation", {}, 1.0),
        ("evidence_accumulation", {"n_cues": 3, "delay_ms": 20.0}, 0.5),
        ("delayed_xor", {"between_ms": 0.0}, 1.0),
        ("mnist_1d", {}, 1.0),
        ("pattern_generation", {"duration_ms": 30.0}, 0.5),
        ("mnist_1d", {"encoder": "rate", "frame_ms": 3.0}, 1.0),
    ],
)
def test_the_steps_of_samples_are_known_before_they_are_made(name, values, dt_ms):
    data_set = find_data_set(name)
    few = {"train_samples": 3, "test_samples": 2}
    assert data_set.sample_steps(values, dt_ms) == data_set.load({**few, **values}, dt_ms=dt_ms).train.n_steps


def test_steps_that_only_files_tell_are_none():
    assert find_data_set("shd").sample_steps() is None
    assert find_data_set("shd").sample_steps({"duration_ms": 400.0}, 0.5) == 800
    assert find_data_set("japanese_vowels").sample_steps() is None


def test_patterns_are_frozen_noise_and_sums_of_four_sines():
    values = {"patterns": 3, "train_samples": 7, "test_samples": 3, "duration_ms": 2000.0, "n_outputs": 2}
    data = find_data_set("pattern_generation").load({**values, "rate_hz": 20.0, "noise_hz": 1.0}, seed=4)
    targets = data.train.targets
    assert targets.shape == (7, 2000, 2)
    assert np.abs(targets).max(axis=1) == pytest.approx(1.0)
    assert np.array_equal(targets[0], targets[3])
    assert np.array_equal(targets[:3], data.test.targets)
    assert not np.array_equal(targets[0], targets[1])
    # Nothing but 1, 2, 3 and 5 Hz: at those places of the spectrum of two seconds.
    spectrum = np.abs(np.fft.rfft(targets[0, :, 0].astype(float)))
    assert set(np.flatnonzero(spectrum > 1e-3 * spectrum.max()).tolist()) == {2, 4, 6, 10}
    spikes = [
        set(zip(one.event_steps.tolist(), one.event_channels.tolist(), strict=True))
        for one in (data.train.select([k]) for k in (0, 3, 6, 1))
    ]
    frozen = spikes[0] & spikes[1] & spikes[2]
    assert len(frozen) == pytest.approx(20 * 100 * 2, rel=0.1)
    assert all(len(each - frozen) == pytest.approx(100 * 2, rel=0.25) for each in spikes[:3])
    assert len(frozen & spikes[3]) < 0.05 * len(frozen)
    assert data.class_names == ()
