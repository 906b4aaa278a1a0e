"""What is printed, so that it stays text: names and values may be from files that somebody else wrote.

A terminal carries out what it is sent: a sequence that begins with ESC can rename its window, rewrite what was printed,
or answer as if the user had typed. Such characters are printable as Python writes them, ``\\x1b``.
"""

from __future__ import annotations

import logging
import sys
import unicodedata
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


def printable(text: str) -> str:
    """`text` with everything that does not print, line ends and tabs apart, written out: ``\\x1b``, ``\\u202e``."""
    if text.isprintable():
        return text
    return "".join(sign if _prints(sign) else sign.encode("unicode_escape").decode("ascii") for sign in text)


def _prints(sign: str) -> bool:
    return sign.isprintable() or sign in "\n\t" or unicodedata.category(sign) == "Zs"


def terminal(**options: Any) -> Console:
    """A console of rich's that prints no more than text in colours: no sequences, and no markup unless asked for."""
    return _kind()(**{"markup": False, "emoji": False, **options})


@cache
def _kind() -> type[Console]:
    from rich.console import Console, ConsoleOptions, RenderableType  # which takes longer than many a command
    from rich.segment import Segment
    from rich.text import Text

    class Terminal(Console):
        """Rich drops a few of these characters, and ESC is none of them."""

        def render_str(self, text: str, **options: Any) -> Text:
            """A text that has its width before room is made for it."""
            return super().render_str(printable(text), **options)

        def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
            for segment in super().render(renderable, options):
                yield segment if segment.control else Segment(printable(segment.text), segment.style)

    return Terminal


class _ToStandardError(logging.Handler):
    """A line for each record, to what standard error is at that time."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print it, as nothing but text."""
        if sys.stderr is not None:
            sys.stderr.write(printable(self.format(record)) + "\n")


def log_to_terminal(level: int) -> None:
    """Have what hpcsnn logs from a level on printed to standard error, once however often it is called.

    Warnings have the word before them, all else the module that says it.
    """
    logger = logging.getLogger("hpcsnn")
    logger.setLevel(level)
    for handler in [one for one in logger.handlers if isinstance(one, _ToStandardError)]:
        logger.removeHandler(handler)
    handler = _ToStandardError()
    handler.setFormatter(_Named())
    logger.addHandler(handler)
    logger.propagate = False


class _Named(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        who = record.levelname.lower() if record.levelno >= logging.WARNING else record.name
        return f"{who}: {super().format(record)}"
