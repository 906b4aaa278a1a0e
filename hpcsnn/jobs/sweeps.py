"""Many runs of one configuration: what varies, a run directory each, and the results over the varied keys."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpcsnn.atomic_files import write_json
from hpcsnn.configuration.files import parse_value
from hpcsnn.configuration.schema import Configuration
from hpcsnn.errors import ConfigurationError, StorageError
from hpcsnn.training.configuration import TrainingConfiguration, load_either

_SWEEP = "sweep.json"
_MOST_VALUES = 10_000


@dataclass(frozen=True)
class Sweep:
    """What varies (values by key) around a configuration, below one folder."""

    folder: Path
    config: str
    overrides: list[str]
    vary: dict[str, list[Any]]

    def members(self) -> Iterable[tuple[Path, list[str]]]:
        """Run directory and overrides of every combination."""
        for values in itertools.product(*self.vary.values()):
            settings = [f"{key}={_text(value)}" for key, value in zip(self.vary, values, strict=True)]
            yield self.folder / _as_name(",".join(settings)), settings

    def configuration(self, settings: list[str], trust: bool = False) -> Configuration | TrainingConfiguration:
        """The configuration of one member; `trust` as in `load_configuration`."""
        return load_either(self.config, [*self.overrides, *settings], trust=trust)

    def write(self) -> None:
        """Keep what varies, for the report.

        Raises:
            StorageError: another sweep is there already.
        """
        before = _read(self.folder) if (self.folder / _SWEEP).is_file() else None
        said = {"config": self.config, "overrides": self.overrides, "vary": self.vary}
        if before is not None and (before["config"], before["overrides"]) != (self.config, self.overrides):
            other = " ".join([before["config"], *before["overrides"]])
            raise StorageError(f"{self.folder}: holds a sweep of {other}; give another --out")
        if before is not None:  # more values of the same keys are more of the same sweep
            if list(before["vary"]) != list(self.vary):  # names of run directories have the keys in their order
                keys = ", ".join(before["vary"])
                raise StorageError(f"{self.folder}: holds a sweep over {keys}, in this order; give another --out")
            said["vary"] = {key: _union(before["vary"][key], values) for key, values in self.vary.items()}
        write_json(self.folder / _SWEEP, said)


def _union(one: list[Any], other: list[Any]) -> list[Any]:
    return [*one, *(value for value in other if value not in one)]


def _read(folder: Path) -> dict[str, Any]:
    try:
        read: dict[str, Any] = json.loads((folder / _SWEEP).read_text())
    except (OSError, ValueError) as error:
        raise StorageError(f"{folder / _SWEEP}: cannot be read: {error}") from None
    return read


def read_sweep(folder: Path) -> Sweep:
    """The sweep below a folder.

    Raises:
        StorageError: there is none.
    """
    if not (folder / _SWEEP).is_file():
        raise StorageError(f"{folder}: no sweep here (there is no {_SWEEP})")
    read = _read(folder)
    return Sweep(folder, read["config"], read["overrides"], read["vary"])


def parse_vary(text: str) -> tuple[str, list[Any]]:
    """``seed=1..10``, ``scale=1,2,4`` or ``synapse=static,additive_stdp`` as key and values.

    Raises:
        ConfigurationError: no key, no value, or too many.
    """
    key, equals, values = text.partition("=")
    if not equals or not key or not values:
        raise ConfigurationError(f"--vary {text!r}: must be key=values, such as seed=1..10 or scale=1,2,4")
    span = re.fullmatch(r"(-?\d+)\.\.(-?\d+)", values)
    if span:
        first, last = int(span[1]), int(span[2])
        if not first <= last < first + _MOST_VALUES:
            raise ConfigurationError(f"--vary {text!r}: must go upwards, over at most {_MOST_VALUES} values")
        return key, list(range(first, last + 1))
    parsed = [parse_value(f"--vary {text!r}", value) for value in values.split(",")]
    if any(value is None for value in parsed) or len({_text(value) for value in parsed}) < len(parsed):
        raise ConfigurationError(f"--vary {text!r}: each value must be given, and once")
    return key, parsed


def _as_name(text: str) -> str:
    """A file's name, another for each text: a value with a slash, such as a model's file, would lead elsewhere."""
    return text.replace("%", "%25").replace("/", "%2F")


def _text(value: Any) -> str:
    """As an override says it: a text that would be read as something else in quotes."""
    if isinstance(value, str):
        try:
            return value if parse_value("--vary", value) == value else json.dumps(value)
        except ConfigurationError:
            return json.dumps(value)
    return json.dumps(value) if isinstance(value, bool) else str(value)
