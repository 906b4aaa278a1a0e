"""What a training has learnt, on disk: read as it was written, and by xarray as one tree."""

from __future__ import annotations

import numpy as np
import xarray as xr
from zarr.storage import ZipStore

from hpcsnn.training.learnt import Learnt

FLOAT = np.float32


def learnt():
    """Everything that there can be, in sizes that differ, with a variable that has a dimension's name."""
    chance = np.random.default_rng(5)
    ends = {"pre": np.array([0, 2, 1], np.int32), "post": np.array([0, 0, 1], np.int32)}
    synapses = {
        "one": {**ends, "weight": chance.random(3, FLOAT), "synapse": chance.random(3, FLOAT)},
        "other": {name: values[:2] for name, values in ends.items()} | {"weight": chance.random(2, FLOAT)},
    }
    return Learnt(
        7,
        synapses,
        {"bias": chance.random(4, FLOAT), "bias_velocity": chance.random(4, FLOAT)},
        {"hidden": {"feedback": chance.random((5, 4), FLOAT), "feedback_velocity": chance.random((5, 4), FLOAT)}},
        {"hidden.ring": chance.integers(0, 9, (2, 3, 5)), "hidden.state_V": chance.random((2, 1, 5), FLOAT)},
    )


def test_it_is_read_as_it_was_written(tmp_path):
    learnt().write(tmp_path / "group.zarr.zip")
    found = Learnt.read(tmp_path / "group.zarr.zip")
    assert found.batches == 7
    np.testing.assert_equal(vars(found), vars(learnt()))


def test_xarray_opens_it_as_one_tree(tmp_path):
    learnt().write(tmp_path / "group.zarr.zip")
    store = ZipStore(tmp_path / "group.zarr.zip", mode="r")
    tree = xr.open_datatree(store, engine="zarr", consolidated=False)
    assert tree.attrs["batches_done"] == 7
    parts = {"readout": learnt().readout, "carried": learnt().carried, "feedback/hidden": learnt().feedback["hidden"]}
    parts |= {f"projections/{name}": columns for name, columns in learnt().synapses.items()}
    for path, columns in parts.items():
        dataset = tree[path].to_dataset()
        assert set(dataset.data_vars) == set(columns), path
        for name, values in columns.items():
            np.testing.assert_array_equal(dataset[name], values)
            assert dataset[name].attrs["long_name"]
    assert tree["projections/other"]["pre"].attrs["long_name"] == "source neuron"
    assert tree["projections/other"]["weight"].dims == ("synapse",)
    assert tree["feedback/hidden"]["feedback"].dims == ("neuron", "output")
