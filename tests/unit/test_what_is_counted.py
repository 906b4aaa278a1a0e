"""What 32 bits cannot count is refused before a run, with the numbers, or asks for fewer steps at a time."""

from __future__ import annotations

import pytest

from hpcsnn import ConfigurationError, Grid, Network, SimulationError, models
from hpcsnn.codegen.structs import Struct, network_struct
from hpcsnn.network.fields import decay_fields
from support.messages import as_pattern
from support.networks import topographic_map

LINE = Grid(1 << 17, 1)


def pair(grid: Grid | int, delay_ms: float = 0.1, rewiring=None) -> Network:
    network = Network()
    network.add_population("a", grid, models.Poisson())
    network.add_population("b", grid, models.LIF())
    network.add_projection(
        "ab", "a", "b", models.OneToOne(), models.DeltaCurrent(), 1.0, delay_ms=delay_ms, rewiring=rewiring
    )
    return network


@pytest.mark.parametrize(
    ("kind", "value", "most"),
    [
        ("int", 2**31, "2^31 - 1"),
        ("int", -(2**31) - 1, "2^31 - 1"),
        ("uint32", 2**32, "2^32 - 1"),
        ("uint32", -1, "2^32 - 1"),
        ("int64", 2**63, "2^63 - 1"),
    ],
)
def test_a_member_refuses_what_it_cannot_hold(kind, value, most):
    part = Struct("Population_cells", [("n_own", kind)]).ctype()()
    said = f"populations.cells: n_own would be {value}, which is more than kernels can count: at most {most}"
    with pytest.raises(SimulationError, match=as_pattern(said)):
        part.n_own = value


def test_members_hold_what_they_can():
    part = network_struct(topographic_map()).ctype()()
    for value in (0, 2**31 - 1, -(2**31)):
        part.population_source.log_size = value
        assert part.population_source.log_size == value
    part.population_source.first_id = 2**32 - 1
    assert part.population_source.first_id == 2**32 - 1


def test_all_neurons_have_a_number():
    network = Network()
    network.add_population("a", 2**30, models.LIF())
    said = "populations.b: with it the network has 2147483648 neurons; at most 2130706432"
    with pytest.raises(ConfigurationError, match=as_pattern(said)):
        network.add_population("b", 2**30, models.LIF())
    network.add_population("c", 2**30 - 2**24, models.LIF())


@pytest.mark.parametrize(
    ("size", "delay_ms", "steps"),
    [(1000, 100.0, 501), (1 << 20, 100.0, 501), (1 << 20, 400.0, 1023), (1 << 29, 1.0, 1)],
)
def test_ranks_meet_before_spikes_of_an_interval_need_more_than_a_message_holds(size, delay_ms, steps):
    network = pair(size, delay_ms)
    assert network.exchange_steps() == steps
    assert steps * 2 * size < 2**31


def test_squared_distances_fit():
    said = (
        "projections.ab.rewiring.bamford: the grid 131072 x 1 is too wide for a rule that looks at distances; the "
        "largest squared distance is 4294967296, at most 2^31 - 1 is allowed"
    )
    with pytest.raises(ConfigurationError, match=as_pattern(said)):
        pair(LINE, rewiring=models.Bamford(p_max=0.5, sigma=2.0, attempts=1, block_side=1))
    pair(Grid(1 << 16, 1), rewiring=models.Bamford(p_max=0.5, sigma=2.0, attempts=1, block_side=1))


def test_attempts_have_a_number_each():
    rule = models.Bamford(p_max=0.5, sigma=2.0, attempts=70_000, block_side=1)
    said = (
        "projections.ab.rewiring.bamford.attempts: 70000 is not allowed; on 65536 blocks these are 4587520000 "
        "attempts an update, at most 2^31 - 1"
    )
    with pytest.raises(ConfigurationError, match=as_pattern(said)):
        pair(Grid(256, 256), rewiring=rule)


def test_tables_of_waiting_times_can_be_indexed():
    said = (
        "populations.field.model.moving_gaussian_poisson.dwell_ms: 2000000.0 is not allowed; 20000000 steps and 129 "
        "distances on the field (field_side 16) make a table of 2580000000 entries, at most 2^28"
    )
    with pytest.raises(ConfigurationError, match=as_pattern(said)):
        Network().add_population("field", Grid(16, 16), models.MovingGaussianPoisson(dwell_ms=2e6))


def test_tables_of_decays_reach_back_to_the_first_step():
    """A trace of a day's time constant is not forgotten while 32 bits count steps."""
    _, coarse = decay_fields(0.1, 86_400_000.0)
    assert coarse.length(None) * 256 >= 2**31
    _, coarse = decay_fields(0.1, 20.0)
    assert coarse.length(None) * 256 < 20_000
