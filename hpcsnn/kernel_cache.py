"""What was compiled before, by all that its compilation depends on, in a folder that is this user's alone.

A kernel is loaded into the process, so whoever writes one here runs code: the folder is made for its owner and is not
used where it is anybody else's. Beside a kernel stands its SHA-256, since one that was cut short by a full disk ends
the process without a word.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

from hpcsnn.atomic_files import bring_to_disk, read_own
from hpcsnn.errors import DeviceError
from hpcsnn.phases import doing

_log = logging.getLogger(__name__)

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def cache_folder() -> Path:
    """``$HPCSNN_CACHE``, else ``$XDG_CACHE_HOME/hpcsnn``, else ``~/.cache/hpcsnn``; absolute.

    Raises:
        DeviceError: this user has no home.
    """
    asked = os.environ.get("HPCSNN_CACHE")
    try:
        if asked:  # absolute: the loader looks for a name without a slash elsewhere
            return Path(asked).expanduser().absolute()
        return (Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hpcsnn").absolute()
    except RuntimeError as error:
        raise DeviceError(
            f"no folder for the kernel cache: {error}; set HPCSNN_CACHE to a folder you can write"
        ) from None


def cached(
    key: list[str],
    suffix: str,
    make: Callable[[Path, Path], object],
    how: Sequence[str] = (),
    doing_what: str | None = "compiling kernels, once for this network and machine",
) -> Path:
    """The file that `make` makes, made once for each `key` and `how`, and again where it is not what it was.

    A lock makes ranks that start together compile once, and a rename makes a file whole from the moment it can be seen.

    Args:
        key: what the file is made of.
        suffix: of its name, such as ``.so``.
        make: given a path for the source, which is kept, and the path to write to.
        how: all else that the file depends on: what made it, and for which machine.
        doing_what: what is said while it is made; None: nothing, of what takes no time.

    Raises:
        DeviceError: a folder that cannot be used or is not this user's alone, and whatever `make` raises.
    """
    name = _name(key, how)
    with _usable() as folder:
        made = folder / f"{name}{suffix}"
        if _whole(made):
            _log.debug("%s: there already", made)
            return made
        with (folder / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not _whole(made):
                with doing(doing_what) if doing_what else nullcontext():
                    _put(made, lambda partial: make(folder / f"{name}.cpp", partial))
    return made


def found(key: list[str], suffix: str, how: Sequence[str] = ()) -> Path | None:
    """The file that `cached` would give without making it; None: it is not there, or not whole.

    Raises:
        DeviceError: as `cached`.
    """
    with _usable() as folder:
        made = folder / f"{_name(key, how)}{suffix}"
        return made if _whole(made) else None


def made_elsewhere(key: list[str], suffix: str) -> list[Path]:
    """Whole files that were made of `key`, by whatever and wherever; nothing where there is no cache."""
    try:
        with _usable() as folder:
            return [path for path in sorted(folder.glob(f"{_name(key)}-*{suffix}")) if _whole(path)]
    except DeviceError:
        return []


def _name(key: Sequence[str], how: Sequence[str] = ()) -> str:
    return "-".join(hashlib.sha256("\0".join(part).encode()).hexdigest()[:24] for part in (key, how) if part)


@contextmanager
def _usable() -> Iterator[Path]:
    """This user's part of the cache; what the system refuses in there is told with its name."""
    folder = cache_folder()
    try:
        folder = _own(folder)
        yield folder
    except OSError as error:
        raise DeviceError(
            f"cannot use the kernel cache {folder}: {error}; set HPCSNN_CACHE to a folder you can write"
        ) from error


def _own(folder: Path) -> Path:
    """This user's part of the cache: users who share a cache share none of what is loaded."""
    folder.mkdir(parents=True, exist_ok=True)
    own = folder / f"kernels-{os.geteuid()}"
    with suppress(FileExistsError):
        own.mkdir(mode=0o700)
    there = own.lstat()
    if not stat.S_ISDIR(there.st_mode):
        wrong = "is no folder"
    elif there.st_uid != os.geteuid():
        wrong = f"belongs to user {there.st_uid}"
    elif there.st_mode & _OTHERS_WRITE:
        wrong = f"can be written by others (mode {stat.S_IMODE(there.st_mode):o})"
    else:
        return own
    raise DeviceError(
        f"the kernel cache {own} {wrong}, and whoever writes there runs code as you: remove it, or set HPCSNN_CACHE to "
        "a folder of your own"
    )


def _whole(made: Path) -> bool:
    """Whether a kernel is there, this user's alone, and as its checksum says."""
    try:
        return _checksum(made) == read_own(_beside(made)).decode("ascii", "replace")
    except OSError:
        return False


def _put(made: Path, make: Callable[[Path], object]) -> None:
    """Make a kernel and its checksum. Between the two it counts as damaged, and is made again."""
    partial = made.with_suffix(f".{os.getpid()}.part")
    try:
        make(partial)
        partial.chmod(0o700)  # compilers follow the umask
        checksum = _checksum(partial, made.name)
        bring_to_disk(partial)
        partial.replace(made)
        partial.write_text(checksum)
        partial.chmod(0o600)
        bring_to_disk(partial)
        partial.replace(_beside(made))
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _beside(made: Path) -> Path:
    return made.with_name(f"{made.name}.sha256")


def _checksum(path: Path, name: str | None = None) -> str:
    """Of the file's name too, so that no other kernel passes for it."""
    return hashlib.sha256((name or path.name).encode() + b"\0" + read_own(path)).hexdigest()
