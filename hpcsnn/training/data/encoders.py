"""How values become spikes: latency, rate, Gaussian populations."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.checked_numbers import LAST_STEP, whole_steps
from hpcsnn.errors import ConfigurationError
from hpcsnn.models.parameters import Parameter
from hpcsnn.training.data.spikes import Spikes, bernoulli_spikes, joined, ordered_spikes, steps_of

# Values that are encoded at once: some 10 MB of temporaries.
_VALUES_AT_ONCE = 2**20


@dataclass(frozen=True)
class Frames:
    """Values of samples, frame by frame; an image is one frame.

    Attributes:
        values: (n_frames, n_features), whole numbers or real ones.
        first_frame: (n_samples + 1,); sample k has the frames [first_frame[k], first_frame[k + 1]).
        low, high: (n_features,) or numbers; what is shown as no and as full intensity.
        mean, std: (n_features,) of the training samples, or numbers.
        most_frames: of any sample of the data set: all run for as long.
    """

    values: NDArray[Any]
    first_frame: NDArray[np.int64]
    low: Any
    high: Any
    mean: Any = 0.0
    std: Any = 1.0
    most_frames: int = 1

    def intensities(self, rows: slice) -> NDArray[np.float64]:
        """Values of frames from 0 (low) to 1 (high), (n, n_features); what is beyond is there."""
        span = np.where(np.asarray(self.high) > self.low, np.subtract(self.high, self.low, dtype=np.float64), 1.0)
        return np.clip((self.values[rows] - np.asarray(self.low, dtype=np.float64)) / span, 0.0, 1.0)


@dataclass(frozen=True)
class Encoder:
    """A way to make spikes of values.

    Attributes:
        name: as configurations have it.
        doc: what it does.
        parameters: what may be set, with default and unit.
        steps_of: (most frames of a sample, largest value, values of the parameters, dt_ms) to the steps of a sample;
            the largest value is None of real numbers.
        encode: (frames, values of the parameters, dt_ms, seed) to spikes.
    """

    name: str
    doc: str
    parameters: Mapping[str, Parameter]
    steps_of: Callable[[int, int | None, Mapping[str, Any], float], int]
    encode: Callable[[Frames, Mapping[str, Any], float, int], Spikes]


def latency_ms(values: Any, high: Any, tau_ms: float, threshold: float) -> NDArray[np.float64]:
    """When values spike: tau ln(x / (x - theta)), theta = threshold * high, infinite for x <= theta; their shape.

    This is when a leaky integrator with time constant tau under the constant input x reaches theta.
    """
    x = np.asarray(values, dtype=np.float64)
    theta = threshold * np.asarray(high, dtype=np.float64)
    above = x > theta
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(above, tau_ms * np.log(x / (x - theta)), np.inf)


def latency_steps(most_frames: int, high: int | None, values: Mapping[str, Any], dt_ms: float) -> int:
    """Steps of frames that are shown for ``duration_ms``, or until the latest spike that a value can make.

    Raises:
        ConfigurationError: real numbers, whose latest spike has no bound, without a duration.
    """
    if values["duration_ms"]:
        length = whole_steps("duration_ms", values["duration_ms"], dt_ms, least=1)
    elif high is not None:
        table = latency_ms(np.arange(high + 1), high, values["tau_ms"], values["threshold"])
        length = int(steps_of(table[np.isfinite(table)], dt_ms).max(initial=0)) + 1
    else:
        raise ConfigurationError("duration_ms: 0 is not allowed for values that are not whole; must be above 0")
    return _steps(most_frames, length)


def frame_steps(most_frames: int, high: int | None, values: Mapping[str, Any], dt_ms: float) -> int:
    """Steps of frames that are shown for ``frame_ms`` each, and of ``silence_ms`` behind them, if there is such."""
    del high
    length = whole_steps("frame_ms", values["frame_ms"], dt_ms, least=1)
    return _steps(most_frames, length, whole_steps("silence_ms", values.get("silence_ms", 0.0), dt_ms))


def encode_latency(frames: Frames, values: Mapping[str, Any], dt_ms: float, seed: int) -> Spikes:
    """One spike a value, the earlier the larger it is; values of low are never seen. Frames come one after another.

    Raises:
        ConfigurationError: real numbers, whose latest spike has no bound, without a duration.
    """
    del seed
    tau_ms, threshold = values["tau_ms"], values["threshold"]
    n_features = frames.values.shape[1]
    whole = frames.values.dtype.kind in "iu" and np.ndim(frames.high) == 0 and frames.high <= 2**16
    table = latency_ms(np.arange(int(frames.high) + 1), frames.high, tau_ms, threshold) if whole else np.zeros(0)
    n_steps = latency_steps(frames.most_frames, int(frames.high) if whole else None, values, dt_ms)
    length = n_steps // frames.most_frames
    no_spike = np.int32(-1)
    steps_table = _steps_within(table, length, dt_ms)

    def part(rows: slice) -> tuple[NDArray[Any], ...]:
        if whole:
            step = steps_table[frames.values[rows]]
        else:
            step = _steps_within(latency_ms(frames.intensities(rows), 1.0, tau_ms, threshold), length, dt_ms)
        frame, channel = np.nonzero(step != no_spike)
        return frame, step[frame, channel], channel

    return _in_parts(frames, part, length, n_features, n_steps)


def encode_rate(frames: Frames, values: Mapping[str, Any], dt_ms: float, seed: int) -> Spikes:
    """In each step of a frame a value spikes with probability rate_hz * dt * intensity, independently.

    Raises:
        ConfigurationError: a probability above 1.
    """
    length = whole_steps("frame_ms", values["frame_ms"], dt_ms, least=1)
    most = values["rate_hz"] * dt_ms / 1000.0
    if most > 1.0:
        allowed = f"must be at most {1000.0 / dt_ms:g} Hz, a spike in each step of {dt_ms:g} ms"
        raise ConfigurationError(f"rate_hz: {values['rate_hz']:g} is not allowed; {allowed}")

    def part(rows: slice) -> tuple[NDArray[Any], ...]:
        chance = most * frames.intensities(rows)
        random = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, rows.start])))
        size = np.full(chance.size, length, dtype=np.int64)
        value, step = bernoulli_spikes(np.zeros_like(size), size, chance.ravel(), random)
        frame, channel = np.divmod(value, chance.shape[1])
        return frame, step, channel

    n_steps = frame_steps(frames.most_frames, None, values, dt_ms)
    return _in_parts(frames, part, length, frames.values.shape[1], n_steps)


def encode_population(frames: Frames, values: Mapping[str, Any], dt_ms: float, seed: int) -> Spikes:
    """Each feature by cells with Gaussian tuning to its z-score: the more active a cell, the earlier in the frame.

    A cell with centre c has the activation a = exp(-(z - c)^2 / (2 width^2)) and, if that is above the threshold,
    spikes once a frame of L steps, in its step round((1 - a) (L - 1)). Channel: feature * cells + cell.
    """
    del seed
    length = whole_steps("frame_ms", values["frame_ms"], dt_ms, least=1)
    cells, reach = int(values["cells"]), values["reach"]
    centres = np.linspace(-reach, reach, cells) if cells > 1 else np.zeros(1)
    width = values["width"]
    std = np.where(np.asarray(frames.std) > 0, frames.std, 1.0)  # a feature that never changes says nothing

    def part(rows: slice) -> tuple[NDArray[Any], ...]:
        z = (frames.values[rows] - np.asarray(frames.mean, dtype=np.float64)) / std
        active = np.exp(-((z[:, :, None] - centres) ** 2) / (2.0 * width**2))
        frame, feature, cell = np.nonzero(active > values["threshold"])
        step = np.rint((1.0 - active[frame, feature, cell]) * (length - 1)).astype(np.int64)
        return frame, step, feature * cells + cell

    n_steps = frame_steps(frames.most_frames, None, values, dt_ms)
    return _in_parts(frames, part, length, frames.values.shape[1] * cells, n_steps)


def level_steps(most_frames: int, high: int | None, values: Mapping[str, Any], dt_ms: float) -> int:
    """Steps of frames that are shown for as many steps as there are ``levels``."""
    del high, dt_ms
    return _steps(most_frames, int(values["levels"]))


def encode_on_off(frames: Frames, values: Mapping[str, Any], dt_ms: float, seed: int) -> Spikes:
    """Each value by two channels, of which one spikes in each step: the first in round(levels * intensity) of as many
    steps as there are levels, evenly spread, the second in the others. Channel: 2 * feature, and 2 * feature + 1."""
    del seed, dt_ms
    levels = int(values["levels"])

    def part(rows: slice) -> tuple[NDArray[Any], ...]:
        on = np.rint(levels * frames.intensities(rows)).astype(np.int64)
        step = np.arange(levels)
        spikes = (step + 1) * on[:, :, None] // levels > step * on[:, :, None] // levels
        frame, feature, at = np.indices(spikes.shape, dtype=np.int32).reshape(3, -1)
        return frame, at, 2 * feature + ~spikes.ravel()

    n_steps = _steps(frames.most_frames, levels)
    return _in_parts(frames, part, levels, 2 * frames.values.shape[1], n_steps)


def _in_parts(
    frames: Frames, part: Callable[[slice], tuple[NDArray[Any], ...]], length: int, n_channels: int, n_steps: int
) -> Spikes:
    """Spikes of all samples, some whole samples at a time, from (frame, step in it, channel) of some rows."""
    first = frames.first_frame
    made = []
    begin = 0
    while begin < first.size - 1:
        rows_at_once = max(_VALUES_AT_ONCE // max(n_channels, 1), 1)
        end = max(int(np.searchsorted(first, first[begin] + rows_at_once, side="right")) - 1, begin + 1)
        rows = slice(int(first[begin]), int(first[end]))
        frame, step, channel = part(rows)
        counts = np.diff(first[begin : end + 1])
        sample_of = np.repeat(np.arange(end - begin), counts)
        offset = (np.arange(rows.stop - rows.start) - np.repeat(first[begin:end] - first[begin], counts)) * length
        made.append(ordered_spikes(sample_of[frame], offset[frame] + step, channel, end - begin, n_channels, n_steps))
        begin = end
    return joined(made, n_channels, n_steps)


def _steps(most_frames: int, length: int, extra: int = 0) -> int:
    n_steps = most_frames * length + extra
    if n_steps > LAST_STEP:
        raise ConfigurationError(f"{most_frames} frames of {length} steps are not allowed; at most 2^31 - 1 steps")
    return n_steps


def _steps_within(times_ms: NDArray[np.float64], length: int, dt_ms: float) -> NDArray[np.int32]:
    """The step of each time; -1 where there is none before the end of the frame."""
    steps = np.full(times_ms.shape, -1, dtype=np.int32)
    early = times_ms < length * dt_ms * (1 + 1e-9)
    found = steps_of(times_ms[early], dt_ms)
    steps[early] = np.where(found < length, found, -1)
    return steps


def _rate(frame_ms: float) -> Encoder:
    return Encoder(
        "rate",
        encode_rate.__doc__ or "",
        {
            "rate_hz": Parameter(50.0, "Hz", "rate of the largest value", minimum=0.0),
            "frame_ms": Parameter(frame_ms, "ms", "how long an image or frame is shown", above=0.0),
        },
        frame_steps,
        encode_rate,
    )


LATENCY = Encoder(
    "latency",
    encode_latency.__doc__ or "",
    {
        "tau_ms": Parameter(20.0, "ms", "time constant of the integrator", above=0.0),
        "threshold": Parameter(0.2, "", "of the largest value; what is not above it does not spike", above=0.0,
                               maximum=math.nextafter(1.0, 0.0)),
        "duration_ms": Parameter(0.0, "ms", "how long an image is shown, later spikes are left out; "
                                 "0: until the latest that a value can make", minimum=0.0),
    },
    latency_steps,
    encode_latency,
)  # fmt: skip
ON_OFF = Encoder(
    "on_off",
    encode_on_off.__doc__ or "",
    {
        "levels": Parameter(
            4, "steps", "in which a value is shown, and by how many levels", "int", minimum=1, maximum=255
        )
    },
    level_steps,
    encode_on_off,
)
RATE_OF_IMAGES, RATE_OF_SERIES = _rate(100.0), _rate(5.0)
POPULATION = Encoder(
    "population",
    encode_population.__doc__ or "",
    {
        "cells": Parameter(8, "cells", "how many a feature has", "int", minimum=1, maximum=1000),
        "reach": Parameter(2.0, "std", "centres are evenly from - this to this", above=0.0),
        "width": Parameter(4.0 / 7.0, "std", "of the tuning; by default the distance of 2 of the 8 centres", above=0.0),
        "threshold": Parameter(0.3, "", "activation above which a cell spikes", minimum=0.0, maximum=1.0),
        "frame_ms": Parameter(5.0, "ms", "how long a frame is shown", above=0.0),
        "silence_ms": Parameter(5.0, "ms", "what runs on behind the longest sample", minimum=0.0),
    },
    frame_steps,
    encode_population,
)
