"""What a study of scaling is: its runs, and the file that says so in its folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hpcsnn.atomic_files import write_json
from hpcsnn.configuration.files import load_configuration
from hpcsnn.configuration.schema import Configuration
from hpcsnn.errors import ConfigurationError, StorageError
from hpcsnn.planning.measuring import check_measurable, measurable
from hpcsnn.planning.network_work import NetworkShape
from hpcsnn.planning.weak_growth import Grown, grown_networks

_STUDY = "study.json"
Kind = Literal["strong", "weak"]
_MOST_RANKS, _MOST_SEEDS = 2**20, 1000
_NUMBERS = "must be whole numbers from 1 on, each once, such as 1,2,4,8"


class StudyFile(BaseModel):
    """What ``study.json`` says.

    Attributes:
        configuration: SHA-256 of the configuration with all defaults, but for the seed.
        shapes: by number of ranks, of the networks.
    """

    model_config = ConfigDict(extra="forbid")

    kind: Kind
    config: str
    overrides: list[str]
    configuration: str
    duration_ms: float
    per_rank: int | None
    device: str
    ranks: list[int] = Field(min_length=1)
    seeds: list[int] = Field(min_length=1)
    shapes: dict[int, NetworkShape]

    def same(self, other: StudyFile) -> str | None:
        """The first key by which it is another study; None: it is the same, of other ranks and seeds perhaps."""
        keys = ("kind", "config", "overrides", "duration_ms", "per_rank", "device", "configuration")
        return next((key for key in keys if getattr(self, key) != getattr(other, key)), None)

    def check_same(self, other: StudyFile, folder: Path) -> None:
        """See that what is asked for is the study in a folder, of other ranks and seeds perhaps.

        Raises:
            StorageError: it is another one.
        """
        key = self.same(other)
        if key == "configuration":
            raise StorageError(
                f"{folder}: holds a study of {self.config} as it was then; the file, or what it names, has changed "
                "since: give another --out"
            )
        if key is not None:
            raise StorageError(
                f"{folder}: holds another study ({key}: {getattr(self, key)!r}, not {getattr(other, key)!r}); give "
                "another --out"
            )

    def both(self, other: StudyFile) -> StudyFile:
        """The runs of this one and of the other."""
        together = {
            "ranks": sorted({*self.ranks, *other.ranks}),
            "seeds": sorted({*self.seeds, *other.seeds}),
            "shapes": {**self.shapes, **other.shapes},
        }
        return self.model_copy(update=together)


@dataclass(frozen=True)
class Member:
    """One run of a study."""

    ranks: int
    seed: int
    path: Path


@dataclass(frozen=True)
class Study:
    """A study in its folder; what it is of is in `file`."""

    folder: Path
    file: StudyFile

    def members(self) -> Iterator[Member]:
        """All runs: of each seed on all numbers of ranks, so that a machine that changes changes all of these."""
        for seed in self.file.seeds:
            for ranks in self.file.ranks:
                yield Member(ranks, seed, self.folder / f"ranks={ranks},seed={seed}")

    def write(self) -> Study:
        """Keep what it is of; more ranks and more seeds make a study that is there larger, which is what comes back.

        Raises:
            StorageError: another study is there.
        """
        there = self.folder / _STUDY
        file = self.file
        if there.is_file():
            before = read_study(self.folder).file
            before.check_same(file, self.folder)
            file = before.both(file)
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(there, file.model_dump(mode="json"))
        return Study(self.folder, file)


def read_study(folder: Path) -> Study:
    """The study in a folder.

    Raises:
        StorageError: there is none, or none that can be read.
    """
    there = folder / _STUDY
    try:
        return Study(folder, StudyFile.model_validate_json(there.read_bytes()))
    except FileNotFoundError:
        raise StorageError(f"{folder}: no study here (there is no {_STUDY}); hpcsnn scale makes one") from None
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"]))
        raise StorageError(f"{there}: cannot be read: {where}: {problem['msg']}") from None
    except OSError as error:
        raise StorageError(f"{there}: cannot be read: {error}") from None


def usual_folder(config: str, kind: Kind) -> Path:
    """Where the study of a configuration is that nobody wants elsewhere."""
    return Path("runs") / f"{Path(config).stem}-{kind}"


def usual_study(config: str) -> Path | None:
    """The study of a configuration in its usual folder, of strong scaling first; None: there is none."""
    folders = [usual_folder(config, kind) for kind in get_args(Kind)]
    return next((folder for folder in folders if (folder / _STUDY).is_file()), None)


@dataclass(frozen=True)
class Plan:
    """A study that is to be made: what is in its file, and the configuration of each run, by ranks and seed."""

    study: Study
    configurations: dict[tuple[int, int], Configuration]
    grown: list[Grown]


def planned(
    folder: Path,
    kind: Kind,
    config: str,
    overrides: Sequence[str],
    *,
    ranks: Sequence[int],
    n_seeds: int,
    duration_ms: float,
    per_rank: int | None = None,
    device: str = "auto",
    trust: bool = False,
) -> Plan:
    """The runs of a study. Those of all ranks with one seed have one answer, if it is of strong scaling.

    Raises:
        ConfigurationError: a configuration that is not allowed or cannot be measured, or a network that cannot grow.
    """
    if not 1 <= n_seeds <= _MOST_SEEDS:
        raise ConfigurationError(f"--seeds: {n_seeds} is not allowed; must be a whole number >= 1 and <= {_MOST_SEEDS}")
    words = [*overrides, f"duration_ms={duration_ms!r}"]
    first = measurable(load_configuration(config, words, trust=trust))
    check_measurable(first)
    grown = grown_networks(first, per_rank, ranks) if per_rank is not None else []
    of_ranks = dict.fromkeys(ranks, first) if not grown else {one.ranks: one.applied(first) for one in grown}
    seeds = [first.seed + number for number in range(n_seeds)]
    configurations = {(n, seed): one.model_copy(update={"seed": seed}) for n, one in of_ranks.items() for seed in seeds}
    shapes = {n: NetworkShape.of(one.network(), one.tile, one.exchange) for n, one in of_ranks.items()}
    plain = json.dumps({**first.resolved(), "seed": None}, sort_keys=True)
    file = StudyFile(
        kind=kind,
        config=config,
        overrides=list(overrides),
        configuration=hashlib.sha256(plain.encode()).hexdigest(),
        duration_ms=duration_ms,
        per_rank=per_rank,
        device=device,
        ranks=sorted(ranks),
        seeds=seeds,
        shapes=shapes,
    )
    return Plan(Study(folder, file), configurations, grown)


def parse_numbers(where: str, text: str, most: int = _MOST_RANKS) -> list[int]:
    """``1,2,4`` as ascending numbers.

    Raises:
        ConfigurationError: anything else.
    """
    words = [word.strip() for word in text.split(",")]
    numbers = [int(word) for word in words if word.isascii() and word.isdigit() and len(word) < 10]
    if len(numbers) < len(words) or len(set(numbers)) < len(numbers) or not all(1 <= one <= most for one in numbers):
        at_most = f" and at most {most:,}" if any(one > most for one in numbers) else ""
        raise ConfigurationError(f"{where}: {text!r} is not allowed; {_NUMBERS}{at_most}")
    return sorted(numbers)
