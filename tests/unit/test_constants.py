"""Numbers and structs that kernels and Python agree on: declared in Python alone, each with a value of its own."""

from __future__ import annotations

import re

import pytest

from hpcsnn.codegen.constants import (
    ChangedValues,
    Control,
    DecayTable,
    ExchangePart,
    HaltReason,
    MeetingPlace,
    Sent,
    StepTimes,
    Trace,
    constants_text,
    host_text,
    structs_text,
)
from hpcsnn.codegen.program import generate
from hpcsnn.codegen.random_streams import Purpose, Tag, stream
from hpcsnn.configuration.files import load_configuration
from hpcsnn.shipped_files import kernel_folder

TEXTS = {str(path.relative_to(kernel_folder())): path.read_text() for path in sorted(kernel_folder().rglob("*.c*"))}
KERNELS = "\n".join(TEXTS.values())
ENUMERATIONS = (HaltReason, ChangedValues, MeetingPlace, ExchangePart, Sent)
STRUCTS = (Control, Trace, DecayTable, StepTimes)
OF_HOSTS = ("TIMED_EVERY", "PARTED_EVERY", "N_PARTS", "N_CYCLES", r"CYCLE_EDGES_US\[\]")
NUMBERS = ("GPU_LANES", "SIDE_BY_SIDE", "GRADIENT_SCALE", *OF_HOSTS)
MEMBERS = [member.name for enumeration in ENUMERATIONS for member in enumeration]

# What declares one of them again, whatever its value.
DECLARATIONS = (
    *(rf"\benum\s+(class\s+|struct\s+)?{enumeration.__name__}\b" for enumeration in ENUMERATIONS),
    *(rf"\b(struct|class|union)\s+{struct.__name__}\b|\btypedef\b[^;]*\b{struct.__name__}\s*;" for struct in STRUCTS),
    r"\b(const|constexpr|enum)\b[^;()]*\b\w+_NUMBERS\s*=",
    rf"\b(const|constexpr|enum)\b[^;()]*\b({'|'.join(NUMBERS)})\s*=",
    rf"\b({'|'.join(MEMBERS)})\s*=[^=]",
    rf"#\s*define\s+(\w+_NUMBERS|{'|'.join((*NUMBERS, *MEMBERS))})\b",
)


def declarations(text: str) -> list[str]:
    """All that a text declares of what is Python's to declare."""
    return [found[0] for pattern in DECLARATIONS for found in re.finditer(pattern, text)]


@pytest.mark.parametrize("name", TEXTS)
def test_no_kernel_declares_again_what_python_declares(name):
    assert declarations(TEXTS[name]) == []


def test_the_generated_text_declares_each_once():
    """What the test above looks for is found where it is allowed, and once in a whole program."""
    of_kernels, of_hosts = constants_text() + structs_text(), host_text()
    assert len(declarations(of_kernels + of_hosts)) >= len(ENUMERATIONS) + len(Tag) + len(NUMBERS) + len(STRUCTS)
    program = generate(load_configuration("homeostatic").network(), n_ranks=2)
    kernels = program.kernels
    assert kernels.count(constants_text()) == kernels.count(structs_text()) == 1
    assert sorted(declarations(kernels)) == sorted(declarations(of_kernels))
    assert program.host_schedule.count(of_hosts) == 1
    assert sorted(declarations(program.host_schedule)) == sorted(declarations(of_hosts))


@pytest.mark.parametrize(
    "text",
    [
        "enum HaltReason { RUNNING };",
        "struct Trace { float value; };",
        "struct Control\n{",
        "constexpr uint32 PAIR_NUMBERS = 1u << 24;",
        "const int A = 1, GPU_LANES = 32;",
        "constexpr int SIDE_BY_SIDE = 8;",
        "constexpr float GRADIENT_SCALE = 1.0f;",
        "enum { TALLY = 0 };",
        "#define LOG_FULL 5",
    ],
)
def test_a_second_declaration_is_found(text):
    assert declarations(text)


@pytest.mark.parametrize("text", ["if (control->halt == RUNNING) return;", "Trace trace = of[n];", "3u | PAIR_NUMBERS"])
def test_a_use_is_no_declaration(text):
    assert not declarations(text)


@pytest.mark.parametrize("enumeration", [*ENUMERATIONS, Tag, Purpose])
def test_no_two_members_have_one_value(enumeration):
    """Python makes of the second an alias of the first, which iteration passes over."""
    assert list(enumeration.__members__) == [member.name for member in enumeration]


def test_the_values_in_the_text_are_pythons():
    text = constants_text() + host_text()
    for enumeration in ENUMERATIONS:
        (body,) = re.findall(rf"enum {enumeration.__name__} {{(.*?)}};", text)
        found = {name: int(value) for name, value in re.findall(r"(\w+) = (\d+)", body)}
        assert found == {member.name: member.value for member in enumeration}
    found = {name: int(value) for name, value in re.findall(r"(\w+)_NUMBERS = (\d+)u << 24;", text)}
    assert found == {tag.name: tag.value for tag in Tag}


def test_kernels_use_tags_that_exist_and_no_tag_is_forgotten():
    """The tags that no kernel uses are those by which ranks' hosts draw: together when elements pair, and at first."""
    used = set(re.findall(r"\b(\w+)_NUMBERS\b", KERNELS))
    assert used <= set(Tag.__members__)
    assert set(Tag.__members__) - used == {
        *("OFFER", "DEMAND", "RETRACT", "WEIGHT", "FEEDBACK", "BUDGET", "ARRIVAL", "SHARE")
    }


def test_kernels_halt_for_every_reason():
    missing = [reason.name for reason in HaltReason if not re.search(rf"\b{reason.name}\b", KERNELS)]
    assert not missing


def test_streams_tags_and_blocks_of_numbers_keep_apart():
    """A stream's lower 16 bits are purpose and index, the next 8 count the blocks of a pair, the last 8 are a tag."""
    streams = [stream(purpose, index) for purpose in Purpose for index in range(1000)]
    assert len(set(streams)) == len(streams)
    assert max(streams) < 2**16
    assert all(0 < tag < 2**8 for tag in Tag), "0 is the stream itself, that of the attempts"
