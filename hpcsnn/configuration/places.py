"""Where each key of a configuration or a profile was written, and messages that say so."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from hpcsnn.errors import ConfigurationError
from hpcsnn.models.registry import KINDS

# What a message may quote of a value, and how many messages are told at once: a file may hold millions of either.
MOST_CHARACTERS, MOST_LINES = 2000, 50


@dataclass(frozen=True)
class Places:
    """Where a value stands, and what is below it by key; two of them are equal, as they change nothing of a network.

    Attributes:
        source: a file, or an option of the command line with its value; empty: not known.
        line: in the file, from 1; None: no file.
        below: by key, where the value is a mapping.
    """

    source: str = field(default="", compare=False)
    line: int | None = field(default=None, compare=False)
    below: Mapping[str, Places] = field(default_factory=dict, compare=False)

    def __str__(self) -> str:
        return self.source if self.line is None else f"{self.source}, line {self.line}"

    def put(self, path: list[str], place: Places) -> Places:
        """With `place` at the end of a path of keys; keys on the way that were not there come from the same source."""
        if not path:
            return place
        step, *rest = path
        below = self.below.get(step, Places(place.source, place.line))
        return replace(self, below={**self.below, step: below.put(rest, place)})

    def located(self, message: str) -> str:
        """A message that begins with a key path, such as ``populations.a.size: ...``, with its place behind it."""
        if len(message) > MOST_CHARACTERS:
            message = f"{message[: MOST_CHARACTERS // 2]} ... {message[-MOST_CHARACTERS // 2 :]}"
        if not self.source:
            return message
        place, rest, kind = self, message, ""
        while place.below:
            ends = [found.start() for found in re.finditer(r"[.:]|$", rest)]
            key = next((rest[:end] for end in ends if rest[:end] in place.below), None)
            rest_of_name = re.match(r"[^.:]*", rest)
            assert rest_of_name is not None
            if key is None and kind in KINDS and len(place.below) == 1:  # a model of a user's file, by its own name
                (key,), step = place.below, rest_of_name[0]
            elif key is None:  # or an entry of a list, which stands where the list does
                place = place.below.get(rest_of_name[0].partition("[")[0], place)
                break
            else:
                step = key
            place, kind = place.below[key], key
            if not rest[len(step) :].startswith("."):
                rest = rest[len(step) :]
                break
            rest = rest[len(step) + 1 :]
        found = re.search(r": unknown name '([^']*)'", message)
        if found and found[1] in place.below:
            place = place.below[found[1]]
        return f"{message} ({self.source if place is self else place})"

    @contextmanager
    def told(self) -> Iterator[None]:
        """A context whose configuration errors say where their keys stand.

        Raises:
            ConfigurationError: as inside, each line with its place.
        """
        try:
            yield
        except ConfigurationError as error:
            lines = str(error).splitlines()
            told = [self.located(line) for line in lines[:MOST_LINES]]
            if len(lines) > MOST_LINES:
                told.append(f"and {len(lines) - MOST_LINES} more")
            raise ConfigurationError("\n".join(told)) from None
