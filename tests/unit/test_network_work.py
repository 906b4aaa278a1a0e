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
    work = shape.work({"E": 40.0, "I": 40.0}, exchange="neighbours")
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
    work = a_shape(256, reach=16.0).work(RATES_HZ, exchange="neighbours")
    assert work.neighbours(4) == 3, "no more than there are"
    assert work.neighbours(64) == 8, "ranks of 32 x 32 neurons reach 16 into the next"
    assert work.neighbours(1024) == 24, "ranks of 8 x 8 reach two further"
    far = work.model_copy(update={"exchange": "allgather"})
    assert far.neighbours(64) == 63
    around = (32 + 2 * 16) ** 2 - 32**2
    assert work.foreign_spikes(64, 1 / 64) == pytest.approx(work.spikes * around / 256**2)
    assert work.foreign_spikes(64, 1 / 64) < far.foreign_spikes(64, 1 / 64)


def test_a_grown_network_has_as_many_times_the_work_and_the_reach_it_had():
    work = a_shape(64).work(RATES_HZ)
    grown = work.grown(16)
    assert grown == a_shape(256).work(RATES_HZ)
