"""Where neurons of a run are on their grid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hpcsnn.storage.descriptions import free_name

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray


def places_of(neurons: xr.Dataset) -> tuple[NDArray[Any], NDArray[Any]]:
    """x and y of each, of what `OpenedRun.neurons` gives; neurons without a grid are in one row."""
    x, y = (neurons[free_name(axis, [str(name) for name in neurons.data_vars])].to_numpy() for axis in "xy")
    return x, y
