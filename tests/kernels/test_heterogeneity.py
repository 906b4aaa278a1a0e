"""Parameters that have one value per neuron: against the oracle, on any ranks, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn import ConfigurationError, Grid, Network, Simulation, models
from hpcsnn.codegen.program import generate
from hpcsnn.configuration.files import parse_configuration
from hpcsnn.devices import HostDevice
from hpcsnn.engine.digest import simulation_digest
from hpcsnn.models import Normal, Uniform
from hpcsnn.planning.memory import estimate
from support.comparisons import assert_same
from support.networks import VARIED, driven, driven_configuration, varied
from support.nvrtc import ptx_of
from support.oracle import Oracle

QUICK = HostDevice(("-O1",))
GRID = Grid(8, 8)


def test_neurons_with_parameters_of_their_own_bit_by_bit():
    network = driven(models.LIF(**VARIED), initial={"V_mV": Normal(-68, 4, low=-70, high=-66)})
    simulation, oracle = Simulation(network, device="cpu", tile=4), Oracle(network)
    for n_steps in (1, 99, 900):
        simulation.run(0.1 * n_steps)
        oracle.run(n_steps)
        assert_same(network, simulation, oracle)
    first = Simulation(network, device="cpu").neurons("cells")["V_mV"]
    assert first.min() == -70
    assert first.max() == -66
    assert len(set(first.tolist())) > 20
    rates = np.bincount([neuron for _, neuron in oracle.spikes("cells")], minlength=GRID.size)
    assert rates.min() < 0.5 * rates.max(), "the neurons differ"
    assert rates.max() > 10


VALUES = {
    "tau_m_ms": st.sampled_from([12.0, Uniform(5, 30), Normal(20, 5, low=1), "list"]),
    "V_threshold_mV": st.sampled_from([-66.0, Uniform(-68, -60), Normal(-64, 1)]),
    "V_reset_mV": st.sampled_from([-70.0, Normal(-72, 1, high=-70), "list"]),
    "offset_current": st.sampled_from([0.0, Uniform(0, 8)]),
    "resistance": st.sampled_from([1.0, Uniform(0.5, 2)]),
}


@settings(max_examples=8)
@given(st.fixed_dictionaries(VALUES), st.integers(0, 2**64 - 1), st.sampled_from([1, 4]))
def test_random_parameters_bit_by_bit(values, seed, tile):
    lists = {"tau_m_ms": np.linspace(3, 40, GRID.size), "V_reset_mV": [-70 - 0.1 * n for n in range(GRID.size)]}
    chosen = {name: lists[name] if value == "list" else value for name, value in values.items()}
    network = driven(models.LIF(**chosen), seed)
    simulation, oracle = Simulation(network, device=QUICK, tile=tile), Oracle(network)
    simulation.run(15.0)
    oracle.run(150)
    assert_same(network, simulation, oracle)


def test_equal_values_give_the_bits_of_one_number():
    def digest(**values):
        simulation = Simulation(driven(models.LIF(**values)), device=QUICK)
        simulation.run(100.0)
        return simulation_digest(simulation)

    assert digest(tau_m_ms=[20.0] * GRID.size, V_threshold_mV=Uniform(-60, -60)) == digest(V_threshold_mV=-60)


def test_what_is_drawn_follows_its_distribution_and_nothing_else_becomes_an_array():
    network = Network(seed=1)
    lif = models.LIF(tau_m_ms=Normal(20, 2, low=17), V_threshold_mV=Normal(-54, 1), refractory_ms=np.full(10_000, 2.0))
    network.add_population("cells", Grid(100, 100), lif)
    simulation = Simulation(network, device=QUICK)
    arrays = {name for name in simulation.state.arrays if name.startswith("cells.model_")}
    names = ("tau_m_ms", "V_threshold_mV", "refractory_ms", "decay", "refractory_steps")
    assert arrays == {f"cells.model_{name}" for name in names}
    tau, threshold = (simulation.state.read(f"cells.model_{name}").astype(float) for name in names[:2])
    assert threshold.mean() == pytest.approx(-54, abs=4 / 100)
    assert threshold.std() == pytest.approx(1, abs=4 / np.sqrt(2 * 10_000))
    assert tau.min() == 17
    assert (tau == 17).mean() == pytest.approx(0.0668, abs=4 * 0.0025)  # the normal's chance below -1.5
    assert abs(np.corrcoef(tau, threshold)[0, 1]) < 0.04, "each parameter has draws of its own"
    decay = simulation.state.read("cells.model_decay")
    np.testing.assert_allclose(decay, np.exp(-0.1 / tau), rtol=1e-6)
    assert set(simulation.state.read("cells.model_refractory_steps").tolist()) == {20}
    plain = estimate(driven(models.LIF()), 8, 0, 1).n_bytes
    assert estimate(varied(), 8, 0, 1).n_bytes == plain + 4 * 5 * GRID.size


Chancy = models.NeuronModel(
    "chancy",
    "Spikes every `period` steps; a constant that is a probability is seen as its threshold.",
    parameters={
        "p": models.probability(0.5, "a chance"),
        "period": models.Parameter(3, "steps", "steps between spikes", ctype="int", minimum=1),
    },
    state=(models.Variable("waited", 0, "", "int"), models.Variable("n_likely", 0, "", "int")),
    update="waited += 1; n_likely += chance(0x7fffffffu, p) ? 1 : 0;",
    threshold="waited >= period",
    reset="waited = 0;",
)


def test_probabilities_and_whole_numbers_may_differ_too():
    network = Network(seed=1)
    network.add_population("cells", 4, Chancy(p=[0, 0.4, 0.6, 1], period=[1, 2, 3, 50]), record_spikes=True)
    simulation = Simulation(network, device=QUICK)
    simulation.run(5.0)
    assert np.bincount(simulation.spikes("cells")[1]).tolist() == [50, 25, 16, 1]
    assert simulation.neurons("cells")["n_likely"].tolist() == [0, 0, 50, 50]
    with pytest.raises(ConfigurationError, match=r"^chancy\.period: Uniform\(low=1\.0, high=3\.0\) is not allowed; "
                       r"must be a whole number in steps >= 1, or a list of them$"):  # fmt: skip
        Chancy(period=Uniform(1, 3))


def test_a_resolved_configuration_gives_the_same_network():
    first = parse_configuration(driven_configuration())
    resolved = yaml.safe_load(yaml.safe_dump(first.resolved(), sort_keys=False))
    again = parse_configuration(resolved)
    assert again.resolved() == resolved
    assert resolved["populations"]["cells"]["model"]["lif"].items() >= VARIED.items()
    digests = []
    for one in (first, again):
        simulation = Simulation(one.network(), device=QUICK)
        simulation.run(20.0)
        digests.append(simulation_digest(simulation))
    assert digests[0] == digests[1]


@pytest.mark.parametrize("compute_capability", [80])
def test_kernels_with_parameters_of_neurons_compile_for_gpus(compute_capability):
    source = generate(varied(), 1).kernels
    assert "const float* model_tau_m_ms;" in source
    assert "const float* model_V_reset_mV;" not in source
    assert "fma.rn.f32" not in ptx_of(source, compute_capability)


LIF = "cells.model.lif"
REFUSED = [
    (
        {"tau_m_ms": {"normal": {"mean": 5, "std": 3}}},
        rf"populations\.{LIF}\.tau_m_ms: -\S+ of neuron \d+ is not allowed; must be a number in ms > 0; low and high",
    ),
    (
        {"V_threshold_mV": {"normal": {"mean": -68, "std": 3}}},
        rf"populations\.{LIF}\.V_threshold_mV: -7\S+ is not allowed; must be above V_reset_mV \(-70\S*\); so it is "
        r"for neuron \d+; low and high",
    ),
    (
        {"tau_m_ms": [20, 10]},
        rf"populations\.{LIF}\.tau_m_ms: has 2 values; must be one number or 64 values, one per n",
    ),
    (
        {"tau_m_ms": [20, 10, 0]},
        rf"populations\.{LIF}\.tau_m_ms: 0 of neuron 2 is not allowed; must be a number in ms > 0$",
    ),
    (
        {"tau_m_ms": 20, "refractory_ms": 0, "V_threshold_mV": [-60] * 9 + [-80] + [-60] * 54},
        rf"populations\.{LIF}\.V_threshold_mV: -80\.0 is not allowed; must be above V_reset_mV .*for neuron 9$",
    ),
    (
        {"tau_m_ms": {"gamma": {"mean": 5}}},
        rf"populations\.{LIF}\.tau_m_ms: unknown name 'gamma'; allowed: normal, uniform",
    ),
    (
        {"tau_m_ms": {"normal": {"mean": 5, "std": 1, "low": 9, "high": 3}}},
        rf"populations\.{LIF}\.tau_m_ms\.normal: low 9\.0, high 3\.0 is not allowed; high must be >= low",
    ),
]


@pytest.mark.parametrize(("values", "message"), REFUSED, ids=[message[:60] for _, message in REFUSED])
def test_what_a_neuron_may_not_have(values, message):
    with pytest.raises(ConfigurationError, match="^" + message):
        Simulation(parse_configuration(driven_configuration(**values)).network(), device=QUICK)


Tabled = models.NeuronModel(
    "tabled",
    "A model with a table that depends on a parameter.",
    parameters={"height": models.Parameter(1.0, "", ""), "free": models.Parameter(1.0, "", "")},
    tables={"heights": models.Table("float", lambda context: np.full(4, context.values["height"]))},
    state=(models.Variable("u"),),
    update="u += heights[1] * free;",
)


def test_a_table_is_the_same_for_all_neurons():
    network = Network(seed=1)
    network.add_population("cells", 2, Tabled(free=[1, 2], height=3))
    simulation = Simulation(network, device=QUICK)
    simulation.run(0.1)
    assert simulation.neurons("cells")["u"].tolist() == [3, 6]
    network = Network(seed=1)
    network.add_population("cells", 2, Tabled(height=[1, 2]))
    with pytest.raises(
        ConfigurationError, match=r"^tabled\.height: one value per neuron is not allowed; a table of this"
    ):
        Simulation(network, device=QUICK)


def test_neurons_with_a_background_may_differ_in_all_but_its_table():
    def simulation(**values):
        network = Network(seed=1)
        network.add_population("cells", 4, models.LIFBackground(**values))
        return Simulation(network, device=QUICK)

    differing = simulation(background_weight=[0.0, 0.5, 1.0, 2.0], V_threshold_mV=[0.0] * 4, background_tau_ms=1.0)
    differing.run(20.0)
    v = differing.neurons("cells")["V_mV"]
    assert v[0] == -70
    assert (np.diff(v) > 0).all()
    with pytest.raises(
        ConfigurationError, match=r"^lif_background\.background_hz: one value per neuron is not allowed"
    ):
        simulation(background_hz=[1.0, 2.0, 3.0, 4.0])
    said = r"^populations\.cells\.model\.lif_background\.background_hz: 1e\+08 is not allowed; .*for neuron 0"
    with pytest.raises(ConfigurationError, match=said):
        simulation(background_hz=1e8, background_weight=Uniform(0, 1))


def test_what_is_derived_from_what_is_derived():
    """A constant that depends on one of all neurons, on one of each, and on the step."""
    chained = models.NeuronModel(
        "chained",
        "",
        parameters={"a": models.Parameter(2.0, "", ""), "b": models.Parameter(1.0, "", "")},
        derived={
            "half": models.Derived("a / 2"),
            "sum": models.Derived("half + b"),
            "last": models.Derived("sum * dt_ms + half"),
        },
        state=(models.Variable("u"),),
        update="u = last;",
    )
    network = Network(seed=1, dt_ms=0.5)
    network.add_population("cells", 3, chained(a=4, b=[1, 2, 3]))
    simulation = Simulation(network, device=QUICK)
    assert network.populations["cells"].model.arrays == ["b", "sum", "last"]
    simulation.run(0.5)
    assert simulation.neurons("cells")["u"].tolist() == [3.5, 4.0, 4.5]
