"""Experiments as YAML files: reading, overriding, checking, writing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from hpcsnn.atomic_files import refuse_link, replace_file
from hpcsnn.configuration.messages import explained
from hpcsnn.configuration.overrides import put
from hpcsnn.configuration.places import Places
from hpcsnn.configuration.schema import TRAINING_KEYS, Configuration, NetworkConfiguration
from hpcsnn.configuration.trust import HAVE_MODELS, check_named, of_a_run, remember
from hpcsnn.configuration.yaml_text import read_yaml, read_yaml_file, write_yaml
from hpcsnn.errors import ConfigurationError, suggested
from hpcsnn.models.parameters import DISTRIBUTIONS
from hpcsnn.models.registry import KINDS, OF_TRAININGS
from hpcsnn.models.user_files import FOLDER, anchored
from hpcsnn.shipped_files import configuration_folder, shipped_configurations, shipped_trainings

_Kind = TypeVar("_Kind", bound=NetworkConfiguration)
# By which a file is one of ours, whichever kind of configuration it is.
_KEYS = frozenset({*Configuration.model_fields, *TRAINING_KEYS, "extends"})
# Keys at the top of which another name takes the place of the base's, and its values with it.
_CHOICES = frozenset({*OF_TRAININGS, "data", "encoding"})
# What messages show of an override.
_MOST_SHOWN = 80
# Files that a configuration may extend, one after the other.
MOST_EXTENDED = 100


def parse_value(where: str, text: str) -> Any:
    """One value as a configuration file has it.

    Raises:
        ConfigurationError: not YAML; names `where` and the text.
    """
    return _value(where, text)[0]


def _value(where: str, text: str) -> tuple[Any, Places]:
    try:
        return read_yaml("", text)
    except ConfigurationError as error:
        raise ConfigurationError(f"{where}: {_short(text)!r} is not a YAML value; {error}") from None


def _short(text: str) -> str:
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."


def write_configuration(path: Path, configuration: NetworkConfiguration) -> None:
    """Write a configuration with all defaults, and beside it the users' files that it names; whole or not at all.

    They are on disk before anything is that needs them.

    Raises:
        StorageError: the folder of these files is a link.
        OSError: it cannot be written.
    """
    refuse_link(path.parent / FOLDER)
    files = configuration.user_files()
    for file in files:
        (path.parent / FOLDER).mkdir(exist_ok=True)
        replace_file(path.parent / FOLDER / file.name, file.text, lasting=True)
    replace_file(path, write_yaml(configuration.resolved()), lasting=True)
    remember(files)


def load_configuration(
    path: str | Path, overrides: Iterable[str] = (), *, trust: bool = False, of_run: bool = False
) -> Configuration:
    """Read a YAML file, follow its ``extends``, apply ``key=value`` overrides, and check everything.

    A path that is not there but names a configuration that ships with hpcsnn (``topomap``, ``configs/topomap.yaml``)
    is that one.

    Args:
        trust: execute what a run directory's configuration names, whoever's it is, and remember that it may be.
        of_run: it is a run directory's, whatever stands beside it.

    Raises:
        ConfigurationError: no such file, no YAML, a value that is not allowed, Python files of a run directory that
            is not this user's, or the configuration of a training.
    """
    return load_as(Configuration, path, overrides, trust=trust, of_run=of_run)


def load_as(
    kind: type[_Kind], path: str | Path, overrides: Iterable[str] = (), *, trust: bool = False, of_run: bool = False
) -> _Kind:
    """As `load_configuration`, a configuration of this kind.

    Raises:
        ConfigurationError: as `load_configuration`, or a configuration of another kind; names its command.
    """
    raw, places = _read(_find(Path(path), trains=kind.TRAINS), trust, of_run)
    trains = not TRAINING_KEYS.isdisjoint(raw)
    if trains != kind.TRAINS:
        here = f"{path}: describes a {'training' if trains else 'simulation, and has no data to train on'}"
        other = "train" if trains else "run"
        raise ConfigurationError(f"{here}; hpcsnn {kind.COMMAND} takes none: use hpcsnn {other}")
    for override in overrides:
        places = _override(raw, places, override)
    return _parse(kind, raw, Path.cwd(), places)


def trains(path: str | Path) -> bool:
    """Whether a file, or what ships under its name, is the configuration of a training; executes nothing.

    Raises:
        ConfigurationError: no such file, or no YAML.
    """
    file: Path | None = _find(Path(path))
    for _ in range(MOST_EXTENDED):
        assert file is not None
        raw, _ = read_yaml_file(file, _KEYS)
        if not isinstance(raw, dict) or not TRAINING_KEYS.isdisjoint(raw) or "extends" not in raw:
            break
        file = _find(file.parent / str(raw["extends"]), Path(str(raw["extends"])), "extends: ")
    return isinstance(raw, dict) and not TRAINING_KEYS.isdisjoint(raw)


def plain_configuration(path: Path) -> dict[str, Any]:
    """What the configuration of a run directory says, as plain data: nothing is checked, and nothing executed.

    Raises:
        ConfigurationError: no file, no YAML, or no mapping.
    """
    raw, _ = read_yaml_file(path, _KEYS)
    if not isinstance(raw, dict):
        raise ConfigurationError(f"{path}: must be a mapping of keys to values, is {type(raw).__name__}")
    return raw


def parse_configuration(raw: Mapping[str, Any], folder: Path = Path(), overrides: Iterable[str] = ()) -> Configuration:
    """Check plain data, as read from a YAML file in `folder`, where models of users' files are looked for.

    Args:
        overrides: as of `load_configuration`; they name files from where the user stands.

    Raises:
        ConfigurationError: one line for each thing that is wrong.
    """
    return parse_as(Configuration, raw, folder, overrides)


def parse_as(kind: type[_Kind], raw: Mapping[str, Any], folder: Path = Path(), overrides: Iterable[str] = ()) -> _Kind:
    """As `parse_configuration`, a configuration of this kind.

    Raises:
        ConfigurationError: one line for each thing that is wrong.
    """
    plain, places = _anchored(raw, folder), Places()
    for override in overrides:
        places = _override(plain, places, override)
    return _parse(kind, plain, Path.cwd(), places)


def _parse(kind: type[_Kind], raw: Mapping[str, Any], folder: Path, places: Places) -> _Kind:
    with places.told():
        try:
            configuration = kind.model_validate(_anchored(raw, folder))
        except ValidationError as error:
            raise ConfigurationError("\n".join(explained(problem, kind) for problem in error.errors())) from None
        configuration.check()
    configuration.places = places
    return configuration


def _anchored(raw: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Plain data whose references to users' files do not depend on the folder any more."""
    return {key: anchored(value, folder) if key in HAVE_MODELS else value for key, value in raw.items()}


def _anchored_places(places: Places, folder: Path) -> Places:
    """The places of what `_anchored` gives: a model of a user's file is found by the same key."""

    def below(place: Places) -> Places:
        return replace(place, below={anchored(key, folder): below(one) for key, one in place.below.items()})

    parts = {key: below(one) if key in HAVE_MODELS else one for key, one in places.below.items()}
    return replace(places, below=parts)


def _find(path: Path, named: Path | None = None, where: str = "", trains: bool = False) -> Path:
    """`path`, or what ships under its name; `named`: as a file in some other folder names it, `where`: by what key."""
    if path.is_file():
        return path
    shipped = configuration_folder() / f"{path.stem}.yaml"
    if shipped.is_file() and (named or path).parent in (Path(), Path("configs")):
        return shipped
    names = shipped_trainings() if trains else shipped_configurations()
    kind = "trainings" if trains else "configurations"
    hint = suggested(path.stem, names)
    listed = ", ".join(names) + ("." if hint else "")
    raise ConfigurationError(f"{where}{path}: no such file; {kind} that ship with hpcsnn: {listed}{hint}")


def _read(path: Path, trust: bool, of_run: bool, readers: tuple[Path, ...] = ()) -> tuple[dict[str, Any], Places]:
    raw, places = read_yaml_file(path, _KEYS)
    if not isinstance(raw, dict):
        raise ConfigurationError(f"{path}: must be a mapping of keys to values, is {type(raw).__name__}")
    if raw and _KEYS.isdisjoint(raw):  # somebody else's file, of which nothing is to be shown
        raise ConfigurationError(f"{path}: is no configuration: it has none of {', '.join(sorted(_KEYS))}")
    with places.told():
        raw, places = _anchored(raw, path.parent), _anchored_places(places, path.parent)
    of_run = of_run or of_a_run(path)
    if of_run:  # and then so is what it extends
        check_named(path, raw, path.parent, trust)
    base = raw.pop("extends", None)
    if base is None:
        return raw, places
    with places.told():
        if not isinstance(base, str):
            raise ConfigurationError(f"extends: {base!r} is not allowed; must be a file or a name")
        file, readers = _find(path.parent / base, Path(base), "extends: "), (*readers, path.resolve())
        if file.resolve() in readers:
            raise ConfigurationError(f"extends: {base!r} is not allowed; the file extends itself")
        if len(readers) > MOST_EXTENDED:
            said = f"{readers[0]} extends more than {MOST_EXTENDED} files, one after the other"
            raise ConfigurationError(f"extends: {base!r} is not allowed; {said}")
    return _merged(*_read(file, trust, of_run, readers), raw, places)


def _merged(
    base: dict[str, Any], base_places: Places, over: Mapping[str, Any], over_places: Places, depth: int = 0
) -> tuple[dict[str, Any], Places]:
    """`over` laid over `base`, mapping by mapping; another model or distribution takes the place of the base's."""
    result, places = dict(base), dict(base_places.below)
    for key, value in over.items():
        below, place = result.get(key), over_places.below.get(key, over_places)
        result[key], lower = value, places.get(key, base_places)
        places[key] = place
        if isinstance(below, dict) and isinstance(value, Mapping):
            # Further up are the names of populations and projections, which may be any.
            one_of_kind = depth >= 2 and (key in KINDS or set(below) <= set(DISTRIBUTIONS))
            one_of_kind |= depth == 0 and key in _CHOICES
            if not one_of_kind or set(value) == set(below):
                result[key], places[key] = _merged(below, lower, value, place, depth + 1)
    return result, replace(over_places, below=places)


def override_of(override: str) -> tuple[str, Any]:
    """Key and value of ``key=value``.

    Raises:
        ConfigurationError: no such text, or a value that is no YAML.
    """
    key, value, _ = _parsed(override)
    return key, value


def _parsed(override: str) -> tuple[str, Any, Places]:
    key, equals, text = override.partition("=")
    said = f"--set {_short(override)!r}"
    if not equals or not key:
        raise ConfigurationError(f"{said}: must be key=value, such as scale=4 or projections.ff.delay_ms=1")
    return key, *_value(said, text)


def _override(raw: dict[str, Any], places: Places, override: str) -> Places:
    """Set in `raw` what an override says; the places with it."""
    key, value, below_value = _parsed(override)
    path = put(raw, key, value, f"--set {_short(override)!r}")
    return places.put(path, _from_option(below_value, f"--set {_short(override)}"))


def _from_option(places: Places, source: str) -> Places:
    return Places(source, None, {key: _from_option(below, source) for key, below in places.below.items()})
