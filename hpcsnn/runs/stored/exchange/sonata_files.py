"""A run as files of SONATA: nodes, edges, spikes, reports, and the configuration that names nodes and edges.

The layout is that of the SONATA developer's guide (github.com/AllenInstitute/sonata, version 0.1; Dai et al. 2020, PLoS
Comput. Biol. 16:e1007696), as libsonata, BMTK and NEST read it.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.errors import ConfigurationError, StorageError, shown
from hpcsnn.runs.stored.exchange.places import places_of
from hpcsnn.runs.stored.exchange.sonata_reports import reported, write_report

if TYPE_CHECKING:
    from hpcsnn.runs.stored.opened_run import OpenedRun

NODES, EDGES, SPIKES, CONFIGURATION = "nodes.h5", "edges.h5", "spikes.h5", "circuit_config.json"
_TYPES = {NODES: "node_types.csv", EDGES: "edge_types.csv"}
_MAGIC, _VERSION = 0x0A7A, (0, 1)
_SORTING = {"none": 0, "by_id": 1, "by_time": 2}
# What a column of a population or projection is called there; others keep their names.
_NAMES = {"weight": "syn_weight"}


def write_sonata(run: OpenedRun, folder: str | Path, at_ms: float | None) -> list[Path]:
    """See `OpenedRun.to_sonata`."""
    if not isinstance(folder, (str, Path)):
        raise ConfigurationError(f"folder: {shown(folder)} is not allowed; must be the path of a folder to write")
    try:
        import h5py
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"to_sonata: needs the package {error.name}: pip install 'hpcsnn[interop]', or pip install h5py"
        ) from None
    folder, configuration = Path(folder), run.configuration
    paths = {name: folder / name for name in (NODES, EDGES, SPIKES, *_TYPES.values(), CONFIGURATION)}
    populations, projections = configuration["populations"], configuration["projections"]
    reports = reported(run, folder)
    if there := [path for path in (*paths.values(), *reports.values()) if path.exists()]:
        raise StorageError(f"{there[0]}: is there already; give another folder, or remove it")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _file(h5py, paths[NODES]) as file:
            for number, (name, said) in enumerate(populations.items()):
                _write_nodes(file.create_group(f"nodes/{name}"), number, _nodes(run, name, said, at_ms))
        with _file(h5py, paths[EDGES]) as file:
            for number, (name, said) in enumerate(projections.items()):
                ends = {end: (said[end], run.neurons(said[end], at_ms).sizes["neuron"]) for end in ("source", "target")}
                columns = _edges(run, name, said, configuration["dt_ms"], at_ms)
                _write_edges(file.create_group(f"edges/{name}"), number, ends, columns)
        with _file(h5py, paths[SPIKES]) as file:
            file.create_group("spikes")
            for name in (name for name, said in populations.items() if _has_spikes(said)):
                _write_spikes(h5py, file.create_group(f"spikes/{name}"), run, name)
        for variable, path in reports.items():
            with _file(h5py, path) as file:
                write_report(file.create_group("report"), run, variable)
        _write_types(paths[_TYPES[NODES]], "node", populations, "model")
        _write_types(paths[_TYPES[EDGES]], "edge", projections, "receptor")
        paths[CONFIGURATION].write_text(json.dumps(_circuit(populations, projections), indent=2) + "\n")
    except OSError as error:
        if isinstance(error, StorageError):
            raise
        raise StorageError(f"{folder}: cannot be written: {error}") from error
    return [*paths.values(), *reports.values()]


def _has_spikes(population: Mapping[str, Any]) -> bool:
    return bool(population.get("record_spikes") or (population.get("record") or {}).get("spikes"))


def _file(h5py: Any, path: Path) -> Any:
    file = h5py.File(path, "x")
    file.attrs["magic"] = np.uint32(_MAGIC)
    file.attrs["version"] = np.array(_VERSION, dtype=np.uint32)
    return file


def _nodes(run: OpenedRun, name: str, said: Mapping[str, Any], at_ms: float | None) -> tuple[int, dict[str, Any]]:
    """How many, and their places: of those on a grid."""
    neurons = run.neurons(name, at_ms)
    if said.get("grid") is None:
        return neurons.sizes["neuron"], {}
    x, y = places_of(neurons)
    return len(x), {"x": x.astype(np.float64), "y": y.astype(np.float64)}


def _edges(run: OpenedRun, name: str, said: Mapping[str, Any], dt_ms: float, at_ms: float | None) -> dict[str, Any]:
    """Columns of a projection, by target, then source; with the delay of each in ms."""
    table = run.synapses(name, at_ms)
    columns = {str(column): table[column].to_numpy() for column in table}
    if "delay_steps" in columns:
        columns["delay"] = columns.pop("delay_steps") * dt_ms
    else:
        columns["delay"] = np.full(len(table), float(said["delay_ms"]))
    columns["delay"] = columns["delay"] + float(said.get("dendritic_delay_ms", 0.0))
    return columns


def _write_nodes(group: Any, type_id: int, nodes: tuple[int, dict[str, NDArray[Any]]]) -> None:
    n_nodes, places = nodes
    group["node_id"] = np.arange(n_nodes, dtype=np.uint64)
    _write_elements(group, "node", n_nodes, type_id, places)


def _write_edges(group: Any, type_id: int, ends: Mapping[str, tuple[str, int]], columns: dict[str, Any]) -> None:
    ids = {"source": columns.pop("pre"), "target": columns.pop("post")}
    for end, (population, n_nodes) in ends.items():
        group[f"{end}_node_id"] = ids[end].astype(np.uint64)
        group[f"{end}_node_id"].attrs["node_population"] = population
        index = "source_to_target" if end == "source" else "target_to_source"
        for name, ranges in _index(ids[end], n_nodes).items():
            group[f"indices/{index}/{name}"] = ranges
    _write_elements(group, "edge", len(ids["target"]), type_id, columns)


def _write_elements(group: Any, kind: str, number: int, type_id: int, columns: Mapping[str, NDArray[Any]]) -> None:
    """What nodes and edges have alike: a type, and the place of each in the only group, 0."""
    group[f"{kind}_type_id"] = np.full(number, type_id, dtype=np.uint32)
    group[f"{kind}_group_id"] = np.zeros(number, dtype=np.uint32)
    group[f"{kind}_group_index"] = np.arange(number, dtype=np.uint64)
    group.create_group("0")
    for name, values in columns.items():
        group[f"0/{_NAMES.get(name, name)}"] = values


def _index(ids: NDArray[Any], n_nodes: int) -> dict[str, NDArray[np.uint64]]:
    """Which ranges of edges are of a node: rows of ranges by node, and the first and last edge of each range."""
    order = np.argsort(ids, kind="stable")
    begins = np.flatnonzero(np.diff(order, prepend=-2) != 1) if len(order) else np.empty(0, dtype=np.int64)
    begins = np.union1d(begins, np.flatnonzero(np.diff(ids[order], prepend=-1))).astype(np.int64)
    lengths = np.diff(begins, append=len(order))
    firsts = order[begins]
    ends = np.cumsum(np.bincount(ids[firsts], minlength=n_nodes))
    return {
        "node_id_to_ranges": np.stack([np.concatenate([[0], ends[:-1]]), ends], axis=1).astype(np.uint64),
        "range_to_edge_id": np.stack([firsts, firsts + lengths], axis=1).astype(np.uint64),
    }


def _write_spikes(h5py: Any, group: Any, run: OpenedRun, population: str) -> None:
    spikes = run.spikes(population)
    group["node_ids"] = spikes["neuron"].to_numpy().astype(np.uint64)
    group["timestamps"] = spikes["time_ms"].to_numpy()
    group["timestamps"].attrs["units"] = "ms"
    group.attrs.create("sorting", _SORTING["by_time"], dtype=h5py.enum_dtype(_SORTING, basetype="u1"))


def _write_types(path: Path, kind: str, declared: Mapping[str, Any], model: str) -> None:
    """A type for each population or projection, with the name of its model."""
    with path.open("w", newline="") as file:
        table = csv.writer(file, delimiter=" ", lineterminator="\n")
        table.writerow([f"{kind}_type_id", "pop_name", "model_type", "model_template"])
        for number, (name, said) in enumerate(declared.items()):
            (of,) = said[model] if isinstance(said[model], Mapping) else [said[model]]
            table.writerow([number, name, "point_neuron" if kind == "node" else "synapse", f"hpcsnn:{of}"])


def _circuit(populations: Mapping[str, Any], projections: Mapping[str, Any]) -> dict[str, Any]:
    def part(kind: str, file: str, names: Mapping[str, Any], what: str) -> Iterator[tuple[str, Any]]:
        yield f"{kind}s_file", f"$BASE_DIR/{file}"
        yield f"{kind}_types_file", f"$BASE_DIR/{_TYPES[file]}"
        yield "populations", {name: {"type": what} for name in names}

    networks = {
        "nodes": [dict(part("node", NODES, populations, "point_neuron"))],
        "edges": [dict(part("edge", EDGES, projections, "chemical"))] if projections else [],
    }
    return {"manifest": {"$BASE_DIR": "."}, "networks": networks}
