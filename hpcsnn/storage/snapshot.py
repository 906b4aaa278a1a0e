"""A copy of all that a run's future depends on, ready to be written while the run goes on."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.digest import spike_record
from hpcsnn.network import Grid
from hpcsnn.rank_state import TRACE
from hpcsnn.simulation import Simulation
from hpcsnn.storage.shards import ShardGrid, to_writers

COUNTERS = ("formed", "eliminated", "refused")


@dataclass(frozen=True)
class Snapshot:
    """The state at one step, as this rank writes it.

    ``neurons`` holds, per population, the ids of whole shards of neurons and by array path the values, one entry (or
    one row of synapses) a neuron. ``small`` holds arrays that rank 0 writes (empty elsewhere), ``attributes`` what is
    true of the whole network, ``layout`` shape, dtype and fill value of every array over a grid.
    """

    step: int
    attributes: dict[str, Any]
    grids: dict[str, Grid]
    layout: dict[str, tuple[str, tuple[int, ...], np.dtype[Any], int]]
    neurons: dict[str, tuple[NDArray[np.int32], dict[str, NDArray[Any]]]]
    small: dict[str, NDArray[Any]]

    @property
    def n_bytes(self) -> int:
        """Bytes of the copy on this rank."""
        columns = itertools.chain.from_iterable(values.values() for _, values in self.neurons.values())
        return sum(column.nbytes for column in (*columns, *self.small.values()))


def take_snapshot(simulation: Simulation) -> Snapshot:
    """Copy the state as it stands between two steps; a collective call."""
    network, comm = simulation.network, simulation.comm
    grids = {name: population.grid for name, population in network.populations.items()}
    neurons: dict[str, tuple[NDArray[np.int32], dict[str, NDArray[Any]]]] = {}
    layout: dict[str, tuple[str, tuple[int, ...], np.dtype[Any], int]] = {}
    for name, grid in grids.items():
        columns = _columns(simulation, name)
        for path, values in columns.items():
            fill = -1 if path.endswith("/synapse/source") else 0
            layout[path] = (name, (grid.ny, grid.nx, *values.shape[1:]), values.dtype, fill)
        placement = simulation.placements[name]
        neurons[name] = to_writers(comm, ShardGrid.of(grid), placement.global_id, columns)
    attributes = {
        "step": simulation.step,
        "dt_ms": network.dt_ms,
        "seed": network.seed,
        "bin_ms": simulation.state.bin_steps * network.dt_ms,
        "spikes": spike_record(simulation),
        "grids": {name: [grid.ny, grid.nx] for name, grid in grids.items()},
        "projections": {
            name: {
                "source": projection.source.name,
                "target": projection.target.name,
                **{counter: _total(simulation, name, counter) for counter in COUNTERS},
            }
            for name, projection in network.projections.items()
        },
    }
    return Snapshot(simulation.step, attributes, grids, layout, neurons, _small(simulation))


def _total(simulation: Simulation, projection: str, counter: str) -> int:
    count = np.array([simulation.state.stores[projection].counter(counter)], dtype=np.uint64)
    return int(simulation.sum_over_ranks(count)[0])


def _columns(simulation: Simulation, population: str) -> dict[str, NDArray[Any]]:
    """Array path -> values of this rank's neurons of one population, in local order."""
    network, state = simulation.network, simulation.state
    declared = network.populations[population]
    model: Any = declared.model.model
    n_own = simulation.placements[population].n_own
    columns = {
        f"populations/{population}/state/{variable.name}": state.read(f"{population}.state_{variable.name}")
        for variable in model.state
    }
    if declared.is_source:
        columns[f"populations/{population}/next_spike"] = state.read(f"{population}.next_spike")[:n_own]
    for projection in network.incoming(declared):
        name, receptor, synapse = projection.name, projection.receptor.model, projection.synapse.model
        for variable in receptor.state:  # type: ignore[attr-defined]
            values = state.read(f"{name}.receptor_state_{variable.name}")
            columns[f"projections/{name}/receptor/{variable.name}"] = values
        columns |= _traces(simulation, name, "post", [trace.name for trace in synapse.post_traces], n_own)  # type: ignore[attr-defined]
        columns |= _rows(simulation, name)
    for projection in network.outgoing(declared):
        # Every rank that knows a source has the same trace of it; its owner's is the one that is kept.
        traces = projection.synapse.model.pre_traces  # type: ignore[attr-defined]
        columns |= _traces(simulation, projection.name, "pre", [trace.name for trace in traces], n_own)
    return columns


def _traces(simulation: Simulation, projection: str, side: str, names: list[str], n: int) -> dict[str, NDArray[Any]]:
    columns = {}
    for name in names:
        traces = simulation.state.read(f"{projection}.{side}_{name}").view(TRACE)[:n]
        for part in ("value", "last"):
            columns[f"projections/{projection}/{side}/{name}.{part}"] = traces[part].copy()
    return columns


def _rows(simulation: Simulation, projection: str) -> dict[str, NDArray[Any]]:
    """In-degrees, and sources and variables padded to the largest in-degree of all ranks; sources ascend in a row."""
    declared = simulation.network.projections[projection]
    target, source = (simulation.placements[end.name] for end in (declared.target, declared.source))
    columns = simulation.state.stores[projection].rows()
    row, pre = columns.pop("row"), source.known_id[columns.pop("source")]
    order = np.lexsort((pre, row))
    in_degree = np.bincount(row, minlength=target.n_own)
    place = np.arange(len(row)) - (np.cumsum(in_degree) - in_degree)[row]
    width = max(int(in_degree.max(initial=0)), 1)
    if simulation.comm is not None:
        from mpi4py import MPI

        width = simulation.comm.allreduce(width, MPI.MAX)
    result: dict[str, NDArray[Any]] = {f"projections/{projection}/in_degree": in_degree.astype(np.int32)}
    for field, values, fill in (("source", pre, -1), *((field, values, 0) for field, values in columns.items())):
        padded = np.full((target.n_own, width), fill, dtype=values.dtype)
        padded[row, place] = values[order]
        result[f"projections/{projection}/synapse/{field}"] = padded
    return result


def _small(simulation: Simulation) -> dict[str, NDArray[Any]]:
    """Rate histograms, and the spikes that are still on their way: (step, id) of the last steps, sorted."""
    small: dict[str, NDArray[Any]] = {}
    # As far as the run has come: room for more is no part of the state.
    n_bins = simulation.step // simulation.state.bin_steps + 1
    for name in simulation.network.populations:
        bins = simulation.state.read(f"{name}.spikes_per_bin")[:n_bins].astype(np.int64)
        small[f"populations/{name}/spikes_per_bin"] = simulation.sum_over_ranks(bins)
        flying = simulation.state.spikes_in_flight(name)
        parts = [flying] if simulation.comm is None else simulation.comm.gather(flying)
        if parts is not None:
            together = np.concatenate(parts)
            order = np.lexsort((together[:, 1], together[:, 0]))
            small[f"populations/{name}/in_flight"] = together[order]
    return small if simulation.rank == 0 else {}
