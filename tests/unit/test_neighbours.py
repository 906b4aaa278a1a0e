"""Who swaps spikes with whom where wiring is bounded: what each rank finds by itself fits what all others find."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn import ConfigurationError, Grid, Network, Simulation, models
from hpcsnn.network.exchange_fields import exchange_fields
from hpcsnn.ranks.exchange.neighbours import has_neighbours, neighbourhood
from hpcsnn.ranks.exchange.plan import check_way, plan_exchange
from hpcsnn.ranks.exchange.staged import StagedNeighbours
from hpcsnn.ranks.partition import place_network
from support.messages import as_pattern
from support.thread_ranks import on_ranks


@st.composite
def bounded(draw):
    """Populations on equal grids, wired within reaches of their own in any directions; a tile and a number of ranks."""
    grid = Grid(draw(st.integers(2, 26)), draw(st.integers(1, 26)), draw(st.sampled_from(["periodic", "open"])))
    network = Network(seed=1)
    network.add_population("a", grid, models.Poisson(rate_hz=1))
    network.add_population("b", grid, models.LIF())
    network.add_population("c", grid, models.LIF())
    for pre, post in draw(st.lists(st.sampled_from(["ab", "ac", "bb", "bc", "cb"]), unique=True)):
        connector = models.Gaussian(p_max=0.1, sigma=draw(st.sampled_from([0.1, 0.4, 1.0])))
        network.add_projection(f"{pre}_{post}", pre, post, connector, models.ExponentialCurrent(), 1.0)
    side = draw(st.sampled_from([1, 2, 4]))
    n_tiles = -(-grid.nx // side) * -(-grid.ny // side) if grid.ny > 1 else -(-grid.nx // side**2)
    return network, side, draw(st.sampled_from([n for n in (1, 2, 3, 5, 9) if n <= n_tiles]))


def on_all(network, side, n):
    """Placements and neighbourhood of each rank."""
    placed = [place_network(network, side, rank, n) for rank in range(n)]
    return [(placements, neighbourhood(network, placements, rank)) for rank, placements in enumerate(placed)]


def neuron_here(placements, around, sender, number):
    """Population and global id of what a sender calls `number`, as the kernel finds it."""
    for at, (name, placement) in enumerate(placements.items()):
        n = around.n_known[sender, at]
        if number < n:
            return name, int(placement.known_id[around.first_known[sender, at] + number])
        number -= n
    raise AssertionError("a number that nobody knows")


@settings(max_examples=60)
@given(bounded())
def test_each_neuron_goes_to_those_that_know_it_by_a_number_that_they_understand(case):
    network, side, n = case
    ranks = on_all(network, side, n)
    for rank, (placements, around) in enumerate(ranks):
        own = [(name, int(one)) for name, placement in placements.items() for one in placement.global_id]
        sent = {other: set() for other in range(n)}
        for neuron, who in enumerate(own):
            for route in range(around.route_start[neuron], around.route_start[neuron + 1]):
                other = int(around.ranks[around.route_to[route]])
                there, other_around = ranks[other]
                sender = other_around.ranks.tolist().index(rank)
                assert neuron_here(there, other_around, sender, around.route_number[route]) == who
                sent[other].add(who)
        assert around.n_border.tolist() == [len(sent[other]) for other in around.ranks.tolist()]
        for other, (there, other_around) in enumerate(ranks):
            known = {(name, int(one)) for name, placement in there.items() for one in placement.known_id}
            assert sent[other] == (known & set(own) if other != rank else set())
            assert (rank in other_around.ranks) == (other in around.ranks)
            assert not sent[other] or other in around.ranks


@settings(max_examples=30)
@given(bounded(), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_staged_spikes_arrive_once_at_all_who_know_them(case, interval, seed):
    """Any neurons in any steps, through threads that stand for ranks; as the kernel reads what arrives."""
    network, side, n = case
    bits = 20
    spikes = {
        name: np.random.default_rng(seed).random((interval, one.size)) < 0.2
        for name, one in network.populations.items()
    }

    def work(ranks):
        placements = place_network(network, side, ranks.rank, n)
        around = neighbourhood(network, placements, ranks.rank)
        staged = StagedNeighbours(ranks, around, bits, interval)
        ids = [(name, placement.global_id) for name, placement in placements.items()]
        numbers = np.cumsum([0, *(len(one) for _, one in ids)])
        messages = [
            step << bits | first + at
            for step in range(interval)
            for first, (name, own) in zip(numbers.tolist(), ids, strict=False)
            for at in np.flatnonzero(spikes[name][step][own]).tolist()
            if around.route_start[first + at] < around.route_start[first + at + 1]
        ]
        (received,) = staged.rounds(np.array(messages, dtype=np.uint32))
        assert len(received) <= staged.capacity
        ends = np.cumsum(around.all_known)
        found = {name: [] for name in placements}
        for message in received.tolist():
            number = message & (2**bits - 1)
            at = int(np.searchsorted(ends, number, side="right"))
            name = list(placements)[at]
            found[name].append(
                (message >> bits, int(placements[name].known_id[number - (ends - around.all_known)[at]]))
            )
        return placements, found

    for placements, found in on_ranks(n, work):
        for name, placement in placements.items():
            foreign = set(placement.known_id[placement.n_own :].tolist())
            expected = [(s, one) for s in range(interval) for one in np.flatnonzero(spikes[name][s]) if one in foreign]
            assert sorted(found[name]) == sorted((step, int(one)) for step, one in expected)


def of_delay(delay_ms, connector=None):
    network = Network(seed=1)
    network.add_population("a", Grid(24, 24), models.LIF())
    connector = connector or models.Gaussian(p_max=0.1, sigma=0.5)
    network.add_projection("aa", "a", "a", connector, models.ExponentialCurrent(), 1.0, delay_ms=delay_ms)
    return network


@pytest.mark.parametrize("with_neighbours", [False, True])
def test_steps_and_numbers_share_the_bits_of_a_message(with_neighbours):
    """Where numbers need many bits, intervals are short enough for the rest; nothing wraps around."""
    network = of_delay(20.0)
    placements = place_network(network, 8, 0, 4)
    plan = plan_exchange(network, placements, 0, 4, int, None, with_neighbours)
    assert (plan.interval, plan.lag) == (101, 99)
    assert 2**plan.number_bits >= (placements["a"].n_known if with_neighbours else 576)
    for most in (2**25, 2**26, 2**30, 2**31 - 2**24):
        if with_neighbours:
            plan = plan_exchange(network, placements, 0, 4, lambda n, most=most: max(n, most), None, True)
            assert plan.interval == min(101, 2**32 // 2**plan.number_bits)
            assert plan.lag == min(99, plan.interval - 1)
            assert (plan.interval - 1 << plan.number_bits | most - 1) < 2**32
            assert plan.room.most_spikes == placements["a"].n_own * plan.interval


@pytest.mark.parametrize("with_neighbours", [False, True])
@pytest.mark.parametrize("delay", [1, 2, 3, 4, 10, 15])
def test_spikes_are_accepted_when_they_are_due_and_no_sooner_than_that_needs(delay, with_neighbours):
    """Step by step: what is sent at the end of an interval is accepted `lag` steps later, before own spikes are."""
    network = of_delay(delay / 10)
    plan = plan_exchange(network, place_network(network, 8, 0, 4), 0, 4, int, None, with_neighbours)
    sent = [(step // plan.interval + 1) * plan.interval for step in range(100)]  # by which step it has been
    accepted = [step + plan.lag for step in sent]
    slack = [step + delay - at for step, at in enumerate(accepted)]
    assert min(slack) == 0, "a step later some would be late"
    assert all(at < step + plan.interval for at, step in zip(accepted, sent, strict=True)), "before more is sent"
    assert plan.interval <= delay // 2 + 1


def test_blocks_are_as_large_as_the_border_with_each_neighbour_asks_for():
    network = of_delay(2.0)
    placements = place_network(network, 4, 1, 4)
    plan = plan_exchange(network, placements, 1, 4, int)
    around = plan.neighbours
    n_border, n_foreign = around.n_border.tolist(), around.n_known.sum(axis=1).tolist()
    assert plan.box_rank.tolist() == [*around.ranks, *around.ranks]
    assert plan.box_block.tolist() == [max(15, n * 11 // 100) for n in n_border + n_foreign]
    asked = plan_exchange(network, placements, 1, 4, int, 3)
    assert asked.box_block.tolist() == [3] * len(n_border + n_foreign)
    # Room for all spikes that a neighbour may know, and for what it may send behind its block.
    lengths = {one.name: one.length(asked.room) for one in exchange_fields() if one.length is not None}
    words = [1 + 11 * n for n in n_border] + [4] * len(n_foreign)
    assert asked.box_start.tolist() == [sum(words[:at]) for at in range(len(words))]
    assert lengths["boxes"] == sum(words)
    assert lengths["rest"] == 11 * max(n_foreign) - 3
    assert lengths["receive_block"] == lengths["send_block"] == 0


def test_ranks_without_a_border_have_no_neighbours():
    network = Network(seed=1)
    network.add_population("a", Grid(8, 8), models.LIF())
    for _, around in on_all(network, 2, 4):
        assert (len(around.ranks), len(around.route_to)) == (0, 0)


@pytest.mark.parametrize("connector", [models.AllToAll(), models.OneToOne(), models.FixedProbability(p=0.1)])
def test_neighbours_are_refused_where_distance_bounds_nothing(connector):
    network = of_delay(1.0, connector)
    assert not has_neighbours(network)
    assert has_neighbours(of_delay(1.0))
    said = (
        "exchange: 'neighbours' is not allowed; the network has a projection whose reach no distance bounds: must be "
        "'auto' or 'allgather'"
    )
    with pytest.raises(ConfigurationError, match=as_pattern(said)):
        check_way(network, "neighbours")
    with pytest.raises(ConfigurationError, match=as_pattern(said)):
        Simulation(network, device="cpu", exchange="neighbours")


def test_an_unknown_way_is_refused_with_those_there_are():
    with pytest.raises(ConfigurationError, match=r"exchange: .*'all_gather'.*(?s:.*)allgather"):
        check_way(of_delay(1.0), "all_gather")
