"""Encoders: spikes come when the closed forms say, or as often."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hpcsnn.errors import ConfigurationError
from hpcsnn.training.data.encoders import LATENCY, POPULATION, RATE_OF_IMAGES, RATE_OF_SERIES, Frames, latency_ms
from support.messages import as_pattern


def encoded(encoder, frames, dt_ms=1.0, seed=0, **values):
    """Spikes with the default values but those given; and (sample, step, channel) of each."""
    defaults = {name: parameter.default for name, parameter in encoder.parameters.items()}
    spikes = encoder.encode(frames, {**defaults, **values}, dt_ms, seed)
    samples = np.repeat(np.arange(spikes.first_event.size - 1), np.diff(spikes.first_event))
    return spikes, list(zip(samples.tolist(), spikes.event_steps.tolist(), spikes.event_channels.tolist(), strict=True))


def still(values, high=255):
    """Each row one image."""
    return Frames(np.asarray(values), np.arange(len(values) + 1), 0, high)


@pytest.mark.parametrize("dt_ms", [1.0, 0.5])
def test_latency_is_when_an_integrator_reaches_its_threshold(dt_ms):
    pixels = np.arange(256, dtype=np.uint8).reshape(2, 128)
    spikes, found = encoded(LATENCY, still(pixels), dt_ms)
    expected = sorted(
        (x // 128, math.floor(20.0 * math.log(x / (x - 51.0)) / dt_ms), x % 128) for x in range(52, 256)
    )  # fmt: skip
    assert found == expected
    assert spikes.n_steps == math.floor(20.0 * math.log(52.0) / dt_ms) + 1
    assert dt_ms != 1.0 or spikes.n_steps == 80
    # An integrator V' = (x - V) / tau from 0 is at x (1 - exp(-t / tau)).
    times_ms = latency_ms(np.arange(52, 256), 255, 20.0, 0.2)
    assert np.allclose(np.arange(52, 256) * -np.expm1(-times_ms / 20.0), 51.0, rtol=1e-12)


def test_later_spikes_than_the_duration_are_left_out():
    spikes, found = encoded(LATENCY, still([[52, 60, 255]]), duration_ms=40.0)
    assert spikes.n_steps == 40
    assert found == [(0, 4, 2), (0, 37, 1)]


def test_the_latency_of_real_numbers_needs_a_duration():
    half = still([[0.5, 0.1, 1.0]], high=1.0)
    with pytest.raises(
        ConfigurationError, match=as_pattern("duration_ms: 0 is not allowed for values that are not whole")
    ):
        encoded(LATENCY, half)
    _, found = encoded(LATENCY, half, duration_ms=50.0)
    assert found == [(0, 4, 2), (0, math.floor(20 * math.log(0.5 / 0.3)), 0)]


def test_latency_is_the_same_in_one_part_and_in_many():
    pixels = np.random.default_rng(1).integers(0, 256, (5000, 784), dtype=np.uint8)
    whole, _ = encoded(LATENCY, still(pixels))
    table = np.array([math.floor(20 * math.log(x / (x - 51.0))) if x > 51 else -1 for x in range(256)])
    for sample in (0, 1336, 1337, 4999):
        own = slice(whole.first_event[sample], whole.first_event[sample + 1])
        events = sorted((table[x], channel) for channel, x in enumerate(pixels[sample]) if x > 51)
        assert list(zip(whole.event_steps[own], whole.event_channels[own], strict=True)) == events
    assert whole.first_event[-1] == np.count_nonzero(pixels > 51)


def test_rates_are_the_pixels_shares_of_the_largest():
    pixels = np.tile(np.array([[0, 51, 255]], dtype=np.uint8), (200, 1))
    spikes, _ = encoded(RATE_OF_IMAGES, still(pixels), rate_hz=200.0, seed=3)
    assert spikes.n_steps == 100
    counts = np.bincount(spikes.event_channels, minlength=3)
    assert counts[0] == 0
    for count, chance in zip(counts[1:], (0.04, 0.2), strict=True):
        mean = 200 * 100 * chance
        assert abs(count - mean) < 5 * math.sqrt(mean * (1 - chance))
    by_step = np.bincount(spikes.event_steps[spikes.event_channels == 2], minlength=100)
    assert abs(by_step - 40).max() < 5 * math.sqrt(200 * 0.2 * 0.8)
    again, _ = encoded(RATE_OF_IMAGES, still(pixels), rate_hz=200.0, seed=3)
    other, _ = encoded(RATE_OF_IMAGES, still(pixels), rate_hz=200.0, seed=4)
    assert np.array_equal(again.event_steps, spikes.event_steps)
    assert not np.array_equal(other.event_steps[:100], spikes.event_steps[:100])


def test_at_the_highest_rate_each_step_has_a_spike():
    spikes, _ = encoded(RATE_OF_IMAGES, still([[255]]), rate_hz=1000.0)
    assert spikes.event_steps.tolist() == list(range(100))
    message = "rate_hz: 1001 is not allowed; must be at most 1000 Hz, a spike in each step of 1 ms"
    with pytest.raises(ConfigurationError, match=as_pattern(message)):
        encoded(RATE_OF_IMAGES, still([[255]]), rate_hz=1001.0)


def test_frames_come_one_after_another():
    frames = Frames(np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]), np.array([0, 2, 3]), 0.0, 1.0, most_frames=2)
    spikes, found = encoded(RATE_OF_SERIES, frames, rate_hz=1000.0, frame_ms=3.0)
    assert spikes.n_steps == 6
    assert found == [(0, s, 0) for s in (0, 1, 2)] + [(0, s, 1) for s in (3, 4, 5)] + [(1, s, 1) for s in (0, 1, 2)]


def test_populations_spike_by_how_near_a_value_is_to_each_centre():
    random = np.random.default_rng(5)
    values, mean, std = random.normal(1, 3, (9, 2)), np.array([1.0, -1.0]), np.array([2.0, 3.0])
    frames = Frames(values, np.array([0, 4, 4, 9]), 0, 1, mean, std, most_frames=5)
    spikes, found = encoded(POPULATION, frames)
    expected = []
    for sample, (begin, end) in enumerate(((0, 4), (4, 4), (4, 9))):
        for frame in range(begin, end):
            for feature in range(2):
                for cell in range(8):
                    z = (values[frame, feature] - mean[feature]) / std[feature]
                    active = math.exp(-0.5 * ((z - (-2 + 4 * cell / 7)) / (4 / 7)) ** 2)
                    if active > 0.3:
                        expected.append((sample, (frame - begin) * 5 + round((1 - active) * 4), feature * 8 + cell))
    assert found == sorted(expected)
    assert (spikes.n_channels, spikes.n_steps) == (16, 5 * 5 + 5)


def test_a_value_at_the_mean_has_two_active_cells_at_least():
    # z = 0 is 2/7 from the two middle centres, half a width: exp(-1/8) = 0.88; and 1.5 widths from the next: 0.32.
    frames = Frames(np.zeros((1, 1)), np.array([0, 1]), 0, 1)
    _, found = encoded(POPULATION, frames)
    assert found == [(0, 0, 3), (0, 0, 4), (0, 3, 2), (0, 3, 5)]


def test_a_feature_that_never_changes_is_at_its_mean():
    frames = Frames(np.full((1, 1), 7.0), np.array([0, 1]), 7, 7, mean=np.array([7.0]), std=np.array([0.0]))
    assert len(encoded(POPULATION, frames)[1]) == 4
    assert encoded(RATE_OF_SERIES, frames)[1] == []
