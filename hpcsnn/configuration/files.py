"""Experiments as YAML files: reading, overriding, checking, writing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from hpcsnn.atomic_files import replace_file
from hpcsnn.configuration.messages import explained
from hpcsnn.configuration.schema import Configuration
from hpcsnn.configuration.times import Every
from hpcsnn.errors import ConfigurationError
from hpcsnn.models.parameters import DISTRIBUTIONS
from hpcsnn.models.registry import KINDS
from hpcsnn.models.user_files import FOLDER, anchored, is_reference
from hpcsnn.ranks.partition import check_tile_side
from hpcsnn.shipped_files import configuration_folder, shipped_configurations


class _Yaml(yaml.SafeLoader):
    """Safe YAML that reads 1e-3 as a number, as YAML 1.2 does and PyYAML does not."""


_Yaml.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)


def parse_value(where: str, text: str) -> Any:
    """One value as a configuration file has it.

    Raises:
        ConfigurationError: not YAML; names `where` and the text.
    """
    try:
        return yaml.load(text, _Yaml)
    except yaml.YAMLError:
        raise ConfigurationError(f"{where}: {text!r} is not a YAML value") from None


def write_configuration(path: Path, configuration: Configuration) -> None:
    """Write a configuration with all defaults, and beside it the users' files that it names; whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    for file in configuration.user_files():
        (path.parent / FOLDER).mkdir(exist_ok=True)
        replace_file(path.parent / FOLDER / file.name, file.text)
    replace_file(path, yaml.safe_dump(configuration.resolved(), sort_keys=False))


def load_configuration(path: str | Path, overrides: Iterable[str] = ()) -> Configuration:
    """Read a YAML file, follow its ``extends``, apply ``key=value`` overrides, and check everything.

    A path that is not there but names a configuration that ships with hpcsnn (``topomap``, ``configs/topomap.yaml``)
    is that one.

    Raises:
        ConfigurationError: no such file, no YAML, or a value that is not allowed.
    """
    raw = _read(_find(Path(path)))
    for override in overrides:
        _override(raw, override)
    return parse_configuration(raw, Path.cwd())


def parse_configuration(raw: Mapping[str, Any], folder: Path = Path()) -> Configuration:
    """Check plain data, as read from a YAML file in `folder`, where models of users' files are looked for.

    Raises:
        ConfigurationError: one line for each thing that is wrong.
    """
    try:
        configuration = Configuration.model_validate(_anchored(raw, folder))
    except ValidationError as error:
        raise ConfigurationError("\n".join(explained(problem) for problem in error.errors())) from None
    check_tile_side(configuration.tile)
    if configuration.checkpoint_every is not None:
        Every.parse(configuration.checkpoint_every)
    configuration.network()
    return configuration


def _anchored(raw: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Plain data whose references to users' files do not depend on the folder any more."""
    return {
        key: anchored(value, folder) if key in ("populations", "projections") else value for key, value in raw.items()
    }


def _find(path: Path, named: Path | None = None) -> Path:
    """`path`, or what ships under its name; `named`: as a file in some other folder names it."""
    if path.is_file():
        return path
    shipped = configuration_folder() / f"{path.stem}.yaml"
    if shipped.is_file() and (named or path).parent in (Path(), Path("configs")):
        return shipped
    raise ConfigurationError(
        f"{path}: no such file; configurations that ship with hpcsnn: {', '.join(shipped_configurations())}"
    )


def _read(path: Path, readers: tuple[Path, ...] = ()) -> dict[str, Any]:
    if path.resolve() in readers:
        raise ConfigurationError(f"{path}: extends itself")
    try:
        raw = yaml.load(path.read_text(), _Yaml)
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: not YAML: {error}") from None
    if not isinstance(raw, dict):
        raise ConfigurationError(f"{path}: must be a mapping of keys to values, is {type(raw).__name__}")
    raw = _anchored(raw, path.parent)
    base = raw.pop("extends", None)
    if base is None:
        return raw
    return _merged(_read(_find(path.parent / str(base), Path(str(base))), (*readers, path.resolve())), raw)


def _merged(base: dict[str, Any], over: Mapping[str, Any], depth: int = 0) -> dict[str, Any]:
    """`over` laid over `base`, mapping by mapping; another model or distribution takes the place of the base's."""
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        if isinstance(below, dict) and isinstance(value, Mapping):
            # Further up are the names of populations and projections, which may be any.
            one_of_kind = depth >= 2 and (key in KINDS or set(below) <= set(DISTRIBUTIONS))
            other = one_of_kind and set(value) != set(below)
            result[key] = value if other else _merged(below, value, depth + 1)
        else:
            result[key] = value
    return result


def _override(raw: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise ConfigurationError(f"--set {override!r}: must be key=value, such as scale=4 or projections.ff.delay_ms=1")
    value = parse_value(f"--set {override!r}", text)
    *path, last = re.split(r"\.(?!py:)", key)
    place: Any = raw
    for step in path:
        if is_reference(step):
            step = next((name for name in place if name == step or name.endswith(f"/{step}")), step)
        below = place.get(step)
        if isinstance(below, str) or below is None:  # a model by its name alone, or nothing yet
            below = place[step] = {} if below is None else {below: {}}
        if not isinstance(below, dict):
            raise ConfigurationError(f"--set {override!r}: {step} is {below!r} and has nothing below it")
        place = below
    place[last] = value
