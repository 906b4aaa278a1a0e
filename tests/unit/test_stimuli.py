"""Sources: tables of waiting times and of given spikes, on any share of the neurons."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn import ConfigurationError, Grid, Network
from hpcsnn.models.chance_tables import survival_table
from hpcsnn.models.stimuli import InhomogeneousPoisson, MovingGaussianPoisson, Poisson, SpikeArray
from hpcsnn.models.tables import PlacementContext

DT_MS = 0.5


def tables(configured, ids, grid, dt_ms=DT_MS):
    ids = np.array(ids, dtype=np.int32)
    values = dict(configured.values) | configured.constants(dt_ms)
    context = PlacementContext(values, dt_ms, ids, ids % grid.nx, ids // grid.nx, grid.nx, grid.ny)
    return {name: table.make(context) for name, table in configured.model.tables.items()}


SPIKES = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 30)), max_size=30, unique=True)


@settings(max_examples=40)
@given(SPIKES, st.sets(st.integers(0, 7)), st.randoms(use_true_random=False))
def test_a_rank_has_its_neurons_spikes_in_order_of_time(spikes, own, random):
    ids = random.sample(sorted(own), len(own))
    times = [step * DT_MS for _, step in spikes]
    model = SpikeArray(neurons=[neuron for neuron, _ in spikes], times_ms=times)
    made = tables(model, ids, Grid(8, 1))
    assert made["offset"][0] == 0
    for row, neuron in enumerate(ids):
        steps = made["spike_step"][made["offset"][row] : made["offset"][row + 1]].tolist()
        assert steps == sorted(step for one, step in spikes if one == neuron)
    assert made["offset"][-1] == len(made["spike_step"])


def test_rates_fall_off_from_the_stimulus_and_are_waited_for_as_such():
    model = MovingGaussianPoisson(base_hz=5, peak_hz=100, sigma=1.5, field_side=6, positions=5, dwell_ms=4.0)
    made = tables(model, range(48), Grid(12, 4))
    squared = np.arange(2 * 3**2 + 1)  # as far as two places on a torus of 6 are apart
    rates = 5 + 100 * np.exp(-squared / (2 * 1.5**2))
    np.testing.assert_array_equal(made["wait"], survival_table(rates * DT_MS * 1e-3, 8))
    assert model.constants(DT_MS)["window_steps"] == 8
    np.testing.assert_array_equal(made["field_x"], np.arange(48) % 12 % 6, "the field repeats")
    np.testing.assert_array_equal(made["field_y"], np.arange(48) // 12 % 6)


@settings(max_examples=20)
@given(st.floats(0, 1999, width=32, allow_subnormal=False))
def test_a_poisson_neuron_waits_by_its_rate(rate_hz):
    made = tables(Poisson(rate_hz=rate_hz), [0], Grid(1, 1))
    np.testing.assert_array_equal(made["wait"], survival_table(np.array([rate_hz * DT_MS * 1e-3]), 200))


def test_a_rank_has_the_rates_of_its_neurons_as_parts_of_the_largest():
    rates = [[4, 0, 2, 1], [0, 0, 8, 4]]
    made = tables(InhomogeneousPoisson(times_ms=[1.0, 2.5], rates_hz=rates), [2, 0], Grid(4, 1))
    assert made["piece_step"].tolist() == [0, 2, 5]
    assert (made["share"] / 2.0**32).reshape(2, 3).tolist() == [[0, 0.25, 1], [0, 0.5, 0]]
    np.testing.assert_array_equal(made["wait"], survival_table(np.array([8 * DT_MS * 1e-3]), 200))
    fading = tables(InhomogeneousPoisson(times_ms=[0, 1], rates_hz=[1e-41, 2]), [0], Grid(1, 1))
    assert fading["share"].tolist() == [0, 0, 2**32]
    silent = tables(InhomogeneousPoisson(times_ms=[], rates_hz=[]), [2, 0], Grid(4, 1))
    assert silent["share"].tolist() == [0]


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Poisson(rate_hz=2000.0), r"poisson\.rate_hz: 2000 Hz is not allowed; with dt_ms 0\.5 it must be < 2000 Hz"),
        (
            MovingGaussianPoisson(peak_hz=1995.0),
            r"moving_gaussian_poisson\.base_hz 5 \+ peak_hz 1995: 2000 Hz is not allowed",
        ),
        (
            MovingGaussianPoisson(dwell_ms=0.2),
            r"moving_gaussian_poisson\.dwell_ms: 0\.2 is not allowed; must be a whole number of .* at least one: 0\.5$",
        ),
        (
            SpikeArray(neurons=[0, 9], times_ms=[1, 1]),
            r"spike_array\.neurons: 9 of spike 1 is not allowed; must be in 0 \.\. 8",
        ),
        (
            SpikeArray(neurons=[2, 1, 2], times_ms=[3.0, 3.0, 3.0000000001]),
            r"spike_array\.times_ms: 3\.0 and 3\.0000000001 of neuron 2 \(spikes 0 and 2\) are both in step 6; ",
        ),
        (
            SpikeArray(neurons=[0, 0], times_ms=[1.0, 1.2]),
            r"spike_array\.times_ms: 1\.2 of spike 1 is not allowed; must be a whole .* of 0\.5 ms: 1 or 1\.5$",
        ),
        (
            MovingGaussianPoisson(field_side=2**31 - 1),
            r"moving_gaussian_poisson\.dwell_ms: 20\.0 is not allowed; 40 steps and ",
        ),
        (
            InhomogeneousPoisson(times_ms=[0, 5, 5], rates_hz=[1, 2, 3]),
            r"inhomogeneous_poisson\.times_ms: 5\.0 of rate 2 is not allowed; must be above the one before it, 5\.0",
        ),
        (
            InhomogeneousPoisson(times_ms=[0, 1.2], rates_hz=[1, 2]),
            r"inhomogeneous_poisson\.times_ms: 1\.2 of rate 1 is not allowed; must be a whole",
        ),
        (
            InhomogeneousPoisson(times_ms=[0, 5], rates_hz=[1, 2000]),
            r"inhomogeneous_poisson\.rates_hz: 2000 Hz is not allowed; with dt_ms 0\.5 it must be < 2000 Hz",
        ),
        (
            InhomogeneousPoisson(times_ms=[0], rates_hz=[[1, 2]]),
            r"inhomogeneous_poisson\.rates_hz: has 2 rates at each time; must be one number or 9, one per neuron",
        ),
        (
            SpikeArray(neurons=[0], times_ms=[DT_MS * (2**31 - 1)]),
            r"spike_array\.times_ms: .* of spike 0 is not allowed; must be below step 2\^31",
        ),
    ],
)
def test_what_does_not_fit_the_population_or_its_steps(model, message):
    with pytest.raises(ConfigurationError, match=rf"^populations\.a\.model\.{message}"):
        Network(dt_ms=DT_MS).add_population("a", Grid(3, 3), model)


def test_values_that_do_not_go_together():
    with pytest.raises(ConfigurationError, match=r"positions: 17 is not allowed; must be <= field_side \(16\)"):
        MovingGaussianPoisson(positions=17)
    for times, message in (
        ([1.0, 2.0], "neurons has 1, times_ms has 2 entries; must be equally many, one per spike"),
        ([-0.1], r"times_ms: -0\.1 of spike 0 is not allowed; must be a number >= 0"),
        ([float("nan")], r"times_ms: nan of spike 0 is not allowed; must be a number >= 0"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            SpikeArray(neurons=[0], times_ms=times)
    for rates, message in (
        (
            [[1, 2], [3]],
            r"rates_hz\[1\]: has 1 values, and .*rates_hz\[0\] has 2; must be equally many",
        ),
        ([[1, -2], [3, 4]], r"rates_hz\[0\]: -2 of neuron 1 is not allowed; must be a number >= 0"),
        ([1], r"times_ms has 2, rates_hz has 1 entries; must be equally many, one per rate"),
        ([1, -3], r"rates_hz: -3 of rate 1 is not allowed"),
        (np.zeros((2, 2, 2)), r"rates_hz: .* must be a list of numbers, one per rate"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            InhomogeneousPoisson(times_ms=[0, 1], rates_hz=rates)
    for neurons, message in (([-1], "-1 of spike 0"), ([0.7], r"0\.7 of spike 0"), ([True], "True of spike 0")):
        with pytest.raises(
            ConfigurationError, match=rf"neurons: {message} is not allowed; must be a whole number >= 0"
        ):
            SpikeArray(neurons=neurons, times_ms=[1.0])
