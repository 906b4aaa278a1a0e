"""The results of a sweep: every number of every finished member in its place, means over seeds, a figure."""

from __future__ import annotations

import io
import json

import matplotlib
import numpy as np
import pytest
from rich.console import Console

from hpcsnn.analysis.drawing.style import STYLE
from hpcsnn.cli.facts.sweeps import results_of
from hpcsnn.cli.tables.of_jobs import print_sweep
from hpcsnn.jobs.sweep_results import averaged, collect, said, sweep_figure
from hpcsnn.jobs.sweeps import Sweep

VARY = {"seed": [1, 2, 3], "scale": [1, 2], "synapse": ["static", "plastic"]}


def summary(seed, scale, synapse, **changes):
    rate = 10.0 * scale + seed + (0.5 if synapse == "plastic" else 0.0)
    return {
        "completed": True, "wall_s": 2.0, "wall_per_model_s": None, "ranks": 4, "digest": "abc",
        "populations": {"out": {"rate_hz": rate, "size": 7, "model": "lif"}},
        "projections": {"p": {"synapses": 100 * scale, "sigma_aff": None}},
    } | changes  # fmt: skip


def finished(sweep, skip=lambda **values: False):
    """Leaves a summary in every member's folder."""
    for folder, settings in sweep.members():
        values = dict(setting.split("=") for setting in settings)
        seed, scale = int(values.get("seed", 1)), int(values.get("scale", 1))
        made = summary(seed, scale, values.get("synapse", "static"))
        if skip(seed=seed, scale=scale):
            made["completed"] = False
        folder.mkdir(parents=True)
        (folder / "summary.json").write_text(json.dumps(made))


@pytest.fixture
def sweep(tmp_path):
    return Sweep(tmp_path, "topomap", [], VARY)


def test_numbers_are_where_their_member_is(sweep):
    finished(sweep, skip=lambda seed, scale: (seed, scale) == (2, 2))
    results = collect(sweep)
    assert dict(results.sizes) == {"seed": 3, "scale": 2, "synapse": 2}
    assert set(results) == {"out.rate_hz", "out.size", "p.synapses", "wall_s", "ranks"}, "numbers alone"
    for seed in (1, 2, 3):
        for scale in (1, 2):
            for synapse, more in (("static", 0.0), ("plastic", 0.5)):
                at = {"seed": seed, "scale": scale, "synapse": synapse}
                rate = float(results["out.rate_hz"].sel(at))
                if (seed, scale) == (2, 2):
                    assert np.isnan(rate), "it has not finished"
                else:
                    assert rate == 10.0 * scale + seed + more
                    assert float(results["p.synapses"].sel(at)) == 100 * scale


def test_a_value_with_dollars_is_drawn_as_it_stands(tmp_path):
    sweep = Sweep(tmp_path, "topomap", [], {"seed": [1, 2], "synapse": ["$\\frac$", "b$"], "scale": [1, 2, 3]})
    finished(sweep)
    with matplotlib.rc_context(STYLE):
        figure = sweep_figure(collect(sweep))
        assert figure.axes[0].get_legend().get_texts()[0].get_text() == "synapse $\\frac$"
        figure.savefig(tmp_path / "drawn.svg")


def test_a_sweep_of_which_nothing_is_finished_has_no_numbers(sweep):
    results = collect(sweep)
    assert list(results.data_vars) == []
    assert sweep_figure(results) is None


def test_seeds_are_averaged_where_something_else_varies_too(sweep):
    finished(sweep)
    mean, spread = averaged(collect(sweep))
    assert dict(mean.sizes) == {"scale": 2, "synapse": 2}
    assert float(mean["out.rate_hz"].sel(scale=2, synapse="static")) == pytest.approx(22.0)
    assert float(spread["out.rate_hz"].sel(scale=2, synapse="static")) == pytest.approx(1.0), "of 21, 22, 23"


@pytest.mark.parametrize(
    ("vary", "spread"), [({"seed": [1, 2]}, False), ({"scale": [1, 2]}, False), ({"seed": [4], "scale": [1, 2]}, False)]
)
def test_one_seed_has_no_spread_and_seeds_alone_are_shown_as_they_are(vary, spread, tmp_path):
    one = Sweep(tmp_path, "topomap", [], vary)
    finished(one)
    results = collect(one)
    mean, deviation = averaged(results)
    assert (deviation is not None) == spread
    assert ("seed" in mean.dims) == (set(vary) == {"seed"})


def test_the_figure_has_a_panel_for_each_measure_and_a_line_for_each_combination(tmp_path):
    one = Sweep(tmp_path, "topomap", [], {"scale": [1, 2, 4], "seed": [1, 2], "synapse": ["static", "plastic"]})
    finished(one)
    figure = sweep_figure(collect(one))
    shown = [axes for axes in figure.axes if axes.get_ylabel()]
    assert [(axes.get_xlabel(), axes.get_ylabel()) for axes in shown] == [
        ("scale", "out: firing rate (Hz)"), ("scale", "p: synapses")
    ]  # fmt: skip
    rate = shown[0]
    lines = {container.get_label(): container for container in rate.containers}
    assert set(lines) == {"synapse static", "synapse plastic"}
    (line, _, _) = lines["synapse plastic"].lines
    assert line.get_xdata().tolist() == [1, 2, 4], "to scale"
    assert line.get_linestyle() == "-"
    assert len({one.lines[0].get_marker() for one in lines.values()}) == 2, "which tell them apart in grey"
    np.testing.assert_allclose(line.get_ydata(), [12.0, 22.0, 42.0])
    assert lines["synapse plastic"].has_yerr
    assert rate.get_legend() is not None


def test_what_is_no_number_stands_side_by_side(tmp_path):
    one = Sweep(tmp_path, "topomap", [], {"synapse": ["static", "plastic"]})
    finished(one)
    axes = sweep_figure(collect(one)).axes[0]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["static", "plastic"]
    (line, *_) = axes.containers[0].lines
    assert line.get_xdata().tolist() == [0, 1]
    assert line.get_linestyle() == "None"


def test_two_cases_are_not_joined(tmp_path):
    one = Sweep(tmp_path, "topomap", [], {"scale": [1, 2]})
    finished(one)
    (line, *_) = sweep_figure(collect(one)).axes[0].containers[0].lines
    assert (line.get_xdata().tolist(), line.get_linestyle()) == ([1, 2], "None")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("target.rate_hz", "target: firing rate (Hz)"),
        ("ff.sigma_aff_weighted", "ff: σ_aff, weighted (grid units)"),
        ("wall_per_model_s", "wall time per model time (s / s)"),
        ("populations.source.model.peak_hz", "source: peak (Hz)"),
        ("populations.E.stimulate.0.rate_hz", "E.0: rate (Hz)"),
        ("projections.ff.synapse.additive_stdp.a_plus", "ff.additive_stdp: a_plus"),
        ("populations.cells.initial.V_mV", "cells.initial: V (mV)"),
        ("dt_ms", "dt (ms)"),
        ("scale", "scale"),
    ],
)
def test_figures_name_keys_and_numbers_with_their_units(name, words):
    assert said(name) == words


def test_the_table_has_the_spread_over_seeds_and_a_dash_for_what_is_missing(tmp_path):
    vary = {"seed": [1, 2], "scale": [1, 2]}
    one = Sweep(tmp_path, "topomap", [], vary)
    finished(one, skip=lambda seed, scale: scale == 2)
    (tmp_path / "sweep.json").write_text(json.dumps({"config": "topomap", "overrides": [], "vary": vary}))
    console = Console(width=120, file=io.StringIO())
    told = results_of(tmp_path)
    print_sweep(told, console)
    lines = [line.split() for line in console.file.getvalue().splitlines()]
    assert " ".join(lines[0]).endswith("means over 2 seeds ± standard deviations")
    assert ["1", "11.5", "±", "0.71", "100", "±", "0"] in lines
    assert ["2", "-", "-"] in lines
    assert (told["states"], told["seeds"]) == ({"completed": 2, "stopped": 2}, 2)
    first, missing = told["results"]
    assert (first["settings"], missing["settings"]) == ({"scale": 1}, {"scale": 2})
    assert first["mean"]["out.rate_hz"] == 11.5
    assert first["standard_deviation"]["out.rate_hz"] == pytest.approx(0.5**0.5)
    assert np.isnan(missing["mean"]["wall_s"])
    assert told["files"] == [str(tmp_path / "results.zarr"), str(tmp_path / "figures" / "results.png")]
