"""What was compiled before, by all that its compilation depends on."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from hpcsnn.errors import DeviceError


def cache_folder() -> Path:
    """``$HPCSNN_CACHE``, else ``$XDG_CACHE_HOME/hpcsnn``, else ``~/.cache/hpcsnn``."""
    asked = os.environ.get("HPCSNN_CACHE")
    if asked:
        return Path(asked)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hpcsnn"


def cached(key: list[str], suffix: str, make: Callable[[Path, Path], None]) -> Path:
    """The file that `make` makes, made once for each `key`.

    A lock makes ranks that start together compile once, and a rename makes a file whole from the moment it can be seen.

    Args:
        key: all that the file depends on.
        suffix: of its name, such as ``.so``.
        make: given a path for the source, which is kept, and the path to write to.

    Raises:
        DeviceError: a folder that cannot be used, and whatever `make` raises.
    """
    name = hashlib.sha256("\0".join(key).encode()).hexdigest()[:24]
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        made = folder / f"{name}{suffix}"
        if made.exists():
            return made
        with (folder / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not made.exists():
                partial = made.with_suffix(f".{os.getpid()}.part")
                make(folder / f"{name}.cpp", partial)
                partial.replace(made)
    except OSError as error:
        raise DeviceError(
            f"cannot use the kernel cache {folder}: {error}; set HPCSNN_CACHE to a folder you can write"
        ) from error
    return made
