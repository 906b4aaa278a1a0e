"""A stored network back into a simulation, on whatever ranks, tiles and device it now has."""

from __future__ import annotations

from typing import Any

import numpy as np

from hpcsnn.engine.rewiring.arrays import fit_event_log
from hpcsnn.engine.simulation import Simulation
from hpcsnn.engine.state import TRACE
from hpcsnn.engine.synapse_rows import PackedRows
from hpcsnn.network.attached import post_traces, pre_traces, source_variables, target_variables
from hpcsnn.storage.network_store import StoredNetwork
from hpcsnn.storage.snapshot import COUNTERS


def restore(simulation: Simulation, stored: StoredNetwork) -> None:
    """Put a stored state in place of the one that a new simulation starts with; a collective call.

    Each rank reads the shards of the neurons that it owns or can be wired to. What is counted over the whole network
    (spikes, formations) goes on from rank 0, since only sums over ranks are ever shown.

    Raises:
        StorageError: an array is missing or damaged.
    """
    network, state = simulation.network, simulation.state
    first = simulation.rank == 0
    state.reserve_bins(stored.step + 1)
    for name, population in network.populations.items():
        placement = simulation.placements[name]
        model: Any = population.model.model
        for variable in model.state:
            values = stored.of_neurons(f"populations/{name}/state/{variable.name}", placement.global_id)
            state.write(f"{name}.state_{variable.name}", values)
        if population.is_source:
            state.write(f"{name}.next_spike", stored.of_neurons(f"populations/{name}/next_spike", placement.global_id))
        about = stored.attributes["spikes"][name]
        bins = stored.array(f"populations/{name}/spikes_per_bin").astype(np.uint64)
        state.write(f"{name}.spikes_per_bin", bins if first else np.zeros_like(bins))
        state.write(f"{name}.fingerprint", np.array([about["fingerprint"] if first else 0], dtype=np.uint64))
        state.put_in_flight(name, stored.array(f"populations/{name}/in_flight"))
    for name, projection in network.projections.items():
        source, target = (simulation.placements[end.name] for end in (projection.source, projection.target))
        folder = f"projections/{name}"
        receptor: Any = projection.receptor.model
        for variable in receptor.state:
            values = stored.of_neurons(f"{folder}/receptor/{variable.name}", target.global_id)
            state.write(f"{name}.receptor_state_{variable.name}", values)
        if projection.delays is not None:
            ring = np.zeros_like(state.read(f"{name}.input"))
            for k, ahead in enumerate(projection.delays.ahead(ring, stored.step)):
                ahead[...] = stored.of_neurons(f"{folder}/input_in_flight/{k}", target.global_id)
            state.write(f"{name}.input", ring)
        for side, traces, ids in (
            ("pre", pre_traces(projection), source.known_id),
            ("post", post_traces(projection), target.global_id),
        ):
            for trace in traces:
                values = np.empty(len(ids), dtype=TRACE)
                for part in ("value", "last"):
                    values[part] = stored.of_neurons(f"{folder}/{side}/{trace.name}.{part}", ids)
                state.write(f"{name}.{side}_{trace.name}", values.view(np.int32))
        for end, variables, ids in (
            ("source", source_variables(projection), source.global_id),
            ("target", target_variables(projection), target.global_id),
        ):
            for variable in variables:
                values = stored.of_neurons(f"{folder}/rule/{end}/{variable.name}", ids)
                state.write(f"{name}.{end}_{variable.name}", values)
        for total, value in stored.attributes["projections"][name].get("sums", {}).items():
            state.write(f"{name}.sum_{total}", np.array([value], dtype=np.int64))
        rows = stored.rows(name, target.global_id)
        by_id = np.argsort(source.known_id, kind="stable")
        local = by_id[np.searchsorted(source.known_id[by_id], rows.columns["source"])].astype(np.int32)
        store = state.stores[name]
        store.restore(simulation.executable, PackedRows(rows.in_degree, {**rows.columns, "source": local}))
        fit_event_log(state, projection, store.capacity)
        for counter in COUNTERS:
            store.set_counter(counter, int(stored.attributes["projections"][name][counter]) if first else 0)
    state.set_control("step", stored.step)
