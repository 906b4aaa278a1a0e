"""Sizes and offsets of the structs that Python fills and kernels read, as ctypes and as the compilers lay them out."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any

import pytest

from hpcsnn import models
from hpcsnn.codegen.constants import (
    CYCLE_EDGES_US,
    GPU_LANES,
    ChangedValues,
    Control,
    DecayTable,
    ExchangePart,
    HaltReason,
    MeetingPlace,
    Sent,
    StepTimes,
    Trace,
    host_text,
)
from hpcsnn.codegen.learning.structs import whole_struct
from hpcsnn.codegen.program import generate
from hpcsnn.codegen.random_streams import Tag
from hpcsnn.codegen.structs import Struct
from hpcsnn.configuration.files import load_configuration
from hpcsnn.devices.host import compile_library
from hpcsnn.network.learning_fields import GRADIENT_BITS, SIDE_BY_SIDE
from support.learning import classifier, learner, learning

Facts = dict[str, int]
"""What C++ calls a number, and which it is in Python."""


def layout(name: str, struct: type[ctypes.Structure]) -> Facts:
    """Size of a struct, offset and size of each of its members."""
    facts = {f"sizeof({name})": ctypes.sizeof(struct)}
    for member, *_ in struct._fields_:
        field: Any = getattr(struct, member)
        facts[f"__builtin_offsetof({name}, {member})"] = field.offset
        facts[f"sizeof({name}::{member})"] = field.size
    return facts


def structs_inside(struct: Struct) -> Iterator[Struct]:
    yield struct
    for _, kind in struct.fields:
        if isinstance(kind, Struct):
            yield from structs_inside(kind)


def network(name: str):
    """A shipped network, or one that learns; where synapses have delays of their own, more is in its structs."""
    if name == "learning":
        rule = models.EProp(pairing="mlgenn", regularisation=0.1)
        rewired = classifier(models.ALIFSubtractive, models.DeepRByGradient(), p=0.5)
        return learner(rewired, learning(models.SquaredError(), rule))
    loaded = load_configuration(name.removesuffix(" with delays")).network()
    if name.endswith("with delays"):
        wired, current = models.AllToAll(), models.DeltaCurrent()
        loaded.add_projection("late", "source", "target", wired, current, 0.1, delay_ms=models.Uniform(0.5, 3.0))
    return loaded


NETWORKS = [
    "topomap",
    "topomap with delays",
    "topomap_last_to_fire",
    "homeostatic",
    "deep_r",
    "patch_swaps",
    "learning",
]


@pytest.fixture(scope="module", params=NETWORKS)
def agreed(request) -> tuple[str, Facts]:
    """What the kernels of a network begin with, and all that they and Python must agree on."""
    declared = network(request.param)
    struct = whole_struct(declared)
    before, text, _ = generate(declared, n_ranks=2).kernels.partition(struct.text())
    facts: Facts = {}
    for small in (Control, Trace, DecayTable):
        facts |= layout(small.__name__, small)
    for inside in structs_inside(struct):
        facts |= layout(inside.name, inside.ctype())
    facts |= {member.name: member.value for kind in (HaltReason, ChangedValues, MeetingPlace) for member in kind}
    facts |= {f"{tag.name}_NUMBERS": tag.value << 24 for tag in Tag}
    facts |= {"GPU_LANES": GPU_LANES, "SIDE_BY_SIDE": SIDE_BY_SIDE, "(uint64)GRADIENT_SCALE": 2**GRADIENT_BITS}
    return before + text, facts


def test_the_hosts_compiler_agrees_with_ctypes(agreed):
    declarations, facts = agreed
    numbers = ", ".join(f"(uint64)({name})" for name in facts)
    asked = f'extern "C" uint64 agreed(const int n) {{ const uint64 numbers[] = {{{numbers}}}; return numbers[n]; }}\n'
    library = ctypes.CDLL(str(compile_library(declarations + asked, ("-O0",))))
    library.agreed.restype = ctypes.c_uint64
    assert {name: library.agreed(n) for n, name in enumerate(facts)} == facts
    assert len(facts) > 100


def test_the_hosts_schedule_agrees_with_ctypes():
    facts = layout("StepTimes", StepTimes)
    facts |= {member.name: member.value for kind in (ExchangePart, Sent) for member in kind}
    facts |= {"N_CYCLES": len(StepTimes().cycles)}
    facts |= {f"1e4 * CYCLE_EDGES_US[{n}] + 0.5": round(1e4 * edge) for n, edge in enumerate(CYCLE_EDGES_US)}
    numbers = ", ".join(f"(int64)({name})" for name in facts)
    asked = f'extern "C" int64 agreed(const int n) {{ const int64 numbers[] = {{{numbers}}}; return numbers[n]; }}\n'
    library = ctypes.CDLL(str(compile_library(f"typedef long long int64;\n{host_text()}{asked}", ("-O0",))))
    library.agreed.restype = ctypes.c_int64
    assert {name: library.agreed(n) for n, name in enumerate(facts)} == facts


def test_nvrtc_agrees_with_ctypes(agreed):
    nvrtc = pytest.importorskip("cupy_backends.cuda.libs.nvrtc", reason="needs CuPy and NVRTC (extra cuda13)")
    declarations, facts = agreed
    asked = "".join(f'static_assert({name} == {number}, "{name} is {number}");\n' for name, number in facts.items())
    program = nvrtc.createProgram(declarations + asked, "kernels.cu", (), ())
    try:
        nvrtc.compileProgram(program, ("--std=c++17", "--gpu-architecture=compute_90"))
    except nvrtc.NVRTCError:
        pytest.fail(nvrtc.getProgramLog(program))
    finally:
        nvrtc.destroyProgram(program)
