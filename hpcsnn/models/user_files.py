"""Models from users' own Python files: a configuration names them ``my_rule.py:MyRule``.

A run keeps its own copy, ``models/my_rule@1a2b3c4d.py``, whose name holds a hash of the text: a run directory can be
moved and resumed as it is, and a file that was changed since is found out.
"""

from __future__ import annotations

import hashlib
import importlib.util
import re
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any

from hpcsnn.errors import ConfigurationError, unknown_name
from hpcsnn.models.base import LOADED_BY, Model

FOLDER = "models"
# Below a model: the file in which its lists are.
FROM_FILE = "from_file"
_REFERENCE = re.compile(r"(?P<path>.+\.py):(?P<name>[A-Za-z_]\w*)")
# Synapses, which are found from the same folder.
_DATA = re.compile(r"[^\n]+\.npz")
_HASHED = re.compile(r"(?P<stem>.+)@(?P<hash>[0-9a-f]{8})")


# The same, or a half of one on its way there.
_COPY = re.compile(r"\.?.+@[0-9a-f]{8}\.py(\..*)?")


def is_copy(name: str) -> bool:
    """Whether a file's name is that of a run's copy of somebody's models, or of a half-written one."""
    return _COPY.fullmatch(name) is not None


@dataclass(frozen=True)
class UserFile:
    """A Python file with models, as it was read."""

    path: Path
    text: str

    @property
    def name(self) -> str:
        """The name of a run's copy."""
        return f"{self._stem}@{self.hash}.py"

    @property
    def hash(self) -> str:
        """Of the text, 8 hexadecimal digits."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:8]

    @property
    def _stem(self) -> str:
        hashed = _HASHED.fullmatch(self.path.stem)
        return hashed["stem"] if hashed else self.path.stem

    def check_unchanged(self) -> None:
        """Refuse a run's copy whose text is not the one in its name.

        Raises:
            ConfigurationError: it was changed.
        """
        hashed = _HASHED.fullmatch(self.path.stem)
        if hashed and self.path.parent.name == FOLDER and hashed["hash"] != self.hash:
            raise ConfigurationError(
                f"{self.path} was changed after the run began (its text has the hash {self.hash}); a run "
                "keeps to its models: put the text back, or start a new run from your own file"
            )


# A run may replace the directory that its own configuration came from.
_LAST_READ: dict[Path, UserFile] = {}


def read_user_file(path: Path) -> UserFile:
    """The file at a path; as it was when it was last there, if it is gone.

    Raises:
        ConfigurationError: it cannot be read.
    """
    try:
        _LAST_READ[path] = UserFile(path, path.read_text())
        return _LAST_READ[path]
    except FileNotFoundError:
        if path in _LAST_READ:
            return _LAST_READ[path]
        raise ConfigurationError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: cannot be read: {error}") from None


def is_reference(name: str) -> bool:
    """Whether a model's name is a file's and a model's in it."""
    return _REFERENCE.fullmatch(name) is not None


def file_of(name: str) -> Path | None:
    """The file that a model's name refers to; None if it refers to none."""
    match = _REFERENCE.fullmatch(name)
    return None if match is None else Path(match["path"])


def anchored(spec: Any, folder: Path) -> Any:
    """A configuration's model, or a whole part of it, with references to files, of models, of lists and of synapses
    (values that end in .npz), as absolute paths from `folder`.

    Raises:
        ConfigurationError: two keys are the same model of the same file; names both.
    """
    if isinstance(spec, Mapping):
        given: dict[Any, Any] = {}
        for key in spec:
            place = anchored(key, folder) if isinstance(key, str) else key
            if place in given:
                raise ConfigurationError(f"{given[place]!r} and {key!r} are the same model of the same file; give one")
            given[place] = key
        below = {place: anchored(spec[key], folder) for place, key in given.items()}
        if isinstance(below.get(FROM_FILE), str):
            below[FROM_FILE] = str((folder / below[FROM_FILE]).resolve())
        return below
    if isinstance(spec, str) and _DATA.fullmatch(spec):
        return str((folder / spec).resolve())
    if isinstance(spec, list) and spec and isinstance(spec[0], (str, Mapping)):  # of models, not of many numbers
        return [anchored(one, folder) for one in spec]
    match = _REFERENCE.fullmatch(spec) if isinstance(spec, str) else None
    return spec if match is None else f"{(folder / match['path']).resolve()}:{match['name']}"


def models_in(path: Path) -> dict[str, Model]:
    """The models that a user's file defines, by the names of its variables.

    Raises:
        ConfigurationError: it cannot be read or run; says where it fails.
    """
    return {name: value for name, value in vars(module_of(path)).items() if isinstance(value, Model)}


def user_model(where: str, reference: str, kinds: tuple[type[Model], ...]) -> tuple[Model, UserFile, str]:
    """The model that ``path.py:Name`` refers to, its file, and its name there.

    Raises:
        ConfigurationError: no such file or model, a file that does not run, or a model of another kind.
    """
    match = _REFERENCE.fullmatch(reference)
    assert match is not None
    path = Path(match["path"])
    try:
        file = read_user_file(path)
        file.check_unchanged()  # before it is run
        found = models_in(path)
    except ConfigurationError as error:
        raise ConfigurationError(f"{where}: {error}") from None
    if match["name"] not in found:
        raise ConfigurationError(unknown_name(f"{where}: {path}", match["name"], found))
    model = found[match["name"]]
    if not isinstance(model, kinds):
        allowed = " or ".join(kind.KIND for kind in kinds)
        raise ConfigurationError(f"{where}: {match['name']} of {path} is a {model.KIND}; must be a {allowed}")
    return model, file, match["name"]


def module_of(path: Path) -> ModuleType:
    """A user's file, run as a module of its own, and again if its text has changed.

    Raises:
        ConfigurationError: it cannot be read or run; says where it fails.
    """
    return _module(path, read_user_file(path).text)


@cache
def _module(path: Path, text: str) -> ModuleType:
    name = "hpcsnn_user_" + hashlib.sha256(f"{path}\0{text}".encode()).hexdigest()[:16]
    spec = importlib.util.spec_from_loader(name, loader=None, origin=str(path))
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    module.__file__ = str(path)
    setattr(module, LOADED_BY, partial(_module_again, path.resolve(), UserFile(path, text).hash))
    sys.modules[name] = module  # what dataclasses and pickles of the file's own look for
    try:
        exec(compile(text, str(path), "exec"), vars(module))
    except Exception as error:
        del sys.modules[name]
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        line = error.lineno if isinstance(error, SyntaxError) else frames[-1].lineno if frames else None
        at = f"line {line}: " if line else ""
        alone = "; a run keeps a copy of this file alone, so it may import installed packages and no neighbours"
        hint = alone if isinstance(error, ImportError) else ""
        raise ConfigurationError(f"{path}: {at}{type(error).__name__}: {error}{hint}") from None
    return module


def _module_again(path: Path, text_hash: str) -> ModuleType:
    """The module that a pickled model is from.

    Raises:
        ConfigurationError: its file is gone, or has another text by now.
    """
    file = read_user_file(path)
    if file.hash != text_hash:
        raise ConfigurationError(
            f"{path} was changed after a model of it was pickled (its text has the hash {file.hash}, and had "
            f"{text_hash}): put the text back, or pickle the model anew"
        )
    return module_of(path)
