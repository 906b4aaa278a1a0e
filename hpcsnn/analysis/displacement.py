"""Maps of synapses by displacement: how many there are, and how strong, from sources this far away in x and y."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from hpcsnn.analysis.topography import grid_displacement
from hpcsnn.engine.simulation import Simulation
from hpcsnn.errors import StorageError
from hpcsnn.network import Grid, Projection
from hpcsnn.network.places.lattice import Lattice
from hpcsnn.network.places.positions import FreeLattice

# Maps show at most this far in each direction.
_WINDOW = 16


@dataclass(frozen=True)
class DisplacementMap:
    """Synapses by displacement post - pre: counts and sums of weights, both of shape (len(dy), len(dx))."""

    dx: NDArray[np.int64]
    dy: NDArray[np.int64]
    count: NDArray[np.float64]
    weight_sum: NDArray[np.float64]

    @classmethod
    def of(cls, grid: Grid, synapses: Mapping[str, NDArray[Any]]) -> DisplacementMap:
        """The map of some synapses (columns ``pre``, ``post``, ``weight``) on one grid, up to 16 grid units."""
        axes = [np.arange(max(-((side - 1) // 2), -_WINDOW), min(side // 2, _WINDOW) + 1) for side in grid.periods]
        dx, dy = grid_displacement(grid, synapses["pre"], synapses["post"])
        column, row = dx - axes[0][0], dy - axes[1][0]
        shape = (len(axes[1]), len(axes[0]))
        inside = (column >= 0) & (column < shape[1]) & (row >= 0) & (row < shape[0])
        cell, weight = (row * shape[1] + column)[inside], synapses["weight"][inside].astype(np.float64)
        count = np.bincount(cell, minlength=shape[0] * shape[1]).astype(np.float64)
        weight_sum = np.bincount(cell, weights=weight, minlength=shape[0] * shape[1]).astype(np.float64)
        return cls(axes[0], axes[1], count.reshape(shape), weight_sum.reshape(shape))

    def __add__(self, other: DisplacementMap) -> DisplacementMap:
        return DisplacementMap(self.dx, self.dy, self.count + other.count, self.weight_sum + other.weight_sum)


def has_places(source: Grid, target: Grid) -> bool:
    """Whether two populations have one map: they are on one grid, on which neurons have places."""
    return source == target and source.has_places and target.has_places


def distances_of(projection: Projection) -> Lattice | FreeLattice | None:
    """What tells the distances of a projection's synapses: between equal grids, and between unequal ones or positions
    if its connector or rule knows distances. None: there are none."""
    source, target = projection.source.grid, projection.target.grid
    return Lattice(source, target) if has_places(source, target) else projection.lattice


def displacement_map(simulation: Simulation, name: str) -> DisplacementMap | None:
    """The map of one projection over all ranks; None where its populations have no common places. A collective call."""
    projection = simulation.network.projections[name]
    if not has_places(projection.source.grid, projection.target.grid):
        return None
    own = DisplacementMap.of(projection.target.grid, simulation.synapses(name))
    count, weight_sum = simulation.sum_over_ranks(np.stack([own.count, own.weight_sum]))
    return DisplacementMap(own.dx, own.dy, count, weight_sum)


def write_displacement(path: Path, projection: str, when: str, displacement: DisplacementMap) -> None:
    """Put a displacement map (``start`` or ``end``) into the group ``displacement.zarr`` at `path`; one rank calls.

    Raises:
        StorageError: it cannot be written.
    """
    try:
        group = zarr.open_group(path, mode="a", zarr_format=3).require_group(f"{projection}/{when}")
        group.attrs.update({"dx": displacement.dx.tolist(), "dy": displacement.dy.tolist()})
        for name in ("count", "weight_sum"):
            group.create_array(
                name, data=getattr(displacement, name), dimension_names=("dy", "dx"), overwrite=True,
                attributes={"long_name": f"{name} of synapses by displacement (post - pre)"},
            )  # fmt: skip
    except OSError as error:
        raise StorageError(f"{path}: cannot be written: {error.strerror or error}") from None


def read_displacement(path: Path, projection: str, when: str) -> DisplacementMap | None:
    """The map that `write_displacement` put there; None if there is none.

    Raises:
        StorageError: it is damaged.
    """
    folder = path / projection / when
    if not folder.is_dir():
        return None
    try:
        group: Any = zarr.open_group(folder, mode="r", zarr_format=3)
        dx, dy = (np.asarray(group.attrs[name], dtype=np.int64) for name in ("dx", "dy"))
        arrays = [group[name] for name in ("count", "weight_sum")]
        if any(array.shape != (len(dy), len(dx)) for array in arrays):  # before it is allocated
            raise ValueError(f"arrays of {[array.shape for array in arrays]} over {len(dy)} x {len(dx)} displacements")
        return DisplacementMap(dx, dy, *(np.asarray(array[...]) for array in arrays))
    except Exception as error:  # whatever Zarr makes of metadata that are none
        raise StorageError(f"{folder}: cannot be read: {error}") from error
