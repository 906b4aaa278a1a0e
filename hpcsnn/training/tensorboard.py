"""Lines of metrics as TensorBoard shows them: one event file a start, by the package tensorboardX."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hpcsnn.errors import ConfigurationError

_PACKAGE = "tensorboardX"
# What says where a line is, and no curve.
_PLACES = ("kind", "epoch", "batch", "batches", "samples")


def check_tensorboard() -> None:
    """See that event files can be written.

    Raises:
        ConfigurationError: the package that writes them is not installed.
    """
    if find_spec(_PACKAGE) is None:
        raise ConfigurationError(
            f"tensorboard: true is not allowed without the package {_PACKAGE}; pip install 'hpcsnn[tensorboard]', or "
            "leave it false"
        )


class EventFile:
    """One event file, for a training that begins, or goes on, behind so many batches: later curves are forgotten."""

    def __init__(self, folder: Path, batches: int) -> None:
        from tensorboardX import SummaryWriter

        self._writer = SummaryWriter(str(folder), purge_step=batches + 1)

    def write(self, line: Mapping[str, Any], batches: int) -> None:
        """Add what a line of metrics says, at the batch that it is of."""
        for tag, value in curves(line):
            self._writer.add_scalar(tag, value, batches)
        self._writer.flush()

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()


def curves(line: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """(tag, value) of all numbers of a line: ``batches/loss``, ``epoch/hidden_hz/regular``."""
    for key, value in line.items():
        if key in _PLACES:
            continue
        for name, number in value.items() if isinstance(value, Mapping) else [("", value)]:
            if number is not None:
                yield "/".join(filter(None, (line["kind"], key, name))), float(number)
