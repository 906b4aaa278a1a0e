"""Recordings of events, one sample after another, as spikes: only one sample's events are in memory as they came."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hpcsnn.checked_numbers import LAST_STEP, whole_steps
from hpcsnn.errors import DataError
from hpcsnn.models.parameters import Parameter
from hpcsnn.training.data.data_set import LoadedData, Request
from hpcsnn.training.data.samples import Samples
from hpcsnn.training.data.spikes import Spikes, joined, ordered_spikes, steps_of

DURATION = {
    "duration_ms": Parameter(
        0.0, "ms", "how long samples run, later events are left out; 0: as long as the longest", minimum=0.0
    )
}


class EventFile(ABC):
    """A part of a data set of events.

    Attributes:
        path: for messages.
        labels: (n_samples,).
    """

    path: Path
    labels: NDArray[np.int32]

    @abstractmethod
    def events(self, sample: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Times in ms and channels of a sample's events, (n,) each, in any order.

        Raises:
            DataError: they cannot be read.
        """


def asked_steps(request: Request) -> int | None:
    """Steps of ``duration_ms``; None where that is 0."""
    asked_ms = request.values["duration_ms"]
    return whole_steps("duration_ms", asked_ms, request.dt_ms, least=1) if asked_ms else None


def binned(
    request: Request, train: EventFile, test: EventFile, n_channels: int, class_names: tuple[str, ...]
) -> LoadedData:
    """The samples that are asked for, a spike where a channel has one event or more in a step.

    All run for ``duration_ms``; where that is 0, until the last event of any sample that is taken.

    Raises:
        ConfigurationError: a duration that is no whole number of steps, or more samples than there are.
        DataError: an event whose channel or time is none; names file and sample.
    """
    asked = asked_steps(request)
    most = asked or LAST_STEP
    chosen, parts = [], []
    for file, name in ((train, "train"), (test, "test")):
        indices = request.chosen(file.labels, file.labels.size, name)
        chosen.append(file.labels[indices])
        parts.append([_spikes(file, int(k), n_channels, most, request.dt_ms) for k in indices])
    longest = max((int(one.event_steps[-1]) + 1 for part in parts for one in part if one.event_steps.size), default=1)
    n_steps = asked or longest
    made = [
        Samples.of_spikes(
            joined(part, n_channels, n_steps), request.dt_ms, labels=labels, n_classes=len(class_names)
        )
        for part, labels in zip(parts, chosen, strict=True)
    ]  # fmt: skip
    return LoadedData(made[0], made[1], class_names)


def _spikes(file: EventFile, sample: int, n_channels: int, most: int, dt_ms: float) -> Spikes:
    times_ms, channels = file.events(sample)
    bad = ~((times_ms >= 0) & (times_ms < LAST_STEP * dt_ms))
    if bad.any():
        time_ms = times_ms[np.argmax(bad)]
        raise DataError(f"{file.path}: sample {sample} has an event at {time_ms:g} ms; times must be finite and >= 0")
    bad = (channels < 0) | (channels >= n_channels)
    if bad.any():
        channel = channels[np.argmax(bad)]
        raise DataError(f"{file.path}: sample {sample} has an event of channel {channel}; must be below {n_channels}")
    steps = steps_of(times_ms, dt_ms)
    kept = steps < most
    return ordered_spikes(np.zeros(int(kept.sum()), np.int64), steps[kept], channels[kept], 1, n_channels, most)
