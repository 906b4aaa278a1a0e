"""Which of the Python files that a run directory names are this user's to run: a directory may be from somebody else.

A file is executed as it is loaded. One that the user's own configuration names is asked for; one that a run's
configuration names came with the directory. Those are known by their SHA-256: of each file of which hpcsnn has made a
run's copy for this user, and of each that the user has said to trust, a line stands in
``~/.local/state/hpcsnn/trusted`` (or below ``$XDG_STATE_HOME``), which nobody else may write.
"""

from __future__ import annotations

import hashlib
import os
import pwd
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from hpcsnn.atomic_files import read_own
from hpcsnn.errors import ConfigurationError
from hpcsnn.models.registry import OF_TRAININGS
from hpcsnn.models.user_files import FOLDER, UserFile, file_of, read_user_file

# What stands beside the configuration of a run, and in no folder where somebody keeps configurations.
_OF_A_RUN = (".lock", "checkpoints", "network.zarr", "progress.json", "progress.jsonl", "summary.json")
_CONFIGURATION, _JOB = "config.yaml", "job"
# The keys below which a configuration may name models of users' files.
HAVE_MODELS = ("populations", "projections", *OF_TRAININGS)


def of_a_run(configuration: Path) -> bool:
    """Whether a configuration file is that of a run directory, or of the job in one."""
    if configuration.name != _CONFIGURATION:
        return False
    folder = configuration.absolute().parent
    if folder.name == _JOB and (folder / "plan.json").exists():
        return True
    copies = (folder / FOLDER).glob("*@????????.py")
    return any(copies) or any(os.path.lexists(folder / name) for name in _OF_A_RUN)


def check_named(configuration: Path, raw: Mapping[str, Any], folder: Path, trust: bool) -> None:
    """See that the files which a run's configuration names may be executed; with `trust` they may, from now on.

    Args:
        raw, folder: the configuration as plain data, and where files are looked for.

    Raises:
        ConfigurationError: some are not known; says whose they are, and their digests.
    """
    files = []
    for path in sorted({folder / file for key in HAVE_MODELS for file in _files(raw.get(key))}):
        with suppress(ConfigurationError):  # whoever loads it says that it cannot be read, or was changed
            file = read_user_file(path.resolve())
            file.check_unchanged()
            files.append(file)
    if trust:
        remember(files)
        return
    known = _trusted()
    unknown = [file for file in files if _digest(file) not in known]
    if unknown:
        said = "; ".join(f"{file.path} ({_owner(file.path)}, SHA-256 {_digest(file)})" for file in unknown)
        raise ConfigurationError(
            f"{configuration} names Python that would be executed, and that is not of a run which you began: {said}. "
            "Read it, and give --trust if it may run"
        )


def _files(raw: Any) -> Iterator[Path]:
    """The files that models in plain data refer to, as they stand there."""
    if isinstance(raw, str):
        file = file_of(raw)
        if file is not None:
            yield file
    elif isinstance(raw, Mapping):
        for part in (*raw.keys(), *raw.values()):
            yield from _files(part)
    elif isinstance(raw, list):
        for part in raw:
            if isinstance(part, (str, Mapping)):  # and no number, of which there may be many
                yield from _files(part)


def remember(files: Iterable[UserFile]) -> None:
    """Let these files be executed from now on, whatever run they are found in.

    Where no record can be kept, later commands ask.
    """
    with suppress(OSError, RuntimeError):
        new = {_digest(file): file for file in files}
        for digest in _trusted():
            new.pop(digest, None)
        if not new:
            return
        record = _record()
        record.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            read_own(record)
        except FileNotFoundError:
            pass
        except OSError:  # a link, or others may have written what stands there
            record.unlink()
        with os.fdopen(os.open(record, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600), "w") as stream:
            os.fchmod(stream.fileno(), 0o600)
            stream.write("".join(f"{digest}  {str(file.path)!a}\n" for digest, file in new.items()))


def _trusted() -> set[str]:
    try:
        lines = read_own(_record()).decode(errors="replace").splitlines()
    except (OSError, RuntimeError):  # none yet, or one that others can write
        return set()
    return {line.split()[0] for line in lines if line.strip()}


def _record() -> Path:
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "hpcsnn" / "trusted"


def _digest(file: UserFile) -> str:
    return hashlib.sha256(file.text.encode()).hexdigest()


def _owner(path: Path) -> str:
    try:
        uid = path.stat().st_uid
        return f"of user {pwd.getpwuid(uid).pw_name}"
    except (OSError, KeyError):
        return "of an unknown user"
