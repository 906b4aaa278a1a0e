"""The structs that kernels see, declared once: as C++ text for the compilers and as ctypes for Python to fill.

Kernels take one pointer to the rank's ``Network`` struct. Arrays can be exchanged for larger ones between two calls
without compiling or capturing anything again, since only pointers inside the struct change. Pointers come from the one
table of arrays, `hpcsnn.network.fields`; the numbers beside them are declared here.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from hpcsnn.codegen.constants import DecayTable
from hpcsnn.errors import SimulationError
from hpcsnn.models.base import Configured, Model
from hpcsnn.models.rewiring import RewiringRule
from hpcsnn.network import Network, Population, Projection
from hpcsnn.network.exchange_fields import exchange_fields
from hpcsnn.network.fields import Field, population_fields, projection_fields
from hpcsnn.network.population import current_prefix
from hpcsnn.network.recording.recorders import Recorder, recorders

_SCALARS: dict[str, Any] = {
    "int": ctypes.c_int32,
    "uint32": ctypes.c_uint32,
    "uint64": ctypes.c_uint64,
    "Probability": ctypes.c_uint64,  # its threshold
    "int64": ctypes.c_int64,
    "float": ctypes.c_float,
    "DecayTable": DecayTable,
}
# Of each axis of the lattice that two unequal grids are on.
LATTICE_NUMBERS = ("stride", "offset", "period")
# What compiled code calls by address; see `hpcsnn.ranks.exchange.mpi_calls`.
MPI_FUNCTIONS = ("barrier", "allgather", "start_all", "wait_all", "start_send", "receive")
_WHOLE = (ctypes.c_int32, ctypes.c_uint32, ctypes.c_int64, ctypes.c_uint64)


class _Numbers(ctypes.Structure):
    """A struct that refuses a whole number which its member cannot hold; ctypes would keep the lower bits."""

    __slots__ = ()
    kind_of: ClassVar[dict[str, Any]] = {}

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        kind = self.kind_of.get(name)
        if kind in _WHOLE and getattr(self, name) != value:
            bits = 8 * ctypes.sizeof(kind)
            signed = kind in (ctypes.c_int32, ctypes.c_int64)
            most = f"2^{bits - 1} - 1" if signed else f"2^{bits} - 1"
            owner = type(self).__name__.replace("Population_", "populations.").replace("Projection_", "projections.")
            raise SimulationError(
                f"{owner}: {name} would be {value}, which is more than kernels can count: at most {most} on a rank; "
                "a smaller network, shorter times or more ranks may fit"
            )


@dataclass
class Struct:
    """One struct: its name and ordered (field, C++ type) pairs; a type may be another `Struct`."""

    name: str
    fields: list[tuple[str, str | Struct]] = field(default_factory=list)

    def text(self) -> str:
        """The C++ declaration, after those of the structs inside it."""
        inner = [kind.text() for _, kind in self.fields if isinstance(kind, Struct)]
        lines = [f"    {kind.name if isinstance(kind, Struct) else kind} {name};" for name, kind in self.fields]
        return "\n".join([*inner, f"struct {self.name} {{", *(lines or ["    int unused;"]), "};", ""])

    def ctype(self) -> type[ctypes.Structure]:
        """The same struct for Python; pointers are addresses."""
        members: list[tuple[str, Any]] = []
        for name, kind in self.fields or [("unused", "int")]:
            if isinstance(kind, Struct):
                members.append((name, kind.ctype()))
            else:
                members.append((name, ctypes.c_void_p if kind.endswith("*") else _SCALARS[kind]))
        # Without slots, setting what is no member would be an attribute of Python's that no kernel sees.
        return type(self.name, (_Numbers,), {"__slots__": (), "_fields_": members, "kind_of": dict(members)})


Members = list[tuple[str, "str | Struct"]]


def each_member(ctype: str, *names: str) -> Members:
    """Members of one type."""
    return [(name, ctype) for name in names]


def pointers(fields: Iterable[Field]) -> Members:
    """Where arrays are."""
    return [(one.name, one.pointer) for one in fields]


def model_numbers(prefix: str, configured: Configured[Model]) -> Members:
    """A model's constants that are one number, and the lengths of its tables."""
    numbers: Members = [(prefix + name, ctype) for name, ctype in configured.constant_types()]
    return numbers + [(f"n_{prefix}{name}", "int") for name in configured.model.tables]


def population_struct(population: Population) -> Struct:
    """A population on a rank: where its neurons are, its spikes, its state."""
    places = ("n_own", "n_known", "n_simulated", "slot_size", "nx", "ny", "tile_shift_x", "tile_shift_y")
    periods = ("period_x", "period_y")
    tiles = ("tiles_x", "tiles_y", "window_x", "window_y", "window_width", "window_height")
    members = [
        *each_member("int", *places, *periods, *tiles, "ring_mask", "log_size"),
        *each_member("uint32", "first_id", "first_own"),
        *each_member("int", *(["n_groups"] if population.group_size else [])),
        *pointers(population_fields(population)),
        *model_numbers("model_", population.model),
        *(
            member
            for number, one in enumerate(population.stimulations)
            for member in (
                *each_member("int", f"from_step_{number}", f"to_step_{number}"),
                *model_numbers(current_prefix(number), one.current),
            )
        ),
    ]
    return Struct(f"Population_{population.name}", members)


def projection_struct(projection: Projection) -> Struct:
    """A projection on a rank: rows by target, outgoing lists by source, traces, rules."""
    members: Members = [
        *each_member("int", "delay_steps", "row_shift", "outgoing_shift", "rows_grow"),
        *each_member("float", "input_scale", "input_unit", "input_limit"),
        *((f"initial_{variable.name}", variable.ctype) for variable in projection.synapse_variables),
        *((f"decay_{trace.name}", "DecayTable") for trace in (*projection.pre_traces, *projection.post_traces)),
        *pointers(projection_fields(projection)),
    ]
    for prefix, configured in projection.models.items():
        members += model_numbers(prefix, configured)
    if projection.input_ring is not None:
        members += each_member("uint32", "input_mask")
    if projection.delays is not None:
        members += each_member("int", "n_delay_threshold")
    if projection.dendritic_steps:
        members += each_member("int", "dendritic_steps")
    if projection.free_lattice is not None:
        members += each_member(
            "int", "cell_side", *(f"cell_{of}_{axis}" for of in ("origin", "count") for axis in "xyz")
        )
    if projection.grid_lattice is not None:
        along = (f"lattice_{name}_{axis}" for name in LATTICE_NUMBERS for axis in "xy")
        members += each_member("int", "fineness", *along)
    if projection.rewiring is not None:
        members += _rewiring_numbers(projection.rewiring.model)
    return Struct(f"Projection_{projection.name}", members)


def _rewiring_numbers(rule: RewiringRule) -> Members:
    numbers = each_member("int", "rewiring_every_steps", "rewiring_forms_within", "event_log_size", "most_events")
    if rule.attempts:
        numbers += each_member("int", *(f"rewiring_{name}" for name in ("block_x", "block_y", "reach_squared")))
        numbers += each_member("int", "n_blocks", "n_attempts", "n_within")
    if rule.attempts and rule.select.looks_back_ms:
        numbers += each_member("int", "rewiring_looks_back")
    if rule.guide:
        numbers += each_member("int", "n_guided")
    if rule.replaces_anywhere:
        numbers += [*each_member("int", "n_candidates"), *each_member("uint32", "first_candidate")]
    return numbers


def recorder_struct(recorder: Recorder) -> Struct:
    """A variable that is recorded on a rank: of how many neurons, what its kernel loops over, room for rows, how often,
    and how many rows the host has taken, up to now and before the run was resumed."""
    numbers = each_member("int", "n_neurons", "n_items", "n_rows", "every_steps", "rows_taken")
    members = [*numbers, *pointers(recorder.fields)]
    return Struct(f"Recorder_{recorder.number}", members)


def network_struct(network: Network, more: Iterable[Struct] = ()) -> Struct:
    """All that a rank holds; `more` under their names in lower-case letters."""
    exchange = Struct(
        "Exchange",
        [
            *each_member("int", "interval", "lag", "number_bits", "by_neighbours"),
            *each_member("int", "n_ranks", "rank", "block", "n_in", "n_out", "handle_bytes"),
            *each_member("int", "n_receives", "n_sends", "n_together", "patience"),
            *each_member("int", "made_up_steps"),
            *pointers(exchange_fields()),
            *each_member("int64", "communicator", "datatype", *MPI_FUNCTIONS),
        ],
    )
    words = Struct(
        "RandomWords",
        [
            *each_member("int", "n", "step"),
            *each_member("uint32", "stream"),
            *each_member("const int*", "ids", "draws"),
            *each_member("uint32*", "words"),
        ],
    )
    return Struct(
        "Network",
        [
            ("control", "Control*"),
            ("dt_ms", "float"),
            ("exchange", exchange),
            ("random_words", words),
            *((f"population_{name}", population_struct(one)) for name, one in network.populations.items()),
            *((f"projection_{name}", projection_struct(one)) for name, one in network.projections.items()),
            *((one.name, recorder_struct(one)) for one in recorders(network)),
            *((one.name.lower(), one) for one in more),
        ],
    )
