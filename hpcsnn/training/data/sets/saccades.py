"""N-MNIST-like events of images: an event camera that moves over them in three saccades, made and not recorded.

As Orchard et al. 2015 (Front. Neurosci. 9:437) moved a camera before a screen; the camera is the usual model of one
(each pixel tells when its intensity has changed by a threshold since it last told), as in Rebecq et al. 2018 (CoRL).
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from hpcsnn.checked_numbers import whole_steps
from hpcsnn.errors import ConfigurationError
from hpcsnn.models.parameters import Parameter
from hpcsnn.training.data.data_set import Choice, DataSet, LoadedData, Request
from hpcsnn.training.data.sets.images import (
    FASHION_MNIST,
    MNIST,
    MNIST_5K,
    SKLEARN_DIGITS,
    read_digits,
    read_fashion_mnist,
    read_mnist,
    read_mnist_5k,
)
from hpcsnn.training.data.spikes import Spikes, joined, ordered_spikes

SOURCES = {
    FASHION_MNIST.name: (FASHION_MNIST, read_fashion_mnist),
    MNIST.name: (MNIST, read_mnist),
    MNIST_5K.name: (MNIST_5K, read_mnist_5k),
    SKLEARN_DIGITS.name: (SKLEARN_DIGITS, read_digits),
}
# Corners of the triangle that the camera moves along, in units of its side: (row, column), there and back again.
CORNERS = np.array([[0.0, 0.0], [1.0, 0.5], [0.0, 1.0], [0.0, 0.0]])
_IMAGES_AT_ONCE = 256
# Pixels of dark around an image, on each side.
MARGIN = 3


def camera_path(side: float, views_per_saccade: int) -> NDArray[np.float64]:
    """Where the image is in each view, (3 views + 1, 2) of rows and columns in pixels; the triangle is centred."""
    part = np.arange(views_per_saccade)[:, None] / views_per_saccade
    legs = [start + (end - start) * part for start, end in pairwise(CORNERS)]
    return side * (np.concatenate([*legs, CORNERS[-1:]]) - 0.5)


def moved(images: NDArray[np.float32], row: float, column: float) -> NDArray[np.float32]:
    """Images (n, height, width) on a dark field with `MARGIN` around them, moved by less than it; bilinear."""
    n, height, width = images.shape
    field = np.zeros((n, height + 2 * MARGIN, width + 2 * MARGIN), dtype=np.float32)
    whole_row, whole_column = int(np.floor(row)), int(np.floor(column))
    for step_down, of_row in ((0, whole_row + 1 - row), (1, row - whole_row)):
        for step_right, of_column in ((0, whole_column + 1 - column), (1, column - whole_column)):
            if of_row * of_column > 0:
                top, left = MARGIN + whole_row + step_down, MARGIN + whole_column + step_right
                field[:, top : top + height, left : left + width] += images * np.float32(of_row * of_column)
    return field


def saccade_spikes(images: NDArray[np.float32], path: NDArray[np.float64], view_steps: int, threshold: float) -> Spikes:
    """Events of a camera that sees images (n, height, width), from 0 to 1, at each place of a path.

    Between two views a pixel's intensity changes evenly: its k-th event comes when it is k thresholds from where it
    last told. Channel: (row width + column) 2 + 1 for brighter, + 0 for darker, of the field with its margin.

    Args:
        images: float32.
        path: (n_views, 2) in pixels.
        view_steps: steps between two views.
        threshold: of a change that is told.
    """
    before = moved(images, *path[0])
    n_pixels = before[0].size
    before = before.reshape(-1)
    told, step_of_change = before.copy(), np.float32(threshold)
    pixels, steps, brighter = [], [], []
    for view, place in enumerate(path[1:]):
        after = moved(images, *place).reshape(-1)
        change = (after - told) / step_of_change
        at = np.flatnonzero(np.abs(change) >= 1)
        counts = np.trunc(change[at])
        since, span = told[at] - before[at], (after - before)[at]
        n_events = np.abs(counts).astype(np.int64)
        # Events of a pixel are the 1st, 2nd ... of its view.
        event = np.repeat(np.arange(at.size), n_events)
        order = np.arange(event.size) - np.repeat(np.cumsum(n_events) - n_events, n_events) + 1
        level = since[event] + np.sign(counts[event]) * order.astype(np.float32) * step_of_change
        # Rounding may have left a change for a view in which a pixel stays as it is.
        fraction = np.divide(level, span[event], out=np.zeros_like(level), where=span[event] != 0)
        within = np.minimum((np.clip(fraction, 0.0, 1.0) * view_steps).astype(np.int64), view_steps - 1)
        pixels.append(at[event])
        steps.append(view * view_steps + within)
        brighter.append(counts[event] > 0)
        told[at] += counts * step_of_change
        before = after
    sample, pixel = np.divmod(np.concatenate(pixels), n_pixels)
    n_steps = view_steps * (len(path) - 1)
    channel = pixel * 2 + np.concatenate(brighter)
    return ordered_spikes(sample, np.concatenate(steps), channel, len(images), n_pixels * 2, n_steps)


def steps_of_saccades(request: Request) -> int:
    """Three saccades."""
    return (len(CORNERS) - 1) * whole_steps("saccades.saccade_ms", request.values["saccade_ms"], request.dt_ms, least=1)


def load_saccades(request: Request) -> LoadedData:
    """Events of the images of another data set, in its parts."""
    source, read = SOURCES[request.values["images"]]
    images = read(Request(source, request.values, request.folder, request.seed, request.dt_ms)).chosen(request)
    saccade = steps_of_saccades(request) // (len(CORNERS) - 1)
    view = whole_steps("saccades.view_ms", request.values["view_ms"], request.dt_ms, least=1)
    views, rest = divmod(saccade, view)
    if rest or not views:
        allowed = f"must be {request.values['saccade_ms']:g}, saccade_ms, or one of its whole parts"
        raise ConfigurationError(f"saccades.view_ms: {request.values['view_ms']:g} is not allowed; {allowed}")
    path = camera_path(request.values["triangle"], views)
    _, height, width = images.train.shape
    field = (height + 2 * MARGIN, width + 2 * MARGIN)

    def encode(pixels: NDArray[np.integer], part: int) -> Spikes:
        del part  # nothing is drawn
        made = []
        for begin in range(0, len(pixels), _IMAGES_AT_ONCE):
            light = pixels[begin : begin + _IMAGES_AT_ONCE].astype(np.float32) / np.float32(images.brightest)
            made.append(saccade_spikes(light, path, view, request.values["threshold"]))
        return joined(made, field[0] * field[1] * 2, view * (len(path) - 1))

    data = images.as_spikes(encode, request.dt_ms, field)
    return LoadedData(data.train, data.test, data.class_names)


SACCADES = DataSet(
    "saccades",
    "Events of an event camera that moves over another data set's images in three saccades, as in N-MNIST; made.",
    load_saccades,
    steps_of_saccades,
    parameters={
        "images": Choice(FASHION_MNIST.name, tuple(SOURCES), "the data set whose images are looked at"),
        "saccade_ms": Parameter(100.0, "ms", "length of each of the three saccades", above=0.0),
        "view_ms": Parameter(10.0, "ms", "between two views, from which intensities follow evenly", above=0.0),
        "triangle": Parameter(4.0, "pixels", "side of the triangle that the camera follows", above=0.0, maximum=5.0),
        "threshold": Parameter(0.2, "", "change of intensity that is told, of the brightest", above=0.0, maximum=1.0),
    },
    files=FASHION_MNIST.files,
    source="as the data set that `images` names: " + FASHION_MNIST.source,
)
