"""Time series: Japanese Vowels of a .ts file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hpcsnn.errors import DataError, shown
from hpcsnn.training.data.data_set import DataSet, LoadedData, Request
from hpcsnn.training.data.encoders import POPULATION, RATE_OF_SERIES, Frames
from hpcsnn.training.data.reading import read_bytes
from hpcsnn.training.data.samples import Samples

_MOST_BYTES = 2**28


@dataclass(frozen=True)
class Series:
    """Series of one frame or more each, with labels.

    Attributes:
        values: (n_frames, n_features) float64.
        first_frame: (n_samples + 1,); sample k has the frames [first_frame[k], first_frame[k + 1]).
        labels: (n_samples,) int32.
        class_names: one a class.
    """

    values: NDArray[np.float64]
    first_frame: NDArray[np.int64]
    labels: NDArray[np.int32]
    class_names: tuple[str, ...]

    @classmethod
    def of(cls, samples: Sequence[NDArray[np.float64]], labels: Sequence[int], class_names: tuple[str, ...]) -> Series:
        """Of arrays (n_frames, n_features), one a sample."""
        first = np.concatenate(([0], np.cumsum([len(sample) for sample in samples]))).astype(np.int64)
        return cls(np.concatenate(list(samples)), first, np.asarray(labels, dtype=np.int32), class_names)

    def select(self, indices: NDArray[np.int64]) -> Series:
        """The samples of these indices."""
        samples = [self.values[self.first_frame[k] : self.first_frame[k + 1]] for k in indices]
        return Series.of(samples, self.labels[indices].tolist(), self.class_names)


def read_ts(path: Path) -> Series:
    """A .ts file as the archives of time series have them: a line a sample, features split by colons, label last.

    Raises:
        DataError: it cannot be read, or a line is not what the header says; names the line.
    """
    try:
        lines = read_bytes(path, _MOST_BYTES).decode().splitlines()
    except UnicodeDecodeError:
        raise DataError(f"{path}: must be text in UTF-8") from None
    class_names: tuple[str, ...] = ()
    samples: list[NDArray[np.float64]] = []
    labels: list[int] = []
    within = False
    for number, line in enumerate(lines, start=1):
        text, where = line.strip(), f"{path}, line {number}"
        if not text or text.startswith("#"):
            continue
        if not within:
            words = text.split()
            within = words[0].lower() == "@data"
            if words[0].lower() == "@classlabel":
                class_names = tuple(words[2:])
            if words[0].lower() == "@timestamps" and words[1:] == ["true"]:
                raise DataError(f"{where}: series with time stamps are not read, only evenly spaced ones")
            continue
        *features, label = text.split(":")
        samples.append(_frames(where, features, samples[0].shape[1] if samples else len(features)))
        if label not in class_names:
            raise DataError(f"{where}: class {shown(label)} is not one of the header's {', '.join(class_names)}")
        labels.append(class_names.index(label))
    if not samples:
        raise DataError(f"{path}: has no series behind a line @data")
    return Series.of(samples, labels, class_names)


def _frames(where: str, features: list[str], n_features: int) -> NDArray[np.float64]:
    try:
        columns = [np.array(feature.split(","), dtype=np.float64) for feature in features]
    except ValueError as error:
        raise DataError(f"{where}: {error}") from None
    if len(columns) != n_features or not columns or len({column.size for column in columns}) != 1:
        lengths = sorted({column.size for column in columns})
        allowed = f"must be {n_features} equally long ones"
        raise DataError(f"{where}: has {len(columns)} series of lengths {lengths}; {allowed}")
    frames = np.stack(columns, axis=1)
    if not np.isfinite(frames).all():
        raise DataError(f"{where}: has a value that is missing or not finite")
    return frames


def encoded(request: Request, train: Series, test: Series) -> LoadedData:
    """Series as spikes; their range, mean and deviation are those of the series to train on.

    All run for as long as the longest.

    Raises:
        ConfigurationError: more samples are asked for than there are.
        DataError: series to test by that have other features or classes than those to train on.
    """
    if test.values.shape[1] != train.values.shape[1] or test.class_names != train.class_names:
        name = request.data_set.name
        raise DataError(f"{name}: series to test by have other features or classes than those to train on")
    # Before some are chosen, so that fewer samples are the same samples.
    low, high = train.values.min(axis=0), train.values.max(axis=0)
    mean, std = train.values.mean(axis=0), train.values.std(axis=0)
    longest = max(int(np.diff(part.first_frame).max()) for part in (train, test))
    encoder = request.encoder
    assert encoder is not None  # of a data set that has some
    parts = []
    for name, series, number in (("train", train, 0), ("test", test, 1)):
        own = series.select(request.chosen(series.labels, series.labels.size, name))
        frames = Frames(own.values, own.first_frame, low, high, mean, std, longest)
        seed = int(np.random.SeedSequence([request.seed, number]).generate_state(1, np.uint64)[0])
        spikes = encoder.encode(frames, request.values, request.dt_ms, seed)
        classes = len(own.class_names)
        parts.append(Samples.of_spikes(spikes, request.dt_ms, labels=own.labels, n_classes=classes))
    return LoadedData(parts[0], parts[1], train.class_names)


def load_japanese_vowels(request: Request) -> LoadedData:
    """270 + 370 utterances."""
    parts = [read_ts(request.file(name)) for name in JAPANESE_VOWELS.files]
    return encoded(request, parts[0], parts[1])


JAPANESE_VOWELS = DataSet(
    "japanese_vowels",
    "270 + 370 utterances of two vowels by 9 speakers, who are the classes: 12 features, 7 to 29 frames (Kudo, Toyama "
    "and Shimbo 1999).",
    load_japanese_vowels,
    encoders=(POPULATION, RATE_OF_SERIES),
    files=("JapaneseVowels_TRAIN.ts", "JapaneseVowels_TEST.ts"),
    source="`pip install --no-deps aeon`, or the two files in a folder: --data FOLDER",
    packages={"aeon": "datasets/data/JapaneseVowels"},
)
