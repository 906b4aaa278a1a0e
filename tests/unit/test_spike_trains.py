"""Intervals between spikes and how regular they are, beside closed forms and a slow count; and their figures."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn.analysis.drawing.recorded_figures import intervals_figure, synapses_figure, traces_figure
from hpcsnn.analysis.spike_trains import intervals_of
from hpcsnn.engine.recording.rows import Average, Rows, SynapseValues


def rows(spikes):
    return np.array(spikes, np.int32).reshape(-1, 2)


def test_regular_neurons_have_no_variation_and_random_ones_that_of_a_poisson_process():
    regular = [(10 + 7 * k, 3) for k in range(50)]
    assert intervals_of(rows(regular)).cv == pytest.approx([0.0])
    assert set(intervals_of(rows(regular)).steps.tolist()) == {7}
    waits = np.random.default_rng(1).geometric(0.001, (20, 2000))
    random = [(step, neuron) for neuron, each in enumerate(np.cumsum(waits, axis=1)) for step in each]
    assert intervals_of(rows(random)).cv == pytest.approx(np.sqrt(1 - 0.001), abs=0.1)
    assert intervals_of(rows(random)).cv.mean() == pytest.approx(np.sqrt(1 - 0.001), abs=0.02)


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 4)), unique=True))
def test_each_neurons_intervals_are_its_own(spikes):
    found = intervals_of(rows(spikes))
    expected, cv = [], []
    for neuron in sorted({neuron for _, neuron in spikes}):
        steps = sorted(step for step, of in spikes if of == neuron)
        each = [after - before for before, after in itertools.pairwise(steps)]
        expected += each
        if len(each) >= 2:
            cv.append(np.std(each) / np.mean(each))
    assert found.steps.tolist() == expected
    np.testing.assert_allclose(found.cv, cv, atol=1e-12)


def test_figures_show_every_interval_and_every_recorded_variable():
    found = intervals_of(rows([(10 * k, 0) for k in range(9)] + [(25 * k * k, 1) for k in range(9)]))
    left, right = intervals_figure("e", found, 0.1).axes
    assert sum(bar.get_height() for bar in left.patches) == 16
    assert sum(bar.get_height() for bar in right.patches) == 2
    steps, ids = np.arange(1, 4001, dtype=np.int32), np.array([4, 7], np.int32)
    values = np.stack([steps, -steps], axis=1).astype(np.float32)
    figure = traces_figure("e", {"V_mV": Rows(steps, ids, values, "mV"), "ff.g": Rows(steps[:1], ids, values[:1])}, 0.1)
    potential, conductance = figure.axes
    assert [axes.get_ylabel() for axes in figure.axes] == ["V_mV (mV)", "ff.g"]
    assert [line.get_label() for line in potential.lines] == ["4", "7"]
    np.testing.assert_allclose(potential.lines[1].get_xdata(), steps[2000:] * 0.1)
    np.testing.assert_allclose(potential.lines[1].get_ydata(), -steps[2000:])
    assert conductance.lines[0].get_marker() == "."


def test_averages_are_drawn_as_a_band_and_synapses_with_gaps_where_they_were_not():
    steps = np.arange(1, 4, dtype=np.int32)
    average = Average(steps, steps / 3, -steps, 2 * steps, "nS")
    (axes,) = traces_figure("e", {"ff.g": average}, 0.1).axes
    assert axes.get_ylabel() == "ff.g (nS)"
    np.testing.assert_allclose(axes.lines[0].get_xydata(), np.stack([steps * 0.1, steps / 3], axis=1))
    (band,) = axes.collections[0].get_paths()
    assert (band.vertices[:, 1].min(), band.vertices[:, 1].max()) == (-3, 6)
    of = SynapseValues(*np.array([[10, 10, 20, 30, 30], [5, 6, 5, 5, 6], [1, 1, 1, 1, 1]]), np.arange(5) / 8)
    many = SynapseValues(np.full(50, 10), np.arange(50), np.full(50, 2), np.ones(50))
    weight, age = synapses_figure("ff", {"weight": of, "age": many}, 0.1).axes
    assert [line.get_label() for line in weight.lines] == ["5 to 1", "6 to 1"]
    np.testing.assert_array_equal(weight.lines[1].get_ydata(), [1 / 8, np.nan, 4 / 8])
    assert (len(age.lines), age.get_title(loc="left")) == (20, "ff: first 20 of 50 synapses")
