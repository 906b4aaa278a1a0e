"""What compilers are told from outside changes no value: it is negated, refused, or found by the program itself."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

import pytest

from hpcsnn import DeviceError, Network, Simulation, SimulationError, models
from hpcsnn.codegen.program import generate
from hpcsnn.devices.cuda import compile_for
from support.comparisons import digest_on
from support.messages import as_pattern
from support.networks import topographic_map
from support.nvrtc import ptx_of

CHANGING = (
    *("-Ofast", "-ffast-math", "-funsafe-math-optimizations", "-ffp-contract=fast", "-fassociative-math"),
    *("-freciprocal-math -fno-signed-zeros", "-ffinite-math-only", "-O2 -ffast-math -frounding-math"),
)
FUSED = "a product and a sum are rounded once instead of twice"
NONE = "comparisons take not-a-number and infinity for numbers"
ORDER = "sums are added in another order"


def wrapped(tmp_path, monkeypatch, flags: str) -> None:
    """A compiler that adds flags of its own behind all others."""
    script = tmp_path / "wrapped-c++"
    script.write_text(f'#!/bin/sh\nexec {shutil.which("c++") or shutil.which("g++")} "$@" {flags}\n')
    script.chmod(0o755)
    monkeypatch.setenv("CXX", str(script))
    monkeypatch.delenv("CXXFLAGS", raising=False)


@pytest.fixture(scope="module")
def digest():
    return digest_on(topographic_map(), "cpu", 100.0)


@pytest.mark.parametrize(
    ("variable", "flags"), [*(("CXXFLAGS", flags) for flags in CHANGING), ("CXX", f"c++ {CHANGING[0]}")]
)
def test_flags_that_change_values_have_no_effect(variable, flags, monkeypatch, digest):
    monkeypatch.setenv(variable, flags)
    assert digest_on(topographic_map(), "cpu", 100.0) == digest


@pytest.mark.parametrize(
    ("flags", "found"),
    [
        ("-Ofast", ("numbers below 1.2e-38 become zero",)),
        ("-ffp-contract=fast", (FUSED,)),
        ("-ffinite-math-only", (NONE,)),
        ("-funsafe-math-optimizations", (ORDER,)),
        ("-fno-signed-zeros -fno-trapping-math -fassociative-math", (ORDER, "-0 is taken for 0")),
        ("-freciprocal-math", ("quotients are not rounded to the nearest number",)),
        ("-fsingle-precision-constant", ("intermediate results or constants have another precision",)),
        ("-mfpmath=387", ("intermediate results or constants have another precision",)),
    ],
)
def test_a_program_that_computes_otherwise_does_not_start(flags, found, tmp_path, monkeypatch):
    """In a process of its own: what g++ links for some of these sets the processor's mode until the process ends."""
    wrapped(tmp_path, monkeypatch, flags)
    run = "from hpcsnn import Network, Simulation, models\n"
    run += "from hpcsnn.devices.host import HostDevice\n"
    run += "network = Network(); network.add_population('cells', 4, models.LIF())\n"
    run += "Simulation(network, device=HostDevice(('-O3', '-march=native')))"
    done = subprocess.run([sys.executable, "-c", run], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    said = r"DeviceError: cpu \(.*\): the compiled kernels give other values than on other machines: (.*)\. A run would"
    words = re.search(said + rf".*Compiled with CXX='{tmp_path}/wrapped.*', CXXFLAGS=''", done.stderr)
    assert words, done.stderr
    for one in found:
        assert one in words[1]


@pytest.mark.parametrize("variable", ["CXXFLAGS", "CXX"])
@pytest.mark.parametrize(
    ("flag", "name"),
    [
        ("-DKERNEL=", "KERNEL"),
        ("-D LAUNCH(x)=", "LAUNCH"),
        ("-DHPCSNN_EMULATED_THREADS=4", "HPCSNN_EMULATED_THREADS"),
        ("-D__CUDACC__", "__CUDACC__"),
        ("-Dfloat=double", "float"),
        ("-U HPCSNN_EMULATED_THREADS", "HPCSNN_EMULATED_THREADS"),
    ],
)
def test_macros_of_the_kernels_names_are_refused(variable, flag, name, monkeypatch):
    text = f"c++ {flag}" if variable == "CXX" else flag
    text = text.replace("(x)", "\\(x\\)")
    monkeypatch.setenv(variable, text)
    said = (
        f"${variable} is {text!r}, which is not allowed: it defines or undefines {name}, a name that hpcsnn's kernels"
    )
    with pytest.raises(DeviceError, match=as_pattern(said)):
        Simulation(topographic_map(), device="cpu")


@pytest.mark.parametrize("flags", ["-O2 -DNDEBUG -D_FORTIFY_SOURCE=2 -g", "-O1 -fvisibility=hidden"])
def test_other_macros_and_optimisation_are_the_users(flags, monkeypatch, digest):
    monkeypatch.setenv("CXXFLAGS", flags)
    assert digest_on(topographic_map(), "cpu", 100.0) == digest


@pytest.mark.parametrize("variable", ["CXXFLAGS", "CXX"])
def test_words_that_cannot_be_cut_are_named(variable, monkeypatch):
    monkeypatch.setenv(variable, "-DNAME='x")
    with pytest.raises(
        DeviceError, match=rf"^\${variable} is \"-DNAME='x\", which cannot be cut into words: No closing"
    ):
        Simulation(topographic_map(), device="cpu")


def test_a_library_that_cannot_be_loaded_is_named(tmp_path, monkeypatch):
    wrapped(tmp_path, monkeypatch, "-c")
    with pytest.raises(DeviceError, match=r"^the compiled kernels cannot be loaded: .*compiled with CXX=.*wrapped"):
        Simulation(topographic_map(), device="cpu")


def test_code_for_gpus_keeps_what_cupy_would_change():
    """CuPy asks for -ftz=true behind the flags that it is given; what is loaded has been compiled without it."""
    pytest.importorskip("cupy_backends.cuda.libs.nvrtc", reason="needs CuPy and NVRTC (extra cuda13)")
    source = generate(topographic_map(), 1).kernels
    made = compile_for(999, source)  # of no GPU yet: the text of the newest architecture
    text = made.read_text()
    assert ".entry deliver_ff(" in text
    assert ".ftz" not in text
    assert "fma.rn.f32" not in text
    assert compile_for(90, source).suffix == ".cubin"
    assert ".entry check_values(" in ptx_of(source, 90)


def test_a_snippet_that_divides_whole_numbers_by_zero_stops_the_run_with_words():
    countdown = models.NeuronModel(
        "countdown",
        "Divides by what is left.",
        state=(models.Variable("left", 3, ctype="int"), models.Variable("share", 0, ctype="int")),
        update="left = left - 1; share = 6 / left;",
    )
    network = Network()
    network.add_population("cells", 4, countdown())
    simulation = Simulation(network, device="cpu")
    simulation.run(0.2)
    assert simulation.neurons("cells")["share"].tolist() == [6] * 4
    said = (
        "rank 0: populations.cells (neuron countdown), kernel update_cells: a whole number is divided by zero; "
        "the processor stops there in step 2 (0.2 ms)"
    )
    with pytest.raises(SimulationError, match=as_pattern(said)):
        simulation.run(0.1)


def test_a_literal_division_by_zero_is_a_mistake_in_the_snippet():
    network = Network()
    broken = models.NeuronModel("broken", "Divides.", state=(models.Variable("V"),), update="\nV = V + 1 / 0;")
    network.add_population("cells", 4, broken())
    with pytest.raises(DeviceError, match=r"neuron broken, update, line 1, column \d+: division by zero"):
        Simulation(network, device="cpu")
