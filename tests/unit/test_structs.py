"""Structs as C++ sees them and as ctypes does: the same members, in the same order, of types of one size."""

from __future__ import annotations

import ctypes
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn.codegen.constants import (
    GPU_LANES,
    ChangedValues,
    Control,
    DecayTable,
    HaltReason,
    MeetingPlace,
    Trace,
    constants_text,
    structs_text,
)
from hpcsnn.codegen.random_streams import Tag
from hpcsnn.codegen.structs import Struct, network_struct
from hpcsnn.network.fields import TRACE
from hpcsnn.network.learning_fields import GRADIENT_BITS, SIDE_BY_SIDE
from hpcsnn.network.recording.exact_sums import WINDOWS
from support.networks import topographic_map
from support.random_networks import networks

# What each C++ type must be to Python, written down once more.
TYPES = {
    "int": ctypes.c_int32,
    "uint32": ctypes.c_uint32,
    "uint64": ctypes.c_uint64,
    "int64": ctypes.c_int64,
    "float": ctypes.c_float,
    "Probability": ctypes.c_uint64,
}


def declarations(text):
    """Structs of a C++ text in order: name and (type, member) pairs; nothing in the text is left over."""
    found, rest = {}, text
    pattern = re.compile(r"\s*struct (\w+) \{([^{}]*)\};")
    while rest.strip():
        match = pattern.match(rest)
        assert match, rest[:80]
        assert match[1] not in found, f"{match[1]} is declared twice"
        members = [line.rsplit(" ", 1) for line in re.split(r";\s*", match[2].strip()) if line]
        found[match[1]] = [(kind.strip(), name) for kind, name in members]
        rest = rest[match.end() :]
    return found


def assert_alike(name, ctype, declared, known):
    """A struct's members in C++ and in ctypes, one by one; `known`: structs declared before it."""
    assert ctype.__name__ == name
    assert [member for _, member in declared[name]] == [member for member, _ in ctype._fields_]
    for (kind, member), (_, of_python) in zip(declared[name], ctype._fields_, strict=True):
        if kind.endswith("*"):
            assert of_python is ctypes.c_void_p, member
        elif kind == "DecayTable":
            assert of_python is DecayTable
        elif kind in TYPES:
            assert of_python is TYPES[kind], member
        else:
            assert kind in known, f"{kind} is not declared before {name}"
            assert_alike(kind, of_python, declared, known[: known.index(kind)])


@settings(max_examples=60)
@given(networks())
def test_text_and_ctypes_have_the_same_members_in_the_same_order(network):
    struct = network_struct(network)
    declared = declarations(struct.text())
    assert list(declared)[-1] == "Network"
    assert_alike("Network", struct.ctype(), declared, list(declared))
    owned = {f"Population_{name}" for name in network.populations}
    owned |= {f"Projection_{name}" for name in network.projections}
    assert set(declared) == owned | {"Network", "Exchange", "RandomWords"}


def test_a_network_of_other_sizes_and_numbers_has_the_same_text():
    """Sizes, parameters and seed are data: a sweep compiles once."""
    other = {"seed": 7, "scale": 3, "dt_ms": 0.05, "projections.ff.weight": 0.19}
    other |= {"projections.ff.rewiring.bamford.attempts": 40, "populations.target.model.lif.tau_m_ms": 11}
    assert network_struct(topographic_map(**other)).text() == network_struct(topographic_map()).text()
    # But a parameter with a value per neuron is an array, and so are delays that differ.
    for name, value in (
        ("populations.target.model.lif.tau_m_ms", "{uniform: {low: 10, high: 20}}"),
        ("projections.ff.delay_ms", "{uniform: {low: 0.1, high: 2}}"),
        ("projections.ff.dendritic_delay_ms", 0.1),
    ):
        assert network_struct(topographic_map(**{name: value})).text() != network_struct(topographic_map()).text()


STRUCTS = st.deferred(lambda: st.lists(st.sampled_from([*TYPES, "DecayTable", "const float*"]) | STRUCTS, max_size=5))


@settings(max_examples=60)
@given(STRUCTS)
def test_structs_within_structs_and_empty_ones(kinds):
    """An empty struct has a member that is not used in both languages: C++ would give it a byte, ctypes none."""
    numbers = iter(range(10**6))

    def build(inside):
        parts = [(f"m{k}", build(kind) if isinstance(kind, list) else kind) for k, kind in enumerate(inside)]
        return Struct(f"S{next(numbers)}", parts)

    struct = build(kinds)
    declared = declarations(struct.text())
    assert_alike(struct.name, struct.ctype(), declared, list(declared))
    assert ctypes.sizeof(struct.ctype()) > 0


def test_the_small_structs_are_the_same_in_both_languages():
    declared = declarations(structs_text())
    assert list(declared) == ["Control", "Trace", "DecayTable"]
    for ctype in (Control, Trace, DecayTable):
        assert_alike(ctype.__name__, ctype, declared, [])


def test_a_trace_is_what_numpy_reads():
    assert TRACE.itemsize == ctypes.sizeof(Trace)
    assert TRACE.names == tuple(name for name, _ in Trace._fields_)
    for name, kind in Trace._fields_:
        assert TRACE.fields[name] == (np.dtype(kind), getattr(Trace, name).offset)


@pytest.mark.parametrize("path", ["", "exchange", "population_target", "projection_ff"])
def test_what_is_no_member_cannot_be_set(path):
    """Else a number that no kernel ever sees would pass for one that is set."""
    part = network_struct(topographic_map()).ctype()()
    for name in filter(None, path.split(".")):
        part = getattr(part, name)
    with pytest.raises(AttributeError):
        part.rows_growing = 1


def constants():
    """Numbers of the C++ text by name."""
    text = constants_text()
    found = {name: int(value) for name, value in re.findall(r"constexpr int (\w+) = (\d+);", text)}
    for body in re.findall(r"enum \w+ \{ (.*?) \};", text):
        for member in body.split(", "):
            name, value = member.split(" = ")
            assert name not in found
            found[name] = int(value)
    for name, value, shift in re.findall(r"constexpr unsigned int (\w+) = (\d+)u << (\d+);", text):
        found[name] = int(value) << int(shift)
    return found


def test_every_number_of_the_enumerations_is_in_the_source():
    expected = {member.name: int(member) for kind in (HaltReason, ChangedValues, MeetingPlace) for member in kind}
    expected |= {f"{tag.name}_NUMBERS": tag << 24 for tag in Tag}
    found = constants()
    assert {name: found[name] for name in expected} == expected
    assert set(found) == {*expected, "GPU_LANES", "SIDE_BY_SIDE", "EXACT_WINDOWS"}
    assert found["EXACT_WINDOWS"] == WINDOWS
    assert (found["GPU_LANES"], found["SIDE_BY_SIDE"]) == (GPU_LANES, SIDE_BY_SIDE)
    (scale,) = re.findall(r"constexpr float GRADIENT_SCALE = ([\d.]+)f;", constants_text())
    assert float(scale) == 2.0**GRADIENT_BITS


@pytest.mark.parametrize("kind", [HaltReason, ChangedValues, MeetingPlace, Tag])
def test_numbers_of_an_enumeration_differ(kind):
    """An alias would let one cause pass for another."""
    assert len(kind.__members__) == len(list(kind))
