"""The real files of data sets, where they are installed: sizes, spikes and classes as they are known."""

from __future__ import annotations

import time

import numpy as np
import pytest

from hpcsnn.training.data.registry import find_data_set


def installed(name):
    """The data set, if a package has put its files where they are looked for."""
    data_set = find_data_set(name)
    if not any((place / file).is_file() for place in data_set.places() for file in data_set.files):
        pytest.skip(f"{name} is not installed: {data_set.source}")
    return data_set


def test_fashion_mnist_is_330_spikes_an_image():
    data_set = installed("fashion_mnist")
    began = time.process_time()
    data = data_set.load()
    assert time.process_time() - began < 60
    assert (len(data.train), len(data.test), data.image_shape) == (60_000, 10_000, (28, 28))
    assert (data.train.n_steps, data.train.n_channels) == (80, 784)
    assert np.bincount(data.train.labels).tolist() == [6000] * 10
    assert round(data.train.event_steps.size / 60_000) == 331
    assert data.train.event_steps.max() == 79


def test_digits_of_mnist_are_127_spikes_each():
    data = installed("mnist_5k").load(seed=1)
    assert (len(data.train), len(data.test), data.train.n_steps) == (4000, 1000, 80)
    assert np.bincount(data.test.labels).tolist() == [100] * 10
    both = data.train.event_steps.size + data.test.event_steps.size
    assert abs(both / 5000 - 127.5) < 0.5


def test_japanese_vowels_are_570_spikes_each():
    data = installed("japanese_vowels").load()
    assert (len(data.train), len(data.test)) == (270, 370)
    assert np.bincount(data.train.labels).tolist() == [30] * 9
    assert np.bincount(data.test.labels).tolist() == [31, 35, 88, 44, 29, 24, 40, 50, 29]
    assert (data.train.n_channels, data.train.n_steps) == (96, 150)
    assert abs(data.train.event_steps.size / 270 - 570) < 5
