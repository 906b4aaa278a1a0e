"""What is not a finite number in a network, in words: whose value, which variable, which value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.network.fields import TRACE, Neurons
from hpcsnn.network.neuron_arrays import neuron_arrays

if TYPE_CHECKING:
    from hpcsnn.engine.simulation import Simulation


def in_neurons(population: str, neurons: Mapping[str, NDArray[Any]]) -> str | None:
    """The values that are not finite of the first such neuron.

    Args:
        neurons: as `Simulation.neurons` gives them.
    """
    at, values = _first(neurons, ("id",))
    return None if at is None else f"populations.{population}: {values} of neuron {neurons['id'][at]}"


def in_synapses(projection: str, synapses: Mapping[str, NDArray[Any]]) -> str | None:
    """The values that are not finite of the first such synapse.

    Args:
        synapses: as `Simulation.synapses` gives them.
    """
    at, values = _first(synapses, ("pre", "post"))
    if at is None:
        return None
    return f"projections.{projection}: {values} of the synapse from {synapses['pre'][at]} to {synapses['post'][at]}"


def in_traces(simulation: Simulation) -> str | None:
    """The first trace of this rank's neurons that is not finite."""
    for population in simulation.network.populations.values():
        for array in neuron_arrays(simulation.network, population):
            if array.field.ctype != "Trace" or array.projection is None:
                continue
            placement = simulation.placements[population.name]
            known = array.field.neurons is Neurons.KNOWN_SOURCE
            ids = placement.known_id if known else placement.global_id
            value = simulation.state.read(array.name).view(TRACE)["value"][: len(ids)]
            wrong = np.flatnonzero(~np.isfinite(value))
            if len(wrong):
                at = wrong[np.argmin(ids[wrong])]
                name = array.field.name.partition("_")[2]
                return f"projections.{array.projection.name}: trace {name} = {value[at]} of neuron {ids[at]}"
    return None


def in_groups(simulation: Simulation) -> str | None:
    """The first of this rank's neurons whose value is not finite that is compared within its group."""
    for name, population in simulation.network.populations.items():
        if not population.group_size:
            continue
        values = simulation.state.read(f"{name}.compared")
        wrong = np.flatnonzero(~np.isfinite(values))
        if len(wrong):
            ids = np.sort(simulation.placements[name].global_id)
            return f"populations.{name}: {values[wrong[0]]}, which neuron {ids[wrong[0]]} compares within its group,"
    return None


def not_finite(simulation: Simulation) -> str | None:
    """The first thing that is not finite on this rank: of neurons, of synapses, of traces."""
    return next((found for found in _findings(simulation) if found), None)


def _findings(simulation: Simulation) -> Iterator[str | None]:
    for name in simulation.network.populations:
        yield in_neurons(name, simulation.neurons(name))
    for name in simulation.network.projections:
        yield in_synapses(name, simulation.synapses(name))
    yield in_traces(simulation)
    yield in_groups(simulation)


def _first(columns: Mapping[str, NDArray[Any]], keys: tuple[str, ...]) -> tuple[int | None, str]:
    """The first row with a value that is not finite, and all such values of it."""
    wrong = {
        name: ~np.isfinite(column)
        for name, column in columns.items()
        if name not in keys and np.issubdtype(column.dtype, np.floating) and not np.isfinite(column).all()
    }
    if not wrong:
        return None, ""
    at = min(int(np.argmax(rows)) for rows in wrong.values())
    return at, ", ".join(f"{name} = {columns[name][at]}" for name, rows in wrong.items() if rows[at])
