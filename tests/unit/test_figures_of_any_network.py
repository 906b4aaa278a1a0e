"""Figures of rates, degrees and weights for networks of every kind: what is drawn, and to which scale."""

from __future__ import annotations

import matplotlib
import numpy as np
import pytest

from hpcsnn.analysis.drawing.figures import degrees_figure, rates_figure
from hpcsnn.analysis.drawing.recorded_figures import intervals_figure
from hpcsnn.analysis.drawing.style import STYLE
from hpcsnn.analysis.spike_trains import Intervals

BIN_MS = 100.0


@pytest.fixture(autouse=True)
def plain_style():
    with matplotlib.rc_context(STYLE):
        yield


def stairs_of(axes):
    (patch,) = axes.patches
    return patch.get_data()


def test_each_population_has_its_own_scale_with_its_unit():
    stimulus, cells = np.full(10, 1000.0), np.linspace(1, 3, 10)
    figure = rates_figure({"stimulus": (stimulus, BIN_MS), "cells": (cells, BIN_MS)})
    above, below = figure.axes
    assert figure.get_supylabel() == "firing rate (Hz)"
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["stimulus", "cells"]
    assert below.get_xlabel() == "model time (s)"
    assert above.get_ylim()[1] > 1000
    assert 3 < below.get_ylim()[1] < 4, "a stimulus does not flatten the rest"
    np.testing.assert_array_equal(stairs_of(below).values, cells)
    np.testing.assert_allclose(stairs_of(below).edges, np.arange(11) / 10)
    assert len(below.lines) == 0, "one second has no course of means over a second"


def test_one_bin_and_0_hz_are_seen():
    (axes,) = rates_figure({"cells": (np.zeros(1), BIN_MS)}).axes
    np.testing.assert_allclose(stairs_of(axes).edges, [0, 0.1])
    low, high = axes.get_ylim()
    assert low < 0 < high
    assert -low > 0.01 * (high - low), "the line of 0 Hz is beside the axis"


def test_long_runs_have_running_means_over_a_second():
    values = np.arange(30.0)
    (axes,) = rates_figure({"cells": (values, BIN_MS)}).axes
    (mean,) = axes.lines
    np.testing.assert_allclose(mean.get_ydata(), [values[k : k + 10].mean() for k in range(21)])
    assert axes.patches[0].get_alpha() < 1 == (mean.get_alpha() or 1)


def test_degrees_and_weights_say_what_all_have_or_how_they_differ():
    wired = {
        "inhibition": (np.full(100, 250), np.full(25_000, -0.5, np.float32)),
        "none": (np.zeros(7, np.int64), np.empty(0, np.float32)),
        "drawn": (np.array([1, 3]), np.array([0.25, 0.5, 0.75, 0.5], np.float32)),
    }
    figure = degrees_figure(wired, {"inhibition": "nS", "drawn": ""})
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["inhibition: all 250", "all -0.5", "none: no synapses", "", "drawn: mean 2, SD 1",
                      "mean 0.5, SD 0.177"]  # fmt: skip
    degrees, weights, *of_none = figure.axes[:4]
    assert [axes.get_xlabel() for axes in (weights, figure.axes[-1])] == ["weight (nS)", "weight"]
    assert (degrees.get_xlabel(), degrees.get_ylabel()) == ("in-degree (synapses)", "target neurons")
    assert sum(bar.get_height() for bar in weights.patches) == 25_000
    assert weights.get_xlim()[0] < -0.5 < 0 < weights.get_xlim()[1]
    assert [len(axes.patches) for axes in of_none] == [0, 0]
    figure.canvas.draw()
    assert [label.get_text() for label in weights.get_yticklabels()][-1].endswith("k"), "25k, not 25000"


def tick_labels(axis):
    return [
        label.get_text() for label in (*axis.get_ticklabels(), *axis.get_ticklabels(minor=True)) if label.get_text()
    ]


@pytest.mark.parametrize("longest", [30, 200, 20_000])
def test_intervals_have_numbers_below_them(longest):
    """And no formulas, which are not read; also where they span less than a decade."""
    steps = np.geomspace(20, longest, 50).astype(np.int64)
    figure = intervals_figure("cells", Intervals(steps, np.linspace(0.5, 1, 9)), 0.1)
    figure.canvas.draw()
    labels = tick_labels(figure.axes[0].xaxis)
    assert labels
    assert all(float(label) > 0 for label in labels), labels
