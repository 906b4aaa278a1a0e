"""A network as it is declared: times in steps, who sends to whom, how long spikes are kept, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn import ConfigurationError, Grid, models
from hpcsnn.models import RewiringRule
from hpcsnn.network.network import Network

GRID = Grid(8, 8)


def declared(dt_ms=0.1):
    network = Network(seed=1, dt_ms=dt_ms)
    network.add_population("a", GRID, models.MovingGaussianPoisson(dwell_ms=30, field_side=8, positions=8))
    network.add_population("b", GRID, models.LIF())
    return network


def connected(network, name, source="a", target="b", **more):
    more = {"connector": models.OneToOne(), "receptor": models.DeltaCurrent(), "weight": 1.0, **more}
    return network.add_projection(name, source, target, **more)


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.sampled_from([0.01, 0.025, 0.1, 0.5, 1.0]))
def test_a_time_is_a_whole_number_of_steps(n_steps, dt_ms):
    network = Network(dt_ms=dt_ms)
    assert network.steps(n_steps * dt_ms) == n_steps
    with pytest.raises(ConfigurationError, match=r"^duration_ms: .* is not allowed; must be a whole number of steps"):
        network.steps(n_steps * dt_ms + 0.3 * dt_ms)


@pytest.mark.parametrize("duration", [-0.1, float("inf"), float("nan"), "5", True, None])
def test_what_is_no_duration_is_refused(duration):
    with pytest.raises(
        ConfigurationError,
        match=r"^duration_ms: .* is not allowed; must be a (number in ms|whole number of steps .*: 0)$",
    ):
        Network().steps(duration)


def test_steps_are_32_bit_numbers():
    assert Network(dt_ms=1.0).steps(2**31 - 1) == 2**31 - 1
    with pytest.raises(
        ConfigurationError, match=r"is 2147483648 steps of 1 ms; at most 2\^31 - 1, which are 2147483647 ms$"
    ):
        Network(dt_ms=1.0).steps(2.0**31)


@pytest.mark.parametrize("seed", [0, 2**64 - 1, np.int64(7)])
def test_seeds_are_whole_numbers_of_64_bits(seed):
    assert Network(seed).seed == int(seed)
    for wrong in (-1, 2**64, 1.5, True, "1", None, float("nan")):
        with pytest.raises(ConfigurationError, match=r"^seed: "):
            Network(wrong)


def test_projections_are_known_from_both_ends_in_the_order_of_declaration():
    network = declared()
    names = ["z", "m", "c"]
    made = {name: connected(network, name, source) for name, source in zip(names, ("a", "b", "a"), strict=True)}
    a, b = network.populations["a"], network.populations["b"]
    assert network.incoming(a) == []
    assert network.incoming(b) == [made[name] for name in names]
    assert (network.outgoing(a), network.outgoing(b)) == ([made["z"], made["c"]], [made["m"]])
    assert list(network.projections) == names
    again = connected(network, "again", b, b)
    assert (again.source, again.target) == (b, b), "by name or as declared"


def test_spikes_are_exchanged_twice_in_the_smallest_and_kept_for_the_longest_delay():
    network = declared()
    a, b = network.populations["a"], network.populations["b"]
    assert (network.min_delay_steps(), network.steps_kept(a)) == (1, 1)
    connected(network, "slow", delay_ms=5.0)
    connected(network, "slower", delay_ms=7.0)
    connected(network, "own", "b", delay_ms=0.6)
    assert (network.min_delay_steps(), network.exchange_steps()) == (6, 4)
    assert (network.steps_kept(a), network.steps_kept(b)) == (70, 6)
    connected(network, "spread", "b", delay_ms=models.Uniform(0.9, 30.0))
    assert network.steps_kept(b) == 9, "after the smallest of them input is on its way, and the spike not needed"


def test_spikes_are_kept_until_they_are_back_at_plastic_synapses():
    network = declared()
    a, b = network.populations["a"], network.populations["b"]
    connected(network, "fixed", dendritic_delay_ms=9.0)
    assert (network.steps_kept(a), network.steps_kept(b)) == (1, 1), "static synapses do not look"
    plastic = connected(network, "plastic", synapse=models.AdditiveSTDP(w_max=2.0), dendritic_delay_ms=3.0)
    assert (plastic.dendritic_steps, plastic.dendritic_delay_ms) == (30, pytest.approx(3.0))
    assert (network.steps_kept(a), network.steps_kept(b)) == (1, 31)
    assert network.min_delay_steps() == 1, "ranks exchange as often as the axonal delay asks for"
    with pytest.raises(ConfigurationError, match=r"^projections\.x\.dendritic_delay_ms: 0\.25 is .*0\.2 or 0\.3"):
        connected(network, "x", dendritic_delay_ms=0.25)


def test_a_rule_that_looks_back_keeps_spikes_longer():
    network = declared()
    rule = models.rewiring.LastToFire(p_max=0.5, sigma=1.0, block_side=4, recent_ms=12.0)
    looking = connected(network, "looking", rewiring=rule, delay_ms=2.0)
    connected(network, "faster", "b", delay_ms=0.3)
    assert network.steps_looked_back(looking) == 120 + 20, "those not arrived yet included"
    assert network.steps_kept(network.populations["a"]) == 140
    plain = connected(network, "plain", rewiring=models.Bamford(p_max=0.5, sigma=1.0, block_side=4))
    assert network.steps_looked_back(plain) == 0
    assert network.steps_looked_back(connected(network, "none")) == 0


@pytest.mark.parametrize(
    ("rule", "values", "steps"),
    [
        (RewiringRule("timed", "", sums={"n": "1"}), {"every_ms": 2.5}, 25),
        (RewiringRule("moved", "", sums={"n": "1"}, trigger="stimulus"), {}, 300),
        (RewiringRule("called", "", sums={"n": "1"}, trigger="call"), {}, 1),
    ],
)
def test_updates_come_every_so_many_steps_with_the_stimulus_or_when_called(rule, values, steps):
    network = declared()
    projection = connected(network, "ab", rewiring=rule(**values))
    assert network.update_steps(projection) == steps


@pytest.mark.parametrize(
    ("model", "initial", "message"),
    [
        (models.LIF(), {"V_mV": [1.0]}, r"initial\.V_mV: has shape \(1,\); must be one number or 64 values, one per"),
        (models.LIF(), {"V_mV": np.zeros((8, 8))}, r"initial\.V_mV: has shape \(8, 8\)"),
        (models.LIF(), {"u": 0}, r"initial: unknown name 'u'; allowed: V_mV, frozen_steps"),
        (models.LIF(tau_m_ms=[1.0, 2.0]), {}, r"model\.lif\.tau_m_ms: has 2 values; must be one number or 64 values"),
        (models.Static(), {}, r"model: .* is not a neuron or source model"),
    ],
)
def test_populations_that_cannot_be_say_why(model, initial, message):
    network = Network()
    with pytest.raises(ConfigurationError, match=rf"^populations\.a\.{message}"):
        network.add_population("a", GRID, model, initial)
    assert network.populations == {}, "what was refused is not there"


@pytest.mark.parametrize("value", [1e39, -1e39])
def test_weights_that_kernels_cannot_hold_are_refused(value):
    with pytest.raises(ConfigurationError, match=r"^projections\.ab\.weight: .*1e\+39 is not allowed; "):
        connected(declared(), "ab", weight=value)


@pytest.mark.parametrize("value", [2.5, [0.5] * 64, float("nan"), [float("inf")] * 64])
def test_whole_variables_begin_with_whole_numbers(value):
    with pytest.raises(ConfigurationError, match=r"^populations\.a\.initial\.frozen_steps: .* is not allowed; must be"):
        Network().add_population("a", GRID, models.LIF(), {"frozen_steps": value})
    Network().add_population("a", GRID, models.LIF(), {"frozen_steps": 2.0})
    Network().add_population("a", GRID, models.LIF(), {"frozen_steps": models.Uniform(0, 9)})


@pytest.mark.parametrize("value", [float("nan"), [0.0] * 63 + [float("inf")], None, "abc", [True] * 64])
def test_variables_begin_with_numbers_that_kernels_can_hold(value):
    with pytest.raises(ConfigurationError, match=r"^populations\.a\.initial\.V_mV: .* is not allowed; must be a fin"):
        Network().add_population("a", GRID, models.LIF(), {"V_mV": value})


def test_a_refused_projection_is_not_there():
    network = declared()
    with pytest.raises(ConfigurationError):
        connected(network, "ab", weight=float("nan"))
    assert network.projections == {}
    connected(network, "ab")
    with pytest.raises(ConfigurationError, match="name 'ab' is used twice"):
        connected(network, "ab")


def test_a_population_of_another_network_is_refused():
    network, other = declared(), declared()
    for end in ("source", "target"):
        with pytest.raises(ConfigurationError) as error:
            connected(network, "ab", **{end: other.populations["b"]})
        assert (
            str(error.value)
            == f"projections.ab.{end}: 'b' is a population of another network; must be one of this network's"
        )
    with pytest.raises(ConfigurationError, match=r"^projections\.ab\.source: unknown name 3; allowed: a, b"):
        connected(network, "ab", source=3)


def test_a_copy_has_the_same_declarations_and_takes_others():
    network = declared()
    connected(network, "ab")
    copy = network.copy()
    connected(copy, "more")
    network.add_population("late", 1, models.LIF())
    assert (list(network.projections), list(copy.projections)) == (["ab"], ["ab", "more"])
    assert (list(network.populations), list(copy.populations)) == (["a", "b", "late"], ["a", "b"])
    assert (copy.seed, copy.dt_ms) == (network.seed, network.dt_ms)


def test_numpys_numbers_are_taken_wherever_pythons_are():
    network = Network(seed=np.uint64(2**64 - 1), dt_ms=np.float32(0.1))
    assert (network.seed, network.dt_ms) == (2**64 - 1, 0.1)
    network.add_population("a", np.int16(9), models.Poisson(rate_hz=np.float32(20)), record_spikes=np.True_)
    network.add_population(
        "b", np.array(9), models.LIF(tau_m_ms=np.array(10), V_reset_mV=np.full(9, -70, dtype=np.int8))
    )
    made = connected(
        network, "ab", weight=np.float16(0.5), delay_ms=np.float32(0.7), capacity=np.uint8(4), rows_grow=np.False_
    )
    assert (made.weight, made.delay_steps, made.capacity, made.rows_grow) == (0.5, 7, 4, False)
    assert network.steps(np.float32(3.3)) == network.steps(np.float64(3.3)) == 33
    assert network.steps(np.int8(3)) == 30


@pytest.mark.parametrize("name", ["record_spikes", "rows_grow", "record_events"])
@pytest.mark.parametrize("value", [1, 0.0, "yes", None])
def test_switches_are_true_or_false(name, value):
    network = declared()
    with pytest.raises(ConfigurationError, match=rf"\.{name}: .* is not allowed; must be true or false$"):
        if name == "record_spikes":
            network.add_population("c", 1, models.LIF(), record_spikes=value)
        else:
            connected(network, "ab", **{name: value})


@pytest.mark.parametrize(
    ("variable", "value", "end"),
    [
        ("V_mV", models.Normal(1e38, 1e38), "-5.5e+38, and kernels hold numbers up to 3.40282e+38"),
        ("frozen_steps", models.Uniform(0, 3e9), "3e+09, and kernels hold numbers up to 2.14748e+09"),
    ],
)
def test_draws_that_kernels_cannot_hold_are_refused(variable, value, end):
    with pytest.raises(ConfigurationError) as error:
        Network().add_population("a", GRID, models.LIF(), {variable: value})
    assert str(error.value) == f"populations.a.initial.{variable}: {value!r} is not allowed; it may come to {end}"
    Network().add_population("a", GRID, models.LIF(), {"V_mV": models.Normal(1e38, 1e38, low=0.0, high=2e38)})


def test_listed_initial_values_are_kept_as_they_were():
    mine = np.full(64, -60.0)
    network = Network()
    network.add_population("a", GRID, models.LIF(), {"V_mV": mine})
    mine[:] = 7.0
    assert set(np.asarray(network.populations["a"].initial["V_mV"]).tolist()) == {-60.0}
    with pytest.raises(
        ConfigurationError, match=r"^populations\.a2\.initial\.V_mV: inf of neuron 63 is not allowed; must"
    ):
        network.add_population("a2", GRID, models.LIF(), {"V_mV": [0.0] * 63 + [float("inf")]})


@pytest.mark.parametrize("threshold", ["false", " "])
def test_a_model_without_a_threshold_is_a_target_and_no_source(threshold):
    """Its neurons never spike, so that a projection from it would do nothing and say nothing."""
    network = declared()
    network.add_population("readout", GRID, models.NeuronModel("mine", "", threshold=threshold)())
    assert connected(network, "read", target="readout").target.name == "readout"
    with pytest.raises(
        ConfigurationError,
        match=r"^projections\.back\.source: 'readout' is not allowed; its neurons never spike, since the model mine ",
    ):
        connected(network, "back", "readout", "b")
    assert "back" not in network.projections
