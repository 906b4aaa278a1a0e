"""A stored network as xarray has it: the whole group as a DataTree, and a population's neurons as a Dataset."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from hpcsnn.errors import StorageError
from hpcsnn.storage.descriptions import dimensions_of, free_name
from hpcsnn.storage.network_store import StoredNetwork


class _Array:
    """A Zarr array whose faults are told by its path when it is read."""

    def __init__(self, stored: StoredNetwork, path: str) -> None:
        self._array = stored.opened(path)
        self._where = stored.path / path
        self.shape, self.dtype, self.ndim = self._array.shape, self._array.dtype, self._array.ndim

    def __getitem__(self, place: Any) -> NDArray[Any]:
        try:
            return np.asarray(self._array[place])
        except Exception as error:  # whatever a codec finds wrong
            raise StorageError(f"{self._where}: cannot be read: {error}") from error


def network_tree(stored: StoredNetwork) -> xr.DataTree:
    """All that is stored, as ``xarray.open_datatree`` gives it: arrays of Dask, a chunk a shard; nothing is read yet.

    Arrays of versions before get the names of dimensions that newer ones have.

    Raises:
        StorageError: the metadata of an array are damaged.
    """
    datasets: dict[str, xr.Dataset] = {"/": xr.Dataset(attrs=stored.attributes)}
    for folder in stored.folders():
        names = stored.names(folder)
        datasets[folder] = xr.Dataset({name: _variable(stored, f"{folder}/{name}", names) for name in names})
    return xr.DataTree.from_dict(datasets)


def _variable(stored: StoredNetwork, path: str, beside: list[str]) -> xr.Variable:
    try:
        array = stored.opened(path)
        dimensions = array.metadata.dimension_names or dimensions_of(path, beside)
        attributes, chunks = dict(array.attrs), array.shards or array.chunks
        values = da.from_array(_Array(stored, path), chunks, name=False, meta=np.empty((0,) * array.ndim, array.dtype))
        return xr.Variable(dimensions, values, attributes)
    except Exception as error:  # whatever Zarr makes of metadata that are none
        raise StorageError(f"{stored.path / path}: cannot be read: {error}") from error


def neurons_of(stored: StoredNetwork, population: str) -> xr.Dataset:
    """A population's neurons, read: variables over ``neuron`` (the id), with coordinates ``x`` and ``y`` (grid units).

    Names are those of `Simulation.neurons`; units are attributes, where they were stored.

    Raises:
        StorageError: something is missing or damaged.
    """
    grid, columns = stored.grid(population), stored.neurons(population)
    ids = columns.pop("id")
    paths = stored.columns_of_neurons(population)
    variables = {name: ("neuron", values, dict(stored.opened(paths[name]).attrs)) for name, values in columns.items()}
    coordinates: dict[str, Any] = {"neuron": ("neuron", ids, {"long_name": "id"})}
    for axis, place in zip("yx", np.divmod(ids, np.int32(grid.nx)), strict=True):
        about = {"units": "grid units", "long_name": f"place in {axis}"}
        # A variable may be called so; none is called `neuron`, which snippets see.
        coordinates[free_name(axis, columns)] = ("neuron", place, about)
    time_ms = stored.step * float(stored.attributes["dt_ms"])
    return xr.Dataset(variables, coordinates, {"population": population, "step": stored.step, "time_ms": time_ms})


def rates_of(stored: StoredNetwork, population: str) -> xr.DataArray:
    """A population's mean rate (Hz) in successive full bins, over ``time`` (ms), the start of each.

    Raises:
        StorageError: something is missing or damaged.
    """
    rates, bin_ms = stored.rates_hz(population)
    about = {"units": "ms", "long_name": "model time, start of the bin", "bin_ms": bin_ms}
    return xr.DataArray(
        rates,
        {"time": ("time", np.arange(len(rates)) * bin_ms, about)},
        dims="time",
        name="rate",
        attrs={"units": "Hz", "long_name": f"mean firing rate of {population}"},
    )
