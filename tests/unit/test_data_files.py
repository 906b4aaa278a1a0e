"""Lists of models that a configuration has in files: what is read of them, and what is refused."""

from __future__ import annotations

import re
import sys

import h5py
import numpy as np
import pytest

from hpcsnn import ConfigurationError
from hpcsnn.configuration.changes import is_changeable
from hpcsnn.configuration.files import parse_configuration

SPIKES = np.array([(3, 10.5), (0, 2.0), (3, 40.0)], dtype=[("neuron", "i4"), ("time_ms", "f8")])


def read(folder, values, model="spike_array"):
    """The model of a population that is given so."""
    raw = {"duration_ms": 50, "populations": {"given": {"size": 4, "model": {model: values}}}}
    return parse_configuration(raw, folder)


def given(configuration):
    return configuration.network().populations["given"].model.values


def by_names(path):
    np.save(path, SPIKES)


def by_order(path):
    np.save(path, np.array([[3, 10.5], [0, 2], [3, 40]]))


def by_header(path):
    path.write_text("time_ms, weight, neurons\n10.5,1,3\n2,1,0\n40,1,3\n")


def without_header(path):
    path.write_text("3,10.5\n0,2\n3,40\n")


@pytest.mark.parametrize(
    ("name", "write"),
    [("a.npy", by_names), ("b.npy", by_order), ("c.csv", by_header), ("d.csv", without_header)],
)
def test_spikes_are_read_by_names_or_in_the_order_of_the_lists(tmp_path, name, write):
    (tmp_path / "sub").mkdir()
    write(tmp_path / "sub" / name)
    configuration = read(tmp_path, {"from_file": f"sub/{name}"})
    values = given(configuration)
    assert values["neurons"].tolist() == [3, 0, 3]
    assert values["times_ms"].tolist() == [10.5, 2.0, 40.0]
    (model,) = configuration.resolved()["populations"]["given"]["model"].values()
    assert set(model) == {"from_file", "sha256"}, "the file stays one"
    assert model["from_file"] == str(tmp_path / "sub" / name)
    assert parse_configuration(configuration.resolved()).resolved() == configuration.resolved()


def test_parquet_is_read_where_pyarrow_is(tmp_path, monkeypatch):
    path = tmp_path / "spikes.parquet"
    path.write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConfigurationError, match=r"spikes\.parquet: needs the package pyarrow\S*: pip install pyarrow"):
        read(tmp_path, {"from_file": "spikes.parquet"})
    monkeypatch.undo()
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs pyarrow")
    parquet.write_table(sys.modules["pyarrow"].table({name: SPIKES[name] for name in SPIKES.dtype.names}), path)
    assert given(read(tmp_path, {"from_file": "spikes.parquet"}))["neurons"].tolist() == [3, 0, 3]


def sonata(path, units=b"ms", **populations):
    """A file with the spikes of `SPIKES`, and whatever else is said, below /spikes."""
    with h5py.File(path, "w") as file:
        for name, change in populations.items():
            group = file.create_group(f"spikes/{name}")
            group["node_ids"], group["timestamps"] = SPIKES["neuron"].astype(np.uint64), SPIKES["time_ms"]
            group["timestamps"].attrs["units"] = units
            if change:
                change(group)


def test_spikes_of_sonata_are_read_by_population(tmp_path):
    sonata(tmp_path / "one.h5", retina=None)
    sonata(tmp_path / "two.h5", retina=lambda group: group["node_ids"].write_direct(np.zeros(3, "u8")), lgn=None)
    for name in ("one.h5", "one.h5:retina", "two.h5:lgn"):
        configuration = read(tmp_path, {"from_file": name})
        assert given(configuration)["neurons"].tolist() == [3, 0, 3]
        assert given(configuration)["times_ms"].tolist() == [10.5, 2.0, 40.0]
        assert parse_configuration(configuration.resolved()).resolved() == configuration.resolved()
    assert given(read(tmp_path, {"from_file": "two.h5:retina"}))["neurons"].tolist() == [0, 0, 0]


def elsewhere(group):
    del group["node_ids"]
    group["node_ids"] = h5py.ExternalLink("other.h5", "/spikes/retina/node_ids")


def as_text(group):
    del group["timestamps"]
    group["timestamps"] = [b"a", b"b"]


@pytest.mark.parametrize(
    ("name", "populations", "said"),
    [
        (
            "a.h5",
            {"retina": None, "lgn": None},
            r"has spikes of 'lgn', 'retina'; name one behind a colon, as in spikes",
        ),
        ("a.h5:v1", {"retina": None}, "has no group 'v1' in '/spikes' of its own"),
        ("a.h5", {}, "has no group 'spikes' in '/' of its own"),
        ("a.h5", {"retina": None, "units": "s"}, "has timestamps in 's'; must be in ms"),
        ("a.h5", {"retina": elsewhere}, "has no dataset 'node_ids' in '/spikes/retina' of its own"),
        ("a.h5", {"retina": as_text}, "has '/spikes/retina/timestamps', which is no list of numbers in this file"),
    ],
)
def test_a_file_of_sonata_that_cannot_be_read_says_why(tmp_path, name, populations, said):
    sonata(tmp_path / "a.h5", **populations)
    with pytest.raises(ConfigurationError, match=rf"a\.h5\S*: cannot be read: {said}"):
        read(tmp_path, {"from_file": name})


def test_what_is_no_hdf5_is_refused_and_h5py_is_asked_for(tmp_path, monkeypatch):
    (tmp_path / "a.h5").write_text("neuron,time_ms\n")
    with pytest.raises(ConfigurationError, match=r"a\.h5: cannot be read: "):
        read(tmp_path, {"from_file": "a.h5"})
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ConfigurationError, match=r"a\.h5: needs the package h5py: pip install h5py"):
        read(tmp_path, {"from_file": "a.h5"})


def test_rates_are_of_all_neurons_or_of_each(tmp_path):
    path = tmp_path / "rates.csv"
    path.write_text("time_ms,rate_hz\n0,100\n50,7\n")
    assert given(read(tmp_path, {"from_file": "rates.csv"}, "inhomogeneous_poisson"))["rates_hz"].tolist() == [100, 7]
    path.write_text("time_ms,first,second,third,fourth\n0,100,0,0,0\n50,0,300,0,10\n")
    each = given(read(tmp_path, {"from_file": "rates.csv"}, "inhomogeneous_poisson"))
    assert each["times_ms"].tolist() == [0, 50]
    assert each["rates_hz"].tolist() == [[100, 0, 0, 0], [0, 300, 0, 10]]


def test_a_run_keeps_to_the_file_that_it_began_with(tmp_path):
    by_names(tmp_path / "spikes.npy")
    began = read(tmp_path, {"from_file": "spikes.npy"}).resolved()
    np.save(tmp_path / "spikes.npy", SPIKES[:2])
    with pytest.raises(ConfigurationError, match="is another file than the one that the run began with"):
        parse_configuration(began)
    assert not is_changeable("populations.given.model.from_file")
    assert is_changeable("populations.given.model.rate_hz")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"from_file": 3}, "from_file: 3 is not allowed; must be the name of a file"),
        ({"from_file": "none.npy"}, "none.npy: no such file"),
        (
            {"from_file": "spikes.txt"},
            "spikes.txt: is not allowed; must be a file that ends in .npy, .csv, .parquet, .h5",
        ),
        ({"from_file": "spikes.npy", "neurons": [1]}, "spike_array.neurons: not allowed beside from_file; give one"),
        ({"from_file": "other.npy"}, "other.npy: lacks a column 'neurons' or 'neuron'; there are 'id', 'time_ms'"),
        ({"from_file": "narrow.npy"}, "narrow.npy: lacks a column 'times_ms' or 'time_ms'; it has 1"),
        ({"from_file": "cube.npy"}, "cube.npy: cannot be read: has shape (2, 2, 2); must be a table"),
        ({"from_file": "pickled.npy"}, "pickled.npy: cannot be read: Object arrays cannot be loaded"),
        ({"from_file": "folder.npy"}, "folder.npy: cannot be read: it is no file"),
        ({"from_file": "cut.npy"}, "cut.npy: cannot be read: EOF"),
        ({"from_file": "empty.csv"}, "empty.csv: cannot be read: No columns to parse"),
        ({"from_file": "words.csv"}, "spike_array.neurons: 'a' of spike 0 is not allowed"),
        ({"sha256": "1"}, "unknown name 'sha256'"),
    ],
    ids=str,
)
def test_what_is_no_file_of_lists_is_refused(tmp_path, values, said):
    by_names(tmp_path / "spikes.npy")
    np.save(tmp_path / "other.npy", np.zeros(2, [("id", "i4"), ("time_ms", "f8")]))
    np.save(tmp_path / "narrow.npy", np.zeros((3, 1)))
    np.save(tmp_path / "cube.npy", np.zeros((2, 2, 2)))
    np.save(tmp_path / "pickled.npy", np.array([None]), allow_pickle=True)
    (tmp_path / "cut.npy").write_bytes((tmp_path / "spikes.npy").read_bytes()[:5])
    (tmp_path / "folder.npy").mkdir()
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "words.csv").write_text("neuron,time_ms\na,1\n")
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        read(tmp_path, values)
