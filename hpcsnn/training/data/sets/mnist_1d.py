"""MNIST-1D: ten one-dimensional templates, padded, moved, stretched and noisy; made, not read.

After Greydanus, "Scaling down deep learning", 2020, arXiv:2011.14439. The templates are the numbers that define the
data set, which its authors give under Apache-2.0; the draws are our own, so a seed gives other samples than theirs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from hpcsnn.training.data.data_set import DataSet, LoadedData, Request, counts_of_made
from hpcsnn.training.data.encoders import POPULATION, RATE_OF_SERIES
from hpcsnn.training.data.sets.series import Series, encoded

# One row a digit, 12 points each.
TEMPLATES = np.array(
    [
        [5, 6, 6.5, 6.75, 7, 7, 7, 7, 6.75, 6.5, 6, 5],
        [5, 3, 3, 3.4, 3.8, 4.2, 4.6, 5, 5.4, 5.8, 5, 5],
        [5, 6, 6.5, 6.5, 6, 5.25, 4.75, 4, 3.5, 3.5, 4, 5],
        [5, 6, 6.5, 6.5, 6, 5, 5, 6, 6.5, 6.5, 6, 5],
        [5, 4.4, 3.8, 3.2, 2.6, 2.6, 5, 5, 5, 5, 5, 5],
        [5, 3, 3, 3, 3, 5, 6, 6.5, 6.5, 6, 4.5, 5],
        [5, 4, 3.5, 3.25, 3, 3, 3, 3, 3.25, 3.5, 4, 5],
        [5, 7, 7, 6.6, 6.2, 5.8, 5.4, 5, 4.6, 4.2, 5, 5],
        [5, 4, 3.5, 3.5, 4, 5, 5, 4, 3.5, 3.5, 4, 5],
        [5, 4, 3.5, 3.5, 4, 5, 5, 5, 5, 4.7, 4.3, 5],
    ]
)
N_POINTS, MOST_PADDING, LEAST_PADDING, FURTHEST = 40, 60, 36, 48
SCALE, CORRELATED_NOISE, WHITE_NOISE, SHEAR, CORRELATION = 0.4, 0.25, 0.02, 0.75, 2.0


def mnist_1d(labels: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.float64]:
    """A signal of each label, (n, 40), not yet centred.

    A template is padded by 36 to 60 points and stretched to 72, scaled by 0.8 to 1.2, moved round by up to 47 points;
    silence becomes correlated noise, all gets white noise and a slope, and 40 points remain.

    Args:
        labels: (n,) from 0 to 9.
        random: what is drawn from.
    """
    shapes = TEMPLATES - TEMPLATES.mean(axis=1, keepdims=True)
    shapes /= shapes.std(axis=1, keepdims=True)
    shapes = (shapes - shapes[:, :1]) / 6.0
    n, n_template = labels.size, shapes.shape[1]
    n_points = n_template + MOST_PADDING
    padding = random.integers(LEAST_PADDING, MOST_PADDING, size=n, endpoint=True)
    # Where each of the 72 points was on the padded template; what is behind the template is silence.
    place = np.linspace(0.0, 1.0, n_points) * (n_template + padding[:, None] - 1)
    left = np.minimum(place.astype(np.int64), n_template)
    padded = np.concatenate([shapes, np.zeros((len(shapes), 2))], axis=1)
    before, after = padded[labels[:, None], left], padded[labels[:, None], left + 1]
    within = place < n_template
    signal = np.where(within, before + (after - before) * (place - left), 0.0)
    signal *= 1.0 + SCALE * (random.random((n, 1)) - 0.5)
    moved = (np.arange(n_points) - random.integers(FURTHEST, size=(n, 1))) % n_points
    rows = np.arange(n)[:, None]
    signal, within = signal[rows, moved], within[rows, moved]
    noise = gaussian_filter1d(CORRELATED_NOISE * random.standard_normal((n, n_points)), CORRELATION, axis=1)
    signal = np.where(within, signal, noise) + WHITE_NOISE * random.standard_normal((n, n_points))
    signal -= SHEAR * (random.random((n, 1)) - 0.5) * np.linspace(-0.5, 0.5, n_points)
    kept = np.linspace(0, n_points - 1, N_POINTS)
    first = np.minimum(kept.astype(np.int64), n_points - 2)
    return signal[:, first] + (signal[:, first + 1] - signal[:, first]) * (kept - first)


def load_mnist_1d(request: Request) -> LoadedData:
    """Classes in turn, in an order by chance, centred and scaled together."""
    counts = [int(request.values[f"{part}_samples"]) for part in ("train", "test")]
    random = np.random.Generator(np.random.Philox(np.random.SeedSequence(request.seed)))
    labels = random.permutation(np.arange(sum(counts)) % 10)
    signals = mnist_1d(labels, random)
    signals = (signals - signals.mean()) / signals.std()
    names = tuple(str(digit) for digit in range(10))
    ends = np.arange(1, labels.size + 1)
    series = Series(signals.reshape(-1, 1), np.concatenate(([0], ends)) * N_POINTS, labels.astype(np.int32), names)
    train, test = np.arange(counts[0]), np.arange(counts[0], labels.size)
    return encoded(request, series.select(train), series.select(test))


def steps_of_mnist_1d(request: Request) -> int:
    """All signals have as many points."""
    assert request.encoder is not None  # of a data set that has some
    return request.encoder.steps_of(N_POINTS, None, request.values, request.dt_ms)


MNIST_1D = DataSet(
    "mnist_1d",
    "Signals of 40 points in 10 classes, made by the seed (Greydanus 2020, arXiv:2011.14439).",
    load_mnist_1d,
    steps_of_mnist_1d,
    parameters=counts_of_made(4000, 1000),
    encoders=(POPULATION, RATE_OF_SERIES),
)
