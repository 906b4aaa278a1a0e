"""What a data set is: a name, numbers that may be set, how its values become spikes, and where its files come from."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.checked_numbers import Limits, whole_number
from hpcsnn.errors import ConfigurationError, DataError, check_known, unknown_name
from hpcsnn.models.parameters import Parameter
from hpcsnn.training.data.encoders import Encoder
from hpcsnn.training.data.samples import Samples, checked_dt
from hpcsnn.training.data.spikes import stratified_choice


@dataclass(frozen=True)
class Choice:
    """One of some names that the user may set."""

    default: str
    allowed: tuple[str, ...]
    doc: str

    def checked(self, where: str, value: object) -> str:
        """`value`, once it is one of them.

        Raises:
            ConfigurationError: it is not; names those that are.
        """
        return check_known(where, value, self.allowed)


Setting = Parameter | Choice


@dataclass(frozen=True)
class LoadedData:
    """What a network is trained on and tested by.

    Attributes:
        train, test: with the same channels, steps and classes.
        class_names: one a class; none of a regression.
        image_shape: (height, width) of images with a channel a pixel in rows; None: channels are something else.
    """

    train: Samples
    test: Samples
    class_names: tuple[str, ...]
    image_shape: tuple[int, int] | None = None


@dataclass(frozen=True)
class Request:
    """What a loader is asked for.

    Attributes:
        data_set: whose loader it is.
        values: of every setting of the data set and of its encoder.
        folder: where the user says the files are; None: where a package puts them.
        seed: of what is drawn.
        dt_ms: length of a step.
        encoder: the one chosen; None of data that are spikes already.
    """

    data_set: DataSet
    values: Mapping[str, Any]
    folder: Path | None
    seed: int
    dt_ms: float
    encoder: Encoder | None = None

    def file(self, *names: str) -> Path:
        """The first of these files that is there, by any of its names: ``("a.gz", "a")``.

        Raises:
            DataError: none is there; says where it was looked for, what all files are and how to get them.
        """
        places = [self.folder] if self.folder is not None else self.data_set.places()
        for place in places:
            for name in names:
                if (place / name).is_file():
                    return place / name
        raise self.missing(" or ".join(names), places)

    def sub_folder(self, *names: str) -> Path:
        """The first of these folders below the user's that is there; raises as `file`."""
        places = [self.folder] if self.folder is not None else self.data_set.places()
        found = [place / name for place in places for name in names if (place / name).is_dir()]
        if not found:
            raise self.missing(" or ".join(f"{name}/" for name in names), places)
        return found[0]

    def missing(self, what: str, places: list[Path]) -> DataError:
        """The error of a file that is not there."""
        wanted = self.data_set
        nowhere = "any folder: --data names none, and no package that brings it is installed"
        where = " or ".join(map(str, places)) or nowhere
        files = ", ".join(wanted.files)
        return DataError(f"{wanted.name}: {what} is not in {where}; expected are {files}. To get them: {wanted.source}")

    def chosen(self, labels: NDArray[Any] | None, n_samples: int, part: str) -> NDArray[np.int64]:
        """Which samples of a part (``train``, ``test``) are taken: all, or as many as are asked for, by chance.

        Raises:
            ConfigurationError: more are asked for than there are.
        """
        asked = int(self.values[f"{part}_samples"])
        if asked > n_samples:
            allowed = f"must be at most {n_samples}, which there are, or 0 for all of them"
            raise ConfigurationError(f"{self.data_set.name}.{part}_samples: {asked} is not allowed; {allowed}")
        return stratified_choice(labels, n_samples, asked or n_samples, self.seed)


def by_its_files(_: Request) -> int | None:
    """The steps of samples that are as long as their files say."""
    return None


@dataclass(frozen=True)
class DataSet:
    """A data set that a name stands for; a module of `hpcsnn.training.data.sets` that has one is all that it takes.

    Attributes:
        name: as configurations have it.
        doc: what it is, and its source.
        load_all: makes the data of a `Request`.
        steps_of: steps of each sample that a `Request` comes to, where nothing has to be read to know; else None.
        parameters: what may be set, beside what its encoder has; with default and unit.
        encoders: how its values may become spikes; the first is the default. None: they are spikes already.
        files: what it is read from, as they are named; none of data that are made.
        source: how one gets them: a command, or where they are.
        packages: Python packages that bring them, and the folder inside each.
        folders: where else they may be.
    """

    name: str
    doc: str
    load_all: Callable[[Request], LoadedData]
    steps_of: Callable[[Request], int | None] = by_its_files
    parameters: Mapping[str, Setting] = field(default_factory=dict)
    encoders: tuple[Encoder, ...] = ()
    files: tuple[str, ...] = ()
    source: str = ""
    packages: Mapping[str, str] = field(default_factory=dict)
    folders: tuple[str, ...] = ()

    @property
    def encoder(self) -> str:
        """The default encoder's name; empty where data are spikes already."""
        return self.encoders[0].name if self.encoders else ""

    def settings(self, encoder: str = "") -> dict[str, Setting]:
        """All that may be set with an encoder, by default the default one."""
        own: dict[str, Setting] = {**SAMPLE_COUNTS, **self.parameters}
        if self.encoders:
            names = tuple(each.name for each in self.encoders)
            own["encoder"] = Choice(self.encoder, names, "how values become spikes")
            own |= self._encoder(encoder or self.encoder).parameters
        return own

    def places(self) -> list[Path]:
        """The folders that files are looked for in where the user names none; packages are found, not imported."""
        found = [Path(place) for place in self.folders]
        for package, inside in self.packages.items():
            spec = importlib.util.find_spec(package)
            if spec is not None and spec.submodule_search_locations:
                found.append(Path(next(iter(spec.submodule_search_locations))) / inside)
        return found

    def load(
        self, values: Mapping[str, object] | None = None, folder: Path | None = None, seed: int = 0, dt_ms: float = 1.0
    ) -> LoadedData:
        """Read or make the data.

        Args:
            values: of `settings`; what is not there has its default.
            folder: where the files are; None: where a package puts them.
            seed: of what is drawn: made data, spikes by chance, which samples are taken.
            dt_ms: length of a step.

        Raises:
            ConfigurationError: a setting that there is none of, or a value that is not allowed.
            DataError: a file is missing, or is not what its format says.
        """
        return self.load_all(self._request(values, folder, seed, dt_ms))

    def sample_steps(self, values: Mapping[str, object] | None = None, dt_ms: float = 1.0) -> int | None:
        """Steps of each sample that `load` would give; None: only its files tell.

        Raises:
            ConfigurationError: as `load`.
        """
        return self.steps_of(self._request(values, None, 0, dt_ms))

    def _request(self, values: Mapping[str, object] | None, folder: Path | None, seed: int, dt_ms: float) -> Request:
        given = dict(values or {})
        encoder = None
        if self.encoders:
            encoder = self._encoder(given.get("encoder", self.encoder))
        settings = self.settings(encoder.name if encoder else "")
        checked = checked_settings(self.name, given, settings)
        own_seed = whole_number("seed", seed, Limits(minimum=0, maximum=2**64 - 1))
        return Request(self, checked, folder, own_seed, checked_dt(dt_ms), encoder)

    def _encoder(self, name: object) -> Encoder:
        known = {encoder.name: encoder for encoder in self.encoders}
        return known[check_known(f"{self.name}.encoder", name, known)]


def checked_settings(where: str, values: Mapping[str, object], settings: Mapping[str, Setting]) -> dict[str, Any]:
    """All settings, those that are given checked.

    Raises:
        ConfigurationError: an unknown one, or a value that is not allowed; begins with `where`.
    """
    for name in values:
        if name not in settings:
            raise ConfigurationError(unknown_name(where, name, settings))
    return {name: one.checked(f"{where}.{name}", values.get(name, one.default)) for name, one in settings.items()}


# Every data set has them; 0 takes all that there are, and of data that are made the data set has a number of its own.
SAMPLE_COUNTS: dict[str, Setting] = {
    "train_samples": Parameter(0, "samples", "how many to train on, chosen by the seed; 0: all", "int", minimum=0),
    "test_samples": Parameter(0, "samples", "how many to test by, chosen by the seed; 0: all", "int", minimum=0),
}


def counts_of_made(train: int, test: int, most: int = 10**7) -> dict[str, Setting]:
    """The same of data that are made, with so many by default."""
    words = ("how many are made to train on", "how many are made to test by")
    return {
        "train_samples": Parameter(train, "samples", words[0], "int", minimum=1, maximum=most),
        "test_samples": Parameter(test, "samples", words[1], "int", minimum=1, maximum=most),
    }
