"""Spoken digits and commands as spikes: SHD and SSC, of their HDF5 files where Tonic keeps them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.errors import DataError, shown
from hpcsnn.training.data.binning import DURATION, EventFile, asked_steps, binned
from hpcsnn.training.data.data_set import Choice, DataSet, LoadedData, Request
from hpcsnn.training.data.reading import checked_classes

N_CHANNELS = 700
_MOST_SAMPLES = 10**7
_MS_PER_S = 1000.0


class SpokenFile(EventFile):
    """One part of SHD or SSC: ``spikes/times`` (s), ``spikes/units``, ``labels``, ``extra/keys`` (names of classes).

    Raises:
        DataError: h5py is not installed, or the file is not what the format says.
    """

    def __init__(self, path: Path) -> None:
        try:
            import h5py
        except ImportError:
            raise DataError(f"{path}: is read by h5py, which is not installed: `pip install h5py`") from None
        self.path = path
        try:
            self._file = h5py.File(path, "r")
            found = [self._inside(name) for name in ("spikes/times", "spikes/units", "labels")]
        except (OSError, RuntimeError, ValueError, KeyError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(f"{path}: cannot be read as HDF5: {error}") from None
        self._times, self._units, labels = found
        if len({each.shape for each in found}) != 1 or len(labels.shape) != 1 or labels.shape[0] > _MOST_SAMPLES:
            shapes = ", ".join(str(each.shape) for each in found)
            raise DataError(f"{path}: times, units and labels have shapes {shapes}; must be equally long lists")
        if labels.dtype.kind not in "iu":
            raise DataError(f"{path}: labels have type {labels.dtype}; must be whole numbers")
        for name, each, kinds in (("times", self._times, "iuf"), ("units", self._units, "iu")):
            inside = h5py.check_vlen_dtype(each.dtype)
            if inside is None or np.dtype(inside).kind not in kinds:
                raise DataError(f"{path}: spikes/{name} have type {each.dtype}; must be a list of numbers a sample")
        self.class_names = self._names()
        self.labels = checked_classes(path, labels[:], len(self.class_names) or 2**31 - 1)

    def _inside(self, name: str) -> Any:
        """A data set that is in this file itself: what is in others is not ours to open."""
        import h5py

        at = self._file
        for part in name.split("/"):
            link = at.get(part, getlink=True) if isinstance(at, h5py.Group) else None
            if not isinstance(link, h5py.HardLink):
                raise DataError(f"{self.path}: has no data set {name} of its own")
            at = at[part]
        if not isinstance(at, h5py.Dataset) or at.is_virtual or at.external is not None:
            raise DataError(f"{self.path}: {name} is not a data set with its values in this file")
        return at

    def _names(self) -> tuple[str, ...]:
        if self._file.get("extra/keys", getclass=True) is None:
            return ()
        keys = self._inside("extra/keys")
        if len(keys.shape) != 1 or keys.shape[0] > _MOST_SAMPLES or keys.dtype.kind not in "OSU":
            raise DataError(f"{self.path}: extra/keys is not a list of names")
        return tuple(key.decode(errors="replace") if isinstance(key, bytes) else str(key) for key in keys[:])

    def events(self, sample: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Times in ms and channels of a sample's events."""
        try:
            times, units = np.asarray(self._times[sample]), np.asarray(self._units[sample])
        except (OSError, RuntimeError, ValueError) as error:
            raise DataError(f"{self.path}: sample {sample} cannot be read: {error}") from None
        if times.shape != units.shape:
            raise DataError(f"{self.path}: sample {sample} has {times.size} times and {units.size} units")
        return times.astype(np.float64) * _MS_PER_S, units.astype(np.int64)


def _load(request: Request, train: str, test: str) -> LoadedData:
    stem = request.data_set.name
    folder = stem.upper()
    files = [SpokenFile(request.file(f"{folder}/{stem}_{part}.h5", f"{stem}_{part}.h5")) for part in (train, test)]
    names = files[0].class_names or tuple(str(k) for k in range(int(files[0].labels.max(initial=0)) + 1))
    for file in files:
        checked_classes(file.path, file.labels, len(names))
        if file.class_names not in ((), names):
            raise DataError(f"{file.path}: has other classes, {shown(file.class_names)}, than the file to train on")
    return binned(request, files[0], files[1], N_CHANNELS, names)


def load_shd(request: Request) -> LoadedData:
    """8,156 + 2,264 spoken digits."""
    return _load(request, "train", "test")


def load_ssc(request: Request) -> LoadedData:
    """75,466 + 20,382 spoken commands, or the 9,981 to choose settings by."""
    return _load(request, "train", request.values["test_on"])


SHD = DataSet(
    "shd",
    "Spoken digits in two languages, 20 classes, 700 channels (Cramer et al. 2020, IEEE Trans. Neural Netw. Learn. "
    "Syst. 33:2744).",
    load_shd,
    asked_steps,
    parameters=DURATION,
    files=("SHD/shd_train.h5", "SHD/shd_test.h5"),
    source="Tonic's `tonic.datasets.SHD(save_to=FOLDER)` brings them, or unpack the authors' files; then --data FOLDER",
)
SSC = DataSet(
    "ssc",
    "Spoken commands, 35 classes, 700 channels (Cramer et al. 2020, as SHD).",
    load_ssc,
    asked_steps,
    parameters={**DURATION, "test_on": Choice("test", ("test", "valid"), "which part of the files to test by")},
    files=("SSC/ssc_train.h5", "SSC/ssc_valid.h5", "SSC/ssc_test.h5"),
    source="Tonic's `tonic.datasets.SSC(save_to=FOLDER)` brings them, or unpack the authors' files; then --data FOLDER",
)
