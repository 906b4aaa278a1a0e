"""What spikes bring, of whatever size: sums against exact ones, and weights that outgrow their bound stop the run."""

from __future__ import annotations

import ctypes
import math
from fractions import Fraction

import numpy as np
import pytest

from hpcsnn import Network, Simulation, SimulationError, models
from hpcsnn.devices.host import DEFAULT_OPTIMISATION, compile_library
from hpcsnn.models import SynapseModel, Variable
from hpcsnn.network.input_scale import whole_amount
from hpcsnn.shipped_files import kernel_folder
from support.devices import LAUNCHED

F = np.float32
Integrator = models.NeuronModel(
    "integrator",
    "",
    state=(Variable("sum"), Variable("last")),
    update="sum += input_current; last = input_current != 0.0f ? input_current : last;",
)


def simulated(n_sources, connector, weight, synapse=None, device="cpu", times_ms=(1.0,), n_targets=1):
    """Every source spikes at each of the times."""
    network = Network(seed=1, dt_ms=1.0)
    neurons = [neuron for neuron in range(n_sources) for _ in times_ms]
    spikes = models.SpikeArray(neurons=neurons, times_ms=list(times_ms) * n_sources)
    network.add_population("from", n_sources, spikes)
    network.add_population("onto", n_targets, Integrator())
    network.add_projection("by", "from", "onto", connector, models.DeltaCurrent(), weight, synapse)
    return Simulation(network, device=device)


def brought(weights, device="cpu"):
    n = len(weights)
    listed = models.ExplicitList(pre=list(range(n)), post=[0] * n, weight=[float(weight) for weight in weights])
    simulation = simulated(n, listed, 1.0, device=device)
    simulation.run(4.0)
    return simulation.neurons("onto")["sum"][0], simulation.network.projections["by"].input_format


@pytest.mark.parametrize("spread", [0.5, 3.0, 6.0, 11.0])
@pytest.mark.parametrize("sign", [(1.0,), (-1.0,), (1.0, -1.0)], ids=["positive", "negative", "both"])
def test_a_sum_is_that_of_whole_amounts_and_near_the_exact_one(spread, sign):
    """Weights of 1e-12 to 1e12, as far apart as 64 bits hold."""
    random, kinds = np.random.default_rng(5), set()
    for middle in (-6.0, 0.0, 6.0):
        exponents = random.uniform(middle - spread / 2, middle + spread / 2, 300)
        weights = (random.choice(sign, 300) * 10.0**exponents).astype(F)
        got, given = brought(weights)
        bits = int(math.log2(given.scale))
        units = sum(whole_amount(weight, bits) for weight in weights)
        assert got == F(F(units) * F(1 / given.scale)), "to the bit"
        exact = sum(Fraction(float(weight)) for weight in weights)
        size = sum(abs(Fraction(float(weight))) for weight in weights)
        assert abs(Fraction(float(got)) - exact) <= size / 2**20 + abs(exact) / 2**22
        kinds.add(given.most)
    assert kinds == {{0.5: 2**31, 3.0: 2**51, 6.0: 2**51, 11.0: 2**62}[spread] - 1}


def test_small_weights_count_beside_large_ones():
    assert brought([1000.0, 1e-4])[0] == pytest.approx(1000.0001, rel=1e-7)
    assert brought([1e-4, -1000.0, 1000.0])[0] == pytest.approx(1e-4, rel=2.0**-20)
    assert brought([1.0, -1.0, *[4e-7] * 1000])[0] == pytest.approx(4e-4, rel=2.0**-20)


@pytest.mark.parametrize("rule", [models.AdditiveSTDP, models.MultiplicativeSTDP, models.TripletSTDP])
@pytest.mark.parametrize("w_max", [1.0, 1e4, 1e6])
def test_an_upper_bound_that_is_never_reached_changes_nothing(rule, w_max):
    simulation = simulated(1000, models.AllToAll(), 0.2, rule(w_max=w_max))
    simulation.run(4.0)
    assert simulation.neurons("onto")["sum"][0] == pytest.approx(1000 * float(F(0.2)), rel=2.0**-20)


def compiled(*flags):
    base = kernel_folder() / "base"
    functions = (base / "network.cuh").read_text()
    begin, end = functions.index("// Synaptic input adds up"), functions.index("// A place along a side")
    loops = {
        "sums": ("int64", "float", "float_of_sum(x[k])"),
        "wide": ("int64", "float", "float_of_wide_sum(x[k])"),
        "amounts": ("float", "float", "(float)(int64)whole_amount(x[k], 1.0f)"),
        "whole": ("float", "int64", "sum_of(x[k])"),
    }
    text = [(base / "device.cuh").read_text(), functions[begin:end]]
    for name, (given, made, value) in loops.items():
        loop = f"for (int k = 0; k < n; ++k) y[k] = {value};"
        text.append(f'extern "C" void {name}(const {given}* x, {made}* y, int n) {{ INDEPENDENT_ITERATIONS\n{loop} }}')
    library = ctypes.CDLL(str(compile_library("\n".join(text), flags)))

    def call(name, x):
        y = np.empty(x.size, np.int64 if loops[name][1] == "int64" else F)
        getattr(library, name)(ctypes.c_void_p(x.ctypes.data), ctypes.c_void_p(y.ctypes.data), x.size)
        return y

    return call


@pytest.mark.parametrize("flags", [DEFAULT_OPTIMISATION, ("-O0",)], ids=["vectorised", "plain"])
def test_sums_become_the_nearest_float(flags, monkeypatch):
    monkeypatch.delenv("CXXFLAGS", raising=False)  # they would go over these
    random, call = np.random.default_rng(3), compiled(*flags)
    powers = 2 ** random.integers(0, 52, 20_000)
    sums = np.clip(random.integers(-3, 4, 20_000) * powers + random.integers(-9, 10, 20_000), -(2**51), 2**51)
    ends = np.array([0, 1, -1, 2**51 - 1, 1 - 2**51, 2**51, -(2**51), 2**24 + 1, -(2**24) - 1, 2**25 + 2], np.int64)
    sums = np.concatenate([sums, ends, random.integers(-(2**51), 2**51, 20_000)])
    np.testing.assert_array_equal(call("sums", sums), sums.astype(F))
    np.testing.assert_array_equal(call("sums", sums), call("wide", sums))


@pytest.mark.parametrize("flags", [DEFAULT_OPTIMISATION, ("-O0",)], ids=["vectorised", "plain"])
def test_floats_that_are_whole_become_sums(flags, monkeypatch):
    monkeypatch.delenv("CXXFLAGS", raising=False)
    random, call = np.random.default_rng(5), compiled(*flags)
    ends = np.array([0, 1, -1, 2**24 - 1, 2**50, -(2**50), 2**51 - 2**27, 2**27 - 2**51], F)
    whole = np.concatenate([ends, np.trunc(random.uniform(-1, 1, 20_000) * 2.0 ** random.integers(0, 51, 20_000))])
    np.testing.assert_array_equal(call("whole", whole.astype(F)), whole.astype(F).astype(np.int64))


def test_amounts_are_rounded_to_nearest_halves_away_from_zero():
    random, call = np.random.default_rng(4), compiled("-O0")
    below_half = np.nextafter(F(0.5), F(0))
    edges = np.array([0.5, below_half, 1.5, np.nextafter(F(1.5), F(0)), 2**22 - 0.5, 2**23 - 0.5, 2**23 + 1], F)
    odd = (2**23 + 1 + 2 * np.arange(1000)).astype(F)
    x = np.concatenate([edges, odd, random.uniform(0, 100, 5000), 10.0 ** random.uniform(-9, 15, 5000)]).astype(F)
    expected = np.array([math.floor(Fraction(float(one)) + Fraction(1, 2)) for one in x], np.float64).astype(F)
    np.testing.assert_array_equal(call("amounts", x), expected)
    np.testing.assert_array_equal(call("amounts", -x), -expected)


GROWS = SynapseModel(
    "grows", "", parameters={"up": models.Parameter(0.5, "weight", "rise")}, on_pre_spike="weight += up;"
)


@pytest.mark.parametrize("device", ["cpu", *LAUNCHED])
@pytest.mark.parametrize(("weight", "up", "spikes"), [(1.0, 0.5, 1), (-1.0, -0.5, 1), (2.0, -1.0, 5), (0.1, 1e-9, 99)])
def test_a_weight_that_outgrows_its_bound_stops_the_run_at_that_step(device, weight, up, spikes):
    """A spike a ms; the first that would bring more than the bound is not added."""
    listed = models.ExplicitList(pre=[1, 3], post=[2, 1], weight=[weight, weight])
    times = [float(k) for k in range(1, 9)]
    simulation = simulated(4, listed, weight, GROWS(up=up), device, times, n_targets=3)
    if spikes > len(times):
        simulation.run(12.0)
        return
    step = 1 + 1 + spikes  # the first spike is emitted in step 1 and arrives in the next
    simulation.run(float(step))
    names = (
        rf"(1 to 2|3 to 1) has a weight of {weight + spikes * up:.9g} in step {step} \({step} ms\), beyond its bound"
    )
    message = (
        rf"^projections\.by: the synapse from {names} of {abs(weight):.9g}, up to which input cannot overflow; raise"
    )
    with pytest.raises(SimulationError, match=message):
        simulation.run(5.0)
    assert simulation.step == step
    assert set(simulation.synapses("by")["weight"]) <= {F(weight + k * up) for k in range(spikes + 2)}


def test_what_a_connector_gives_and_a_synapse_makes_of_a_weight_is_checked_too():
    gives = models.Connector("gives", "", connect="connect(0, 3.0f);")
    simulation = simulated(1, gives(), 1.0)
    with pytest.raises(
        SimulationError, match=r"from 0 to 0 has a weight of 3 in step 2 \(2 ms\), beyond its bound of 1,"
    ):
        simulation.run(4.0)
    twice = SynapseModel("twice", "", deliver="2.0f * weight")
    simulation = simulated(1, models.OneToOne(), 1.0, twice())
    with pytest.raises(
        SimulationError, match=r"from 0 to 0 brings 2 in step 2 .* \(synapse twice: abs\(initial_weight\)\)"
    ):
        simulation.run(4.0)
