"""A layer of hypercolumns that learns without supervision, beside the neurons of its network; and its arrays."""

from __future__ import annotations

from dataclasses import dataclass

from hpcsnn.models.base import Configured
from hpcsnn.models.grouped.unsupervised import UnsupervisedRule
from hpcsnn.network.fields import Field


@dataclass(frozen=True)
class Hypercolumns:
    """What the groups of a population learn from patterns over `n_inputs` channels, `most_patterns` at a time.

    Attributes:
        population: whose groups are the hypercolumns.
        size: units of one.
        rule: with its parameters.
    """

    population: str
    size: int
    n_inputs: int
    most_patterns: int
    rule: Configured[UnsupervisedRule]

    @property
    def source_units(self) -> int:
        """Channels that make a hypercolumn of the source."""
        return int(self.rule.values["source_units"])

    @property
    def n_sources(self) -> int:
        """Hypercolumns of the source."""
        return self.n_inputs // self.source_units

    @property
    def connections(self) -> int:
        """Those that each hypercolumn listens to."""
        return int(self.rule.values["connections"])


@dataclass(frozen=True)
class HypercolumnRoom:
    """How much of a layer a rank has: units, whole hypercolumns."""

    n_units: int


def hypercolumn_fields(layer: Hypercolumns) -> tuple[Field, ...]:
    """The arrays of a layer on a rank; units in the order of their ids."""
    size, n_inputs, made = layer.size, layer.n_inputs, layer.connections
    return (
        Field("id", "int", lambda room: room.n_units, constant=True, made=True),
        Field("pattern", "float", lambda _: layer.most_patterns * n_inputs, constant=True),
        Field("p_input", "float", lambda _: n_inputs),
        Field("p_unit", "float", lambda room: room.n_units),
        Field("p_joint", "float", lambda room: room.n_units * n_inputs),
        Field("connected", "int", lambda room: room.n_units // size * made, constant=True),
        Field("weight", "float", lambda room: room.n_units * made * layer.source_units),
        Field("bias", "float", lambda room: room.n_units),
        Field("support", "float", lambda room: room.n_units),
        Field("activity", "float", lambda room: room.n_units),
        Field("information", "float", lambda room: room.n_units // size * n_inputs),
        Field("undecided", "int64", lambda _: 1),
    )
