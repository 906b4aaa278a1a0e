"""What both compilers say of a wrong snippet, in the words of its rule; and a rule that is asked for twice."""

from __future__ import annotations

import re

import pytest

from hpcsnn import ConfigurationError, DeviceError, Simulation
from hpcsnn.codegen.diagnostics import explained
from hpcsnn.codegen.program import generate
from hpcsnn.devices import HostDevice
from hpcsnn.devices.cuda import NVRTC_FLAGS
from hpcsnn.models import NeuronModel, Parameter, Variable, rewiring
from support.messages import as_pattern
from support.rules import network, rule


def every(text):
    return network(rule(select=rewiring.ALL_SYNAPSES, update=text))


def neuron(**texts):
    return network(
        neuron=NeuronModel(
            "cell", "", parameters={"tau": Parameter(1.0, "ms", "")}, state=(Variable("u"),),
            **{"update": "u += input_current;", "threshold": "u > 1.0f", "reset": "u = 0.0f;"} | texts,
        )()
    )  # fmt: skip


# What is wrong; where it is, as both compilers must say, with the column of the host's if NVRTC points elsewhere; what
# is said, of which the compilers' own words are left out; what is advised.
MISTAKES = {
    "near name": (
        lambda: network(rule(select=rewiring.UNIFORM, eliminate="wieght < 0.5f")),
        "rewiring rule mine, eliminate, line 1, column 1: .*wieght.*\n    1 | wieght < 0.5f\n        ^\n"
        "  did you mean weight?\n  eliminate sees: weight, .*",
    ),
    "near name in a body of several lines": (
        lambda: every("\n\n        const float half = 0.5f;  // (\n\n        weight = half * p_swop;\n    "),
        "rewiring rule mine, update, line 3, column 17: .*p_swop.*\n    3 | weight = half * p_swop;\n"
        + " " * 24 + "^\n  did you mean p_swap?\n.*",
    ),
    "name that is near to none": (
        lambda: every("weight = zyzzyva;"),
        "rewiring rule mine, update, line 1, column 10: .*zyzzyva.*\n  update sees: weight, .*",
    ),
    "method of a row": (
        lambda: network(rule(per_target="for (int k = 0; k < row.size(); ++k)\n    row.remve(k);")),
        "rewiring rule mine, per_target, line 2, column 9: .*remve.*did you mean row.remove?.*",
    ),
    "part of a mapping": (
        lambda: network(rule(select=rewiring.UNIFORM, form="p_swap", initial={"weight": "0.1f * post.V_mw"})),
        "rewiring rule mine, initial, line 1, column 13: .*V_mw.*did you mean post.V_mV?.*",
    ),
    "semicolon at the end": (
        lambda: every("weight = 0.5f;\nweight = 0.25f"),
        "rewiring rule mine, update, line 2, column 15: expected .*;.*\n    2 | weight = 0.25f\n" + " " * 22 + "^\n"
        "  is a semicolon missing at the end of this line?",
    ),
    "semicolon in the middle": (
        lambda: every("weight = 0.5f\n\nweight = 0.25f;"),
        "rewiring rule mine, update, line 1, column 14: expected .*;.*is a semicolon missing at the end of this line?",
    ),
    "bracket inside another": (
        lambda: every("if (weight > 0.5f) {\n    weight = (0.5f;\n}"),
        "rewiring rule mine, update, line 2, column 14: ( is not closed before }",
    ),
    "bracket never closed": (
        lambda: every("if (weight > 0.5f) {\n    weight = 0.5f;  // }"),
        "rewiring rule mine, update, line 1, column 20: { is never closed",
    ),
    "bracket never opened": (
        lambda: every("weight = 0.5f;\n}"),
        "rewiring rule mine, update, line 2, column 1: } without { before it",
    ),
    "read-only parameter": (
        lambda: every("weight = 1.0f;\nmost = 2;"),
        "rewiring rule mine, update, line 2, column .*: .*\n    2 | most = 2;\n.*may read this but not change it",
    ),
    "read-only neuron": (
        lambda: every("post.V_mV = 1.0f;"),
        "rewiring rule mine, update, line 1, column .*: .*  update may read this but not change it",
    ),
    "whole number as a chance": (
        lambda: network(rule(select=rewiring.UNIFORM, form="const uint32 n = 3u;\nreturn n;")),
        "rewiring rule mine, form, line 2, column .*: .*Probability.*\n"
        "  a chance is a float such as 0.5f, true or false, or a parameter or table of probabilities",
    ),
    "neuron: near name": (
        lambda: neuron(update="u += inptu_current;"),
        "neuron cell, update, line 1, column 6: .*inptu_current.*did you mean input_current?\n  update sees: u, .*",
    ),
    "neuron: semicolon": (
        lambda: neuron(reset="u = 0.0f"),
        "neuron cell, reset, line 1, column 9: expected .*is a semicolon missing at the end of this line?",
    ),
    "neuron: read-only": (
        lambda: neuron(update="u += input_current;\ntau = 3.0f;"),
        "neuron cell, update, line 2, column .*: .*  update may read this but not change it",
    ),
    "neuron: bracket": (
        lambda: neuron(threshold="(u > 1.0f"),
        "neuron cell, threshold, line 1, column 1: ( is never closed",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_hosts_compiler_finds(mistake):
    make, message = MISTAKES[mistake]
    with pytest.raises(DeviceError) as error:
        Simulation(make(), device=HostDevice(("-O0",)))
    first, _, rest = str(error.value).partition("\n")
    assert re.search(r"could not compile the kernels \(source kept in .*\):$", first)
    assert re.search("(?s)^" + as_pattern(message) + "$", rest), rest


@pytest.mark.parametrize("mistake", MISTAKES)
def test_nvrtc_finds(mistake):
    nvrtc = pytest.importorskip("cupy_backends.cuda.libs.nvrtc", reason="needs CuPy and NVRTC (extra cuda13)")
    make, message = MISTAKES[mistake]
    program = generate(make(), 1)
    compiled = nvrtc.createProgram(program.kernels, "kernels.cu", (), ())
    with pytest.raises(nvrtc.NVRTCError):
        nvrtc.compileProgram(compiled, (*NVRTC_FLAGS, "--gpu-architecture=compute_80"))
    said = explained(nvrtc.getProgramLog(compiled), program.kernels, program.snippets)
    nvrtc.destroyProgram(compiled)
    assert said is not None
    assert re.search("(?s)^" + as_pattern(message) + "$", said), said


def test_a_mistake_in_the_templates_is_quoted_as_the_compiler_says_it():
    program = generate(network(), 1)
    assert explained("kernels:7:3: error: something of hpcsnn's own", program.kernels, program.snippets) is None


def test_updates_on_call_are_asked_for_once_a_step():
    simulation = Simulation(network(rule(trigger="call")), device=HostDevice(("-O0",)))
    simulation.rewire("ab")
    with pytest.raises(ConfigurationError, match=r"^projections\.ab: rewired in step 0 already; advance first$"):
        simulation.rewire("ab")
    with pytest.raises(ConfigurationError, match=r"^projections with a rule on call: unknown name 'ba'; allowed: ab"):
        simulation.rewire("ba")
