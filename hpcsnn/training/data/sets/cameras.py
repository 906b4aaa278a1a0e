"""Recordings of event cameras: DVS Gesture and N-MNIST, of the files that Tonic unpacks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.errors import DataError
from hpcsnn.models.parameters import Parameter
from hpcsnn.training.data.binning import DURATION, EventFile, asked_steps, binned
from hpcsnn.training.data.data_set import DataSet, LoadedData, Request
from hpcsnn.training.data.reading import read_bytes, read_npy
from hpcsnn.training.data.sets.images import DIGITS

GESTURES = (
    *("hand clapping", "right hand wave", "left hand wave", "right arm clockwise", "right arm counter-clockwise"),
    *("left arm clockwise", "left arm counter-clockwise", "arm roll", "air drums", "air guitar", "other gestures"),
)
_GESTURE_PIXELS, _NMNIST_PIXELS = 128, 34
_MOST_BYTES = 2**26
# Of N-MNIST: this row marks that the clock of 23 bits went on by so many microseconds.
_OVERFLOW_ROW, _OVERFLOW_US = 240, 2**13
_BYTES_PER_EVENT = 5


class GestureFiles(EventFile):
    """``userNN_lighting/LABEL.npy`` below a folder: (n, 4) of x, y, polarity and ms each."""

    def __init__(self, folder: Path, downsample: int) -> None:
        self.path, self._downsample = folder, downsample
        self._paths = sorted(path for path in folder.glob("*/*.npy") if path.stem.isdecimal() and path.stem.isascii())
        self.labels = _labels(folder, [path.stem for path in self._paths], len(GESTURES), "USER/LABEL.npy")

    def events(self, sample: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Times in ms, and channels (row width + column) 2 + polarity of the smaller image."""
        path = self._paths[sample]
        x, y, polarity, time_ms = np.asarray(read_npy(path, 4), dtype=np.float64).T
        sizes = (_GESTURE_PIXELS, _GESTURE_PIXELS, 2)
        places = [_within(path, values, size) for values, size in zip((y, x, polarity), sizes, strict=True)]
        width = -(-_GESTURE_PIXELS // self._downsample)
        row, column = places[0] // self._downsample, places[1] // self._downsample
        return time_ms, (row * width + column) * 2 + places[2]


class NMnistFiles(EventFile):
    """``DIGIT/*.bin`` below a folder, 5 bytes an event: x, y, polarity (1 bit) and us (23 bits)."""

    def __init__(self, folder: Path) -> None:
        self.path = folder
        self._paths = sorted(path for digit in DIGITS for path in (folder / digit).glob("*.bin"))
        self.labels = _labels(folder, [path.parent.name for path in self._paths], len(DIGITS), "DIGIT/*.bin")

    def events(self, sample: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Times in ms, and channels (row 34 + column) 2 + polarity."""
        path = self._paths[sample]
        content = read_bytes(path, _MOST_BYTES)
        if len(content) % _BYTES_PER_EVENT:
            raise DataError(f"{path}: has {len(content)} bytes; must be {_BYTES_PER_EVENT} an event")
        column, row, high, middle, low = np.frombuffer(content, dtype=np.uint8).reshape(-1, 5).T.astype(np.int64)
        time_us = (high & 127) << 16 | middle << 8 | low
        marks = row == _OVERFLOW_ROW
        time_us += np.cumsum(marks) * _OVERFLOW_US
        real = ~marks
        sides = (_NMNIST_PIXELS, _NMNIST_PIXELS)
        rows, columns = (_within(path, values[real], size) for values, size in zip((row, column), sides, strict=True))
        return time_us[real] / 1000.0, (rows * _NMNIST_PIXELS + columns) * 2 + (high[real] >> 7)


def _labels(folder: Path, names: list[str], n_classes: int, pattern: str) -> NDArray[np.int32]:
    if not names:
        raise DataError(f"{folder}: has no recordings {pattern}")
    labels = [int(name) if len(name) < 10 else n_classes for name in names]
    for name, label in zip(names, labels, strict=True):
        if label >= n_classes:
            raise DataError(f"{folder}: recording of class {name} is not allowed; must be from 0 to {n_classes - 1}")
    return np.array(labels, dtype=np.int32)


def _within(path: Path, values: NDArray[Any], size: int) -> NDArray[np.int64]:
    bad = ~((values >= 0) & (values < size))
    if bad.any():
        raise DataError(f"{path}: event {np.argmax(bad)} is at {values[np.argmax(bad)]}; must be from 0 to {size - 1}")
    return values.astype(np.int64)


def load_dvs_gesture(request: Request) -> LoadedData:
    """1,077 + 264 recordings of 11 gestures."""
    downsample = int(request.values["downsample"])
    width = -(-_GESTURE_PIXELS // downsample)
    parts = [
        GestureFiles(request.sub_folder(f"DVSGesture/{name}", name), downsample)
        for name in ("ibmGestureTrain", "ibmGestureTest")
    ]
    return binned(request, parts[0], parts[1], width**2 * 2, GESTURES)


def load_n_mnist(request: Request) -> LoadedData:
    """60,000 + 10,000 recordings of digits."""
    parts = [NMnistFiles(request.sub_folder(f"NMNIST/{name}", name)) for name in ("Train", "Test")]
    return binned(request, parts[0], parts[1], _NMNIST_PIXELS**2 * 2, DIGITS)


DVS_GESTURE = DataSet(
    "dvs_gesture",
    "Gestures before an event camera of 128 x 128 pixels and two polarities, 11 classes (Amir et al. 2017, CVPR).",
    load_dvs_gesture,
    asked_steps,
    parameters={
        **DURATION,
        "downsample": Parameter(
            4, "pixels", "side of the square of pixels that is one pixel here", "int", minimum=1, maximum=128
        ),
    },
    files=("DVSGesture/ibmGestureTrain/USER/LABEL.npy", "DVSGesture/ibmGestureTest/USER/LABEL.npy"),
    source="Tonic's `tonic.datasets.DVSGesture(save_to=FOLDER)` brings them; then --data FOLDER",
)
N_MNIST = DataSet(
    "n_mnist",
    "Digits of MNIST before an event camera of 34 x 34 pixels and two polarities that moves in three saccades (Orchard "
    "et al. 2015, Front. Neurosci. 9:437).",
    load_n_mnist,
    asked_steps,
    parameters=DURATION,
    files=("NMNIST/Train/DIGIT/*.bin", "NMNIST/Test/DIGIT/*.bin"),
    source="Tonic's `tonic.datasets.NMNIST(save_to=FOLDER)` brings them; then --data FOLDER",
)
