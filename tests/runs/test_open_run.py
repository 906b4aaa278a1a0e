"""`hpcsnn.open_run`: what a directory holds is what the simulation had, on any ranks, stopped, killed and forked."""

from __future__ import annotations

import json
import shutil

import dask
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from zarr.storage import ZipStore

from hpcsnn import ConfigurationError, StorageError, open_run
from hpcsnn.analysis.drawing.raster_figure import MOST_POINTS, raster_figure
from hpcsnn.storage.checkpoints import checksum_of, committed
from support.messages import as_pattern
from support.opened import simulated_until_300_ms
from support.runs import PLAIN, RECORD, digest_of_run, succeeds
from support.unpacked import unpack

# Synapses that soon go, for both of the rule's reasons.
OFTEN = [
    f"projections.ff.rewiring.bamford.{one}" for one in ("weak_below=0.19", "p_eliminate_weak=0.9", "p_eliminate=0.5")
]
SET = [
    *("--set", "duration_ms=300", *(word for one in OFTEN for word in ("--set", one)), *RECORD),
    *("--checkpoint-every", "100ms", "--keep", "9", *PLAIN),
]
HOW = ("1 rank", "2 ranks", "4 ranks", "stopped", "killed", "forked")


@pytest.fixture(scope="module")
def runs(hpcsnn, tmp_path_factory):
    """The same run, come about in different ways; some with more checkpoints."""
    folder = tmp_path_factory.mktemp("runs")
    for ranks in (1, 2, 4):
        succeeds("run", "topomap", *SET, "--out", folder / f"{ranks} rank{'s' * (ranks > 1)}", ranks=ranks)
    stopped, killed, forked = (folder / name for name in HOW[3:])
    succeeds("run", "topomap", *SET, "--set", "duration_ms=150.3", "--out", stopped, ranks=2)
    succeeds("resume", stopped, "--until", "300ms", *PLAIN, ranks=4)
    words = ["run", "topomap", *SET, "--out", killed]
    assert hpcsnn(*words, folder=killed, last=("os.rename checkpoints/0000002000.json", 1)).code == -9
    assert len(list(killed.glob("records/*"))) > len(committed(killed)[-1].manifest()["segments"])
    succeeds("resume", killed, *PLAIN, ranks=2)
    shutil.copytree(folder / "4 ranks", forked, symlinks=True)
    succeeds("resume", forked, "--from", "1000", *PLAIN)
    assert len({digest_of_run(folder / name) for name in HOW}) == 1
    return folder


@pytest.fixture(scope="module")
def simulated():
    return simulated_until_300_ms([word for word in SET if "=" in word])


@pytest.fixture(params=HOW)
def run(runs, request):
    return open_run(runs / request.param)


@pytest.fixture
def one(runs, tmp_path):
    """A copy to be changed."""
    shutil.copytree(runs / "2 ranks", tmp_path / "run", symlinks=True)
    return tmp_path / "run"


def test_spikes_are_those_of_the_simulation(run, simulated):
    for name in ("source", "target"):
        steps, ids = simulated["spikes"][name]
        assert len(ids) > 100
        expected = pd.DataFrame({"time_ms": steps * 0.1, "neuron": ids})
        pd.testing.assert_frame_equal(run.spikes(name), expected)


@pytest.mark.parametrize(("from_ms", "to_ms"), [(0, 100), (100, 200), (42.3, 250.1), (99.9, 100), (200, None), (5, 5)])
def test_spikes_of_a_time_are_those_from_its_begin_to_before_its_end(run, simulated, from_ms, to_ms):
    steps, ids = simulated["spikes"]["source"]
    inside = (steps >= round(from_ms * 10)) & (steps < (3000 if to_ms is None else round(to_ms * 10)))
    found = run.spikes("source", from_ms=from_ms, to_ms=to_ms)
    np.testing.assert_array_equal(found["neuron"], ids[inside])
    np.testing.assert_array_equal(found["time_ms"], steps[inside] * 0.1)


def test_spikes_of_some_neurons(run, simulated):
    _, ids = simulated["spikes"]["target"]
    wanted = np.array([3, 200, 77, 3])
    found = run.spikes("target", neurons=wanted)
    assert 0 < len(found) < len(ids)
    np.testing.assert_array_equal(found["neuron"], ids[np.isin(ids, wanted)])
    assert run.spikes("target", neurons=[]).shape == (0, 2)
    assert set(run.spikes("source")["neuron"]) <= {*range(100), *range(150, 256)}
    assert len(run.spikes("source", neurons=[0, 150])) > 0
    with pytest.raises(StorageError, match=r": spikes of neuron 149 of source were not recorded$"):
        run.spikes("source", neurons=[0, 149])


def test_events_are_those_of_the_simulation(run, simulated):
    for name in ("ff", "lat"):
        step, pre, post, what = simulated["events"][name].T
        found = run.events(name)
        assert len(found) == len(step) > 10
        np.testing.assert_array_equal(found["time_ms"], step * 0.1)
        np.testing.assert_array_equal(found["pre"], pre)
        np.testing.assert_array_equal(found["post"], post)
        assert found["kind"].tolist() == [("eliminated" if one else "formed") for one in what]
        assert found["reason"].tolist() == [("", "weak", "other")[one] for one in what]
        assert set(found["reason"]) == {"", "weak", "other"} or name == "lat"
        within = run.events(name, from_ms=50, to_ms=150.5)
        np.testing.assert_array_equal(within["pre"], pre[(step >= 500) & (step < 1505)])


def test_variables_are_those_of_the_simulation(run, simulated):
    found = run.recorded("target")
    average, expected = found.pop("lat.g"), simulated["average"]
    np.testing.assert_array_equal(average.T, [expected.mean, expected.min, expected.max])
    np.testing.assert_array_equal(average.time, expected.steps * 0.1)
    assert (average.dims, average.statistic.values.tolist()) == (("time", "statistic"), ["mean", "min", "max"])
    assert list(found) == list(simulated["recorded"])
    assert list(run.recorded("source")) == ["ff.source.pre_trace"]
    for name, rows in simulated["recorded"].items():
        np.testing.assert_array_equal(found[name].time, rows.steps * 0.1)
        np.testing.assert_array_equal(found[name].values, rows.values)
    potential = found["V_mV"]
    assert potential.attrs == {"long_name": "V_mV", "units": "mV"}
    assert (potential.x + 16 * potential.y == potential.neuron).all()
    assert potential.neuron.values.tolist() == [*range(10), 200]
    weights, of = run.recorded_synapses("ff")["weight"], simulated["of synapses"]
    expected = pd.DataFrame({"time_ms": of.steps * 0.1, "pre": of.pre, "post": of.post, "weight": of.values})
    pd.testing.assert_frame_equal(weights, expected)
    assert len(weights) > 15 * 11


@pytest.mark.parametrize("at_ms", [None, 100, 300.0])
def test_neurons_and_synapses_are_those_of_the_simulation(run, simulated, at_ms):
    expected = simulated[at_ms or 300]
    for name in ("source", "target"):
        found, columns = run.neurons(name, at_ms=at_ms), dict(expected["neurons"][name])
        np.testing.assert_array_equal(found["neuron"], columns.pop("id"))
        assert set(found.data_vars) == set(columns)
        for column, values in columns.items():
            np.testing.assert_array_equal(found[column], values)
        np.testing.assert_array_equal(found["y"] * 16 + found["x"], found["neuron"])
        assert found.attrs == {"population": name, "step": (at_ms or 300) * 10, "time_ms": at_ms or 300}
    assert run.neurons("target")["V_mV"].attrs == {"units": "mV", "long_name": "membrane potential"}
    for name in ("ff", "lat"):
        columns = expected["synapses"][name]
        pd.testing.assert_frame_equal(run.synapses(name, at_ms=at_ms), pd.DataFrame(columns))
        matrix = run.synapses(name, at_ms=at_ms, format="scipy")
        assert (matrix.shape, matrix.nnz) == ((256, 256), len(columns["pre"]))
        dense = np.zeros((256, 256), dtype=np.float32)
        dense[columns["pre"], columns["post"]] = columns["weight"]
        np.testing.assert_array_equal(matrix.toarray(), dense)


def test_rates_are_those_of_the_simulation(run, simulated):
    rates = run.rates("target")
    np.testing.assert_array_equal(rates, simulated["rates"])
    assert (rates.dims, rates.attrs["units"], rates["time"].attrs["units"]) == (("time",), "Hz", "ms")
    assert rates["time"].values.tolist() == [0, 100, 200]


def test_what_the_run_is(run):
    assert run.summary["digest"] == digest_of_run(run.path)
    assert run.configuration["populations"]["target"]["record_spikes"] is True
    assert set(run.times_ms) >= {0, 100, 200, 300}
    assert run.times_ms == [checkpoint.step / 10 for checkpoint in committed(run.path)]
    assert repr(run) == f"open_run({str(run.path)!r})"


def test_xarray_opens_each_checkpoint_and_all_records(run):
    for checkpoint in committed(run.path):
        with xr.open_datatree(
            ZipStore(checkpoint.network_path, mode="r"), engine="zarr", consolidated=False
        ) as tree:  # fmt: skip
            xr.testing.assert_identical(run.tree(at_ms=checkpoint.step / 10), tree.load())
    parts = [path for name in committed(run.path)[-1].manifest()["segments"] for path in
             sorted((run.path / "records" / name).glob("*.zarr"))]  # fmt: skip
    n = 0
    for part in parts:
        with xr.open_datatree(ZipStore(part, mode="r"), engine="zarr", consolidated=False) as tree:
            assert tree.attrs == {"dt_ms": 0.1}
            assert tree["spikes/target"].attrs["columns"] == ["step", "neuron"]
            assert tree["events/ff"].attrs["reasons"] == ["weak", "other"]
            n += tree["spikes/target"].sizes["target_spikes"]
    assert n == len(run.spikes("target"))


def test_a_tree_reads_when_it_is_asked(runs, simulated):
    run = open_run(runs / "4 ranks")
    weight = run.tree(at_ms=100)["projections/ff/synapse/weight"]
    assert dask.is_dask_collection(weight.data)
    expected = simulated[100]["synapses"]["ff"]["weight"].astype(float)
    assert float(weight.sum()) == pytest.approx(expected.sum(), rel=1e-6)
    assert int(run.tree(at_ms=100)["projections/ff/in_degree"].sum()) == len(expected)


def test_a_raster_shows_every_spike(runs, tmp_path):
    run = open_run(runs / "2 ranks")
    figure = run.raster("source", from_ms=100, to_ms=200)
    (axes,) = figure.axes
    time, neuron = axes.lines[0].get_data()
    expected = run.spikes("source", from_ms=100, to_ms=200)
    assert (list(time), list(neuron)) == (expected["time_ms"].tolist(), expected["neuron"].tolist())
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("model time (ms)", "neuron of source")
    assert axes.get_xlim() == (100, 200)
    assert run.raster("source").axes[0].get_xlim() == (0, 300)
    run.raster("target", to_ms=0, neurons=[1]).savefig(tmp_path / "empty.png")
    figure.savefig(tmp_path / "raster.png")


def test_a_raster_of_very_many_spikes_counts_them():
    random, n = np.random.default_rng(1), MOST_POINTS + 1
    time, neuron = random.uniform(0, 50, n), random.integers(3, 7, n).astype(np.int32)
    axes, _ = raster_figure("cells", time, neuron, (0.0, 50.0)).axes
    assert not axes.lines
    (image,) = axes.collections
    assert float(image.get_array().sum()) == n
    assert image.get_array().shape[0] == 4, "a row a neuron"


def test_an_analysis_is_there_once_it_was_made(one):
    run = open_run(one)
    with pytest.raises(StorageError) as error:
        _ = run.analysis
    assert str(error.value) == f"{one}: was not analysed yet (there is no analysis.zarr); hpcsnn analyze does it"
    succeeds("analyze", one)
    tree = run.analysis
    assert tree["ff"].sizes["time"] == 4
    assert int(tree["ff"]["synapses"][-1]) == run.summary["projections"]["ff"]["synapses"]
    by_xarray = xr.open_datatree(one / "analysis.zarr", engine="zarr", consolidated=False)
    xr.testing.assert_identical(tree["ff"].to_dataset(), by_xarray["ff"].to_dataset())
    for path in ("ff/time", "ff/step", "ff/degree_in", "ff/dx", "ff/distance", "ff/sigma_aff", "_populations/rate"):
        assert tree[path].attrs["units"], path
        assert tree[path].attrs["long_name"], path


def test_a_run_that_goes_on_is_read_up_to_its_newest_checkpoint(hpcsnn, tmp_path, simulated):
    run = tmp_path / "run"
    words = ["run", "topomap", *SET, "--out", run]
    assert hpcsnn(*words, folder=run, last=("os.rename checkpoints/0000002000.json", 1)).code == -9
    opened = open_run(run)
    assert opened.times_ms == [0, 100]
    steps, ids = simulated["spikes"]["source"]
    np.testing.assert_array_equal(opened.spikes("source")["neuron"], ids[steps < 1000])
    assert opened.raster("source").axes[0].get_xlim() == (0, 100)
    with pytest.raises(StorageError, match=as_pattern(f"{run}: an unfinished run (there is no summary.json)")):
        _ = opened.summary
    assert opened.synapses("ff").equals(pd.DataFrame(simulated[100]["synapses"]["ff"]))


def test_before_the_first_checkpoint_there_is_nothing_to_read(one):
    shutil.rmtree(one / "checkpoints")
    run = open_run(one)
    assert run.times_ms == []
    for read in (run.rates, run.spikes, run.neurons, run.raster):
        with pytest.raises(StorageError) as error:
            read("target")
        said = "no checkpoint yet, and so nothing to read; one is written at the end, and before that with"
        assert str(error.value) == f"{one}: {said} --checkpoint-every"


def test_nothing_of_the_run_is_executed(tmp_path):
    """A rule of the user's, whose file is another one now."""
    (tmp_path / "mine.py").write_text(
        "from hpcsnn.models import UNIFORM, RewiringRule\n"
        "MINE = RewiringRule('mine', 'a rule', select=UNIFORM, eliminate='0.5f', form='0.5f',\n"
        "    reason='1', reasons=('worn', 'lost'))\n"
    )
    rule = f"projections.ff.rewiring={{{tmp_path}/mine.py:MINE: {{every_ms: 1, attempts: 50}}}}"
    done = ["run", "topomap", "--set", "duration_ms=20", "--set", rule, *RECORD, *PLAIN, "--out", tmp_path / "run"]
    succeeds(*done)
    for file in (tmp_path / "mine.py", *(tmp_path / "run" / "models").glob("*.py")):
        file.write_text("raise SystemExit('executed')\n")
    run = open_run(tmp_path / "run")
    assert set(run.events("ff")["reason"]) == {"", "lost"}
    assert len(run.synapses("ff")) == run.summary["projections"]["ff"]["synapses"]
    assert run.neurons("target").sizes == {"neuron": 256}
    assert "mine" in str(run.configuration["projections"]["ff"]["rewiring"])
    (part,) = (tmp_path / "run" / "records").glob("*/rank_0.zarr")
    about = unpack(part) / "events" / "ff" / "zarr.json"
    about.write_text(json.dumps(json.loads(about.read_text()) | {"attributes": {}}))
    assert set(run.events("ff")["reason"]) == {"", "reason 2"}, "as versions before, which did not say them"


WRONG = [
    (
        lambda run: run.spikes("targets"),
        "population: unknown name 'targets'; allowed: source, target. Did you mean 'target'?",
    ),
    (lambda run: run.rates("ff"), "population: unknown name 'ff'; allowed: source, target."),
    (lambda run: run.neurons(3), "population: unknown name 3; allowed: source, target."),
    (lambda run: run.synapses("target"), "projection: unknown name 'target'; allowed: ff, lat."),
    (lambda run: run.events("f"), "projection: unknown name 'f'; allowed: ff, lat. Did you mean 'ff'?"),
    (lambda run: run.synapses("ff", format="numpy"), "format: unknown name 'numpy'; allowed: pandas, scipy."),
    (lambda run: run.spikes("target", from_ms=-1), "from_ms: -1 is not allowed; must be a number in ms >= 0"),
    (lambda run: run.spikes("target", from_ms="0s"), "from_ms: '0s' is not allowed; must be a number in ms >= 0"),
    (lambda run: run.spikes("target", 20, 10), "to_ms: 10 is not allowed; must be a number in ms >= 20"),
    (
        lambda run: run.raster("target", to_ms=None, from_ms=None),
        "from_ms: None is not allowed; must be a number in ms >= 0",
    ),
    (
        lambda run: run.spikes("target", neurons=[1, 256]),
        "neurons: 256 of entry 1 is not allowed; must be a whole number >= 0 and <= 255",
    ),
    (
        lambda run: run.spikes("target", neurons=7),
        "neurons: 7 is not allowed; must be a list of whole numbers, one per entry",
    ),
    (lambda run: run.tree(at_ms="end"), "at_ms: 'end' is not allowed; must be a number in ms >= 0"),
    (
        lambda run: run.neurons("target", at_ms=99.9),
        "at_ms: 99.9 is not allowed; must be the time of a stored checkpoint, one of 0, 100, 200, 300",
    ),
    (
        lambda run: run.synapses("ff", at_ms=1e300),
        "at_ms: 1e+300 is not allowed; must be the time of a stored checkpoint, one of 0, 100, 200, 300",
    ),
]


@pytest.mark.parametrize(("asked", "message"), WRONG, ids=[message[:40] for _, message in WRONG])
def test_what_is_not_there_is_refused_by_name_and_what_is_allowed(runs, asked, message):
    with pytest.raises(ConfigurationError, match=f"^{as_pattern(message)}$"):
        asked(open_run(runs / "2 ranks"))


def test_what_was_not_recorded_says_how_to_record_it(theirs):
    run = open_run(theirs)
    assert len(run.events("ff")) > 0
    for read, name, kind, key in (
        (run.spikes, "target", "populations", "record_spikes"),
        (run.raster, "target", "populations", "record_spikes"),
        (run.events, "lat", "projections", "record_events"),
        (run.recorded, "source", "populations", "record"),
        (run.recorded_synapses, "lat", "projections", "record"),
    ):
        with pytest.raises(StorageError) as error:
            read(name)
        what = "variables" if key == "record" else key.removeprefix("record_")
        said = f"{what} of {name} were not recorded; set {kind}.{name}.{key}, and run it again"
        assert str(error.value) == f"{theirs}: {said}"


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("config.yaml", lambda run: run.configuration),
        ("summary.json", lambda run: run.summary),
        ("checkpoints", lambda run: run.times_ms),
        ("checkpoints/0000003000.json", lambda run: run.spikes("target")),
        ("checkpoints/0000003000.zarr", lambda run: run.neurons("target")),
        ("records", lambda run: run.spikes("target")),
        ("records/0000001000-0000002000", lambda run: run.spikes("target")),
        ("records/0000001000-0000002000/rank_1.zarr", lambda run: run.events("ff")),
        ("analysis.zarr", lambda run: run.analysis),
    ],
)
def test_no_link_is_followed(one, tmp_path, name, read):
    theirs = tmp_path / "theirs"
    if (one / name).exists():
        (one / name).rename(theirs)
    else:
        theirs.mkdir()
    (one / name).symlink_to(theirs)
    said = f"{one / name}: is a link to {str(theirs)!r}, and hpcsnn reads nothing beyond a link; put in its place what "
    with pytest.raises(StorageError, match=f"^{as_pattern(said)}"):
        read(open_run(one))


def test_damage_is_told_by_file(one):
    part = one / "records" / "0000001000-0000002000" / "rank_1.zarr"
    part.write_bytes(part.read_bytes()[:100])
    run = open_run(one)
    with pytest.raises(StorageError, match=f"^{part}: no records here"):
        run.spikes("target")
    assert len(run.spikes("target", to_ms=100)) == len(run.spikes("target", from_ms=0, to_ms=99.95)), "not looked at"
    newest = committed(one)[-1]
    manifest = json.loads(newest.manifest_path.read_text())
    newest.manifest_path.write_text(json.dumps({**manifest, "segments": []}))
    with pytest.raises(StorageError, match=as_pattern(f"{newest.manifest_path}: damaged manifest (its checksum does")):
        run.spikes("target")


@pytest.mark.parametrize(
    ("key", "value"),
    [("segments", ["../../elsewhere"]), ("segments", [3]), ("configuration", None), ("configuration", {"dt_ms": "0"})],
)
def test_a_manifest_that_hpcsnn_never_wrote_is_damage(one, key, value):
    newest = committed(one)[-1]
    body = {**json.loads(newest.manifest_path.read_text()), key: value}
    del body["crc32c"]
    newest.manifest_path.write_text(json.dumps({**body, "crc32c": checksum_of(body)}))
    with pytest.raises(StorageError, match=r"damaged manifest \(no configuration|elsewhere: is no name of a segment"):
        open_run(one).spikes("target")
