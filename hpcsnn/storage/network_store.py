"""A network on disk: one Zarr v3 group in a zip file that a run can go on from, on any number of ranks.

Layout (``ny, nx`` a population's grid, cut into shards, each written by one rank)::

    attributes                  format, version, step, dt_ms, seed, bin_ms, grids, spikes (count and fingerprint of each
                                population), projections (source, target, formed, eliminated, refused, sums)
    populations/P/state/VAR     (ny, nx) every state variable
    populations/P/next_spike    (ny, nx) int32, source populations: step of the next spike
    populations/P/spikes_per_bin, in_flight     (bins,) int64; (n, 2) int32 step and id of spikes still on their way
    projections/J/in_degree     (ny, nx) int32
    projections/J/synapse/source, VAR   (shards, room) the synapses of each shard of that grid: neuron after neuron, row
                                by row of the shard, sources (ids) ascending, as many as ``in_degree`` says
    projections/J/receptor/VAR  (ny, nx)
    projections/J/input_in_flight/K     (ny, nx) where delays differ or are dendritic: input that arrives K steps on, in
                                fixed point
    projections/J/pre|post/TRACE.value, TRACE.last      (ny, nx) of the source or target population
    projections/J/rule/source|target/VAR                (ny, nx) variables of the rule of rewiring, likewise

No file in it depends on the number of ranks that wrote it; only their order in the zip does. A folder of these files,
as ``unzip`` makes it and as versions before wrote it, is read as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from hpcsnn.checked_numbers import LAST_STEP, Limits, whole_number
from hpcsnn.engine.digest import digest_of, input_fingerprint, neuron_fingerprint, synapse_fingerprint
from hpcsnn.engine.finiteness import in_neurons, in_synapses
from hpcsnn.engine.synapse_rows import SynapseRows
from hpcsnn.errors import SimulationError, StorageError
from hpcsnn.network import Grid
from hpcsnn.network.neuron_arrays import COUNTED, column_of
from hpcsnn.storage.packed.arrays import ArrayForm, Description, groups, key
from hpcsnn.storage.packed.opening import open_group
from hpcsnn.storage.packed.zip_file import PartWriter, Written, join, offsets
from hpcsnn.storage.shards import ShardGrid
from hpcsnn.storage.snapshot import DiskArray, Part, Snapshot

Columns = dict[str, NDArray[Any]]
FORMAT, VERSION = "hpcsnn-network", 1
# Small enough to be read alone, large enough to be worth a chunk.
_SYNAPSES_A_CHUNK = 1 << 20
# The file in the folder of a network that is being written to which all parts come; it begins as rank 0's.
WHOLE = "whole"


def write_part(folder: Path, snapshot: Snapshot, rank: int, n_ranks: int) -> Written:
    """Write this rank's shards, and as rank 0 all metadata and the small arrays, to a file of its own in `folder`.

    Raises:
        SimulationError: a value is not finite.
    """
    snapshot.copies.finish()
    found = snapshot.not_finite()
    if found:
        raise SimulationError(f"{found} is not finite after step {snapshot.step}: there is no checkpoint of it")
    forms = {
        path: _form(snapshot.grids[array.population], array, snapshot.descriptions[path])
        for path, array in snapshot.layout.items()
    }
    with PartWriter(folder / (_part(rank) if rank else WHOLE), aligned=n_ranks > 1) as part:
        if rank == 0:
            _write_metadata(part, snapshot, forms)
        for population, neurons in snapshot.parts.items():
            shards = ShardGrid.of(snapshot.grids[population])
            shard_of = [shards.of_ids(one.ids) for one in neurons]
            for shard in snapshot.shards[population].tolist():
                _write_shard(part, shards, shard, _of_shard(shard, neurons, shard_of), forms)
        return part.finish()


def join_part(folder: Path, parts: list[Written], rank: int) -> None:
    """Move what this rank has written behind what those before it have; `close` is called after all have."""
    if rank:
        join(folder / _part(rank), folder / WHOLE, offsets(parts)[rank])


def _part(rank: int) -> str:
    return f"rank_{rank}"


def _form(grid: Grid, array: DiskArray, about: Description) -> ArrayForm:
    shards = ShardGrid.of(grid)
    if not array.room:
        return ArrayForm((grid.ny, grid.nx), array.dtype, about, shards.chunk, shards.shard)
    chunk = min(array.room, _SYNAPSES_A_CHUNK)
    room = -(-array.room // chunk) * chunk
    return ArrayForm((shards.n_shards, room), array.dtype, about, (1, chunk), (1, room))


def _write_metadata(part: PartWriter, snapshot: Snapshot, forms: dict[str, ArrayForm]) -> None:
    attributes = {"format": FORMAT, "version": VERSION, **snapshot.attributes}
    for name, text in groups([*forms, *snapshot.small, "populations/", "projections/"], attributes):
        part.add(name, [text])
    for path, form in forms.items():
        part.add(f"{path}/zarr.json", [form.metadata()])
    for path, values in snapshot.small.items():
        chunk = (max(len(values), 1), *values.shape[1:])
        whole = ArrayForm(values.shape, values.dtype, snapshot.descriptions[path], chunk)
        for name, pieces in whole.files(values):
            part.add(f"{path}/{name}", pieces)


def _write_shard(part: PartWriter, shards: ShardGrid, shard: int, of: Part, forms: dict[str, ArrayForm]) -> None:
    """All that a shard holds of its neurons and of their synapses."""
    rows, _ = shards.box(shard)
    place, height = key(divmod(shard, shards.columns)), rows.stop - rows.start

    def write(path: str, place: str, values: NDArray[Any]) -> None:
        if pieces := forms[path].file(values):
            part.add(f"{path}/{place}", pieces)

    for path, values in of.columns.items():
        write(path, place, values[of.places].reshape(height, -1))
    for projection, synapses in of.rows.items():
        write(f"projections/{projection}/in_degree", place, synapses.in_degree.reshape(height, -1))
        for field, values in synapses.columns.items():
            write(f"projections/{projection}/synapse/{field}", key((shard, 0)), values[np.newaxis])


def _of_shard(shard: int, parts: list[Part], shard_of: list[NDArray[np.int64]]) -> Part:
    """The neurons of one shard from all parts, ids ascending: row by row of its box."""
    here = []
    for part, of in zip(parts, shard_of, strict=True):
        first, last = np.searchsorted(of, (shard, shard + 1))
        if first < last:
            here.append(part.between(int(first), int(last)))
    return here[0] if len(here) == 1 else Part.joined(here)


class StoredNetwork:
    """A network on disk, read as NumPy arrays.

    Raises:
        StorageError: no such group, or not one of this format and version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._group = open_group(path)
        except Exception as error:  # whatever Zarr makes of metadata that are none
            raise StorageError(f"{path}: no stored network here ({error})") from error
        self.attributes: dict[str, Any] = dict(self._group.attrs)
        if self.attributes.get("format") != FORMAT:
            raise StorageError(f"{path}: not a stored network (attribute format is {self.attributes.get('format')!r})")
        if self.attributes.get("version") != VERSION:
            version = self.attributes.get("version")
            raise StorageError(f"{path}: version {version!r} of the format; this hpcsnn reads {VERSION}")
        try:
            self._grids = {name: self._grid(name, nx, ny) for name, (ny, nx) in self.attributes["grids"].items()}
            ends = [about[end] for about in self.attributes["projections"].values() for end in ("source", "target")]
            unknown = sorted({str(name) for name in ends} - set(self._grids))
            whole_number("step", self.attributes["step"], Limits(minimum=0, maximum=LAST_STEP))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise StorageError(f"{path}: damaged attributes ({error})") from error
        if unknown:
            raise StorageError(f"{path}: damaged attributes (no grid of {', '.join(unknown)})")

    def _grid(self, name: str, nx: int, ny: int) -> Grid:
        """A population's; what was written before there were open borders says nothing of them, nor of places in one
        row, which had none."""
        borders = self.attributes.get("borders", {}).get(name, "periodic")
        return Grid(nx, ny, borders, has_places=ny > 1 or name in self.attributes.get("rows_of_places", []))

    @property
    def step(self) -> int:
        """Steps done when it was written."""
        return int(self.attributes["step"])

    @property
    def populations(self) -> list[str]:
        """Names of the populations."""
        return sorted(self.attributes["grids"])

    @property
    def projections(self) -> list[str]:
        """Names of the projections."""
        return sorted(self.attributes["projections"])

    def ends(self, projection: str) -> tuple[str, str]:
        """Names of the source and target populations."""
        about = self.attributes["projections"][projection]
        return str(about["source"]), str(about["target"])

    def grid(self, population: str) -> Grid:
        """Where a population's neurons are."""
        return self._grids[population]

    def array(self, path: str) -> NDArray[Any]:
        """An array that is small or wanted whole.

        Raises:
            StorageError: it is missing or damaged.
        """
        try:
            return np.asarray(self.opened(path)[...])
        except Exception as error:  # whatever a codec finds wrong
            raise StorageError(f"{self.path / path}: cannot be read: {error}") from error

    def names(self, folder: str) -> list[str]:
        """Names of the arrays in a folder of the group; none if there is no such folder.

        Raises:
            StorageError: the metadata of one are damaged.
        """
        try:
            return sorted(self._group[folder].array_keys()) if folder in self._group else []  # type: ignore[union-attr]
        except Exception as error:  # whatever Zarr makes of metadata that are none
            raise StorageError(f"{self.path / folder}: cannot be read: {error}") from error

    def folders(self) -> list[str]:
        """Paths of all groups below the whole one.

        Raises:
            StorageError: the metadata of one, or of an array, are damaged.
        """
        try:
            return sorted(path for path, one in self._group.members(max_depth=None) if isinstance(one, zarr.Group))
        except Exception as error:  # whatever Zarr makes of metadata that are none
            raise StorageError(f"{self.path}: cannot be read: {error}") from error

    def opened(self, path: str) -> Any:
        """A Zarr array, if its shape is what the grids ask for: what is read is allocated first, however large.

        Raises:
            ValueError: it is another one.
        """
        array: Any = self._group[path]
        expected, shape = self._shape(path), tuple(array.shape)
        if len(shape) != len(expected) or any(side not in sides for side, sides in zip(shape, expected, strict=True)):
            sides = " x ".join(str(sides[0]) if len(sides) == 1 else f"at most {sides[-1]}" for sides in expected)
            raise ValueError(f"its shape is {' x '.join(map(str, shape))}, must be {sides}")
        return array

    def _shape(self, path: str) -> tuple[range, ...]:
        """What each side of an array may be; of synapses, no pair has two."""
        kind, owner, *folder, name = path.split("/")
        if kind == "populations":
            grid = self._grids[owner]
            if name == "spikes_per_bin":
                return (range(self.step + 2),)
            if name == "in_flight":
                return range(grid.size * (self.step + 1) + 1), range(2, 3)
        else:
            source, target = (self._grids[end] for end in self.ends(owner))
            if folder == ["synapse"]:
                shards = ShardGrid.of(target)
                most = source.size * shards.shard[0] * shards.shard[1] + _SYNAPSES_A_CHUNK
                return range(shards.n_shards, shards.n_shards + 1), range(most + 1)
            grid = source if folder in (["pre"], ["rule", "source"]) else target
        return range(grid.ny, grid.ny + 1), range(grid.nx, grid.nx + 1)

    def of_neurons(self, path: str, ids: NDArray[Any]) -> NDArray[Any]:
        """Entries of an array over a grid for some neurons, reading only the shards they are in.

        Raises:
            StorageError: it is missing or damaged.
        """
        try:
            array = self.opened(path)
            shards = ShardGrid.of(Grid(array.shape[1], array.shape[0]))
            result = np.empty(len(ids), dtype=array.dtype)
            of_ids = shards.of_ids(ids)
            for shard in np.unique(of_ids):
                rows, columns = shards.box(int(shard))
                chosen = np.flatnonzero(of_ids == shard)
                y, x = np.divmod(ids[chosen].astype(np.int64), shards.grid.nx)
                result[chosen] = array[rows, columns][y - rows.start, x - columns.start]
        except Exception as error:  # whatever a codec finds wrong
            raise StorageError(f"{self.path / path}: cannot be read: {error}") from error
        return result

    def neurons(self, population: str) -> dict[str, NDArray[Any]]:
        """As `Simulation.neurons` of one rank that has the whole network."""
        columns = {column: self.array(path).ravel() for column, path in self.columns_of_neurons(population).items()}
        return {"id": np.arange(self.grid(population).size, dtype=np.int32), **columns}

    def columns_of_neurons(self, population: str) -> dict[str, str]:
        """The columns of `neurons` but for ``id``, with the path of each."""
        paths = (f"{folder}/{name}" for folder in self._folders_of_neurons(population) for name in self.names(folder))
        return {column: path for path in paths if (column := column_of(path)) is not None}

    def _folders_of_neurons(self, population: str) -> Iterator[str]:
        """Folders of the arrays of a population's neurons that the digest counts."""
        yield from (f"populations/{population}/{folder}" for folder in COUNTED)
        for projection in self.projections:
            source, target = self.ends(projection)
            for folder in COUNTED:
                if population == (source if folder == "rule/source" else target):
                    yield f"projections/{projection}/{folder}"

    def rows(self, projection: str, ids: NDArray[Any]) -> SynapseRows:
        """The synapses onto some neurons, if any, reading only the shards they are in.

        Raises:
            StorageError: something is missing or damaged.
        """
        folder = f"projections/{projection}"
        try:
            arrays: dict[str, Any] = {
                name: self.opened(f"{folder}/synapse/{name}") for name in self.variables(projection)
            }
            in_degree, most = self.opened(f"{folder}/in_degree"), self.grid(self.ends(projection)[0]).size
            shards = ShardGrid.of(Grid(in_degree.shape[1], in_degree.shape[0]))
            nothing = {name: np.empty(0, array.dtype) for name, array in arrays.items()}
            parts, positions = [SynapseRows(np.empty(0, in_degree.dtype), nothing)], [np.empty(0, np.intp)]
            of_ids = shards.of_ids(ids)
            for shard in np.unique(of_ids).tolist():
                box, chosen = shards.box(shard), np.flatnonzero(of_ids == shard)
                y, x = np.divmod(ids[chosen].astype(np.int64), shards.grid.nx)
                degrees = in_degree[box]
                if degrees.min() < 0 or degrees.max() > most:
                    raise ValueError(f"in-degrees from {degrees.min()} to {degrees.max()}, must be 0 to {most}")
                wanted = (y - box[0].start) * degrees.shape[1] + x - box[1].start
                # Only from the first wanted neuron to the last: a shard may be larger than what is wanted of it.
                first, last = int(wanted.min()), int(wanted.max()) + 1
                ends = np.cumsum(degrees.ravel(), dtype=np.int64)
                span = slice(int(ends[first - 1]) if first else 0, int(ends[last - 1]))
                columns = {name: array[shard, span] for name, array in arrays.items()}
                parts.append(SynapseRows(degrees.ravel()[first:last], columns).take(wanted - first))
                positions.append(chosen)
        except Exception as error:  # whatever a codec finds wrong
            raise StorageError(f"{self.path / folder}: cannot be read: {error}") from error
        return SynapseRows.joined(parts).take(np.argsort(np.concatenate(positions)))

    def variables(self, projection: str) -> list[str]:
        """``source`` and the variables of a projection's synapses."""
        return self.names(f"projections/{projection}/synapse")

    def unit_of_weights(self, projection: str) -> str:
        """Of a projection's weights, as its synapse model says it; empty: it says none, or there are no weights."""
        if "weight" not in self.variables(projection):
            return ""
        return str(self.opened(f"projections/{projection}/synapse/weight").attrs.get("units", ""))

    def synapses(self, projection: str) -> dict[str, NDArray[Any]]:
        """As `Simulation.synapses` of one rank that has the whole network."""
        rows = self.rows(projection, np.arange(self.grid(self.ends(projection)[1]).size))
        variables = {name: column for name, column in rows.columns.items() if name != "source"}
        return {"pre": rows.columns["source"], "post": rows.row.astype(np.int32), **variables}

    def rates_hz(self, population: str) -> tuple[NDArray[np.float64], float]:
        """Mean rate in successive full bins, and their length in ms."""
        bin_ms, dt_ms = float(self.attributes["bin_ms"]), float(self.attributes["dt_ms"])
        counts = self.array(f"populations/{population}/spikes_per_bin")[: self.step // round(bin_ms / dt_ms)]
        return counts / (self.grid(population).size * bin_ms * 1e-3), bin_ms

    def digest(self) -> str:
        """The digest, computed anew from what is stored.

        Raises:
            StorageError: something is missing or damaged, or a value that is stored is not finite.
        """
        neurons = {name: neuron_fingerprint(self._finite(in_neurons, name, self.neurons)) for name in self.populations}
        synapses = {
            name: synapse_fingerprint(self._finite(in_synapses, name, self.synapses)) for name in self.projections
        }
        flying = {name: self._input_fingerprint(name) for name in self.projections if self._n_ahead(name)}
        return digest_of(self.step, self.attributes["spikes"], neurons, synapses, flying)

    def _finite(
        self, finding: Callable[[str, Columns], str | None], name: str, columns_of: Callable[[str], Columns]
    ) -> Columns:
        columns = columns_of(name)
        found = finding(name, columns)
        if found:
            raise StorageError(f"{self.path}: {found} is not finite: there is no digest of it")
        return columns

    def _n_ahead(self, projection: str) -> int:
        return len(self.names(f"projections/{projection}/input_in_flight"))

    def _input_fingerprint(self, projection: str) -> int:
        folder = f"projections/{projection}/input_in_flight"
        ahead = [self.array(f"{folder}/{k}").ravel() for k in range(self._n_ahead(projection))]
        return input_fingerprint(np.arange(len(ahead[0])), ahead)
