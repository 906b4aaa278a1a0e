"""Recorders: where what is recorded of neurons and synapses is, and the arrays into which kernels write it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from hpcsnn.errors import ConfigurationError, unknown_name
from hpcsnn.network.fields import NUMPY, Field, synapse_fields
from hpcsnn.network.network import Network
from hpcsnn.network.neuron_arrays import column_of, neuron_arrays
from hpcsnn.network.population import Population
from hpcsnn.network.projection import Projection
from hpcsnn.network.recording.asked import Recording
from hpcsnn.network.recording.exact_sums import WINDOWS

Kind = Literal["variables", "averages", "synapses"]
_SIDES = {"pre": "source", "post": "target"}
_LEARNS = (
    "not allowed in a network that learns, of which samples are played in any order by many ranks; record the trained "
    "one: hpcsnn run --from RUN, or Simulation(trainer.network())"
)


@dataclass(frozen=True)
class RecorderRoom:
    """How much a rank records of one variable before its host takes it: of so many neurons, so many rows; and over how
    many items its kernel loops, which are the values of a row where these are no averages."""

    n_neurons: int
    n_items: int
    n_rows: int


@dataclass(frozen=True)
class Recorder:
    """A variable that is recorded of neurons, on average over them, or of all synapses of some targets.

    Attributes:
        number: tells the network's recorders apart.
        owner: whose ``record`` asks for it.
        column: the variable, as `Simulation.neurons` or `Simulation.synapses` names it.
        field: the array that holds it.
        projection: whose the array is, if it is not the population's own.
    """

    number: int
    owner: Population | Projection
    column: str
    recording: Recording
    field: Field
    projection: Projection | None

    @property
    def kind(self) -> Kind:
        """What a row holds: a value of each neuron, their average, or a value of each synapse. Its folder on disk."""
        if isinstance(self.owner, Projection):
            return "synapses"
        return "averages" if self.recording.average else "variables"

    @property
    def name(self) -> str:
        """In structs, and before its arrays' names in `RankState.arrays`."""
        return f"recorder_{self.number}"

    @property
    def key(self) -> str:
        """``population/variable`` or ``projection/variable``, which is one of no other recorder."""
        return f"{self.owner.name}/{self.column}"

    @property
    def place(self) -> str:
        """Where it is asked for, in a configuration."""
        return f"{_of(self.owner)}.record.{self.column}"

    @property
    def neurons(self) -> Population:
        """Whose neurons are chosen: of synapses, those that they lead to."""
        return self.owner.target if isinstance(self.owner, Projection) else self.owner

    @property
    def part(self) -> str:
        """The part of the struct in which the array is."""
        return f"projection_{self.projection.name}" if self.projection else f"population_{self.neurons.name}"

    @property
    def trace(self) -> str:
        """The trace that it is, decayed to the end of the step; empty: it is none."""
        return self.field.disk.partition("/")[2] if self.field.ctype == "Trace" else ""

    @property
    def ctype(self) -> str:
        """C++ type of a value."""
        return "float" if self.trace else self.field.ctype

    @property
    def dtype(self) -> np.dtype[Any]:
        """The NumPy type of a value."""
        return np.dtype(NUMPY[self.ctype])

    @property
    def unit(self) -> str:
        """Of the values; empty: they have none."""
        return self.field.variable.unit if self.field.variable else ""

    @property
    def fields(self) -> tuple[Field, ...]:
        """Its arrays: local numbers of its neurons, and the rows. Of synapses, each target has in every row the places
        that it has for synapses, and ``source`` is the id of each one's source, -1 where there is no synapse. A row of
        averages is what `hpcsnn.network.recording.exact_sums` makes numbers of."""
        neuron = Field("neuron", "int", lambda room: room.n_neurons, constant=True, made=True)
        if self.kind == "averages":
            sums = Field("sums", "int64", lambda room: room.n_rows * WINDOWS)
            ends = (("least", 2**31 - 1), ("most", -(2**31)))
            return (neuron, sums, *(Field(name, "int", lambda room: room.n_rows, first=none) for name, none in ends))
        rows = Field("rows", self.ctype, _whole_rows)
        sources = (Field("source", "int", _whole_rows),) if self.kind == "synapses" else ()
        return (neuron, *sources, rows)


def recorders(network: Network) -> list[Recorder]:
    """All that is recorded, spikes and events aside.

    Raises:
        ConfigurationError: a variable that the population or projection does not have, or a network that learns.
    """
    for population in network.populations.values():
        if network.learning is not None and population.spikes_of is not None:
            raise ConfigurationError(f"populations.{population.name}.record.spikes: {_LEARNS}")
    found: list[Recorder] = []
    for owner in network.recorded:  # listing arrays works out how input adds up, which takes a while of long lists
        where = f"{_of(owner)}.record"
        if network.learning is not None:
            raise ConfigurationError(f"{where}: {_LEARNS}")
        arrays = _of_synapses(owner) if isinstance(owner, Projection) else dict(_of_neurons(network, owner))
        found += _asked(where, owner, arrays, len(found))
    return found


def without_recorders(network: Network) -> Network:
    """The same network, of which nothing is recorded; it itself, if nothing is."""
    if not network.recorded and all(one.spikes_of is None for one in network.populations.values()):
        return network
    other = type(network)(network.seed, network.dt_ms)
    for name, population in network.populations.items():
        other.populations[name] = replace(population, record={}, spikes_of=None)
    for name, projection in network.projections.items():
        source, target = (other.populations[end.name] for end in (projection.source, projection.target))
        other.projections[name] = replace(projection, source=source, target=target, record={})
    return other


def _asked(
    where: str, owner: Population | Projection, arrays: Mapping[str, tuple[Field, Projection | None]], first: int
) -> Iterator[Recorder]:
    for number, (column, recording) in enumerate(owner.record.items(), first):
        if column not in arrays:
            raise ConfigurationError(unknown_name(where, column, arrays))
        yield Recorder(number, owner, column, recording, *arrays[column])


def _of_neurons(network: Network, population: Population) -> Iterator[tuple[str, tuple[Field, Projection | None]]]:
    """By column of `Simulation.neurons`, the array, and whose it is; and traces, which are called as a rule's variables
    are: ``projection.source.trace`` and ``projection.target.trace``."""
    for array in neuron_arrays(network, population):
        column = column_of(array.path)
        if array.projection is not None and array.field.ctype == "Trace":
            side, _, trace = array.field.disk.partition("/")
            column = f"{array.projection.name}.{_SIDES[side]}.{trace}"
        if column is not None:
            yield column, (array.field, array.projection)


def _of_synapses(projection: Projection) -> dict[str, tuple[Field, Projection | None]]:
    """By column of `Simulation.synapses`, pre and post aside."""
    fields = {field.name: field for field in synapse_fields(projection)}
    return {one.name: (fields[f"synapse_{one.name}"], projection) for one in projection.synapse_columns}


def _of(owner: Population | Projection) -> str:
    return f"{'projections' if isinstance(owner, Projection) else 'populations'}.{owner.name}"


def _whole_rows(room: RecorderRoom) -> int:
    return room.n_rows * room.n_items
