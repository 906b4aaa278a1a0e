"""What is being done that may take a while: named by whoever does it, shown by whoever listens, such as a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar

Show = Callable[[str], AbstractContextManager[None]]

Hear = Callable[[str], None]

_show: ContextVar[Show | None] = ContextVar("show", default=None)
_hear: ContextVar[Hear | None] = ContextVar("hear", default=None)


@contextmanager
def doing(what: str) -> Iterator[None]:
    """Let `what`, such as ``compiling kernels``, be shown while the context lasts."""
    show, hear = _show.get(), _hear.get()
    if hear is not None:
        hear(what)
    if show is None:
        yield
        return
    with show(what):
        yield


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
