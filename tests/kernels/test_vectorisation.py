"""Updates of neurons are vector instructions: by the compiler's report, for each shipped neuron with each receptor."""

from __future__ import annotations

import platform
import shutil
from functools import cache

import pytest

from hpcsnn import DeviceError, Network, models
from hpcsnn.codegen.program import generate
from hpcsnn.devices.vectorisation import not_vectorised
from hpcsnn.models import NeuronModel, Variable
from hpcsnn.models.registry import registered
from hpcsnn.network.learning import Learning
from hpcsnn.network.learning_network import learning_network
from hpcsnn.testing import RuleConformance
from support.lanes import some

X86 = platform.machine() in ("x86_64", "AMD64")
ARM = platform.machine() in ("aarch64", "arm64")
# The compiler of each family, for the processor that it compiles for, and the processors that are asked about.
V3, V4 = ("-O3", "-march=x86-64-v3"), ("-O3", "-march=x86-64-v4", "-mprefer-vector-width=512")
COMPILERS = {
    "gcc-v3": (X86, "g++", V3),
    "gcc-v4": (X86, "g++", V4),
    "clang-v3": (X86, "clang++", V3),
    "clang-v4": (X86, "clang++", V4),
    "clang-aarch64": (True, "clang++", ("-O3", "--target=aarch64-linux-gnu")),
    "gcc-aarch64": (True, "g++" if ARM else "aarch64-linux-gnu-g++", ("-O3",)),
}
NEURONS = sorted(name for name, model in registered("model").items() if isinstance(model, NeuronModel))


def compiler(name):
    here, program, flags = COMPILERS[name]
    if not here or shutil.which(program) is None:
        pytest.skip(f"needs {program} that compiles for {name}")
    return program, flags


@cache
def each_receptor(neuron):
    """One population for each receptor and each width of input, by names that say which."""
    network = Network()
    network.add_population("few", 2, models.Poisson())
    network.add_population("many", 4000, models.Poisson())
    names, state = [], {one.name for one in registered("model")[neuron].state}
    for receptor in registered("receptor").values():
        if "V_mV" in receptor.update and "V_mV" not in state:
            continue  # a conductance needs a potential with a unit
        for n_bits, source in ((32, "few"), (64, "many")):
            name = f"{receptor.name}_{n_bits}"
            network.add_population(name, 10, registered("model")[neuron]())
            by = network.add_projection(f"to_{name}", source, name, models.AllToAll(), receptor(), 0.1)
            assert (by.input_format.n_bits, by.input_format.vectorised) == (n_bits, True)
            names.append(name)
    return generate(network, n_ranks=1), names


@pytest.mark.parametrize(("by", "neuron"), some([(by, neuron) for by in COMPILERS for neuron in NEURONS], 3))
def test_the_update_of_each_shipped_neuron_is_vectorised(by, neuron):
    program, flags = compiler(by)
    generated, names = each_receptor(neuron)
    assert len(names) >= 2 * len(registered("receptor")) - 2 >= 6
    # Clang 14 loses what it is told about reads of a table at a place that depends on what was read before.
    lost = program == "clang++" and neuron == "lif_background"
    reasons = dict.fromkeys(names, "cannot identify array bounds") if lost else {}
    assert not_vectorised(generated, names, flags, program) == reasons


@cache
def each_that_learns():
    """One hidden population of each shipped neuron that can be trained, and the readout, by their names."""
    network = Network(dt_ms=1.0)
    network.add_population("input", 40, models.SampleInput())
    network.add_population("output", 10, models.LeakyReadout())
    names = ["output"]
    for name, model in registered("model").items():
        if isinstance(model, NeuronModel) and model.gradient is not None and model.gradient.distance:
            network.add_population(name, 40, model())
            for source, target in (("input", name), (name, "output")):
                network.add_projection(
                    f"{source}_{target}", source, target, models.AllToAll(), models.DeltaCurrent(), 0.1,
                    models.Trained(),
                )  # fmt: skip
            names.append(name)
    rule = models.EProp(pairing="mlgenn", regularisation=0.1)
    learning = Learning("output", 10, rule, models.Adam(), models.CrossEntropy())
    return generate(learning_network(network, learning), n_ranks=1), names


@pytest.mark.parametrize("by", COMPILERS)
def test_the_update_of_each_neuron_that_learns_is_vectorised(by):
    """With its surrogate gradient, and its filtered rate."""
    program, flags = compiler(by)
    generated, names = each_that_learns()
    assert {"lif_subtractive", "alif_subtractive"} <= set(names)
    assert not_vectorised(generated, names, flags, program) == {}


def two_populations(neuron, w_max=0.2):
    """LIF neurons, and others that are driven."""
    network = Network()
    network.add_population("input", 1000, models.Poisson())
    network.add_population("plain", 10, models.LIF())
    network.add_population("cells", 10, neuron)
    synapse = models.AdditiveSTDP(w_max=w_max)
    network.add_projection("by", "input", "cells", models.AllToAll(), models.DeltaCurrent(), 0.2, synapse)
    return generate(network, n_ranks=1), ["plain", "cells"]


def mine(update):
    return NeuronModel("mine", "", state=(Variable("u"), Variable("rounds", 3, "", "int")), update=update)()


LOOPS = "u = u * 0.5f;\nfor (int j = 0; j < rounds; ++j) u += input_current;"


def test_a_loop_in_a_snippet_is_named_with_its_line():
    program, flags = compiler("gcc-v3")
    reason = "control flow in loop (neuron mine, update, line 2)"
    assert not_vectorised(*two_populations(mine(LOOPS)), flags, program) == {"cells": reason}


@pytest.mark.parametrize("update", ["u = __builtin_sinf(input_current);", "u += __builtin_fmodf(u, input_current);"])
def test_a_call_to_a_function_is_found(update):
    program, flags = compiler("gcc-v3")
    assert not_vectorised(*two_populations(mine(update)), flags, program).keys() == {"cells"}


def test_sums_beyond_what_is_vectorised_are_found():
    """So the report tells one conversion of 64 bits from the other: it is what the shipped neurons' test relies on."""
    program, flags = compiler("gcc-v3")
    assert not_vectorised(*two_populations(models.LIF(), 1e4), flags, program) == {}
    assert not_vectorised(*two_populations(models.LIF(), 1e6), flags, program).keys() == {"cells"}


def test_a_compiler_that_fails_says_so():
    with pytest.raises(DeviceError, match=r"could not compile the kernels for its report:\n"):
        not_vectorised(*two_populations(mine("u = nonsense;")), ("-O3",))


class _Slow(RuleConformance):
    rule = models.Bamford(p_max=0.5, sigma=1.0, block_side=4)

    def network(self, seed=1):
        network = Network(seed)
        network.add_population("input", 16, models.Poisson())
        network.add_population("cells", 16, mine(LOOPS))
        network.add_projection("by", "input", "cells", models.OneToOne(), models.DeltaCurrent(), 0.2)
        return network


def test_conformance_notes_it():
    compiler("gcc-v3" if X86 else "gcc-aarch64")
    (note,) = _Slow().notes()
    assert note.startswith("update loop of neuron mine (population cells) is not vectorised: ")
