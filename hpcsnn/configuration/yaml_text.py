"""YAML 1.2 by its core schema, built from the parser's events: what is ambiguous or without end is refused.

Of YAML 1.1, which PyYAML reads by itself, the merge key alone is left (``<<: *other`` takes the keys of another mapping
that are not given): ``on`` is a text, ``010`` is ten, ``1:30`` is no number and ``2020-13-45`` no date. A key is the
text that stands there, whatever it looks like, and stands once.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

import yaml

from hpcsnn.configuration.places import Places
from hpcsnn.errors import ConfigurationError

# A configuration is six deep, its largest number has twenty digits. What is beyond these ends is no configuration.
MOST_BYTES = 2**28
MOST_DEPTH = 100
MOST_DIGITS = 300
MOST_COPIED = 1_000_000

_Parser: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's is a hundred times as fast
_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_WORDS: dict[str, Any] = {
    **dict.fromkeys(("null", "Null", "NULL", "~", ""), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **{sign + word: math.inf for sign in ("", "+") for word in (".inf", ".Inf", ".INF")},
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
}
_CORE = "tag:yaml.org,2002:"
_OF_SCALARS: dict[str, Callable[[Any], bool]] = {
    "null": lambda value: value is None,
    "bool": lambda value: isinstance(value, bool),
    "int": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "float": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
}
_TAGS = (*_OF_SCALARS, "str", "seq", "map")
# What stands below a value, by key.
_Below = Mapping[str, Places]
_NOTHING: _Below = {}


def read_yaml(source: str, text: str, known: Collection[str] | None = None) -> tuple[Any, Places]:
    """The one document of a text as plain data, and where its keys stand.

    Args:
        source: the file, as messages name it; empty: no file, and messages name no line.
        known: keys by which a file is one of ours. Messages quote nothing of a text without one of them at its top:
            whoever names a foreign file should not be shown what is in it. None: quote any.

    Raises:
        ConfigurationError: not YAML 1.2, a key given twice, a value that is ambiguous, or beyond one of the ends above.
    """
    return _Reader(source, text, known).document()


def read_yaml_file(path: Any, known: Collection[str]) -> tuple[Any, Places]:
    """As `read_yaml`, from a file in UTF-8.

    Raises:
        ConfigurationError: as `read_yaml`, or a file that cannot be read.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from None
    if len(raw) > MOST_BYTES:
        raise ConfigurationError(f"{path}: has more than {MOST_BYTES} bytes, the most that hpcsnn reads of a YAML file")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise ConfigurationError(f"{path}: not YAML: no text in UTF-8 (line {line})") from None
    return read_yaml(str(path), text, known)


def write_yaml(value: Any) -> str:
    """Plain data as YAML that `read_yaml`, and readers of YAML 1.1, read as it was."""
    text: str = yaml.dump(value, Dumper=_Plain, sort_keys=False)
    return text


class _Plain(_Dumper):  # type: ignore[misc]
    """Writes texts in quotes that are numbers to either version of YAML, and everything where it stands."""

    def ignore_aliases(self, _data: Any) -> bool:
        return True


_Plain.add_implicit_resolver(f"{_CORE}int", re.compile(f"^(?:{_INT.pattern})$"), list("-+0123456789"))
_Plain.add_implicit_resolver(f"{_CORE}float", re.compile(f"^(?:{_FLOAT.pattern})$"), list("-+.0123456789"))


class _Reader:
    """One document, event by event."""

    def __init__(self, source: str, text: str, known: Collection[str] | None) -> None:
        self._source, self._text, self._known = source, text, known
        self._path: list[str] = []
        self._at_top: set[str] = set()
        self._line = 1
        self._deepest, self._n_nodes, self._n_copied = 0, 0, 0
        # By anchor: value, what is below it, nodes, levels; None while it is being read.
        self._anchors: dict[str, tuple[Any, _Below, int, int] | None] = {}

    def document(self) -> tuple[Any, Places]:
        try:
            self._parser = _Parser(self._text)
            value, below = self._events()
        except yaml.reader.ReaderError as error:
            before = self._text.encode("utf-8", "replace")[: error.position]
            raise self._refused("not YAML: a character that is not allowed", before.count(b"\n") + 1) from None
        except UnicodeEncodeError as error:
            line = self._text.count("\n", 0, error.start) + 1
            raise self._refused("not YAML: a character that is not allowed", line) from None
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = min(mark.line, self._text.rstrip().count("\n")) + 1 if mark else self._line
            if "nesting depth" in str(error.problem):  # libyaml's own end
                raise self._refused(f"is nested more than {MOST_DEPTH} deep", line) from None
            problem = f"not YAML: {error.problem or error.context or 'it ends too early'}"
            raise self._refused(problem, line, self._quoted(line)) from None
        return value, Places(self._source, 1 if self._source else None, below)

    def _events(self) -> tuple[Any, _Below]:
        value, below = None, _NOTHING
        n_documents = 0
        while True:
            event = self._next()
            if isinstance(event, yaml.StreamEndEvent):
                return value, below
            if isinstance(event, yaml.DocumentStartEvent):
                n_documents += 1
                if n_documents > 1:
                    raise self._refused("has a second document; there may be one")
                if event.version not in (None, (1, 2)):
                    version = ".".join(map(str, event.version))
                    raise self._refused(f"%YAML {version} is not allowed; hpcsnn reads YAML 1.2")
                value, below = self._node(self._next(), 0)

    def _next(self) -> Any:
        event = self._parser.get_event()
        self._line = event.start_mark.line + 1
        return event

    def _node(self, event: Any, depth: int) -> tuple[Any, _Below]:
        """A value and what is below it, from the event that it begins with."""
        kind = type(event)
        self._n_nodes += 1
        if kind is yaml.ScalarEvent and event.anchor is None:
            return self._scalar(event), _NOTHING
        if kind is yaml.AliasEvent:
            return self._copy(event.anchor, depth)
        if depth + 1 > MOST_DEPTH:
            raise self._refused(f"is nested more than {MOST_DEPTH} deep")
        anchor, nodes_before, deepest_before = event.anchor, self._n_nodes, self._deepest
        self._deepest = depth + 1
        if anchor is not None:
            self._anchors[anchor] = None
        value: Any
        below = _NOTHING
        if kind is yaml.ScalarEvent:
            value = self._scalar(event)
        elif kind is yaml.SequenceStartEvent:
            self._check_tag(event, "seq")
            value = self._sequence(depth)
        else:
            self._check_tag(event, "map")
            value, below = self._mapping(depth)
        if anchor is not None:
            self._anchors[anchor] = (value, below, self._n_nodes - nodes_before + 1, self._deepest - depth)
        self._deepest = max(self._deepest, deepest_before)
        return value, below

    def _sequence(self, depth: int) -> list[Any]:
        values: list[Any] = []
        while True:
            event = self._next()
            if type(event) is yaml.SequenceEndEvent:
                return values
            values.append(self._node(event, depth + 1)[0])

    def _mapping(self, depth: int) -> tuple[dict[str, Any], _Below]:
        values: dict[str, Any] = {}
        below: dict[str, Places] = {}
        lines: dict[str, int] = {}
        merged: tuple[dict[str, Any], _Below] | None = None
        while True:
            event = self._next()
            if type(event) is yaml.MappingEndEvent:
                return (values, below) if merged is None else (merged[0] | values, {**merged[1], **below})
            if type(event) is not yaml.ScalarEvent or event.anchor is not None:
                raise self._refused("a key must be a text, not a list, a mapping, an anchor or an alias")
            if event.tag not in (None, "!", f"{_CORE}str"):
                raise self._refused("a key must be a text without a tag")
            key, line = event.value, self._line
            merges = key == "<<" and event.implicit[0]
            if depth == 0:
                self._at_top.add(key)
            self._path.append(key)
            if key in values or (merges and merged is not None):
                raise self._refused("is given twice; a key may stand once", f"{lines[key]} and {line}")
            lines[key] = line
            value, own = self._node(self._next(), depth + 1)
            if merges:
                if not isinstance(value, dict):
                    raise self._refused(
                        "is not allowed; must be a mapping, whose keys are taken where they are not given"
                    )
                merged = value, own
                self._path.pop()
                continue
            values[key], below[key] = value, Places(self._source, line if self._source else None, own)
            self._path.pop()

    def _copy(self, anchor: str, depth: int) -> tuple[Any, _Below]:
        """What an alias stands for: its own copy, as an override may change one and not the other."""
        if anchor not in self._anchors:
            raise self._refused("is an alias of an anchor that is not there")
        known = self._anchors[anchor]
        if known is None:
            raise self._refused("is an alias of what it stands in, which would have no end")
        value, below, n_nodes, levels = known
        if depth + levels > MOST_DEPTH:
            raise self._refused(f"is nested more than {MOST_DEPTH} deep")
        self._deepest = max(self._deepest, depth + levels)
        self._n_copied += n_nodes
        self._n_nodes += n_nodes - 1
        if self._n_copied > MOST_COPIED:
            raise self._refused(f"is an alias too many: aliases may stand for {MOST_COPIED} values in all")
        return _copied(value), below

    def _scalar(self, event: Any) -> Any:
        text: str = event.value
        tag = event.tag
        if tag is None:
            return self._plain(text) if event.implicit[0] else text
        if tag in ("!", f"{_CORE}str"):
            return text
        name = self._core_tag(event)
        if name not in _OF_SCALARS:
            raise self._refused(f"the tag !!{name} is not one of a single value")
        value = self._plain(text)
        if not _OF_SCALARS[name](value):
            raise self._refused(f"is no !!{name}")
        return float(value) if name == "float" else value

    def _check_tag(self, event: Any, name: str) -> None:
        if event.tag not in (None, "!") and self._core_tag(event) != name:
            raise self._refused(f"the tag !!{self._core_tag(event)} is not that of a {name}")

    def _core_tag(self, event: Any) -> str:
        tag: str = event.tag
        name = tag.removeprefix(_CORE)
        if name == tag or name not in _TAGS:
            raise self._refused("has a tag that is not allowed; allowed: " + ", ".join(f"!!{one}" for one in _TAGS))
        return name

    def _plain(self, text: str) -> Any:
        """A scalar without quotes, by the core schema."""
        if text in _WORDS:
            return _WORDS[text]
        if text[0] not in "-+.0123456789":
            return text
        whole = _INT.fullmatch(text)
        if not whole and not _FLOAT.fullmatch(text):
            return text
        if len(text) > MOST_DIGITS:
            raise self._refused(f"is a number of {len(text)} characters; at most {MOST_DIGITS}")
        if whole:
            return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
        number = float(text)
        if math.isinf(number):
            raise self._refused("is a number beyond the largest, 1.8e308")
        return number

    def _refused(self, problem: str, lines: int | str | None = None, quoted: str = "") -> ConfigurationError:
        """The error, with the key path in front and the place behind."""
        where = ""
        if self._known is None or not self._at_top.isdisjoint(self._known):
            where, problem = ".".join(self._path), problem + quoted
        if not self._source:
            return ConfigurationError(f"{where}: {problem}" if where else problem)
        lines = f"line{'s' if isinstance(lines, str) else ''} {self._line if lines is None else lines}"
        if not where:
            return ConfigurationError(f"{self._source}: {problem} ({lines})")
        return ConfigurationError(f"{where}: {problem} ({self._source}, {lines})")

    def _quoted(self, line: int) -> str:
        there = self._text.splitlines()[line - 1 : line]
        return f": {there[0].strip()[:80]!r}" if there and there[0].strip() else ""


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(one) for key, one in value.items()}
    return [_copied(one) for one in value] if isinstance(value, list) else value
