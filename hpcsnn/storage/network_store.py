"""A network on disk: one Zarr v3 group, arrays over the grid, each rank writing its own tiles.

Layout (``ny, nx`` the population's grid, chunks are tiles)::

    attributes            format, version, step, dt_ms, spikes (count and fingerprint a population)
    populations/NAME      attribute grid (ny, nx); state variables (ny, nx); rates_hz (bins,) with attribute bin_ms
    projections/NAME      attributes source, target; receptor.VARIABLE (ny, nx); in_degree (ny, nx) int32;
                          source (ny, nx, k) int32 ids ascending, -1 behind the last; every synapse variable likewise
    projections/NAME/displacement/{start,end}   count, weight_sum (dy, dx), with attributes dx, dy
    spikes/NAME/rank_R    step, neuron (int32), where the population records its spikes
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from hpcsnn.analysis.statistics import DisplacementMap
from hpcsnn.digest import digest_of, neuron_fingerprint, spike_record, synapse_fingerprint
from hpcsnn.errors import StorageError
from hpcsnn.partition import Placement
from hpcsnn.simulation import Simulation

FORMAT, VERSION = "hpcsnn-network", 1


def write_network(path: Path, simulation: Simulation) -> None:
    """Write the network as it stands to a new group at `path`; a collective call."""
    spikes = spike_record(simulation)
    rates = {name: simulation.rates_hz(name) for name in simulation.network.populations}
    widths = {name: _largest_in_degree(simulation, name) for name in simulation.network.projections}
    if simulation.rank == 0:
        _create(path, simulation, spikes, rates, widths)
    _barrier(simulation)
    group = zarr.open_group(path, mode="r+")
    for name in simulation.network.populations:
        _write_population(group, simulation, name)
    for name, width in widths.items():
        _write_projection(group[f"projections/{name}"], simulation, name, width)
    _barrier(simulation)


def write_displacement(path: Path, projection: str, when: str, displacement: DisplacementMap) -> None:
    """Add a displacement map to the group at `path`; one rank calls."""
    group = zarr.open_group(path, mode="a").require_group(f"projections/{projection}/displacement/{when}")
    group.attrs.update({"dx": displacement.dx.tolist(), "dy": displacement.dy.tolist()})
    group.create_array("count", data=displacement.count)
    group.create_array("weight_sum", data=displacement.weight_sum)


def _barrier(simulation: Simulation) -> None:
    if simulation.comm is not None:
        simulation.comm.Barrier()


def _largest_in_degree(simulation: Simulation, name: str) -> int:
    in_degree = simulation.state.stores[name].arrays["in_degree"]
    largest = int(simulation.device.xp.max(in_degree)) if in_degree.size else 0
    if simulation.comm is not None:
        from mpi4py import MPI

        largest = simulation.comm.allreduce(largest, MPI.MAX)
    return max(largest, 1)


def _create(
    path: Path, simulation: Simulation, spikes: dict[str, Any], rates: dict[str, Any], widths: dict[str, int]
) -> None:
    network = simulation.network
    group = zarr.open_group(path, mode="a", zarr_format=3)
    group.attrs.update(
        {"format": FORMAT, "version": VERSION, "step": simulation.step, "dt_ms": network.dt_ms, "spikes": spikes}
    )  # fmt: skip
    group.require_group("projections")
    for name, population in network.populations.items():
        model: Any = population.model.model
        part = group.require_group(f"populations/{name}")
        part.attrs["grid"] = [population.grid.ny, population.grid.nx]
        for variable in model.state:
            _grid_array(part, variable.name, simulation.placements[name], variable.ctype)
        part.create_array("rates_hz", data=rates[name]).attrs["bin_ms"] = simulation.state.bin_steps * network.dt_ms
        if population.record_spikes:
            for rank in range(simulation.n_ranks):
                part.require_group(f"/spikes/{name}/rank_{rank}")
    for name, projection in network.projections.items():
        receptor: Any = projection.receptor.model
        part = group.require_group(f"projections/{name}")
        part.attrs.update({"source": projection.source.name, "target": projection.target.name})
        target = simulation.placements[projection.target.name]
        for variable in receptor.state:
            _grid_array(part, f"receptor.{variable.name}", target, variable.ctype)
        _grid_array(part, "in_degree", target, "int")
        _grid_array(part, "source", target, "int", widths[name], fill=-1)
        for variable_name in simulation.state.stores[name].variables:
            _grid_array(part, variable_name, target, "float", widths[name])


def _grid_array(
    group: zarr.Group, name: str, placement: Placement, ctype: str, width: int | None = None, fill: int = 0
) -> None:
    tiling = placement.tiling
    shape: tuple[int, ...] = (tiling.grid.ny, tiling.grid.nx)
    chunks: tuple[int, ...] = (min(1 << tiling.shift_y, shape[0]), min(1 << tiling.shift_x, shape[1]))
    if width is not None:
        shape, chunks = (*shape, width), (*chunks, width)
    group.create_array(
        name, shape=shape, chunks=chunks, dtype=np.int32 if ctype == "int" else np.float32, fill_value=fill
    )


def _write_tiles(array: Any, placement: Placement, values: NDArray[Any]) -> None:
    """Write values in local order (tile after tile) to a grid array."""
    tiling = placement.tiling
    if placement.n_own == tiling.grid.size:  # one rank has it all: one write is many times faster than one a tile
        whole = np.empty_like(values)
        whole[placement.global_id] = values
        array[...] = whole.reshape(array.shape)
        return
    first = 0
    for tile in placement.own_tiles:
        row, column = divmod(int(tile), tiling.tiles_x)
        height, width = int(tiling.heights()[row]), int(tiling.widths()[column])
        y, x = row << tiling.shift_y, column << tiling.shift_x
        block = values[first : first + height * width]
        array[y : y + height, x : x + width] = block.reshape(height, width, *values.shape[1:])
        first += height * width


def _write_population(group: zarr.Group, simulation: Simulation, name: str) -> None:
    population = simulation.network.populations[name]
    model: Any = population.model.model
    part = group[f"populations/{name}"]
    for variable in model.state:
        _write_tiles(
            part[variable.name], simulation.placements[name], simulation.state.read(f"{name}.state_{variable.name}")
        )
    if population.record_spikes:
        steps, neurons = simulation.spikes(name)
        spikes = group.require_group(f"spikes/{name}/rank_{simulation.rank}")
        spikes.create_array("step", data=steps)
        spikes.create_array("neuron", data=neurons)


def _write_projection(part: Any, simulation: Simulation, name: str, width: int) -> None:
    projection = simulation.network.projections[name]
    placement = simulation.placements[projection.target.name]
    receptor: Any = projection.receptor.model
    for variable in receptor.state:
        values = simulation.state.read(f"{name}.receptor_state_{variable.name}")
        _write_tiles(part[f"receptor.{variable.name}"], placement, values)
    columns = simulation.state.stores[name].rows()
    row, source = columns.pop("row"), columns.pop("source")
    source = simulation.placements[projection.source.name].known_id[source]
    order = np.lexsort((source, row))
    in_degree = np.bincount(row, minlength=placement.n_own)
    place = np.arange(len(row)) - (np.cumsum(in_degree) - in_degree)[row]
    _write_tiles(part["in_degree"], placement, in_degree.astype(np.int32))
    for field, values, fill in (("source", source, -1), *((field, values, 0) for field, values in columns.items())):
        padded = np.full((placement.n_own, width), fill, dtype=values.dtype)
        padded[row, place] = values[order]
        _write_tiles(part[field], placement, padded)


class StoredNetwork:
    """A network on disk, read as NumPy arrays.

    Raises:
        StorageError: no such group, or not one of this format and version.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._group = zarr.open_group(path, mode="r")
        except (FileNotFoundError, ValueError) as error:
            raise StorageError(f"{path}: no stored network here ({error})") from error
        self.attributes: dict[str, Any] = dict(self._group.attrs)
        if self.attributes.get("format") != FORMAT:
            raise StorageError(f"{path}: not a stored network (attribute format is {self.attributes.get('format')!r})")
        if self.attributes.get("version") != VERSION:
            raise StorageError(
                f"{path}: version {self.attributes.get('version')!r} of the format; this hpcsnn reads {VERSION}"
            )

    @property
    def populations(self) -> list[str]:
        """Names of the populations."""
        return sorted(self._part("populations").group_keys())

    @property
    def projections(self) -> list[str]:
        """Names of the projections."""
        return sorted(self._part("projections").group_keys())

    def _part(self, path: str) -> zarr.Group:
        part = self._group[path]
        assert isinstance(part, zarr.Group)
        return part

    def _array(self, path: str) -> NDArray[Any]:
        return np.asarray(self._group[path][...])  # type: ignore[index]

    def ends(self, projection: str) -> tuple[str, str]:
        """Names of the source and target populations."""
        attributes = self._group[f"projections/{projection}"].attrs
        return str(attributes["source"]), str(attributes["target"])

    def grid(self, population: str) -> tuple[int, int]:
        """(ny, nx) of a population."""
        sides: Any = self._part(f"populations/{population}").attrs["grid"]
        return int(sides[0]), int(sides[1])

    def neurons(self, population: str) -> dict[str, NDArray[Any]]:
        """As `Simulation.neurons` of one rank that has the whole network."""
        part = self._part(f"populations/{population}")
        columns = {
            name: self._array(f"populations/{population}/{name}").ravel()
            for name in part.array_keys()
            if name != "rates_hz"
        }
        for projection in self.projections:
            if self.ends(projection)[1] == population:
                for name in self._part(f"projections/{projection}").array_keys():
                    if name.startswith("receptor."):
                        values = self._array(f"projections/{projection}/{name}").ravel()
                        columns[f"{projection}.{name.removeprefix('receptor.')}"] = values
        ny, nx = self.grid(population)
        return {"id": np.arange(ny * nx, dtype=np.int32), **columns}

    def synapses(self, projection: str) -> dict[str, NDArray[Any]]:
        """As `Simulation.synapses` of one rank that has the whole network."""
        path = f"projections/{projection}"
        source = self._array(f"{path}/source")
        source = source.reshape(-1, source.shape[-1])
        there = source >= 0
        names = [
            n
            for n in self._part(path).array_keys()
            if n not in ("source", "in_degree") and not n.startswith("receptor.")
        ]
        columns = {name: self._array(f"{path}/{name}").reshape(source.shape)[there] for name in names}
        return {"pre": source[there], "post": np.nonzero(there)[0].astype(np.int32), **columns}

    def rates_hz(self, population: str) -> tuple[NDArray[np.float64], float]:
        """Mean rate in successive bins, and their length in ms."""
        array = self._group[f"populations/{population}/rates_hz"]
        return self._array(f"populations/{population}/rates_hz"), float(array.attrs["bin_ms"])  # type: ignore[arg-type]

    def displacement(self, projection: str, when: str) -> DisplacementMap | None:
        """The displacement map at ``start`` or ``end``; None if there is none."""
        path = f"projections/{projection}/displacement/{when}"
        if path not in self._group:
            return None
        attributes: Any = self._group[path].attrs
        axes = (np.asarray(attributes["dx"], dtype=np.int64), np.asarray(attributes["dy"], dtype=np.int64))
        return DisplacementMap(*axes, self._array(f"{path}/count"), self._array(f"{path}/weight_sum"))

    def spikes(self, population: str) -> tuple[NDArray[np.int32], NDArray[np.int32]] | None:
        """Steps and neuron ids of all recorded spikes, by step, then id; None if they were not recorded."""
        path = f"spikes/{population}"
        if path not in self._group:
            return None
        ranks = sorted(self._part(path).group_keys())
        steps = np.concatenate([self._array(f"{path}/{rank}/step") for rank in ranks])
        neurons = np.concatenate([self._array(f"{path}/{rank}/neuron") for rank in ranks])
        order = np.lexsort((neurons, steps))
        return steps[order], neurons[order]

    def digest(self) -> str:
        """The digest, computed anew from what is stored."""
        neurons = {name: neuron_fingerprint(self.neurons(name)) for name in self.populations}
        synapses = {name: synapse_fingerprint(self.synapses(name)) for name in self.projections}
        return digest_of(int(self.attributes["step"]), self.attributes["spikes"], neurons, synapses)
