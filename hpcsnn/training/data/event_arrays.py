"""Arrays from outside, one entry an event or sample: taken, or refused by the first entry that is not allowed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.checked_numbers import LAST_STEP, Limits, real_number, whole_number
from hpcsnn.errors import ConfigurationError, shown

_MICROSECOND_MS = 0.001


def refuse_first(where: str, values: NDArray[Any], bad: NDArray[np.bool_], allowed: str, each: str) -> None:
    """Refuse the first of the values, (n,), that is bad.

    Raises:
        ConfigurationError: one is; names it, and what is allowed.
    """
    if bad.any():
        place = int(np.argmax(bad))
        raise ConfigurationError(f"{where}: {shown(values[place])} of {each} {place} is not allowed; must be {allowed}")


def whole_array(where: str, values: Any, each: str = "entry") -> NDArray[Any]:
    """Whole numbers, (n,), of whatever integer type they have; int64 of floats that are whole.

    Raises:
        ConfigurationError: no list of whole numbers; names the first entry that is none.
    """
    array = np.asarray(values)
    if array.size == 0 and array.ndim == 1:
        return array.astype(np.int64)
    if array.ndim != 1 or array.dtype.kind not in "iuf":
        raise ConfigurationError(f"{where}: {shown(values)} is not allowed; must be whole numbers, one per {each}")
    if array.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            bad = ~((np.rint(array) == array) & (np.abs(array) < 2.0**53))
        refuse_first(where, array, bad, "a whole number", each)
        return array.astype(np.int64)
    return array


def indices_below(where: str, values: Any, below: int, each: str) -> NDArray[np.int64]:
    """Whole numbers in [0, below), (n,) int64.

    Raises:
        ConfigurationError: an entry is none of these; names the first.
    """
    array = whole_array(where, values, each)
    refuse_first(where, array, (array < 0) | (array >= below), f"a whole number >= 0 and below {below}", each)
    return array.astype(np.int64, copy=False)


def checked_labels(labels: Any, n_classes: object, n_samples: int) -> tuple[NDArray[np.int32] | None, int]:
    """Labels, (n_samples,) int32, and the number of classes; (None, 0) without them.

    Raises:
        ConfigurationError: not one per sample, or one that is no class.
    """
    if labels is None:
        return None, 0
    classes = whole_number("n_classes", n_classes, Limits(minimum=1, maximum=LAST_STEP))
    array = indices_below("labels", labels, classes, "sample")
    if array.size != n_samples:
        raise ConfigurationError(f"labels: has shape {array.shape}; must be one per sample, ({n_samples},)")
    return array.astype(np.int32), classes


def checked_targets(targets: Any, n_samples: int, n_steps: int) -> NDArray[np.float32] | None:
    """Targets, (n_samples, n_steps, n_outputs) float32; None without them.

    Raises:
        ConfigurationError: another shape, no numbers, or one that is not finite as float32.
    """
    if targets is None:
        return None
    array = np.asarray(targets)
    fits = array.ndim == 3 and array.shape[:2] == (n_samples, n_steps) and array.shape[2] > 0
    if array.dtype.kind not in "iuf" or not fits:
        allowed = f"an array of numbers ({n_samples}, {n_steps}, outputs)"
        raise ConfigurationError(f"targets: {shown(targets)} is not allowed; must be {allowed}")
    with np.errstate(over="ignore"):
        array = array.astype(np.float32, copy=False)
    bad = ~np.isfinite(array).all(axis=(1, 2))
    if bad.any():
        raise ConfigurationError(f"targets: of sample {np.argmax(bad)} are not allowed; must be finite numbers")
    return array


def checked_scored(first_scored_step: Any, n_samples: int, n_steps: int) -> NDArray[np.int32]:
    """The step that each sample's loss counts from, (n_samples,) int32; the first, where none is given.

    Raises:
        ConfigurationError: not one per sample, or one that is no step.
    """
    array = indices_below("first_scored_step", first_scored_step, n_steps, "sample")
    if array.size == 0:
        return np.zeros(n_samples, dtype=np.int32)
    if array.size != n_samples:
        raise ConfigurationError(f"first_scored_step: has shape {array.shape}; must be one per sample, ({n_samples},)")
    return array.astype(np.int32)


def split_events(where: str, events: Any, unit_ms: float | None) -> tuple[NDArray[np.float64], dict[str, Any]]:
    """Times in ms and places of a sample's events: an array (n, 2) of time and x, or a structured one.

    Raises:
        ConfigurationError: neither; begins with `where`.
    """
    array = np.asarray(events)
    names = array.dtype.names
    if names is not None and {"t", "x"} <= set(names) and array.ndim == 1:
        unit, times, fields = _MICROSECOND_MS, array["t"], {name: array[name] for name in names if name in "xyp"}
    elif names is None and array.dtype.kind in "iuf" and array.ndim == 2 and array.shape[1] == 2:
        unit, times, fields = 1.0, array[:, 0], {"x": array[:, 1]}
    else:
        allowed = "an array (events, 2) of time and channel, or a structured one with t and x"
        raise ConfigurationError(f"{where}: {shown(events)} is not allowed; must be {allowed}")
    if unit_ms is not None:
        unit = real_number("unit_ms", unit_ms, Limits("ms", above=0.0, in_kernels=False))
    if times.dtype.kind not in "iuf":
        raise ConfigurationError(f"{where}: times of type {times.dtype} are not allowed; must be numbers")
    return times.astype(np.float64) * unit, fields


def channels_of(
    where: str, fields: dict[str, Any], sensor: tuple[int, int, int] | None, n_channels: int
) -> NDArray[np.int64]:
    """The channel of each event, (n,): x, or (y width + x) polarities + p of a sensor (width, height, polarities).

    Raises:
        ConfigurationError: a sensor with other channels than there are, or an event that is not on it.
    """
    if sensor is None:
        return indices_below(f"{where}: channel", fields["x"], n_channels, "event")
    sizes = np.asarray(sensor)
    if sizes.shape != (3,) or sizes.dtype.kind not in "iu" or (sizes < 1).any() or sizes.prod() != n_channels:
        allowed = f"(width, height, polarities) whose product is n_channels, {n_channels}"
        raise ConfigurationError(f"sensor: {shown(sensor)} is not allowed; must be {allowed}")
    width, height, polarities = (int(size) for size in sizes)
    channel = np.zeros(fields["x"].shape, dtype=np.int64)
    for name, size in (("y", height), ("x", width), ("p", polarities)):
        channel *= size
        if name in fields:
            values = fields[name].astype(np.int64) if fields[name].dtype.kind == "b" else fields[name]
            channel += indices_below(f"{where}: {name}", values, size, "event")
        elif size > 1:
            raise ConfigurationError(f"{where}: events without {name!r} are not allowed; the sensor has {size}")
    return channel
