"""Files that others find whole or not at all."""

from __future__ import annotations

from pathlib import Path


def replace_file(path: Path, text: str) -> None:
    """Write `text` beside `path` and put it in its place in one step.

    Raises:
        OSError: it cannot be written.
    """
    partial = path.with_name(f".{path.name}.part")
    partial.write_text(text)
    partial.replace(path)
