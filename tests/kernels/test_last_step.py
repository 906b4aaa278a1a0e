"""Where steps end, and what a simulation keeps of the network it was made from."""

from __future__ import annotations

import numpy as np
import pytest

from hpcsnn import ConfigurationError, Network, Simulation, models
from hpcsnn.checked_numbers import LAST_STEP
from hpcsnn.devices import HostDevice

QUICK = HostDevice(("-O1",))


def declared(**more):
    network = Network(seed=1, dt_ms=0.1)
    network.add_population("s", 20, models.Poisson(rate_hz=2000), record_spikes=True)
    network.add_population("p", 20, models.LIF(V_threshold_mV=-60))
    network.add_projection("f", "s", "p", models.AllToAll(), models.DeltaCurrent(), 1.0, **more)
    return network


def test_a_run_ends_at_the_last_step_and_not_beyond():
    simulation = Simulation(declared(), device=QUICK)
    # Rates are counted in bins from step 0 on: no room for them is made here, so the counter alone is set.
    # The stimulus's last window of 200 steps begins 47 steps before the end.
    first = LAST_STEP - 60
    simulation.state.reserve_bins(LAST_STEP)
    simulation.state.set_control("step", first)
    before = simulation.time_ms
    with pytest.raises(ConfigurationError) as error:
        simulation.run(6.1)
    assert str(error.value) == (
        f"duration_ms: 6.1 is not allowed; from step {first} on it ends at step {LAST_STEP + 1}, "
        "and steps are counted up to 2^31 - 1: must be <= 6"
    )
    assert simulation.time_ms == before
    simulation.run(3.5)
    simulation.run(0.1 * LAST_STEP - simulation.time_ms)  # a difference of times, which lacks their last digits
    assert simulation.step == LAST_STEP
    steps, _ = simulation.spikes("s")
    assert 100 < steps.size < 300, "20 neurons, 47 steps, a chance of 0.2: 188 spikes, give or take 12"
    assert steps.min() >= first
    assert steps.max() < LAST_STEP
    with pytest.raises(ConfigurationError, match=r"must be <= 0$"):
        simulation.run(0.1)
    simulation.run(0)


def test_a_simulation_keeps_what_was_declared_when_it_was_made():
    network = declared()
    simulation, undisturbed = Simulation(network, device=QUICK), Simulation(declared(), device=QUICK)
    network.add_population("late", 3, models.LIF())
    network.add_projection("g", "s", "late", models.OneToOne(), models.DeltaCurrent(), 1.0)
    simulation.run(20)
    undisturbed.run(20)
    np.testing.assert_array_equal(simulation.neurons("p")["V_mV"], undisturbed.neurons("p")["V_mV"])
    for read in (simulation.neurons, simulation.rates_hz):
        with pytest.raises(ConfigurationError, match=r"^population: unknown name 'late'; allowed: s, p|p, s"):
            read("late")
    assert Simulation(network, device=QUICK).neurons("late")["id"].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tile": True}, "tile: True is not allowed; must be a whole number"),
        ({"tile": 12}, "tile: 12 is not allowed; must be one of 1, 2, 4, 8, 16, 32, 64"),
        ({"exchange_block": 0}, "exchange_block: 0 is not allowed; must be a whole number >= 1"),
        (
            {"exchange_block": 2**32 + 1},
            "exchange_block: 4294967297 is not allowed; kernels hold numbers up to 2^31 - 1",
        ),
        ({"log_entries": -1}, "log_entries: -1 is not allowed; must be a whole number >= 0 and <= 2.68435e+08"),
    ],
)
def test_options_of_a_simulation_are_whole_numbers(options, message):
    with pytest.raises(ConfigurationError) as error:
        Simulation(declared(), device=QUICK, **options)
    assert str(error.value) == message
    numbers = {name: np.int64(8) for name in options}
    assert Simulation(declared(), device=QUICK, **numbers).tile == 8


def test_wall_seconds_between_visits_are_a_number():
    simulation = Simulation(declared(), device=QUICK)
    for wrong in ("x", -1, True, float("nan")):
        with pytest.raises(
            ConfigurationError, match=r"^observe_every_s: .* is not allowed; must be a number in s >= 0$"
        ):
            simulation.run(1, observe=lambda _: None, observe_every_s=wrong)
    assert simulation.step == 0
