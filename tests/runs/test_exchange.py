"""What a run has left as others read it: by Neo itself, by libsonata itself, and back as spikes of a new run."""

from __future__ import annotations

import json
import shutil
import sys

import numpy as np
import pytest

from hpcsnn import ConfigurationError, StorageError, open_run
from hpcsnn.configuration.files import parse_configuration
from hpcsnn.runs.experiment import Setting, run_experiment
from support.messages import as_pattern

SETTING = Setting(device="cpu", figures=False)
GRID = {"grid": [3, 2]}
RAW = {
    "description": "small",
    "seed": 3,
    "scale": 2,
    "duration_ms": 60,
    "checkpoint_every": "30ms",
    "checkpoint_keep": 9,
    "populations": {
        "noise": {"size": 24, "model": {"poisson": {"rate_hz": 120}}, "record_spikes": True},
        "cells": {
            **GRID,
            "model": "lif",
            "record_spikes": True,
            "record": {"V_mV": {"every_ms": 0.5, "neurons": [3, "7..9"]}, "drive.g": {"every_ms": 2}},
        },
        "silent": {
            **GRID,
            "model": "izhikevich",
            "record": {"spikes": {"neurons": {"rectangle": [4, 0, 6, 2]}}, "u": {"every_ms": 10, "average": True}},
        },
    },
    "projections": {
        "drive": {
            "source": "noise",
            "target": "cells",
            "connector": {"fixed_in_degree": {"in_degree": 9}},
            "receptor": "exponential_conductance",
            "synapse": {"additive_stdp": {"w_max": 0.8}},
            "weight": {"uniform": {"low": 0.4, "high": 0.8}},
            "delay_ms": {"uniform": {"low": 0.5, "high": 2}},
        },
        "among": {
            "source": "cells",
            "target": "cells",
            "connector": {"gaussian": {"p_max": 1, "sigma": 1}},
            "receptor": "exponential_conductance",
            "synapse": "additive_stdp",
            "weight": 0.05,
            "delay_ms": 0.3,
            "dendritic_delay_ms": 0.4,
        },
    },
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = tmp_path_factory.mktemp("exchange") / "run"
    run_experiment(parse_configuration(RAW), path, SETTING)
    return open_run(path)


@pytest.fixture(scope="module")
def written(run, tmp_path_factory):
    pytest.importorskip("h5py", reason="needs h5py")
    folder = tmp_path_factory.mktemp("written") / "sonata"
    paths = run.to_sonata(folder)
    assert sorted(paths) == sorted(folder.iterdir())
    return folder


def test_neo_has_all_that_was_recorded(run):
    neo = pytest.importorskip("neo", reason="needs neo")
    pq = pytest.importorskip("quantities", reason="needs neo")
    block = run.to_neo()
    assert isinstance(block, neo.Block)
    (segment,) = block.segments
    assert (block.name, block.description) == ("run", "small")
    assert [group.name for group in block.groups] == ["noise", "cells", "silent"]
    for name, group in zip(("noise", "cells"), block.groups, strict=False):
        spikes = run.spikes(name)
        assert len(spikes) > 20
        assert [train.annotations["neuron"] for train in group.spiketrains] == list(range(24))
        for neuron, train in enumerate(group.spiketrains):
            assert train.units == pq.ms
            assert (train.t_start, train.t_stop) == (0 * pq.ms, 60 * pq.ms)
            assert train.annotations["population"] == name
            np.testing.assert_array_equal(train.magnitude, spikes.time_ms[spikes.neuron == neuron])
    potential, conductance, averages = segment.analogsignals
    recorded = run.recorded("cells")["V_mV"]
    assert potential.units == pq.mV
    assert potential.name == "cells V_mV"
    assert potential.sampling_period.rescale("ms").magnitude == pytest.approx(0.5)
    assert potential.array_annotations["neuron"].tolist() == [3, 7, 8, 9]
    np.testing.assert_array_equal(potential.magnitude, recorded.values)
    np.testing.assert_allclose(potential.times.rescale("ms").magnitude, recorded["time"].values)
    assert conductance.shape == (30, 24)
    assert [train.annotations["neuron"] for train in block.groups[2].spiketrains] == [4, 5, 10, 11]
    assert averages.array_annotations["statistic"].tolist() == ["mean", "min", "max"]


def test_neo_has_what_is_asked_for_of_it(run):
    neo = pytest.importorskip("neo", reason="needs neo")
    (segment,) = run.to_neo(from_ms=20, to_ms=40).segments
    assert {(float(train.t_start), float(train.t_stop)) for train in segment.spiketrains} == {(20, 40)}
    n_spikes = sum(len(train) for train in segment.spiketrains)
    assert n_spikes == sum(len(run.spikes(name, 20, 40)) for name in ("noise", "cells", "silent")) > 0
    potential = segment.analogsignals[0]
    assert (float(potential.times[0]), float(potential.times[-1])) == pytest.approx((20, 40))
    (one,) = run.to_neo(from_ms=0.6, to_ms=1.2).segments
    assert isinstance(one.irregularlysampledsignals[0], neo.IrregularlySampledSignal), "of one time there is no period"
    with pytest.raises(ConfigurationError, match=r"^to_ms: 1 is not allowed"):
        run.to_neo(from_ms=2, to_ms=1)


@pytest.mark.parametrize(("package", "call"), [("neo", "to_neo"), ("h5py", "to_sonata")])
def test_without_a_package_the_command_that_installs_it_is_named(run, package, call, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, package, None)
    message = f"{call}: needs the package {package}: pip install 'hpcsnn[interop]', or pip install {package}"
    with pytest.raises(ConfigurationError, match=f"^{as_pattern(message)}$"):
        getattr(run, call)(*([tmp_path] if call == "to_sonata" else []))


def test_sonata_is_laid_out_as_published(run, written):
    import h5py

    for name in ("nodes", "edges", "spikes"):
        with h5py.File(written / f"{name}.h5") as file:
            assert file.attrs["magic"] == 0x0A7A
            assert file.attrs["version"].tolist() == [0, 1]
    with h5py.File(written / "spikes.h5") as file:
        assert set(file["spikes"]) == {"noise", "cells", "silent"}
        cells, spikes = file["spikes/cells"], run.spikes("cells")
        np.testing.assert_array_equal(cells["timestamps"], spikes["time_ms"])
        np.testing.assert_array_equal(cells["node_ids"], spikes["neuron"])
        assert cells["timestamps"].attrs["units"] == "ms"
        assert h5py.check_enum_dtype(cells.attrs.get_id("sorting").dtype)["by_time"] == cells.attrs["sorting"]
    with h5py.File(written / "edges.h5") as file:
        drive, table = file["edges/drive"], run.synapses("drive")
        assert drive["source_node_id"].attrs["node_population"] == "noise"
        assert drive["target_node_id"].attrs["node_population"] == "cells"
        np.testing.assert_array_equal(drive["source_node_id"], table["pre"])
        np.testing.assert_array_equal(drive["0/syn_weight"], table["weight"])
        np.testing.assert_allclose(drive["0/delay"], table["delay_steps"] * 0.1)
        assert len(set(drive["0/delay"][:])) > 5
        np.testing.assert_allclose(file["edges/among/0/delay"], 0.7)
        for end, ids in (("source", "pre"), ("target", "post")):
            other = "target" if end == "source" else "source"
            index = drive[f"indices/{end}_to_{other}"]
            for node, (first, last) in enumerate(index["node_id_to_ranges"][:]):
                of = np.concatenate([np.arange(*edges) for edges in index["range_to_edge_id"][first:last]] or [[]])
                np.testing.assert_array_equal(np.sort(of), np.flatnonzero(table[ids] == node))
    types = (written / "edge_types.csv").read_text().splitlines()
    assert types[1] == "0 drive synapse hpcsnn:exponential_conductance"


def test_libsonata_reads_it(run, written):
    libsonata = pytest.importorskip("libsonata", reason="needs libsonata")
    circuit = libsonata.CircuitConfig.from_file(str(written / "circuit_config.json"))
    assert circuit.node_populations == {"noise", "cells", "silent"}
    assert circuit.edge_populations == {"drive", "among"}
    cells = circuit.node_population("cells")
    assert cells.size == 24
    assert cells.get_attribute("x", libsonata.Selection([0, 4])).tolist() == [0, 4]
    assert circuit.node_population("noise").attribute_names == set(), "neurons that have no places"
    for name in ("drive", "among"):
        edges, table = circuit.edge_population(name), run.synapses(name)
        assert edges.size == len(table) > 50
        assert (edges.source, edges.target) == (RAW["projections"][name]["source"], "cells")
        assert set(edges.attribute_names) >= {"syn_weight", "delay"}
        for node in (0, 11, 23):
            for found, ids in ((edges.efferent_edges(node), "pre"), (edges.afferent_edges(node), "post")):
                np.testing.assert_array_equal(found.flatten(), np.flatnonzero(table[ids] == node))
        np.testing.assert_array_equal(edges.get_attribute("syn_weight", edges.select_all()), table["weight"])
    spikes = libsonata.SpikeReader(str(written / "spikes.h5"))["cells"]
    assert spikes.sorting == "by_time"
    assert spikes.get() == list(zip(run.spikes("cells")["neuron"], run.spikes("cells")["time_ms"], strict=True))


def test_libsonata_reads_what_was_recorded_as_soma_reports(run, written):
    libsonata = pytest.importorskip("libsonata", reason="needs libsonata")
    assert sorted(path.name for path in written.glob("report_*")) == ["report_V_mV.h5", "report_drive.g.h5"]
    for variable, unit, ids, every_ms in (
        ("V_mV", "mV", [3, 7, 8, 9], 0.5),
        ("drive.g", "conductance", list(range(24)), 2.0),
    ):
        reader = libsonata.SomaReportReader(str(written / f"report_{variable}.h5"))
        assert reader.get_population_names() == ["cells"]
        cells, recorded = reader["cells"], run.recorded("cells")[variable]
        assert (cells.data_units, cells.time_units, cells.sorted) == (unit, "ms", True)
        assert cells.times == pytest.approx((every_ms, 60 + every_ms, every_ms))
        assert cells.get_node_ids() == ids
        values = cells.get()
        assert values.ids.tolist() == ids
        np.testing.assert_allclose(values.times, recorded["time"].values)
        np.testing.assert_array_equal(values.data, recorded.values)
        assert len(values.times) == 60 / every_ms
    some = cells.get(node_ids=libsonata.Selection([4]), tstart=10.0, tstop=20.0)
    np.testing.assert_array_equal(some.data[:, 0], recorded.sel(neuron=4, time=slice(9.9, 20.1)))


def test_what_no_variable_is_called_is_no_file(run, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(run.path, copy, symlinks=True)
    text = (copy / "config.yaml").read_text()
    assert text.count("V_mV:") == 1
    (copy / "config.yaml").write_text(text.replace("V_mV:", "../../evil:"))
    with pytest.raises(StorageError, match=r"run: config.yaml has a record of '../../evil', which is no variable$"):
        open_run(copy).to_sonata(tmp_path / "written")
    assert not (tmp_path / "written").exists()


def test_spikes_of_a_file_are_those_of_a_new_run(run, written, tmp_path):
    """The stimulus that was recorded drives the same network to the same spikes, bit for bit."""
    played = json.loads(json.dumps(RAW))
    played["populations"]["noise"]["model"] = {"spike_array": {"from_file": f"{written / 'spikes.h5'}:noise"}}
    run_experiment(parse_configuration(played), tmp_path / "played", SETTING)
    again = open_run(tmp_path / "played")
    for name in ("noise", "cells"):
        assert again.spikes(name).equals(run.spikes(name))


def test_an_earlier_checkpoint_and_a_folder_that_is_there(run, written, tmp_path):
    import h5py

    run.to_sonata(tmp_path / "new", at_ms=30)
    with h5py.File(tmp_path / "new" / "edges.h5") as file:
        np.testing.assert_array_equal(file["edges/among/0/syn_weight"], run.synapses("among", at_ms=30)["weight"])
    with pytest.raises(StorageError, match=r"nodes\.h5: is there already; give another folder, or remove it$"):
        run.to_sonata(written)
    with pytest.raises(ConfigurationError, match=r"^folder: 3 is not allowed; must be the path of a folder to write$"):
        run.to_sonata(3)
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"file: cannot be written: .*File exists"):
        run.to_sonata(tmp_path / "file")
    with pytest.raises(ConfigurationError, match=r"^at_ms: 7 is not allowed; must be the time of a stored checkpoint"):
        run.to_sonata(tmp_path / "other", at_ms=7)
