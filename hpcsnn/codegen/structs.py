"""The structs that kernels see, declared once: as C++ text for the compilers and as ctypes for Python to fill.

Kernels take one pointer to the rank's ``Network`` struct. Arrays can be exchanged for larger ones between two calls
without compiling or capturing anything again, since only pointers inside the struct change.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hpcsnn.models.base import Configured
from hpcsnn.models.rewiring import RewiringRule
from hpcsnn.network import Network, Population, Projection
from hpcsnn.network.attached import (
    post_traces,
    pre_traces,
    shared_variables,
    source_variables,
    synapse_columns,
    synapse_variables,
    target_variables,
)

_SCALARS: dict[str, Any] = {
    "int": ctypes.c_int32,
    "uint32": ctypes.c_uint32,
    "uint64": ctypes.c_uint64,
    "Probability": ctypes.c_uint64,  # its threshold
    "int64": ctypes.c_int64,
    "float": ctypes.c_float,
}

# What arrays of these types are to NumPy.
NUMPY = {
    "int": np.int32,
    "float": np.float32,
    "uint32": np.uint32,
    "uint64": np.uint64,
    "int64": np.int64,
    "Probability": np.uint64,  # its threshold
}


class DecayTable(ctypes.Structure):
    """`DecayTable` of kernels/base/network.cuh."""

    _fields_ = [("fine", ctypes.c_void_p), ("coarse", ctypes.c_void_p), ("n_coarse", ctypes.c_int32)]


class Control(ctypes.Structure):
    """`Control` of kernels/base/network.cuh."""

    _fields_ = [(name, ctypes.c_int32) for name in ("step", "halt", "stage", "population", "neuron", "bin_steps")] + [
        ("seed0", ctypes.c_uint32),
        ("seed1", ctypes.c_uint32),
    ]


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
            elif kind.endswith("*"):
                members.append((name, ctypes.c_void_p))
            elif kind == "DecayTable":
                members.append((name, DecayTable))
            else:
                members.append((name, _SCALARS[kind]))
        return type(self.name, (ctypes.Structure,), {"_fields_": members})


def _model_fields(prefix: str, configured: Configured) -> list[tuple[str, str | Struct]]:
    fields: list[tuple[str, str | Struct]] = [(prefix + name, ctype) for name, ctype in configured.constant_types()]
    fields += [(prefix + name, f"const {ctype}*") for name, ctype in configured.array_types()]
    for name, table in configured.model.tables.items():
        fields += [(f"{prefix}{name}", f"const {table.ctype}*"), (f"n_{prefix}{name}", "int")]
    return fields


def population_struct(population: Population) -> Struct:
    """A population on a rank: where its neurons are, its spikes, its state."""
    model: Any = population.model.model
    fields: list[tuple[str, str | Struct]] = [
        *((name, "int") for name in ("n_own", "n_known", "nx", "ny", "tile_shift_x", "tile_shift_y", "tiles_x")),
        ("first_id", "uint32"),
        ("ring_mask", "int"),
        ("log_size", "int"),
        ("global_id", "const int*"),
        ("known_id", "const int*"),
        ("tile_base", "const int*"),
        *((name, "int*") for name in ("ring", "own_count", "remote_count", "log", "log_count", "next_spike")),
        ("fingerprint", "uint64*"),
        ("spikes_per_bin", "uint64*"),
        *((f"state_{variable.name}", f"{variable.ctype}*") for variable in model.state),
        *_model_fields("model_", population.model),
    ]
    return Struct(f"Population_{population.name}", fields)


def projection_struct(projection: Projection) -> Struct:
    """A projection on a rank: rows by target, outgoing lists by source, traces, rules."""
    receptor = projection.receptor.model
    variables, columns = synapse_variables(projection), synapse_columns(projection)
    traces_before, traces_after = pre_traces(projection), post_traces(projection)
    states: Any = receptor
    input_type = projection.input_scale()[0]
    fields: list[tuple[str, str | Struct]] = [
        *((name, "int") for name in ("delay_steps", "row_shift", "outgoing_shift", "rows_grow")),
        *((name, "float") for name in ("input_scale", "input_unit")),
        *((f"initial_{variable.name}", variable.ctype) for variable in variables),
        *((name, "int*") for name in ("in_degree", "source", "entry", "outgoing", "outgoing_count")),
        *((f"synapse_{column.name}", f"{column.ctype}*") for column in columns),
        *((name, "int*") for name in ("packed_start", "packed_in_degree", "packed_source")),
        *((f"packed_{column.name}", f"{column.ctype}*") for column in columns),
        ("input", f"{input_type}*"),
        *((f"receptor_state_{variable.name}", f"{variable.ctype}*") for variable in states.state),
        *((f"pre_{trace.name}", "Trace*") for trace in traces_before),
        *((f"post_{trace.name}", "Trace*") for trace in traces_after),
        *((f"decay_{trace.name}", "DecayTable") for trace in (*traces_before, *traces_after)),
        *((name, "uint64*") for name in ("formed", "eliminated", "refused")),
        *_model_fields("synapse_", projection.synapse),
        *_model_fields("receptor_", projection.receptor),
        *_model_fields("connector_", projection.connector),
    ]
    if projection.delays is not None:
        fields += [("input_mask", "uint32"), ("n_delay_threshold", "int"), ("delay_threshold", "const uint64*")]
    if projection.rewiring is not None:
        fields += [
            *_rewiring_fields(projection.rewiring),
            *((f"source_{variable.name}", f"{variable.ctype}*") for variable in source_variables(projection)),
            *((f"target_{variable.name}", f"{variable.ctype}*") for variable in target_variables(projection)),
            *((f"shared_{variable.name}", f"{variable.ctype}*") for variable in shared_variables(projection)),
        ]
    return Struct(f"Projection_{projection.name}", fields)


def _rewiring_fields(configured: Configured) -> list[tuple[str, str | Struct]]:
    rule = configured.model
    assert isinstance(rule, RewiringRule)
    fields: list[tuple[str, str | Struct]] = [
        ("rewiring_every_steps", "int"),
        ("rewiring_forms_within", "int"),
        ("event_log", "int*"),
        ("event_log_count", "int*"),
        ("event_log_size", "int"),
        ("most_events", "int"),
        *((f"{part}_{name}", "int64*") for name in rule.sums for part in ("sum", "partial")),
        *_model_fields("rewiring_", configured),
    ]
    if rule.attempts:
        fields += [
            *((f"rewiring_{name}", "int") for name in ("block_x", "block_y", "reach_squared")),
            *((f"rewiring_{name}", "int") for name in ("interval", "looks_back") if rule.select.looks_back_ms),
            ("n_blocks", "int"),
            ("attempts_done", "int*"),
            ("block_id", "const int*"),
            *((f"attempt_{name}", "const int*") for name in ("number", "x0", "y0")),
            *((f"attempt_{name}", "int*") for name in ("target", "source", "distance")),
            ("attempt_decision", "uint32*"),
            ("attempt_count", "int*"),
            ("n_attempts", "int"),
            ("n_within", "int"),
            *((f"within_{name}", "const int*") for name in ("dx", "dy")),
            ("count_threshold", "const uint64*"),
        ]
    if rule.per_target:
        fields += [("n_proposed", "int*"), ("hook_proposed", "int*")]
    if rule.replace == "target":
        fields += [("replace_tried", "int*")]
    if rule.replace == "projection" or rule.pairing:
        fields += [
            *((name, "int*") for name in ("proposed_start", "proposed_done", "proposed")),
            ("n_formed", "int64*"),
        ]
    if rule.replace == "projection":
        fields += [("n_candidates", "int"), ("first_candidate", "int"), ("candidates", "int*")]
    if rule.pairing:
        fields += [(name, "int*") for name in ("offers", "demands", "out_degree", "local_out_degree")]
    return fields


def network_struct(network: Network) -> Struct:
    """All that a rank holds."""
    exchange = Struct(
        "Exchange",
        [
            *((name, "int") for name in ("interval", "n_ranks", "rank", "block", "handle_bytes")),
            ("n_ids", "uint32"),
            *((name, "uint32*") for name in ("send", "outbox", "inbox", "received")),
            *((name, "int*") for name in ("send_count", "received_count")),
            ("rounds", "int64*"),
            *((name, "int64") for name in ("allgather", "communicator", "datatype")),
        ],
    )
    initial = Struct(
        "InitialDraw",
        [
            ("n", "int"),
            ("step", "int"),
            ("stream", "uint32"),
            *((name, "const int*") for name in ("ids", "draws")),
            ("words", "uint32*"),
        ],
    )
    populations = Struct("Populations", [(name, population_struct(p)) for name, p in network.populations.items()])
    projections = Struct("Projections", [(name, projection_struct(p)) for name, p in network.projections.items()])
    return Struct(
        "Network",
        [
            ("control", "Control*"),
            ("dt_ms", "float"),
            ("exchange", exchange),
            ("initial", initial),
            ("populations", populations),
            ("projections", projections),
        ],
    )
