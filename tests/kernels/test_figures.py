"""Figures: the numbers behind them, and that every network has its figures without a warning."""

from __future__ import annotations

import numpy as np
import pytest
import yaml
from rich.console import Console

from hpcsnn import Grid, Network, Simulation, models
from hpcsnn.analysis.displacement import displacement_map, read_displacement
from hpcsnn.analysis.drawing import recorded_figures
from hpcsnn.analysis.drawing.evolution_figures import evolution_figure
from hpcsnn.analysis.drawing.figures import connection_probability, displacement_figure, map_figure, mean_weight
from hpcsnn.analysis.drawing.of_run import draw_figures
from hpcsnn.analysis.evolution import analyse
from hpcsnn.configuration.files import load_configuration, parse_configuration
from hpcsnn.devices import HostDevice
from hpcsnn.network.grid import BORDERS
from hpcsnn.runs.experiment import Setting, run_experiment
from hpcsnn.runs.scripted.saving import write_network
from hpcsnn.storage.network_store import StoredNetwork

QUICK = HostDevice(("-O1",))
PNG, PDF = b"\x89PNG", b"%PDF"


def test_a_run_leaves_its_figures(tmp_path):
    run_experiment(load_configuration("topomap", ["duration_ms=1000"]), tmp_path / "run", Setting(device="cpu"))
    figures = tmp_path / "run" / "figures"
    names = ["rates", "displacement_ff", "map_ff", "displacement_lat", "map_lat", "degrees_and_weights"]
    assert {path.name for path in figures.iterdir()} == {f"{name}.png" for name in names}
    for path in figures.iterdir():
        assert path.read_bytes()[:4] == PNG
    again = draw_figures(tmp_path / "run" / "network.zarr", tmp_path / "again", "pdf")
    assert [path.name for path in again] == [f"{name}.pdf" for name in names]
    for path in again:
        assert path.read_bytes()[:4] == PDF
    start, end = (read_displacement(tmp_path / "run" / "displacement.zarr", "ff", when) for when in ("start", "end"))
    assert start.count.sum() < end.count.sum()


def test_what_was_recorded_has_figures_of_its_own(tmp_path):
    record = [
        "populations.target.record={V_mV: {every_ms: 1, neurons: 0..7}, ff.g: {every_ms: 1, average: true}, "
        "spikes: {neurons: 0..99}}",
        "projections.ff.record={weight: {every_ms: 50, targets: 7}}",
    ]
    configuration = load_configuration("topomap", ["duration_ms=1500", *record])
    run_experiment(configuration, tmp_path / "run", Setting(device="cpu"))
    figures = {path.name for path in (tmp_path / "run" / "figures").iterdir()}
    assert figures >= {"raster_target.png", "intervals_target.png", "recorded_target.png", "recorded_ff.png"}
    assert not {name for name in figures if name.endswith(("_source.png", "recorded_lat.png"))}
    stored = StoredNetwork(tmp_path / "run" / "network.zarr")
    intervals = recorded_figures.intervals(stored, tmp_path / "run", "target")
    assert intervals.axes[0].get_title(loc="left").startswith("target, 100 of 256 neurons: mean ")


def test_displacement_maps_agree_with_a_slow_count():
    grid = Grid(6, 5)
    network = Network(seed=2)
    network.add_population("a", grid, models.Poisson(rate_hz=1))
    network.add_population("b", grid, models.LIF())
    network.add_projection("ab", "a", "b", models.FixedProbability(p=0.1), models.ExponentialCurrent(), 0.5)
    simulation = Simulation(network, device=QUICK)
    displacement = displacement_map(simulation, "ab")
    probability, weight = connection_probability(displacement, grid.size), mean_weight(displacement)
    synapses = simulation.synapses("ab")
    pairs = set(zip(synapses["pre"].tolist(), synapses["post"].tolist(), strict=True))
    for row, dy in enumerate(displacement.dy):
        for column, dx in enumerate(displacement.dx):
            hits = sum(
                (((y - dy) % 5) * 6 + (x - dx) % 6, y * 6 + x) in pairs for y in range(grid.ny) for x in range(grid.nx)
            )
            assert probability[row, column] == pytest.approx(hits / grid.size)
            assert (weight[row, column] == 0.5) if hits else np.isnan(weight[row, column])
    assert displacement.dx.tolist() == [-2, -1, 0, 1, 2, 3]
    assert displacement.dy.tolist() == [-2, -1, 0, 1, 2]


def test_one_row_of_neurons_is_analysed_like_a_grid_and_drawn_as_curves(tmp_path):
    """A ring and an open row: sigma_aff is the spread along the row, and there is no dy."""
    text = """
duration_ms: 20
populations:
  a: {grid: [40, 1], borders: BORDERS, model: {poisson: {rate_hz: 30}}}
  b: {grid: [40, 1], borders: BORDERS, model: lif}
projections:
  ab: {source: a, target: b, weight: 0.5, connector: {gaussian: {p_max: 0.8, sigma: 2}}, receptor: delta_current}
"""
    for borders in BORDERS:
        configuration = parse_configuration(yaml.safe_load(text.replace("BORDERS", borders)))
        summary = run_experiment(configuration, tmp_path / borders, Setting(device="cpu"))
        figures = {path.name for path in (tmp_path / borders / "figures").iterdir()}
        assert figures >= {"map_ab.png", "displacement_ab.png"}
        stored = StoredNetwork(tmp_path / borders / "network.zarr")
        assert stored.grid("a") == Grid(40, 1, borders)
        assert stored.grid("a").has_places
        synapses = stored.synapses("ab")
        apart = np.abs(synapses["pre"].astype(int) - synapses["post"])
        apart = np.minimum(apart, 40 - apart) if borders == "periodic" else apart
        assert summary["projections"]["ab"]["sigma_aff"] == pytest.approx(np.sqrt((apart**2).mean()))
        end = read_displacement(tmp_path / borders / "displacement.zarr", "ab", "end")
        figure = displacement_figure("ab", {"start": end, "end": end}, 40)
        assert figure.axes[-1].get_xlabel() == "dx (grid units)"
        assert np.nanmax(figure.axes[0].lines[0].get_ydata()) == pytest.approx(end.count.max() / 40)
    curve = map_figure("ab", np.stack([np.full((1, 9), 0.5), np.zeros((1, 9))], axis=-1)).axes[0].lines[1]
    np.testing.assert_allclose(curve.get_ydata(), np.arange(9) + 0.5)


def test_weights_have_the_unit_that_their_model_says(tmp_path):
    (tmp_path / "mine.py").write_text(
        "from hpcsnn.models import SynapseModel, Variable\n"
        "InSiemens = SynapseModel('in_siemens', '', variables=(Variable('weight', unit='nS'),))\n"
    )
    text = """
duration_ms: 20
populations:
  a: {grid: [8, 8], model: {poisson: {rate_hz: 30}}}
  b: {grid: [8, 8], model: lif}
projections:
  said: {source: a, target: b, synapse: "mine.py:InSiemens", weight: 0.5, connector: CONNECTOR, receptor: delta_current}
  none: {source: a, target: b, weight: 0.5, connector: CONNECTOR, receptor: delta_current}
""".replace("CONNECTOR", "{gaussian: {p_max: 0.8, sigma: 2}}")
    run = tmp_path / "run"
    run_experiment(parse_configuration(yaml.safe_load(text), tmp_path), run, Setting(device="cpu", figures=False))
    draw_figures(run / "network.zarr", run / "figures", file_format="svg")
    analysed = analyse(run, Console(quiet=True), trust=True)
    for name, label in (("said", "mean weight (nS)"), ("none", "mean weight")):
        drawn = [run / "figures" / f"displacement_{name}.svg"]
        drawn.append(tmp_path / f"{name}.svg")
        evolution_figure("displacement", name, analysed.projections[name], 64).savefig(drawn[-1])
        assert all(f"<!-- {label} -->" in path.read_text() for path in drawn)
        axes = evolution_figure("degrees_and_weights", name, analysed.projections[name], 64).axes[2]
        assert axes.get_xlabel() == label.removeprefix("mean ")
        assert analysed.projections[name].weight_mean.attrs.get("units", "") == ("nS" if name == "said" else "")
    of_all = (run / "figures" / "degrees_and_weights.svg").read_text()
    assert "<!-- weight (nS) -->" in of_all
    assert "<!-- weight -->" in of_all


def odd_networks():
    silent = Network(seed=1)
    silent.add_population("only", 5, models.Poisson(rate_hz=1))
    unequal = Network(seed=1)
    unequal.add_population("a", 30, models.Poisson(rate_hz=100))
    unequal.add_population("b", Grid(4, 4), models.LIF())
    unequal.add_projection("ab", "a", "b", models.FixedProbability(p=0.5), models.ExponentialCurrent(), -0.5)
    unequal.add_projection("none", "b", "b", models.FixedProbability(p=0.0), models.ExponentialCurrent(), 1.0)
    return {"one population": silent, "unequal grids and no synapses": unequal}


@pytest.mark.parametrize("name", odd_networks())
@pytest.mark.parametrize("duration_ms", [0.0, 250.0])
def test_odd_networks_have_figures_without_warnings(name, duration_ms, tmp_path):
    simulation = Simulation(odd_networks()[name], device=QUICK)
    simulation.run(duration_ms)
    write_network(tmp_path / "network.zarr", simulation)
    names = {path.stem for path in draw_figures(tmp_path / "network.zarr", tmp_path / "figures")}
    assert ("rates" in names) == (duration_ms > 0)
    assert ("degrees_and_weights" in names) == (name != "one population")
    assert not any(name.startswith(("map", "displacement")) for name in names)


def test_a_large_map_shows_a_part_and_says_so():
    figure = map_figure("ff", np.zeros((40, 100, 2)))
    assert figure.axes[0].get_title() == "ff: receptive-field centres (first 32 x 32 of 100 x 40)"
    assert len(figure.axes[0].lines) == 2 * (32 + 32) + 1
