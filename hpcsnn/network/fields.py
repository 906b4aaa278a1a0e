"""Every array that a rank holds, once: whose it is, its type, how long, what it starts with, where it is kept on disk.

The structs that kernels see, allocation, growth, checkpoints, restoring, digests, the memory estimate and the
conformance tests read this table: a variable of a model, a trace, or an array of a stage is one line here and nowhere
else.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

import numpy as np

from hpcsnn.checked_numbers import LAST_STEP
from hpcsnn.models.base import Configured, Model, Variable
from hpcsnn.models.rewiring.rule import RewiringRule
from hpcsnn.network.population import Population, Stimulation, current_prefix
from hpcsnn.network.projection import Projection

# An exponential trace, kept as its value at its last spike: it costs nothing while its neuron is silent.
TRACE = np.dtype([("value", np.float32), ("last", np.int32)])
# What C++ types are to NumPy.
NUMPY: dict[str, Any] = {
    "int": np.int32,
    "float": np.float32,
    "uint32": np.uint32,
    "uint64": np.uint64,
    "int64": np.int64,
    "Probability": np.uint64,  # its threshold
    "Trace": TRACE,
}
# Arrays that kernels read in groups end in this much padding.
PADDING = 64
# The step of a spike that never comes: no run gets beyond it.
NEVER = LAST_STEP
# "Long ago" for a trace that has seen no spike: its age in any step is a number of 32 bits without a sign.
LONG_AGO = -(2**30)
# What is counted of a projection's synapses over a whole run.
COUNTERS = ("formed", "eliminated", "refused")
# Powers of a decay that each of its two tables has: decay^n = coarse[n / 256] * fine[n % 256].
FINE_POWERS = 256
# Enough for a spike of the first step to be remembered in the last one.
_MOST_COARSE = 2**31 // FINE_POWERS


class Neurons(Enum):
    """Whose values the first entries of an array are, one per neuron in the rank's local order."""

    OWN = auto()
    """Neurons of the population that the rank owns."""
    SOURCE = auto()
    """Source neurons of the projection that the rank owns."""
    KNOWN_SOURCE = auto()
    """Source neurons that the rank owns or can be wired to, own ones first."""
    TARGET = auto()
    """Target neurons of the projection that the rank owns."""


class Growth(Enum):
    """What makes an array longer while a run goes on."""

    ROWS = auto()
    """A full row of synapses: every row gets twice the places."""
    LISTS = auto()
    """A full outgoing list: every list gets twice the places."""


@dataclass(frozen=True)
class PopulationRoom:
    """How much a rank holds of a population; see `hpcsnn.ranks.partition.Placement`. What its neurons are in and what
    they do is there once for each of the `Network.replicas`."""

    n_own: int
    n_known: int
    n_tiles: int
    ring_slots: int
    log_entries: int
    bins: int = 1
    replicas: int = 1


@dataclass(frozen=True)
class ProjectionRoom:
    """How much a rank holds of a projection: neurons, places per row and per outgoing list, and what its rule needs."""

    n_targets: int
    n_sources: int
    n_known_sources: int
    row_capacity: int = 0
    list_capacity: int = 0
    n_blocks: int = 0
    n_within: int = 0
    event_entries: int = 0
    replicas: int = 1


Length = Callable[[Any], int]


@dataclass(frozen=True)
class Field:
    """One array.

    Attributes:
        name: in the struct of its owner; behind the owner's name in `RankState.arrays`.
        ctype: C++ type of an entry.
        length: entries, from the owner's room; None: as many as the host makes.
        first: value of every entry at the start, unless the host makes them.
        constant: kernels only read it.
        neurons: whose values the first entries are, if they are neurons'.
        disk: path below the owner's folder of a checkpoint; empty: not kept.
        growth: what makes it longer.
        made: the host makes its entries, or binds it only when they are needed.
        variable: which one of a model or rule it holds, if it is one.
    """

    name: str
    ctype: str
    length: Length | None = None
    first: float = 0
    constant: bool = False
    neurons: Neurons | None = None
    disk: str = ""
    growth: Growth | None = None
    made: bool = False
    variable: Variable | None = None

    @property
    def pointer(self) -> str:
        """Its C++ type in the struct."""
        return f"{'const ' if self.constant else ''}{self.ctype}*"

    @property
    def dtype(self) -> np.dtype[Any]:
        """The NumPy type of an entry."""
        return np.dtype(NUMPY[self.ctype])

    def n_bytes(self, room: Any) -> int:
        """Bytes, where the length follows from the room."""
        return 0 if self.length is None else self.length(room) * self.dtype.itemsize


def population_fields(population: Population) -> tuple[Field, ...]:
    """The arrays of a population."""

    def own(name: str, ctype: str, **more: Any) -> Field:
        return Field(name, ctype, lambda room: room.n_own * room.replicas, neurons=Neurons.OWN, **more)

    sources = [
        Field(
            "next_spike", "int", lambda room: room.n_own + PADDING, first=NEVER, neurons=Neurons.OWN, disk="next_spike"
        )
    ]
    # Whether its spikes are logged, of each neuron, where not all neurons' are.
    logged = Field("logged", "int", lambda room: room.n_own, constant=True, made=True)
    # The neurons of each group in the order of their ids, by local index, and what they compare in a step.
    grouped = (
        Field("group_member", "int", lambda room: room.n_own, constant=True, made=True),
        Field("compared", "float", lambda room: room.n_own),
    )
    # Whether a neuron never spikes, and no rule forms a synapse from or onto it.
    removed = Field("removed", "int", lambda room: room.n_known, constant=True, made=True)
    return (
        Field("global_id", "int", lambda room: room.n_own, constant=True, made=True),
        Field("known_id", "int", lambda room: room.n_known, constant=True, made=True),
        Field("tile_base", "int", lambda room: room.n_tiles, constant=True, made=True),
        Field("ring", "int", lambda room: room.ring_slots * room.n_known * room.replicas),
        Field("own_count", "int", lambda room: room.ring_slots),
        Field("remote_count", "int", lambda room: room.ring_slots),
        Field("log", "int", lambda room: 2 * room.log_entries),
        Field("log_count", "int", _one),
        *([] if population.spikes_of is None else [logged]),
        Field("fingerprint", "uint64", _one),
        Field("spikes_per_bin", "uint64", lambda room: room.bins),
        *(sources if population.is_source else []),
        *(own(f"state_{one.name}", one.ctype, disk=f"state/{one.name}", variable=one) for one in population.state),
        *(own(f"model_{name}", ctype, constant=True) for name, ctype in population.model.array_types()),
        *_tables("model_", population.model),
        *(grouped if population.group_size else ()),
        *(field for number, one in enumerate(population.stimulations) for field in _stimulation_fields(number, one)),
        *([removed] if population.removed is not None else []),
    )


def _stimulation_fields(number: int, stimulation: Stimulation) -> list[Field]:
    """The arrays of a current onto a population: whether it is for a neuron, unless it is for all; what differs between
    neurons; its tables."""
    prefix, current = current_prefix(number), stimulation.current
    chosen = Field(f"chosen_{number}", "int", lambda room: room.n_own, constant=True, made=True)
    each = [
        Field(f"{prefix}{name}", ctype, lambda room: room.n_own, neurons=Neurons.OWN, constant=True)
        for name, ctype in current.array_types()
    ]
    return [*([] if stimulation.ids is None else [chosen]), *each, *_tables(prefix, current)]


def projection_fields(projection: Projection) -> tuple[Field, ...]:
    """The arrays of a projection: of its synapses, of its neurons, of its rule, and the tables of its models."""
    tables = [field for prefix, model in projection.models.items() for field in _tables(prefix, model)]
    places = (Field(name, "int", constant=True, made=True) for name in projection.position_arrays)
    return (*synapse_fields(projection), *_neuron_fields(projection), *rewiring_fields(projection), *places, *tables)


def synapse_fields(projection: Projection) -> tuple[Field, ...]:
    """The rows by target, the outgoing lists by source, and what is counted of them."""

    def slots(name: str, ctype: str, disk: str = "", variable: Variable | None = None) -> Field:
        return Field(name, ctype, _places, disk=disk, growth=Growth.ROWS, variable=variable)

    def lists(room: ProjectionRoom) -> int:
        return room.n_known_sources * room.list_capacity

    columns = projection.synapse_columns
    return (
        Field("in_degree", "int", lambda room: room.n_targets, neurons=Neurons.TARGET),
        slots("source", "int", disk="synapse/source"),
        slots("entry", "int"),
        *(slots(f"synapse_{one.name}", one.ctype, f"synapse/{one.name}", one) for one in columns),
        Field("outgoing", "int", lists, growth=Growth.LISTS),
        *(Field(f"listed_{one.name}", one.ctype, lists, growth=Growth.LISTS) for one in projection.listed_columns),
        Field("outgoing_count", "int", lambda room: room.n_known_sources),
        *(Field(counter, "uint64", _one) for counter in COUNTERS),
        # Where a copy of the rows goes while one is taken.
        *(Field(name, "int", made=True) for name in ("packing_start", "packing_in_degree", "packed_source")),
        *(Field(f"packed_{one.name}", one.ctype, made=True) for one in columns),
    )


def _neuron_fields(projection: Projection) -> tuple[Field, ...]:
    """Input on its way, receptors and traces, with the tables that traces decay by."""
    delays, ring = projection.delays, projection.input_ring
    slots = ring.slots if ring else 1

    def trace(name: str, neurons: Neurons, side: str) -> Field:
        known = neurons is Neurons.KNOWN_SOURCE
        length: Length = (lambda room: room.n_known_sources) if known else (lambda room: room.n_targets)
        return Field(f"{side}_{name}", "Trace", length, first=LONG_AGO, neurons=neurons, disk=f"{side}/{name}")

    return (
        Field(
            "input",
            projection.input_format.ctype,
            lambda room: room.n_targets * room.replicas * slots,
            neurons=Neurons.TARGET,
            disk="input_in_flight" if ring else "",
        ),
        *(
            [Field("delay_threshold", "uint64", lambda _: len(delays.thresholds), constant=True, made=True)]
            if delays
            else []
        ),
        *(
            Field(
                f"receptor_state_{one.name}",
                one.ctype,
                lambda room: room.n_targets * room.replicas,
                first=one.initial,
                neurons=Neurons.TARGET,
                disk=f"receptor/{one.name}",
                variable=one,
            )
            for one in projection.receptor.model.state
        ),
        *(trace(one.name, Neurons.KNOWN_SOURCE, "pre") for one in projection.pre_traces),
        *(trace(one.name, Neurons.TARGET, "post") for one in projection.post_traces),
        *(
            Field(
                f"target_{one.name}",
                one.ctype,
                lambda room: room.n_targets,
                first=one.initial,
                neurons=Neurons.TARGET,
                disk=f"target/{one.name}",
                variable=one,
            )
            for one in projection.synapse.model.target_variables
        ),
    )


def rewiring_fields(projection: Projection) -> tuple[Field, ...]:
    """The arrays that an update of the projection's rule works on, beside synapses, neurons and traces."""
    rule, configured = projection.rule, projection.rewiring
    if rule is None or configured is None:
        return ()

    def targets(name: str, ctype: str, **more: Any) -> Field:
        return Field(name, ctype, lambda room: room.n_targets, **more)

    def sources(name: str, ctype: str, **more: Any) -> Field:
        return Field(name, ctype, lambda room: room.n_sources, **more)

    def of_rule(end: str, variable: Variable) -> Field:
        disk = f"rule/{end}/{variable.name}"
        more: dict[str, Any] = {"first": variable.initial, "disk": disk, "variable": variable}
        name = f"{end}_{variable.name}"
        if end == "source":
            return sources(name, variable.ctype, neurons=Neurons.SOURCE, **more)
        return targets(name, variable.ctype, neurons=Neurons.TARGET, **more)

    proposals = rule.proposals
    return (
        Field("event_log", "int", lambda room: 4 * room.event_entries),
        Field("event_log_count", "int", _one),
        *(Field(f"{part}_{name}", "int64", _one) for name in rule.sums for part in ("sum", "partial")),
        *(of_rule("source", variable) for variable in projection.source_variables),
        *(of_rule("target", variable) for variable in projection.target_variables),
        *(
            Field(f"shared_{one.name}", one.ctype, lambda room: room.n_known_sources, first=one.initial)
            for one in projection.shared_variables
        ),
        *(_attempt_fields(int(configured.values["attempts"])) if rule.attempts else ()),
        *([targets("n_proposed", "int")] if rule.per_target else []),
        *([Field("hook_proposed", "int", lambda room: room.n_targets * proposals)] if rule.per_target else []),
        *([targets("replace_tried", "int")] if rule.replace == "target" else []),
        *([targets("candidate_first", "int", first=-1)] if rule.replaces_anywhere else []),
        *(_listed_fields(rule)),
        *([sources(name, "int") for name in ("offers", "out_degree")] if rule.pairing else []),
        *([targets("demands", "int")] if rule.pairing else []),
        *([Field("local_out_degree", "int", lambda room: room.n_known_sources)] if rule.pairing else []),
    )


def _attempt_fields(attempts: int) -> tuple[Field, ...]:
    """Of attempts on slots that are drawn, block by block of targets."""

    def blocks(room: ProjectionRoom) -> int:
        return room.n_blocks

    def each(room: ProjectionRoom) -> int:
        return room.n_blocks * attempts

    def within(room: ProjectionRoom) -> int:
        return room.n_within

    return (
        Field("block_id", "int", blocks, constant=True, made=True),
        *(Field(f"attempt_{name}", "int", each, constant=True, made=True) for name in ("number", "x0", "y0")),
        *(Field(f"within_{name}", "int", within, constant=True, made=True) for name in ("dx", "dy")),
        Field("count_threshold", "uint64", lambda room: attempts if room.n_within else 0, constant=True, made=True),
        Field("attempts_done", "int", blocks),
        Field("attempt_count", "int", blocks, first=attempts),
        *(Field(f"attempt_{name}", "int", each) for name in ("target", "source", "distance")),
        Field("attempt_decision", "uint32", each),
    )


def _listed_fields(rule: RewiringRule) -> tuple[Field, ...]:
    """Of synapses that form from lists, which the host binds where ranks meet."""
    candidates = ("candidate_source", "candidate_next") if rule.replaces_anywhere else ()
    proposals = ("proposed_start", "proposed_done", "proposed") if rule.lists else ()
    # Of pairs that are drawn before a batch: the target (-1: none of this rank's), what a synapse's gradient would be.
    guided = ("candidate_target", "candidate_gradient", "candidate_rank") if rule.guide else ()
    ctypes = {"candidate_gradient": "int64", "candidate_rank": "float", "weakness": "float"}
    names = (*candidates, *proposals, *guided, *(["weakness"] if rule.turnover else []))
    return tuple(Field(name, ctypes.get(name, "int"), made=True) for name in names)


def decay_fields(dt_ms: float, tau_ms: float) -> tuple[Field, ...]:
    """The tables that a trace decays by: powers of the decay until 1e-30, far below what a float32 weight can feel."""
    n_coarse = min(math.ceil(math.log(1e30) / (dt_ms / tau_ms) / FINE_POWERS) + 1, _MOST_COARSE)
    return (
        Field("fine", "float", lambda _: FINE_POWERS, constant=True, made=True),
        Field("coarse", "float", lambda _: n_coarse, constant=True, made=True),
    )


def _tables(prefix: str, configured: Configured[Model]) -> list[Field]:
    """A model's tables, as long as the model makes them."""
    tables = configured.model.tables.items()
    return [Field(f"{prefix}{name}", table.ctype, constant=True, made=True) for name, table in tables]


def _one(_: Any) -> int:
    return 1


def _n_own(room: PopulationRoom) -> int:
    return room.n_own


def _places(room: ProjectionRoom) -> int:
    return room.n_targets * room.row_capacity
