"""What commands ask of a run directory, whichever kind it is of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Protocol

from rich.console import Console

Say = Callable[[str], None]


class StoredRun(Protocol):
    """What a run directory holds.

    Attributes:
        path: where it is.
        KIND: in a word, for messages.
    """

    KIND: ClassVar[str]

    @property
    def path(self) -> Path: ...

    def digest(self) -> str:
        """Anew from what is stored.

        Raises:
            StorageError: nothing is stored, or it is not what the summary says.
        """

    def verify(self, say: Say) -> None:
        """Compare every file with its checksum, telling each step.

        Raises:
            StorageError: something is damaged.
        """

    def differences(self, other: Path) -> list[str]:
        """What is not the same in another one of its kind, a line each.

        Raises:
            StorageError: nothing is stored in one of them.
        """

    def state(self) -> str:
        """Where it is, and its digest."""

    def draw(self, trust: bool) -> list[Path]:
        """Draw its figures again; the files."""

    def analyse(self, console: Console, scheduler: str | None, trust: bool) -> Path:
        """Analyse it; the page.

        Raises:
            HpcsnnError: it cannot be analysed.
        """
