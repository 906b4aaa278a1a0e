"""What is stored, opened by xarray as its users do: every array, with the values that hpcsnn reads, in one tree."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from zarr.storage import ZipStore

from hpcsnn import Grid, Network, Simulation, StorageError, models
from hpcsnn.analysis.displacement import displacement_map, write_displacement
from hpcsnn.devices.host import HostDevice
from hpcsnn.runs.scripted.saving import write_network
from hpcsnn.storage.network_store import StoredNetwork
from hpcsnn.storage.network_tree import network_tree, neurons_of
from support.networks import everything, newer_models, topographic_map
from support.unpacked import unpack


def called_like_dimensions():
    """Variables of every kind that have names of dimensions."""
    network = Network(seed=4)
    state = tuple(models.Variable(name, 0.5, "mV") for name in ("x", "y", "bin"))
    cells = replace(models.LIF, name="odd_cells", state=(*models.LIF.state, *state))
    synapse = replace(
        models.AdditiveSTDP,
        name="odd_synapse",
        variables=(*models.AdditiveSTDP.variables, models.Variable("shard", 0.25), models.Variable("place", 0.75)),
    )
    network.add_population("x", Grid(8, 4), models.Poisson(rate_hz=50))
    network.add_population("column", Grid(4, 8), cells())
    network.add_projection(
        "target_y", "x", "column", models.FixedProbability(p=0.3), models.ExponentialCurrent(), 0.1, synapse()
    )
    return network


@pytest.fixture(
    params=[everything, newer_models, topographic_map, called_like_dimensions], ids=lambda one: one.__name__
)
def stored(request, tmp_path):
    simulation = Simulation(request.param(), device=HostDevice(("-O0",)))
    simulation.run(10)
    write_network(tmp_path / "network.zarr", simulation)
    return StoredNetwork(tmp_path / "network.zarr")


def opened(path):
    return xr.open_datatree(ZipStore(path, mode="r"), engine="zarr", consolidated=False)


def test_a_checkpoint_is_a_tree_of_all_its_arrays(stored):
    tree = opened(stored.path)
    assert tree.attrs["step"] == stored.step == 100
    n = 0
    for folder in stored.folders():
        for name in stored.names(folder):
            path, n = f"{folder}/{name}", n + 1
            variable = tree[folder].to_dataset()[name]
            assert variable.attrs["long_name"], path
            assert variable.dtype == stored.array(path).dtype, "decoding changes nothing"
            np.testing.assert_array_equal(variable.to_numpy(), stored.array(path))
    assert n > 10


def test_our_tree_is_that_of_xarray_and_reads_nothing_yet(stored):
    tree = network_tree(stored)
    xr.testing.assert_identical(tree, opened(stored.path))
    assert all(variable.chunks is not None for node in tree.subtree for variable in node.data_vars.values())


def test_a_folder_as_versions_before_wrote_it_is_the_same_tree_but_for_what_it_does_not_say(stored):
    newer = network_tree(stored).load()
    folder = unpack(stored.path)
    for file in folder.rglob("zarr.json"):
        about = json.loads(file.read_text())
        if about["node_type"] == "array":
            del about["dimension_names"]
            file.write_text(json.dumps(about | {"attributes": {}}))
    xr.testing.assert_equal(network_tree(StoredNetwork(folder)), newer)


def test_neurons_have_places_and_units(stored):
    for population in stored.populations:
        grid, found = stored.grid(population), neurons_of(stored, population)
        columns = stored.neurons(population)
        (neuron,) = found.dims
        np.testing.assert_array_equal(found[neuron], columns.pop("id"))
        assert set(found.data_vars) == set(columns)
        for name, values in columns.items():
            np.testing.assert_array_equal(found[name], values)
        y, x = (found[next(name for name in (f"{axis}_", axis) if name in found.coords)] for axis in "yx")
        np.testing.assert_array_equal(y * grid.nx + x, found[neuron])
        if "V_mV" in columns:
            assert found["V_mV"].attrs["units"] == "mV"


def test_damage_is_told_when_an_array_is_read(stored):
    folder = unpack(stored.path)
    path = next(one for one in sorted(folder.rglob("c/0/0")) if "state" in one.parts)
    path.write_bytes(path.read_bytes()[:-1] + b"\0\0")
    tree = network_tree(StoredNetwork(folder))
    array = tree[path.relative_to(folder).parent.parent.parent.as_posix()]
    with pytest.raises(StorageError, match=f"^{path.parent.parent.parent}: cannot be read: "):
        array.compute()


def test_maps_by_displacement_have_their_axes(tmp_path):
    simulation = Simulation(topographic_map(), device=HostDevice(("-O0",)))
    displacement = displacement_map(simulation, "ff")
    for when in ("start", "end"):
        write_displacement(tmp_path / "displacement.zarr", "ff", when, displacement)
    tree = xr.open_datatree(tmp_path / "displacement.zarr", engine="zarr", consolidated=False)
    end = tree["ff/end"].to_dataset()
    count = end["count"].assign_coords({axis: end.attrs[axis] for axis in ("dx", "dy")})
    expected = displacement.count[displacement.dy == -2, displacement.dx == 3]
    assert count.sel(dx=3, dy=-2).item() == expected.item()
    assert count.attrs["long_name"] == "count of synapses by displacement (post - pre)"
