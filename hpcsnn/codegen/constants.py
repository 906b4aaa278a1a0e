"""Numbers and small structs that kernels and Python must agree on: declared here, and from here put into the source."""

from __future__ import annotations

import ctypes
from enum import IntEnum, IntFlag
from typing import Any

from hpcsnn.codegen.random_streams import Tag
from hpcsnn.codegen.schedule import PHASES
from hpcsnn.network.learning_fields import GRADIENT_BITS, SIDE_BY_SIDE
from hpcsnn.network.recording.exact_sums import WINDOWS

# Threads of a GPU that share one row or one outgoing list. A host has one, racing threads (tests) have fewer.
GPU_LANES = 32
# One step in so many is timed, part by part; a prime, so that it meets the steps of every trigger in turn.
TIMED_EVERY = 17
# Exchanges in one step of so many are told apart into parts, for which ranks wait for each other; a prime again.
PARTED_EVERY = 127
# Between which wall times of a step they are counted, in microseconds: ten to a decade, from 100 ns to a second.
CYCLE_EDGES_US = tuple(float(f"{10 ** (n / 10 - 1):.4g}") for n in range(71))


class HaltReason(IntEnum):
    """Why a schedule stopped before the step that it was asked to reach."""

    RUNNING = 0
    ROWS_FULL = 1
    OUTGOING_FULL = 2
    NOT_FINITE = 3
    EXCHANGE_FAILED = 4
    LOG_FULL = 5
    MEETING = 6
    VALUES_CHANGED = 7
    TRAPPED = 8
    OUTGROWN = 9
    """A spike brings more than its projection's bound says."""
    NO_CHANCE = 10
    """A rule's chance is not in [0, 1]."""
    GRADIENT = 11
    """A neuron's gradient is more than can be added up."""


# A kernel that halts for one of these goes on once there is room.
FULL = (HaltReason.ROWS_FULL, HaltReason.OUTGOING_FULL, HaltReason.LOG_FULL)


class ChangedValues(IntFlag):
    """How a program computes otherwise than it is meant to; see kernels/setup/values.cu."""

    DENORMALS = 1
    FUSED = 2
    NOT_A_NUMBER = 4
    ORDER = 8
    DIVISION = 16
    SIGNED_ZERO = 32
    PRECISION = 64
    ROUNDING = 128


class MeetingPlace(IntEnum):
    """Where in an update of a rule, or behind a sample, the ranks' hosts have something to do together."""

    TALLY = 0
    """Sources get to know their out-degree."""
    SHARE = 1
    """Variables of sources go to the ranks of their targets."""
    MEET = 2
    """Sums, replacement and pairing."""
    ERRORS = 3
    """Of a sample, no update: its errors go from the readout's rank to the others."""


class ExchangePart(IntEnum):
    """What the time of an exchange of spikes goes to."""

    WAIT = 0
    """Until the last rank is there."""
    TRANSFER = 1
    ACCEPT = 2
    """Spikes of other ranks enter the rings."""


class Sent(IntEnum):
    """What is counted of all that a rank sends."""

    MESSAGES = 0
    """To another rank each."""
    BYTES = 1
    SPIKES = 2
    """Each for every rank that it goes to."""


class StepTimes(ctypes.Structure):
    """Wall seconds of steps on one rank, and how long they took, that its schedule adds up.

    ``phases`` and ``cycles`` are of the steps that were timed, ``exchange`` of all exchanges, ``accept`` and the sum of
    logarithms of transfers of those that were told apart into parts; ``exchange_ticks`` are yet to be added to
    ``exchange``; ``cut_short`` is what a timed step has taken that halted, until it goes on; ``parts`` what an exchange
    has that is told apart (``parted``), until it is accepted.
    """

    _fields_ = [
        ("phases", ctypes.c_double * len(PHASES)),
        *((name, ctypes.c_double) for name in ("exchange", "log_transfer", "accept", "cut_short")),
        *((name, ctypes.c_int64) for name in ("exchange_ticks", "exchanges", "parted_exchanges", "parted")),
        ("parts", ctypes.c_double * len(ExchangePart)),
        ("cycles", ctypes.c_int64 * (len(CYCLE_EDGES_US) - 1)),
    ]


class Control(ctypes.Structure):
    """One per rank. A kernel that cannot go on sets ``halt``; every later kernel then returns at once, so that the host
    can mend the cause and go on at (step, stage), whether the steps ran in a loop or in a CUDA graph.

    ``owner`` is the number of the population or projection that halted, ``neuron`` its neuron, ``place`` the place of a
    meeting. Where an amount is too large, ``neuron`` is the synapse's target and ``place`` its source, both by id,
    and ``amount_bits`` the bits of the float32.
    """

    _fields_ = [
        *((name, ctypes.c_int32) for name in ("step", "halt", "stage", "owner", "neuron", "place", "bin_steps")),
        *((name, ctypes.c_uint32) for name in ("seed0", "seed1")),
        ("amount_bits", ctypes.c_int32),
    ]


class Trace(ctypes.Structure):
    """An exponential trace, kept as its value at its last spike: it costs nothing while its neuron is silent."""

    _fields_ = [("value", ctypes.c_float), ("last", ctypes.c_int32)]


class DecayTable(ctypes.Structure):
    """decay^n = coarse[n / 256] * fine[n % 256]; zero past the end."""

    _fields_ = [("fine", ctypes.c_void_p), ("coarse", ctypes.c_void_p), ("n_coarse", ctypes.c_int32)]


_CTYPES: dict[type, str] = {
    ctypes.c_int32: "int",
    ctypes.c_uint32: "uint32",
    ctypes.c_int64: "int64",
    ctypes.c_float: "float",
    ctypes.c_double: "double",
    ctypes.c_void_p: "const float*",
}


def constants_text() -> str:
    """The same for C++, to stand before all other text."""
    lines = [
        f"constexpr int GPU_LANES = {GPU_LANES};",
        f"constexpr int SIDE_BY_SIDE = {SIDE_BY_SIDE};",
        f"constexpr float GRADIENT_SCALE = {2.0**GRADIENT_BITS}f;",
        f"constexpr int EXACT_WINDOWS = {WINDOWS};",
    ]
    lines += [_enumeration_text(enumeration) for enumeration in (HaltReason, ChangedValues, MeetingPlace)]
    # What a projection's rewiring draws beside attempts, told apart in the upper bits of its stream.
    lines += [f"constexpr unsigned int {tag.name}_NUMBERS = {tag.value}u << 24;" for tag in Tag]
    return "\n".join(lines) + "\n"


def _members(struct: type[ctypes.Structure]) -> list[tuple[str, Any]]:
    return [(name, kind) for name, kind, *_ in struct._fields_]


def structs_text() -> str:
    """The small structs for C++; their types are those of kernels/base/device.cuh."""
    return "\n".join(map(_struct_text, (Control, Trace, DecayTable))) + "\n"


def _struct_text(struct: type[ctypes.Structure]) -> str:
    fields = " ".join(_member_text(name, kind) for name, kind in _members(struct))
    return f"struct {struct.__name__} {{ {fields} }};"


def _member_text(name: str, kind: Any) -> str:
    if hasattr(kind, "_length_"):
        return f"{_CTYPES[kind._type_]} {name}[{kind._length_}];"
    return f"{_CTYPES[kind]} {name};"


def host_text() -> str:
    """What only the host's schedule must agree with Python on: how time is taken, and what is counted of exchanges."""
    edges = ", ".join(map(repr, CYCLE_EDGES_US))
    return "\n".join(
        [
            f"constexpr int TIMED_EVERY = {TIMED_EVERY};",
            f"constexpr int PARTED_EVERY = {PARTED_EVERY};",
            f"constexpr int N_CYCLES = {len(CYCLE_EDGES_US) - 1};",
            f"constexpr double CYCLE_EDGES_US[] = {{{edges}}};",
            *(_enumeration_text(enumeration) for enumeration in (ExchangePart, Sent)),
            _struct_text(StepTimes),
            "",
        ]
    )


def _enumeration_text(enumeration: type[IntEnum] | type[IntFlag]) -> str:
    members = ", ".join(f"{member.name} = {member.value}" for member in enumeration)
    return f"enum {enumeration.__name__} {{ {members} }};"
