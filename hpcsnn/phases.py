"""What is being done that may take a while: named by whoever does it, shown by whoever listens, such as a terminal."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar

Show = Callable[[str], AbstractContextManager[None]]

Hear = Callable[[str], None]

_log = logging.getLogger(__name__)
_show: ContextVar[Show | None] = ContextVar("show", default=None)
_hear: ContextVar[Hear | None] = ContextVar("hear", default=None)


@contextmanager
def doing(what: str) -> Iterator[None]:
    """Let `what`, such as ``compiling kernels``, be shown while the context lasts."""
    show, hear = _show.get(), _hear.get()
    if hear is not None:
        hear(what)
    _log.info("%s", what)
    started = time.perf_counter()
    with nullcontext() if show is None else show(what):
        yield
    _log.debug("%s took %.3f s", what, time.perf_counter() - started)


@contextmanager
def shown_by(show: Show) -> Iterator[None]:
    """Have the context's phases shown, each by entering what `show` gives for its name."""
    token = _show.set(show)
    try:
        yield
    finally:
        _show.reset(token)


@contextmanager
def heard_by(hear: Hear) -> Iterator[None]:
    """Have `hear` told the name of each of the context's phases when it begins, whoever shows them."""
    token = _hear.set(hear)
    try:
        yield
    finally:
        _hear.reset(token)
