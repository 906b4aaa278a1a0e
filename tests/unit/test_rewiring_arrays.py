"""What a rule works on: blocks, slots within reach, how many attempts meet them, and a log that holds all events."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn import Grid, Network, models
from hpcsnn.devices import HostDevice
from hpcsnn.engine.rewiring.arrays import blocks_of, fit_event_log, most_events, thinned_displacements
from hpcsnn.engine.state import RankState
from hpcsnn.ranks.communicator import Alone
from hpcsnn.ranks.partition import place_network
from hpcsnn.ranks.tiles.tiling import Tiling

TILE = 2


def declared(rule, grid=None, record=False):
    network, grid = Network(), grid or Grid(16, 16)
    network.add_population("a", grid, models.Poisson())
    network.add_population("b", grid, models.LIF())
    connector = models.Gaussian(p_max=0.1, sigma=0.5)
    network.add_projection("ab", "a", "b", connector, models.DeltaCurrent(), 0.1, rewiring=rule, record_events=record)
    return network


def bamford(**values):
    return models.Bamford(p_max=0.1, sigma=0.5, **{"block_side": 4, "attempts": 6, **values})


def rank_state(network, rank=0, n_ranks=1):
    return RankState(network, place_network(network, TILE, rank, n_ranks), HostDevice(), Alone(), log_entries=10)


@settings(max_examples=25)
@given(st.integers(1, 5), st.integers(1, 5), st.sampled_from([1, 2, 4]), st.integers(1, 4), st.integers(1, 5))
def test_all_ranks_together_make_every_attempt_of_every_block(blocks_x, blocks_y, side, attempts, n_ranks):
    """A block on the border of two ranks is drawn by both; each then looks after its own targets."""
    grid = Grid(blocks_x * side, blocks_y * side)
    network = declared(bamford(block_side=side, attempts=attempts), grid)
    n_ranks = min(n_ranks, Tiling.of(grid, TILE).n_tiles)
    numbers = {}
    for rank in range(n_ranks):
        state = rank_state(network, rank, n_ranks)
        target = state.placements["b"]
        blocks, in_x = blocks_of(network.projections["ab"], target)
        x, y = target.coordinates()
        assert set(blocks.tolist()) == set(((y // side) * blocks_x + x // side).tolist())
        assert in_x == blocks_x
        number, x0, y0 = (state.read(f"ab.attempt_{name}").tolist() for name in ("number", "x0", "y0"))
        assert len(number) == state.projection_part("ab").n_attempts == len(blocks) * attempts
        for one, left, top in zip(number, x0, y0, strict=True):
            block = one // attempts
            assert (left, top) == (block % blocks_x * side, block // blocks_x * side)
            numbers[one] = (left, top)
    assert set(numbers) == set(range(blocks_x * blocks_y * attempts))


@settings(max_examples=25)
@given(st.integers(4, 20).map(lambda n: 4 * (n // 4)), st.integers(1, 12))
def test_the_number_of_attempts_within_reach_is_binomial(side, attempts):
    network = declared(bamford(attempts=attempts), Grid(side, side))
    state = rank_state(network)
    dx, _ = thinned_displacements(network.projections["ab"])
    table = state.read("ab.count_threshold").tolist()
    if len(dx) == 0:
        assert table == []
        assert state.projection_part("ab").n_within == 0
        return
    p = Fraction(len(dx), side * side)
    at_most = Fraction(0)
    for k in range(attempts):
        at_most += comb(attempts, k) * p**k * (1 - p) ** (attempts - k)
        assert abs(table[k] - at_most * 2**32) <= 1
    assert len(table) == attempts


def test_attempts_are_thinned_where_few_slots_are_within_reach_and_all_alike():
    near = thinned_displacements(declared(bamford()).projections["ab"])
    places = set(zip(near[0].tolist(), near[1].tolist(), strict=True))
    reach = declared(bamford()).projections["ab"].reach_squared
    assert places == {(x, y) for x in range(-7, 9) for y in range(-7, 9) if x * x + y * y <= reach}
    for network in (
        declared(bamford(), Grid(4, 4)),  # half of all or more
        declared(models.rewiring.Bamford2010(p_max=0.1, sigma=0.5, block_side=4)),  # a place may be tried anywhere
        declared(None),
    ):
        assert [len(axis) for axis in thinned_displacements(network.projections["ab"])] == [0, 0]


@pytest.mark.parametrize(
    ("rule", "most"),
    [
        (None, 0),
        (bamford(), 3 * 6),
        (models.rewiring.Bamford2010(p_max=0.1, sigma=0.5, attempts=6, block_side=4), 2 * 3 * 6),
        (models.rewiring.DeepR(), 2 * 8 * 50),
        (models.rewiring.Homeostatic(), 2 * 8 * 50),
        (models.RewiringRule("r", "", select=models.UNIFORM, update="weight *= 0.5f;")(), 2 * 3 * 10 + 2 * 8 * 50),
    ],
)
def test_an_update_has_no_more_events_than_attempts_and_places(rule, most):
    """Of 3 blocks, 50 targets and rows of 8 places: an attempt may remove one and form one, and so may each place."""
    grid = Grid(16, 16)
    assert most_events(declared(rule, grid).projections["ab"], 3, 50, 8) == most


def test_the_log_grows_with_the_rows_and_keeps_what_is_in_it():
    network = declared(models.rewiring.DeepR(), record=True)
    state = rank_state(network)
    projection, part = network.projections["ab"], state.projection_part("ab")
    fit_event_log(state, projection, 2, 10)
    assert (part.most_events, part.event_log_size) == (2 * 2 * 256, 2 * 2 * 256 + 10)
    state.arrays["ab.event_log"][:4] = [5, 1, 2, 0]
    fit_event_log(state, projection, 4, 10)
    assert part.event_log_size == 2 * 4 * 256 + 10
    assert len(state.read("ab.event_log")) == 4 * part.event_log_size
    assert state.read("ab.event_log")[:5].tolist() == [5, 1, 2, 0, 0]
    fit_event_log(state, projection, 1, 10)
    assert part.event_log_size == 2 * 4 * 256 + 10, "it does not shrink"
    assert part.most_events == 2 * 1 * 256


def test_events_that_nobody_records_need_no_log():
    network = declared(models.rewiring.DeepR())
    state = rank_state(network)
    fit_event_log(state, network.projections["ab"], 4, 10)
    assert state.projection_part("ab").most_events == 2 * 4 * 256
    assert len(state.read("ab.event_log")) == 0
