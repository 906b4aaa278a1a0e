"""Samples: what a network is trained on, spike trains with a label or a target each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.checked_numbers import LAST_STEP, Limits, real_number, whole_number, whole_steps
from hpcsnn.errors import ConfigurationError, shown
from hpcsnn.training.data.event_arrays import (
    channels_of,
    checked_labels,
    checked_scored,
    checked_targets,
    indices_below,
    refuse_first,
    split_events,
    whole_array,
)
from hpcsnn.training.data.spikes import Spikes, joined, ordered_spikes, selected, steps_of, stratified_choice

# Steps and channels of one sample's events, and what it may draw from, to those that the network is shown.
Transform = Callable[
    [NDArray[np.int32], NDArray[np.int32], np.random.Generator], tuple[NDArray[np.integer], NDArray[np.integer]]
]
_COUNT = Limits(minimum=1, maximum=LAST_STEP)
_SEED = Limits(minimum=0, maximum=2**64 - 1)


@dataclass(frozen=True)
class Samples:
    """Spike trains with a label each (classification) or a target signal each (regression); or with neither.

    Attributes:
        first_event: (n_samples + 1,) int64; sample k has the events [first_event[k], first_event[k + 1]).
        event_steps: (n_events,) int32, ascending within a sample.
        event_channels: (n_events,) int32, ascending within a step: a channel spikes at most once a step.
        n_channels: channels are below it.
        n_steps: all samples run for so many steps.
        dt_ms: length of a step.
        labels: (n_samples,) int32, or None.
        n_classes: labels are below it; 0 without labels.
        targets: (n_samples, n_steps, n_outputs) float32, or None.
        first_scored_step: (n_samples,) int32, the loss counts from this step on; by default from the first.
        ids: (n_samples,) int64, which sample of all that were loaded each is: what is random about a sample is drawn by
            it, so that neither order nor rank matters. By default 0, 1, 2, ...

    Arrays are taken as they are where their types fit, and cannot be written through this object.

    Raises:
        ConfigurationError: arrays that do not fit each other, an event out of range or out of order, a label that is
            none, or both labels and targets; names the first such entry.
    """

    first_event: NDArray[np.int64]
    event_steps: NDArray[np.int32]
    event_channels: NDArray[np.int32]
    n_channels: int
    n_steps: int
    dt_ms: float
    labels: NDArray[np.int32] | None = None
    n_classes: int = 0
    targets: NDArray[np.float32] | None = None
    first_scored_step: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, dtype=np.int32))
    ids: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    def __post_init__(self) -> None:
        n_channels = whole_number("n_channels", self.n_channels, _COUNT)
        n_steps = whole_number("n_steps", self.n_steps, _COUNT)
        self._set(n_channels=n_channels, n_steps=n_steps, dt_ms=checked_dt(self.dt_ms))
        first, steps = whole_array("first_event", self.first_event), whole_array("event_steps", self.event_steps)
        channels = whole_array("event_channels", self.event_channels)
        _check_order(first, steps, channels, n_channels, n_steps)
        n_samples = first.size - 1
        if self.labels is not None and self.targets is not None:
            raise ConfigurationError("labels: are not allowed beside targets; samples have the ones or the others")
        labels, n_classes = checked_labels(self.labels, self.n_classes, n_samples)
        ids = whole_array("ids", self.ids) if np.size(self.ids) else np.arange(n_samples)
        if ids.size != n_samples:
            raise ConfigurationError(f"ids: has shape {ids.shape}; must be one per sample, ({n_samples},)")
        refuse_first("ids", ids, ids < 0, "a whole number >= 0", "sample")
        self._set(
            first_event=first.astype(np.int64, copy=False),
            event_steps=steps.astype(np.int32, copy=False),
            event_channels=channels.astype(np.int32, copy=False),
            labels=labels,
            n_classes=n_classes,
            targets=checked_targets(self.targets, n_samples, n_steps),
            first_scored_step=checked_scored(self.first_scored_step, n_samples, n_steps),
            ids=ids.astype(np.int64, copy=False),
        )

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            if isinstance(value, np.ndarray):
                value = value.view()  # its owner may go on writing to it, and nobody else
                value.setflags(write=False)
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return self.first_event.size - 1

    @property
    def spikes(self) -> Spikes:
        """The events alone."""
        return Spikes(self.first_event, self.event_steps, self.event_channels, self.n_channels, self.n_steps)

    def select(self, indices: Any) -> Samples:
        """The samples of these indices, in their order; an index may come more than once.

        Raises:
            ConfigurationError: an index that is none, or not below the number of samples.
        """
        chosen = indices_below("indices", indices, len(self), "index")
        return self._with(
            selected(self.spikes, chosen),
            labels=None if self.labels is None else self.labels[chosen],
            targets=None if self.targets is None else self.targets[chosen],
            first_scored_step=self.first_scored_step[chosen],
            ids=self.ids[chosen],
        )

    def split(self, fraction: float, seed: int) -> tuple[Samples, Samples]:
        """(the rest, those held out): disjoint, each in the order that the samples had.

        Args:
            fraction: of the samples that are held out, to the nearest sample; of each label likewise.
            seed: which they are.

        Raises:
            ConfigurationError: no fraction in [0, 1], or a seed that is none.
        """
        part = real_number("fraction", fraction, Limits(minimum=0.0, maximum=1.0, in_kernels=False))
        count = int(np.rint(part * len(self)))
        held = stratified_choice(self.labels, len(self), count, whole_number("seed", seed, _SEED))
        rest = np.setdiff1d(np.arange(len(self)), held, assume_unique=True)
        return self.select(rest), self.select(held)

    def augmented(self, transform: Transform, seed: int, epoch: int) -> Samples:
        """These samples as the network is shown them in an epoch: `transform` of each one's events.

        What a sample becomes depends on its id, the seed and the epoch alone, and not on what is beside it.

        Args:
            transform: takes (event_steps, event_channels, random) of a sample and returns steps and channels, in any
                order; several of a channel in a step are one spike.
            seed, epoch: whole numbers >= 0.

        Raises:
            ConfigurationError: `transform` returns what are no events of such samples; names the sample's id.
        """
        key = [whole_number("seed", seed, _SEED), whole_number("epoch", epoch, Limits(minimum=0))]
        parts = []
        for index, sample in enumerate(self.ids.tolist()):
            random = np.random.Generator(np.random.Philox(np.random.SeedSequence([*key, sample])))
            events = slice(self.first_event[index], self.first_event[index + 1])
            changed = transform(self.event_steps[events], self.event_channels[events], random)
            where = f"transform of sample {sample}"
            try:
                steps, channels = changed
            except (TypeError, ValueError):
                allowed = "must be (steps, channels)"
                raise ConfigurationError(f"{where}: {shown(changed)} is not allowed; {allowed}") from None
            steps = indices_below(f"{where}: steps", steps, self.n_steps, "event")
            channels = indices_below(f"{where}: channels", channels, self.n_channels, "event")
            _check_equal_lengths(where, steps, channels)
            parts.append(ordered_spikes(np.zeros_like(steps), steps, channels, 1, self.n_channels, self.n_steps))
        return self._with(joined(parts, self.n_channels, self.n_steps))

    def _with(self, spikes: Spikes, **changed: Any) -> Samples:
        events = {name: getattr(spikes, name) for name in ("first_event", "event_steps", "event_channels")}
        return replace(self, **events, **changed)

    @classmethod
    def of_spikes(cls, spikes: Spikes, dt_ms: float, **labels_or_targets: Any) -> Samples:
        """Samples of spike trains; what else they have by the names of the attributes."""
        return cls(*spikes, dt_ms=dt_ms, **labels_or_targets)

    @classmethod
    def from_events(
        cls,
        sample: Any,
        time_ms: Any,
        channel: Any,
        *,
        n_channels: int,
        duration_ms: float,
        dt_ms: float = 1.0,
        labels: Any = None,
        n_classes: int | None = None,
        targets: Any = None,
        n_samples: int | None = None,
        first_scored_ms: float = 0.0,
    ) -> Samples:
        """Samples of events in any order: a channel with one event or more in a step spikes in it once.

        An event is in step floor(time / dt); a time that is a whole number of steps to 1e-9 of itself is that step's.

        Args:
            sample, time_ms, channel: (n_events,) each.
            n_channels: channels are below it.
            duration_ms: how long every sample runs, in whole steps; events are before its end.
            dt_ms: length of a step.
            labels: (n_samples,) whole numbers, or None.
            n_classes: labels are below it; None: one more than the largest.
            targets: (n_samples, n_steps, n_outputs), or None.
            n_samples: how many there are; None: as many as labels or targets, else as the events speak of.
            first_scored_ms: the loss counts from here on, in whole steps.

        Raises:
            ConfigurationError: an event out of range, negative or not finite, or a label outside: names the first.
        """
        dt = checked_dt(dt_ms)
        n_steps = whole_steps("duration_ms", duration_ms, dt, least=1)
        below = whole_number("n_channels", n_channels, _COUNT)
        samples, channels = whole_array("sample", sample, "event"), indices_below("channel", channel, below, "event")
        steps = checked_steps("time_ms", time_ms, dt, n_steps)
        _check_equal_lengths("events", samples, steps, channels)
        if n_samples is None:
            known = labels if labels is not None else targets
            n_samples = len(known) if known is not None else int(samples.max(initial=-1)) + 1
        count = whole_number("n_samples", n_samples, Limits(minimum=0))
        indices_below("sample", samples, count, "event")
        if labels is not None and n_classes is None:
            n_classes = int(whole_array("labels", labels, "sample").max(initial=0)) + 1
        scored = np.full(count, whole_steps("first_scored_ms", first_scored_ms, dt))
        return cls.of_spikes(
            ordered_spikes(samples, steps, channels, count, below, n_steps),
            dt,
            labels=labels,
            n_classes=n_classes or 0,
            targets=targets,
            first_scored_step=scored,
        )

    @classmethod
    def from_iterable(
        cls,
        samples: Iterable[tuple[Any, Any]],
        *,
        n_channels: int,
        duration_ms: float,
        dt_ms: float = 1.0,
        n_classes: int | None = None,
        sensor: tuple[int, int, int] | None = None,
        unit_ms: float | None = None,
    ) -> Samples:
        """Samples of (events, label) one after another, such as a data set of Tonic's gives; each is binned at once.

        Args:
            samples: events and label of each. Events are an array (n, 2) of time and channel, or a structured one with
                fields t and x, and y and p where `sensor` has them. A label is a whole number, or a target, an array
                (n_steps, n_outputs), or None; all samples have the same of these.
            n_channels, duration_ms, dt_ms, n_classes: as of `from_events`.
            sensor: (width, height, polarities): the channel of a structured event is (y width + x) polarities + p;
                None: it is x.
            unit_ms: of the times; None: 1 ms, and of structured arrays 1 us, as Tonic has it.

        Raises:
            ConfigurationError: as `from_events`, and an item that is none of these; names its place.
        """
        dt = checked_dt(dt_ms)
        n_steps = whole_steps("duration_ms", duration_ms, dt, least=1)
        below = whole_number("n_channels", n_channels, _COUNT)
        parts, labels = [], []
        for place, item in enumerate(samples):
            where = f"sample {place}"
            if not isinstance(item, (tuple, list)) or len(item) != 2:
                raise ConfigurationError(f"{where}: {shown(item)} is not allowed; must be (events, label)")
            times_ms, fields = split_events(where, item[0], unit_ms)
            channels = channels_of(where, fields, sensor, below)
            steps = checked_steps(f"{where}: time", times_ms, dt, n_steps)
            parts.append(ordered_spikes(np.zeros_like(steps), steps, channels, 1, below, n_steps))
            labels.append(item[1])
        return cls.of_spikes(joined(parts, below, n_steps), dt, **_labels_or_targets(labels, n_classes))


def checked_dt(dt_ms: object) -> float:
    """The length of a step, a number in ms > 0.

    Raises:
        ConfigurationError: it is none.
    """
    return real_number("dt_ms", dt_ms, Limits("ms", above=0.0))


def checked_steps(where: str, time_ms: Any, dt_ms: float, n_steps: int) -> NDArray[np.int64]:
    """The step of each time, (n_events,).

    Raises:
        ConfigurationError: a time that is not finite, negative or not before the end; names the first.
    """
    times = np.asarray(time_ms)
    if times.ndim != 1 or times.dtype.kind not in "iuf":
        raise ConfigurationError(f"{where}: {shown(time_ms)} is not allowed; must be a list of numbers, one per event")
    times = times.astype(np.float64, copy=False)
    # Compared by not being good, so that what is no number is bad.
    late = ~((times >= 0) & (times < n_steps * dt_ms * (1 + 1e-9)))
    refuse_first(where, times, late, f"a number in ms >= 0 and below {n_steps * dt_ms:g}", "event")
    steps = steps_of(times, dt_ms)
    refuse_first(where, times, steps >= n_steps, f"a number in ms >= 0 and below {n_steps * dt_ms:g}", "event")
    return steps


def _labels_or_targets(labels: list[Any], n_classes: int | None) -> dict[str, Any]:
    if all(label is None for label in labels):
        return {}
    if any(np.ndim(label) for label in labels):
        shapes = {np.shape(label) for label in labels}
        if len(shapes) > 1:
            raise ConfigurationError(f"targets: have shapes {sorted(shapes)}; must have one shape")
        return {"targets": np.stack(labels)}
    own = [whole_number("label", label, Limits(minimum=0), f" of sample {k}") for k, label in enumerate(labels)]
    return {"labels": own, "n_classes": max(own) + 1 if n_classes is None else n_classes}


def _check_equal_lengths(where: str, *arrays: NDArray[Any]) -> None:
    if len({array.size for array in arrays}) > 1:
        sizes = ", ".join(str(array.size) for array in arrays)
        raise ConfigurationError(f"{where}: have lengths {sizes}; must be equally many")


def _check_order(
    first: NDArray[Any], steps: NDArray[Any], channels: NDArray[Any], n_channels: int, n_steps: int
) -> None:
    """Refuse events that are not where and when their samples say."""
    _check_equal_lengths("event_steps and event_channels", steps, channels)
    if first.size == 0 or first[0] != 0 or first[-1] != steps.size or np.any(first[1:] < first[:-1]):
        allowed = f"ascending from 0 to the number of events, {steps.size}"
        raise ConfigurationError(f"first_event: {shown(first)} is not allowed; must be {allowed}")
    for where, values, below in (("event_steps", steps, n_steps), ("event_channels", channels, n_channels)):
        refuse_first(where, values, (values < 0) | (values >= below), f"a whole number >= 0 and below {below}", "event")
    later = (steps[1:] > steps[:-1]) | ((steps[1:] == steps[:-1]) & (channels[1:] > channels[:-1]))
    begins = first[1:-1]
    later[begins[(begins > 0) & (begins < steps.size)] - 1] = True
    allowed = "after the event before it in step, or in channel of the same step"
    refuse_first("event_steps", steps, np.concatenate((np.zeros(min(steps.size, 1), bool), ~later)), allowed, "event")
