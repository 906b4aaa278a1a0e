"""A run directory, whichever it is of: a simulation's or a training's. The choice is here, and in no command."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from hpcsnn.configuration.files import trains
from hpcsnn.errors import ConfigurationError
from hpcsnn.runs.stored.interface import StoredRun


def is_training(run: Path) -> bool:
    """Whether a run directory is a training's; one whose configuration cannot be read is taken for a simulation's."""
    with suppress(ConfigurationError):
        return trains(run / "config.yaml")
    return False


def stored_run(run: Path) -> StoredRun:
    """What a run directory holds, by its kind."""
    if is_training(run):
        from hpcsnn.runs.stored.training import StoredTraining

        return StoredTraining(run)
    from hpcsnn.runs.stored.simulation import StoredSimulation

    return StoredSimulation(run)


def check_alike(one: Path, other: Path) -> None:
    """See that two run directories are of one kind.

    Raises:
        ConfigurationError: they are not.
    """
    ours, theirs = stored_run(one).KIND, stored_run(other).KIND
    if ours != theirs:
        raise ConfigurationError(f"{other}: is a {theirs}, and {one} a {ours}; compare two of one kind")


def compared(one: Path, other: Path) -> tuple[list[str], str]:
    """The differences of two run directories; if there are none, the state that both have.

    Raises:
        ConfigurationError: they are not of one kind.
        StorageError: nothing is stored in one of them.
    """
    check_alike(one, other)
    first = stored_run(one)
    said = first.differences(other)
    return said, "" if said else first.state()
