"""What commands ask of a run directory, whichever kind it is of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Protocol

from rich.console import Console

from hpcsnn.errors import StorageError

Say = Callable[[str], None]


def agreed_digest(
    path: Path, what: str, summary: Mapping[str, Any], unit: str, key: str, at: int, digest: Callable[[], str]
) -> str:
    """The digest of what is stored, which its summary must say too.

    Args:
        path: of the run directory.
        what, unit: what is stored, and what its position is counted in, for messages.
        key: of the position in the summary.
        at, digest: its position, and how its digest is found.

    Raises:
        StorageError: they do not agree.
    """
    if summary.get(key) != at:
        raise StorageError(
            f"{path}: {what} is of {unit} {at}, its summary of {unit} {summary.get(key)}: hpcsnn resume {path} brings "
            "them together"
        )
    found, said = digest(), summary.get("digest")
    if found != said:
        raise StorageError(f"{path}: {what} has digest {found}, its summary says {said}: one of them was changed")
    return found


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

    def draw(self, file_format: str, trust: bool) -> list[Path]:
        """Draw its figures again, as files of a format (png, pdf, svg); the files."""

    def analyse(self, console: Console, scheduler: str | None, file_format: str, trust: bool) -> Path:
        """Analyse it; the page.

        Raises:
            HpcsnnError: it cannot be analysed.
        """
