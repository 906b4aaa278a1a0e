"""How much there is to do in a step, by closed forms."""

from __future__ import annotations

import math

import pytest

from hpcsnn.configuration.files import load_configuration
from hpcsnn.planning.network_work import NetworkShape, rank_work
from support.studies import RATES_HZ, a_shape


@pytest.fixture(scope="module")
def shape():
    return NetworkShape.of(load_configuration("topomap", ["scale=4"]).network(), 8)


def test_the_map_has_the_work_that_its_configuration_asks_for(shape):
    assert (shape.sizes, shape.tiles, shape.exchange_steps) == ({"source": 4096, "target": 4096}, 64, 1)
    assert shape.sides["source"] == (64, 64)
    # Two projections, a block of 16 x 16 targets, ten attempts a block and ms, ten steps a ms.
    assert shape.attempts == 2 * 16 * 10 / 10
    assert shape.reach == math.isqrt(math.floor(2 * 2.5**2 * math.log(0.16 * 2**32))) or shape.reach < 17
    work = shape.work({"source": 20.0, "target": 10.0})
    ff, lat = (shape.projections[name].in_degree * 4096 for name in ("ff", "lat"))
    assert work.spikes == pytest.approx(4096 * 30 * 1e-4)
    assert work.delivered == pytest.approx((ff * 20 + lat * 10) * 1e-4)
    assert work.posts == pytest.approx((ff + lat) * 10 * 1e-4)
    assert work.synapses == pytest.approx(ff + lat)
    counted = shape.work({"source": 20.0, "target": 10.0}, {"ff": 1000, "lat": 0})
    assert (counted.synapses, counted.delivered) == (1000, pytest.approx(2.0))


def test_a_static_map_has_no_plasticity_and_no_attempts():
    work = NetworkShape.of(load_configuration("topomap_static").network(), 8).work(RATES_HZ)
    assert (work.posts, work.attempts) == (0.0, 0.0)
    assert work.delivered > 0


def test_a_network_without_places_reaches_everywhere():
    shape = NetworkShape.of(load_configuration("brunel").network(), 8)
    assert shape.reach is None
    assert shape.exchange == "allgather"
    work = shape.work({"E": 40.0, "I": 40.0})
    assert work.neighbours(16) == 15
    assert work.foreign_spikes(16, 1 / 16) == pytest.approx(work.spikes * 15 / 16)


def test_a_share_of_the_network_is_that_share_of_its_work():
    work = a_shape(128).work(RATES_HZ)
    one = rank_work(work, 4, 0.25)
    assert (one.neurons, one.delivered, one.posts) == (work.neurons / 4, work.delivered / 4, work.posts / 4)
    assert one.attempts == pytest.approx(work.attempts / 4)
    assert one.foreign == pytest.approx(work.spikes * 0.75)
    alone = rank_work(work, 1, 1.0)
    assert (alone.foreign, alone.exchanges) == (0.0, 0.0)
    counted = rank_work(work, 4, 0.25, neurons=100, synapses=0.5)
    assert (counted.neurons, counted.delivered) == (100, work.delivered / 2)


def test_ranks_have_whole_tiles():
    work = a_shape(64).work(RATES_HZ)  # 64 tiles
    assert work.largest_share(64) == work.mean_share(64) == 1 / 64
    assert work.largest_share(48) == 2 / 64
    assert work.largest_share(3) == 22 / 64


def test_neighbours_are_those_within_reach():
    work = a_shape(256, reach=16.0, exchange="neighbours").work(RATES_HZ)
    assert work.neighbours(4) == 3, "no more than there are"
    assert work.neighbours(64) == 8, "ranks of 32 x 32 neurons reach 16 into the next"
    assert work.neighbours(1024) == 24, "ranks of 8 x 8 reach two further"
    far = work.model_copy(update={"exchange": "allgather"})
    assert far.neighbours(64) == 63
    around = (32 + 2 * 16) ** 2 - 32**2
    assert work.foreign_spikes(64, 1 / 64) == pytest.approx(work.spikes * around / 256**2)
    assert work.foreign_spikes(64, 1 / 64) < far.foreign_spikes(64, 1 / 64)
    uneven = work.model_copy(update={"reach": 12.0})
    assert uneven.around(1 / 64) == work.around(1 / 64), "tiles of 8 x 8 are known whole"


def test_blocks_hold_what_the_receiver_knows():
    """A hundredth of the neurons, and fifteen spikes at least: hpcsnn.ranks.exchange.plan."""
    near, far = (a_shape(256, exchange=way).work(RATES_HZ) for way in ("neighbours", "allgather"))
    assert far.block_bytes(64) == 4 * (1 + 2 * 32**2 // 100)
    assert near.block_bytes(64) == 4 * (1 + max(15, round(2 * (64**2 - 32**2) / 8) // 100))
    assert far.block_bytes(2) == 4 * (1 + 2 * 256 * 128 // 100)


def test_the_way_of_exchange_is_the_configurations():
    network = load_configuration("topomap", ["scale=4"]).network()
    assert [NetworkShape.of(network, 8, way).exchange for way in ("auto", "neighbours", "allgather")] == [
        *("neighbours", "neighbours", "allgather")
    ]


def test_a_grown_network_has_as_many_times_the_work_and_the_reach_it_had():
    work = a_shape(64).work(RATES_HZ)
    grown = work.grown(16)
    assert grown == a_shape(256).work(RATES_HZ)
