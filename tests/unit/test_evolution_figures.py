"""Figures of an analysed run: which checkpoints are shown, and the numbers behind the lines."""

from __future__ import annotations

import matplotlib
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn.analysis.drawing.evolution_figures import (
    degrees_and_weights_figure,
    evolution_figure,
    growth_figure,
    rewiring_figure,
    shown,
)
from hpcsnn.analysis.drawing.style import STYLE
from hpcsnn.analysis.growth import Side, growth_dataset

N_TARGETS = 10


@settings(max_examples=50)
@given(st.integers(1, 1000))
def test_five_checkpoints_at_most_are_shown_the_first_and_the_last_among_them(n):
    chosen = shown(n)
    assert (chosen[0], chosen[-1]) == (0, n - 1)
    assert len(chosen) == min(n, 5)
    gaps = np.diff(chosen)
    assert len(gaps) == 0 or gaps.max() - gaps.min() <= 1


def results(events=True):
    """Three checkpoints; 20 events of two kinds in two bins of 5 s and two of distance."""
    time = np.array([0.0, 5.0, 10.0])
    data = {
        "in_degree_neurons": (("time", "degree_in"), np.array([[4, 4, 2], [2, 6, 2], [0, 5, 5]])),
        "out_degree_neurons": (("time", "degree_out"), np.array([[10, 0], [5, 5], [0, 10]])),
        "weight_synapses": (("time", "weight_bin"), np.array([[1, 3], [2, 2], [0, 0]])),
        "sigma_aff": (("time", "target"), np.ones((3, 2))),
        "sigma_aff_mean": ("time", np.array([3.0, 2.5, 2.0])),
        "sigma_aff_weighted_mean": ("time", np.array([3.0, 2.0, 1.5])),
        "sigma_aff_null_mean": ("time", np.array([3.0, 3.0, 3.0])),
        "deviation_mean": ("time", np.array([1.0, 0.9, 0.8])),
        "deviation_weighted_mean": ("time", np.array([1.0, 0.8, 0.6])),
    }
    coords = {"time": time, "degree_in": [0, 1, 2], "degree_out": [0, 1], "weight_bin": [0.05, 0.15]}
    if events:
        counts = np.array([[[6, 0], [2, 0]], [[1, 3], [4, 4]]])  # event, time, distance
        data["events"] = (("event", "event_time", "distance"), counts, {"bin_s": 5.0})
        coords |= {"event": ["formed", "weak"], "event_time": [0.0, 5.0], "distance": [0, 1]}
    return xr.Dataset(data, coords)


def steps_of(axes):
    """The values of each stair by its label."""
    return {patch.get_label(): patch.get_data().values for patch in axes.patches}


@pytest.fixture(autouse=True)
def plain_style():
    with matplotlib.rc_context(STYLE):
        yield


def served(dataset):
    kinds = ("quality", "map", "displacement", "growth", "degrees_and_weights", "rewiring")
    return {kind for kind in kinds if evolution_figure(kind, "ff", dataset, N_TARGETS) is not None}


def test_figures_are_those_that_the_data_serve():
    assert served(results()) == {"quality", "degrees_and_weights", "rewiring"}
    bare = results(events=False).drop_vars([name for name in results() if "sigma" in str(name) or "dev" in str(name)])
    assert served(bare) == {"degrees_and_weights"}


def test_degrees_and_weights_are_shares_and_an_empty_histogram_stays_empty():
    in_degree, out_degree, weight = degrees_and_weights_figure(results()).axes
    np.testing.assert_allclose(steps_of(in_degree)["5 s"], [0.2, 0.6, 0.2])
    np.testing.assert_allclose(steps_of(out_degree)["10 s"], [0, 1])
    np.testing.assert_allclose(steps_of(weight)["0 s"], [0.25, 0.75])
    np.testing.assert_allclose(steps_of(weight)["10 s"], [0, 0])
    edges = in_degree.patches[0].get_data().edges
    np.testing.assert_allclose(edges, [-0.5, 0.5, 1.5, 2.5], err_msg="a degree in the middle of its step")


def test_rates_of_rewiring_are_events_a_neuron_and_second():
    figure = rewiring_figure(results(), N_TARGETS)
    over_time, by_distance, formed, eliminated = figure.axes[:4]
    np.testing.assert_allclose(steps_of(over_time)["formed"], np.array([6, 2]) / (N_TARGETS * 5))
    np.testing.assert_allclose(steps_of(over_time)["eliminated: weak"], np.array([4, 8]) / (N_TARGETS * 5))
    np.testing.assert_allclose(steps_of(by_distance)["formed"], np.array([8, 0]) / (N_TARGETS * 10))
    np.testing.assert_allclose(over_time.patches[0].get_data().edges, [0, 5, 10])
    for axes, counts in ((formed, [[6, 2], [0, 0]]), (eliminated, [[1, 4], [3, 4]])):
        shown_rates = axes.collections[0].get_array()
        expected = np.ma.masked_equal(np.array(counts, float), 0) / (N_TARGETS * 5)
        np.testing.assert_allclose(np.ma.filled(shown_rates, np.nan), np.ma.filled(expected, np.nan))
    assert (formed.get_title(), eliminated.get_title()) == ("formed", "eliminated")
    figure.canvas.draw()
    (bar,) = figure.axes[4:]
    labels = [label.get_text() for label in (*bar.get_yticklabels(), *bar.get_yticklabels(minor=True))]
    assert any(labels)
    assert not any("$" in label for label in labels), "formulas are not read"


def test_neurons_without_places_have_no_distances():
    placeless = results()
    placeless["events"] = placeless.events.isel(distance=[0])
    placeless.events.attrs |= {"bin_s": 5.0, "has_places": False}
    (over_time,) = rewiring_figure(placeless, N_TARGETS).axes
    assert (over_time.get_xlabel(), over_time.get_ylabel()) == ("model time (s)", "events per target neuron and s")
    np.testing.assert_allclose(steps_of(over_time)["formed"], np.array([6, 2]) / (N_TARGETS * 5))


def test_growth_is_calcium_beside_its_set_point_and_elements_with_those_that_are_vacant():
    at = [{"axon": Side(k, 0.5, 3.0 + k, 1.0), "dendrite": Side(2 * k, 0.1, 2.0, -1.0 * k)} for k in range(3)]
    grown = results(events=False).merge(growth_dataset(at))
    assert "growth" in served(grown)
    figure = growth_figure("e_to_i", grown)
    calcium, elements = figure.axes
    assert figure.get_suptitle() == "e_to_i"
    assert [axes.get_xlabel() for axes in figure.axes] == ["model time (s)"] * 2
    lines = {line.get_label(): line.get_ydata().tolist() for axes in (calcium, elements) for line in axes.lines}
    assert lines == {
        "axonal side": [0, 1, 2],
        "its set-point, 0.5": [0.5] * 3,
        "dendritic side": [0, 2, 4],
        "its set-point, 0.1": [0.1] * 3,
        "axonal": [3, 4, 5],
        "axonal, vacant": [1, 1, 1],
        "dendritic": [2, 2, 2],
        "dendritic, vacant": [0, -1, -2],
    }
    assert elements.get_ylim()[0] < -2, "all of it is seen"


def test_a_run_in_which_nothing_came_or_went_is_drawn_too():
    nothing = results()
    nothing["events"] = nothing.events * 0
    nothing.events.attrs["bin_s"] = 5.0
    figure = rewiring_figure(nothing, N_TARGETS)
    figure.canvas.draw()
    np.testing.assert_allclose(steps_of(figure.axes[0])["formed"], [0, 0])
