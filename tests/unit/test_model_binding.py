"""What kernels find of a model: constants, tables, and the powers that traces decay by, against float64."""

from __future__ import annotations

import ctypes
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn import ConfigurationError, Grid, Network, models
from hpcsnn.devices import HostDevice
from hpcsnn.engine.model_binding import made_tables, trace_taus_ms
from hpcsnn.engine.state import RankState
from hpcsnn.models import Table
from hpcsnn.network.fields import FINE_POWERS
from hpcsnn.ranks.communicator import Alone
from hpcsnn.ranks.partition import place_network

GRID, DT_MS = Grid(6, 4), 0.2


def declared(synapse=None, dt_ms=DT_MS, grid=GRID, connector=None):
    network = Network(dt_ms=dt_ms)
    network.add_population("a", grid, models.Poisson())
    network.add_population("b", grid, models.LIF(tau_m_ms=15, refractory_ms=25 * dt_ms))
    connector = connector or models.OneToOne()
    network.add_projection("ab", "a", "b", connector, models.ExponentialCurrent(tau_ms=3), 0.1, synapse)
    return network


def rank_state(network, rank=0, n_ranks=1):
    return RankState(network, place_network(network, 2, rank, n_ranks), HostDevice(), Alone(), log_entries=4)


@settings(max_examples=15)
@given(st.floats(0.05, 5), st.floats(0.5, 500), st.data())
def test_two_tables_give_every_power_of_a_decay(dt_ms, tau_ms, data):
    state = rank_state(declared(models.AdditiveSTDP(tau_plus_ms=tau_ms), dt_ms))
    fine, coarse = (state.read(f"ab.decay_pre_trace.{name}").astype(np.float64) for name in ("fine", "coarse"))
    assert len(fine) == FINE_POWERS
    part = state.projection_part("ab").decay_pre_trace
    assert part.n_coarse == len(coarse)
    assert part.coarse == state.arrays["ab.decay_pre_trace.coarse"].ctypes.data
    ends = FINE_POWERS * len(coarse)
    steps = np.array(data.draw(st.lists(st.integers(0, ends - 1), max_size=50)), dtype=np.int64)
    power = coarse[steps // FINE_POWERS] * fine[steps % FINE_POWERS]
    exact = np.exp(-dt_ms / tau_ms * steps)
    # Each factor is rounded to float32; where it is among the smallest, by an absolute amount that no weight feels.
    np.testing.assert_allclose(power, exact, rtol=2.0**-22, atol=1e-38)
    assert math.exp(-dt_ms / tau_ms * ends) <= 1e-30, "what comes after the tables counts as nothing"


def test_every_trace_decays_by_the_time_constant_that_it_names():
    network = declared(models.TripletSTDP(tau_plus_ms=10, tau_x_ms=20, tau_minus_ms=30, tau_y_ms=40))
    taus = trace_taus_ms(network.projections["ab"], DT_MS)
    assert taus == [("r1", 10.0), ("r2", 20.0), ("o1", 30.0), ("o2", 40.0)]
    state = rank_state(network)
    for name, tau_ms in taus:
        assert state.read(f"ab.decay_{name}.fine")[1] == np.float32(math.exp(-DT_MS / tau_ms))


def test_constants_that_are_one_number_are_in_the_struct_of_their_owner():
    state = rank_state(declared(models.AdditiveSTDP(a_plus=0.013)))
    cells, synapses = state.population_part("b"), state.projection_part("ab")
    assert cells.model_decay == np.float32(math.exp(-DT_MS / 15))
    assert cells.model_refractory_steps == 25
    assert synapses.of_synapse_a_plus == np.float32(0.013)
    assert synapses.of_receptor_decay == np.float32(math.exp(-DT_MS / 3))


@pytest.mark.parametrize("n_ranks", [1, 2])
def test_tables_are_this_ranks_and_their_lengths_are_known(n_ranks):
    listed = models.ExplicitList(pre=[3, 1, 2, 9], post=[5, 5, 20, 0], weight=[0.1, 0.2, 0.3, 0.4])
    network = declared(connector=listed)
    found = set()
    for rank in range(n_ranks):
        state = rank_state(network, rank, n_ranks)
        part, ids = state.projection_part("ab"), state.placements["b"].global_id.tolist()
        first, pre, weight = (
            state.read(f"ab.of_connector_{name}") for name in ("first", "listed_pre", "listed_weight")
        )
        assert (part.n_of_connector_first, part.n_of_connector_listed_pre) == (len(ids) + 1, len(pre))
        entries = (ctypes.c_int32 * len(first)).from_address(part.of_connector_first)
        assert list(entries) == first.tolist()
        for row, post in enumerate(ids):
            here = slice(first[row], first[row + 1])
            found |= {(post, *pair) for pair in zip(pre[here].tolist(), weight[here].tolist(), strict=True)}
    single = {(5, 3, 0.1), (5, 1, 0.2), (20, 2, 0.3), (0, 9, 0.4)}
    assert found == {(post, pre, float(np.float32(weight))) for post, pre, weight in single}


def test_a_table_sees_where_neurons_are_and_constants_that_are_one_number():
    seen = {}

    def make(context):
        seen.update(vars(context))
        return [context.values["tau_m_ms"], context.values["decay"]]

    cell = models.NeuronModel(
        "cell", "", models.LIF.parameters,
        derived=models.LIF.derived, tables={"pair": Table("float", make)},
    )  # fmt: skip
    network = Network(dt_ms=DT_MS)
    network.add_population("cells", GRID, cell(tau_m_ms=10, V_reset_mV=models.Normal(-70, 1)))
    placement = place_network(network, 2, 1, 3)["cells"]
    tables = made_tables(network.populations["cells"].model, DT_MS, placement)
    np.testing.assert_array_equal(tables["pair"], np.float32([10, math.exp(-DT_MS / 10)]))
    assert tables["pair"].dtype == np.float32
    np.testing.assert_array_equal(seen["y"] * GRID.nx + seen["x"], placement.global_id)
    assert (seen["nx"], seen["ny"], seen["dt_ms"]) == (GRID.nx, GRID.ny, DT_MS)
    varied = cell(tau_m_ms=models.Normal(20, 1, low=10))
    with pytest.raises(ConfigurationError, match=r"^cell\.tau_m_ms: one value per neuron is not allowed; a table of"):
        made_tables(varied, DT_MS, placement)


@pytest.mark.parametrize(
    ("ctype", "made", "said"),
    [
        ("int", [0, 2**31], "cell.t[1]: 2147483648 is not allowed; must be a number that int32 holds"),
        ("int", [0.5], "cell.t[0]: 0.5 is not allowed; must be a number that int32 holds"),
        ("uint32", [1, -1], "cell.t[1]: -1 is not allowed; must be a number that uint32 holds"),
        ("uint32", [math.nan], "cell.t[0]: nan is not allowed; must be a number that uint32 holds"),
        ("float", [1.0, 1e39], "cell.t[1]: 1e+39 is not allowed; must be a number that float32 holds"),
        ("float", np.float32([1, math.nan]), "cell.t[1]: nan is not allowed; must be a number that float32 holds"),
    ],
)
def test_a_table_that_its_type_does_not_hold_is_refused(ctype, made, said):
    cell = models.NeuronModel("cell", "", tables={"t": Table(ctype, lambda context: np.array(made))})
    network = Network(dt_ms=DT_MS)
    network.add_population("cells", GRID, cell())
    with pytest.raises(ConfigurationError) as error:
        made_tables(network.populations["cells"].model, DT_MS, place_network(network, 2, 0, 1)["cells"])
    assert str(error.value) == said
