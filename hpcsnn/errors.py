"""Errors that a user can act on: each names the field, the value and what is allowed."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable

# Of a name that is none: it may be anything, of any length.
_MOST_CHARACTERS = 60


def shown(value: object) -> str:
    """A value as messages show it: short, on one line, whatever it is."""
    of_numpy = type(value).__module__ == "numpy"  # which takes longer to load than most messages take
    shape = getattr(value, "shape", None) if of_numpy else None
    if shape:
        text = f"an array of shape {shape}"
    elif of_numpy and type(value).__name__ != "ndarray":
        text = str(value)
    else:
        try:
            text = repr(value)
        except Exception:  # somebody's own class; its faults are not what the message is about
            text = f"a {type(value).__name__}"
    text = " ".join(text.split())
    return text if len(text) <= _MOST_CHARACTERS else f"{text[: _MOST_CHARACTERS - 3]}..."


class HpcsnnError(Exception):
    """Something the user can mend; the command line prints it without a traceback."""


class ConfigurationError(HpcsnnError, ValueError):
    """A network, a model parameter or a configuration file that cannot be run as it stands."""


class DeviceError(HpcsnnError, RuntimeError):
    """No usable compiler or GPU, or a kernel that does not compile."""


class SimulationError(HpcsnnError, RuntimeError):
    """A run that cannot go on: a state variable that is not finite, or a failed exchange."""


class DataError(HpcsnnError, OSError):
    """Training data that are missing, or not what their format says."""


class StorageError(HpcsnnError, OSError):
    """A run directory that cannot be written or read."""


class DamageError(StorageError):
    """Something stored that is missing, cut short, changed, or another version's: reading it again will not help."""


class RunBusyError(StorageError):
    """A run directory that another job writes to, or one that ended a moment ago."""


def suggested(name: str, choices: Iterable[str]) -> str:
    """What a message ends with where one of the choices is nearly the name, such as `` Did you mean 'topomap'?``."""
    near = difflib.get_close_matches(name, list(choices), n=1, cutoff=0.5)
    return f" Did you mean {near[0]!r}?" if near else ""


def unknown_name(what: str, name: object, allowed: Iterable[str]) -> str:
    """The message for a name that is not one of `allowed`, with the nearest one suggested."""
    choices = sorted(allowed)
    given = " ".join(repr(name).split())
    if len(given) > _MOST_CHARACTERS:
        given = f"{given[: _MOST_CHARACTERS - 3]}..."
    return f"{what}: unknown name {given}; allowed: {', '.join(choices) or '(none)'}.{suggested(str(name), choices)}"


def check_known(what: str, name: object, allowed: Collection[str]) -> str:
    """`name`, once it is one of `allowed`; whatever else it is, a name or not.

    Raises:
        ConfigurationError: as `unknown_name` says it.
    """
    if not isinstance(name, str) or name not in allowed:
        raise ConfigurationError(unknown_name(what, name, allowed))
    return name
