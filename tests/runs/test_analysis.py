"""``hpcsnn analyze``: its datasets against what the checkpoints and records hold, read in another way; its page."""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
import sys
import warnings
from html.parser import HTMLParser

import numpy as np
import pytest
import xarray as xr
from rich.console import Console
from scipy.stats import wilcoxon

from hpcsnn.analysis.connectivity import Subject
from hpcsnn.analysis.evolution import analyse
from hpcsnn.analysis.report import write_report
from hpcsnn.configuration.files import load_configuration
from hpcsnn.storage.checkpoints import committed
from hpcsnn.storage.network_store import StoredNetwork
from hpcsnn.storage.records import Records
from support.processes import completed
from support.ranks import hpcsnn
from support.runs import PLAIN, flip, succeeds
from support.unpacked import place

QUIET = Console(quiet=True)
EVENTS = ["--set", "projections.ff.record_events=true"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A map of 48 x 48, which is cut into several shards, at 0, 500 and 1000 ms; events of ff only."""
    run = tmp_path_factory.mktemp("analysed") / "run"
    size = ["--set", "scale=3", "--set", "duration_ms=1000", "--checkpoint-every", "500ms", "--keep", "10"]
    succeeds("run", "topomap", *size, *EVENTS, *PLAIN, "--out", run, ranks=2)
    succeeds("analyze", run)
    return run


def results(run, group="ff"):
    return xr.open_zarr(run / "analysis.zarr", group=group, consolidated=False).load()


def states(run):
    return [StoredNetwork(checkpoint.network_path) for checkpoint in committed(run)]


@pytest.mark.parametrize("name", ["ff", "lat"])
def test_degrees_and_weights_are_those_of_the_checkpoints(run, name):
    found = results(run, name)
    np.testing.assert_allclose(found.time, [0, 0.5, 1.0])
    np.testing.assert_array_equal(found.step, [0, 5000, 10_000])
    for time, stored in enumerate(states(run)):
        at, synapses = found.isel(time=time), stored.synapses(name)
        in_degree, out_degree = (np.bincount(synapses[end], minlength=48 * 48) for end in ("post", "pre"))
        assert int(at.synapses) == len(synapses["pre"])
        np.testing.assert_array_equal(at.in_degree.values.ravel(), in_degree)
        for kind, degree in (("in", in_degree), ("out", out_degree)):
            histogram = np.bincount(degree, minlength=found.sizes[f"degree_{kind}"])
            np.testing.assert_array_equal(at[f"{kind}_degree_neurons"], histogram)
            assert float(at[f"{kind}_degree_mean"]) == pytest.approx(degree.mean())
            assert float(at[f"{kind}_degree_std"]) == pytest.approx(degree.std())
        weight = synapses["weight"].astype(float)
        assert float(at.weight_mean) == pytest.approx(weight.mean())
        assert float(at.weight_below_half) == pytest.approx((weight < 0.1).mean())
        np.testing.assert_array_equal(at.weight_synapses, np.histogram(weight.clip(0, 0.2), np.linspace(0, 0.2, 21))[0])


def test_displacement_counts_every_synapse_once(run):
    found = results(run)
    for time, stored in enumerate(states(run)):
        synapses = stored.synapses("ff")
        counted = found.displacement_count.isel(time=time)
        expected = np.zeros((33, 33))
        weights = np.zeros((33, 33))
        for pre, post, weight in zip(*(synapses[key].tolist() for key in ("pre", "post", "weight")), strict=True):
            dx, dy = ((a - b + 24) % 48 - 24 for a, b in ((post % 48, pre % 48), (post // 48, pre // 48)))
            expected[dy + 16, dx + 16] += 1
            weights[dy + 16, dx + 16] += weight
        np.testing.assert_array_equal(counted, expected)
        np.testing.assert_allclose(found.displacement_weight_sum.isel(time=time), weights, atol=1e-6)
    assert found.dx.values.tolist() == list(range(-16, 17))


def test_fields_are_the_least_spread_around_any_centre(run):
    """On a torus much wider than the fields the centre of least spread is the mean, rounded to 0.1."""
    found = results(run).isel(time=-1)
    synapses = states(run)[-1].synapses("ff")
    for neuron in range(0, 48 * 48, 97):
        mine = synapses["post"] == neuron
        y, x = divmod(neuron, 48)
        weight = synapses["weight"][mine].astype(float)
        spreads, weighted_spreads, centre = [], [], []
        for places, own in ((synapses["pre"][mine] % 48, x), (synapses["pre"][mine] // 48, y)):
            distance = (places.astype(int) - own + 24) % 48 - 24
            for weights, into in ((np.ones(len(distance)), spreads), (weight, weighted_spreads)):
                middle = round(np.average(distance, weights=weights), 1)
                into.append(np.sqrt(np.average((distance - middle) ** 2, weights=weights)))
            centre.append(middle)
        assert float(found.sigma_aff[y, x]) == pytest.approx(np.mean(spreads), rel=1e-5)
        assert float(found.sigma_aff_weighted[y, x]) == pytest.approx(np.mean(weighted_spreads), rel=1e-5)
        assert (float(found.centre_x[y, x]), float(found.centre_y[y, x])) == pytest.approx(centre, abs=0.1001)
        assert float(found.deviation_weighted[y, x]) == pytest.approx(np.hypot(*centre), abs=0.15)


def test_means_and_p_are_those_of_the_values_kept(run):
    found = results(run)
    for name in ("sigma_aff", "deviation", "sigma_aff_weighted", "deviation_weighted"):
        values, null = (found[key].values.reshape(3, -1).astype(float) for key in (name, f"{name}_null"))
        np.testing.assert_allclose(found[f"{name}_mean"], np.nanmean(values, axis=1), rtol=1e-6)
        np.testing.assert_allclose(found[f"{name}_null_mean"], np.nanmean(null, axis=1), rtol=1e-6)
        for time in range(3):
            difference = (values - null)[time]
            difference = difference[np.isfinite(difference)]
            expected = wilcoxon(difference).pvalue if difference.any() else np.nan
            np.testing.assert_allclose(found[f"{name}_p"][time], expected, rtol=1e-6)


def test_the_first_wiring_is_chance_and_the_null_says_so(run):
    """The start is drawn from the very profile, and its weights are equal: no measure differs from its null by much."""
    start = results(run).isel(time=0)
    assert float(start.sigma_aff_p) > 1e-3
    assert float(start.deviation_p) > 1e-3
    assert float(start.sigma_aff_mean) == pytest.approx(float(start.sigma_aff_null_mean), rel=0.02)
    np.testing.assert_array_equal(start.sigma_aff_weighted, start.sigma_aff_weighted_null)
    assert np.isnan(float(start.sigma_aff_weighted_p)), "equal weights cannot be shuffled"
    assert np.isnan(start.sigma_aff.values[start.in_degree.values == 0]).all()


def test_a_formed_map_is_narrower_than_chance(tmp_path):
    """STDP and rewiring bring in what chance does not: p far below 0.001, as Bamford et al. found."""
    run = tmp_path / "run"
    succeeds("run", "topomap", "--set", "duration_ms=20000", *PLAIN, "--out", run)
    found = analyse(run, QUIET).projections["ff"].isel(time=-1)
    for name in ("sigma_aff", "sigma_aff_weighted"):
        assert float(found[f"{name}_mean"]) < 0.97 * float(found[f"{name}_null_mean"])
        assert float(found[f"{name}_p"]) < 1e-6


def test_events_by_time_and_distance(run):
    found = results(run).events
    events = Records(run / "records", committed(run)[-1].manifest()["segments"]).events("ff")
    assert found.event.values.tolist() == ["formed", "weak", "other"]
    assert found.attrs["bin_s"] == pytest.approx(0.01)
    counts = np.zeros(found.shape, dtype=int)
    for step, pre, post, what in events.tolist():
        dx, dy = (min(abs(a - b), 48 - abs(a - b)) for a, b in ((pre % 48, post % 48), (pre // 48, post // 48)))
        counts[what, step // 100, round(np.hypot(dx, dy))] += 1
    np.testing.assert_array_equal(found, counts)
    assert counts[0].sum() > 100
    assert "events" not in results(run, "lat")


def test_rates_are_those_of_the_run(run):
    rates = results(run, "_populations").rate
    assert rates.population.values.tolist() == ["source", "target"]
    expected, bin_ms = states(run)[-1].rates_hz("target")
    np.testing.assert_allclose(rates.sel(population="target"), expected)
    np.testing.assert_allclose(rates.rate_time, np.arange(10) * bin_ms * 1e-3)


def test_a_cluster_gives_the_same_results(run, tmp_path):
    from distributed import LocalCluster

    copy = tmp_path / "run"
    shutil.copytree(run, copy, symlinks=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of ports, file descriptors and the like on the machine at hand
        with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
            done = succeeds("analyze", copy, "--scheduler", cluster.scheduler_address)
    assert done.stdout.strip().endswith("report.html")
    for group in ("ff", "lat", "_populations"):
        xr.testing.assert_identical(results(run, group), results(copy, group))


@pytest.mark.parametrize("neurons", [256, 64], ids=["a shard a task", "a shard in strips"])
def test_tasks_may_be_of_any_size(neurons, run, tmp_path, monkeypatch):
    """Nine tasks of a shard each, or strips within a shard, come to the same; only chance maps are drawn anew."""
    copy = tmp_path / "run"
    shutil.copytree(run, copy, symlinks=True)
    monkeypatch.setattr("hpcsnn.analysis.connectivity.NEURONS_A_TASK", neurons)
    assert len(Subject.of(load_configuration("topomap", ["scale=3"]).network().projections["ff"], 0, 1).tasks()) == 9
    for name, found in analyse(copy, QUIET).projections.items():
        expected = results(run, name)
        same = [key for key in expected if not str(key).endswith(("_null", "_null_mean", "_p"))]
        xr.testing.assert_allclose(found[same].load(), expected[same], rtol=1e-12)
        assert not np.array_equal(found.sigma_aff_null, expected.sigma_aff_null, equal_nan=True)


class _Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.addresses, self.tags = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.addresses += [value for name, value in attributes if name in ("src", "href")]


def test_the_page_holds_all_it_shows(run):
    text = (run / "report.html").read_text()
    page = _Page(text)
    assert page.addresses
    assert all(address.startswith("data:") for address in page.addresses), "nothing is fetched"
    assert "script" not in page.tags
    pictures = [address for address in page.addresses if address.startswith("data:image/svg+xml;base64,")]
    assert len(pictures) == 1 + 5 + 4
    for picture in pictures:
        assert b"<svg" in base64.b64decode(picture.partition(",")[2])
    found = results(run).isel(time=-1)
    assert f"{int(found.synapses):,}" in text
    assert f"{float(found.sigma_aff_weighted_mean):.3f}" in text
    assert "projections.lat.record_events" in text
    assert "projections.ff.record_events to true" not in text
    names = {path.name for path in (run / "figures").glob("evolution_*")}
    assert {f"evolution_{what}_ff.svg" for what in ("quality", "map", "rewiring")} < names
    assert {name.rpartition(".")[2] for name in names} == {"svg"}, "others when they are asked for"


def test_the_page_in_a_browser(run, tmp_path):
    """No error on the console, and nothing wider than a laptop's screen."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no chromium here")
    script = "<script>onload=()=>{document.title='width '+document.documentElement.scrollWidth}</script></body>"
    probe = tmp_path / "probe.html"
    probe.write_text((run / "report.html").read_text().replace("</body>", script))
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1280,800", "--dump-dom"]
    quiet = ["--enable-logging=stderr", f"--user-data-dir={tmp_path / 'profile'}"]
    done = completed([*command, *quiet, f"file://{probe}"])
    assert "CONSOLE" not in done.stderr
    width = re.search(r"<title>width (\d+)</title>", done.stdout)
    assert width, done.stderr
    assert int(width[1]) <= 1280


def test_networks_without_places_or_rewiring_are_analysed_and_names_are_no_tags(tmp_path):
    (tmp_path / "odd.yaml").write_text(
        """
duration_ms: 250
description: "</title><script>alert(1)</script>"
populations:
  noise: {size: 30, model: {poisson: {rate_hz: 50}}}
  cells: {grid: [5, 4], model: lif}
projections:
  drive: {source: noise, target: cells, connector: {fixed_probability: {p: 0.3}}, receptor: exponential_current,
          weight: -0.5}
  none: {source: cells, target: cells, connector: {fixed_probability: {p: 0.0}}, receptor: exponential_current,
         weight: 1.0}
"""
    )
    run = tmp_path / "<img src=x onerror=alert(1)>"
    succeeds("run", tmp_path / "odd.yaml", *PLAIN, "--out", run)
    page = write_report(run, QUIET).read_text()
    assert "script" not in _Page(page).tags
    assert all(address.startswith("data:") for address in _Page(page).addresses)
    assert "&lt;/title&gt;&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "Only one checkpoint is kept" in page
    drive, none = results(run, "drive"), results(run, "none")
    assert "sigma_aff" not in drive
    assert float(drive.weight_mean[0]) == -0.5
    assert int(none.synapses[0]) == 0
    assert np.isnan(float(none.weight_mean[0]))
    assert "sigma_aff_null" not in none, "no profile, no null"


def test_what_cannot_be_analysed_says_why(run, tmp_path):
    assert hpcsnn("analyze", tmp_path).stderr == f"error: {tmp_path}: no run here (there is no config.yaml)\n"
    copy = tmp_path / "run"
    shutil.copytree(run, copy, symlinks=True)
    before = results(copy)
    done = hpcsnn("analyze", copy, "--scheduler", "tcp://127.0.0.1:9")
    assert done.returncode == 2
    assert "--scheduler: 'tcp://127.0.0.1:9': no Dask scheduler answers there" in done.stderr
    damaged = committed(copy)[1].network_path
    flip(damaged, place(damaged, "projections/ff/synapse/weight/c/0/0") + 100)
    done = hpcsnn("analyze", copy)
    assert done.returncode == 2
    assert f"error: {committed(copy)[1].network_path.resolve() / 'projections/ff'}: cannot be read: " in done.stderr
    assert "Traceback" not in done.stderr
    xr.testing.assert_identical(results(copy), before)  # earlier results stay
    for checkpoint in committed(copy):
        checkpoint.remove()
    assert "no checkpoint to analyse; run it again with --checkpoint-every" in hpcsnn("analyze", copy).stderr


def test_analysis_is_loaded_only_when_asked_for():
    """A run does not pay for what only the analysis needs."""
    loaded = "print([m for m in ('dask', 'xarray') if m in sys.modules])"
    text = f"import sys, hpcsnn.cli.app, hpcsnn.runs.experiment; {loaded}"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_network_without_places_or_synapses_has_a_report_of_what_there_is(tmp_path):
    run = tmp_path / "run"
    settings = ["--set", "duration_ms=200", "--checkpoint-every", "100ms"]
    said = succeeds("run", "homeostatic", *settings, *PLAIN, "--out", run).stdout
    assert "last 10 s" not in said, "of a run of 0.2 s"
    succeeds("analyze", run)
    page = re.sub(r'"data:[^"]*"', "", (run / "report.html").read_text())
    assert "excitatory (400), inhibitory (100)" in page
    assert not re.search(r"\bnan\b", page)
    assert "<td>–</td>" in page, "weights of no synapses"
    assert "below half" not in page
    figures = {path.stem for path in (run / "figures").iterdir()}
    assert figures >= {"evolution_growth_e_to_e", "evolution_rewiring_i_to_e"}
    grown = results(run, "e_to_e")
    assert grown.axon_set_point.values.tolist() == [0.05] * 3
    assert float(grown.axon_elements[-1]) > float(grown.axon_elements[0]) == 0
