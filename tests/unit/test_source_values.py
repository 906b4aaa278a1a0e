"""Values of source neurons between their owners and those that know them, against one array over all neurons."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn import Grid, Network, models
from hpcsnn.ranks.exchange.source_values import SourceValues
from hpcsnn.ranks.partition import place_network
from support.thread_ranks import on_ranks


def two_layers(grid, sigma):
    network = Network(seed=1)
    network.add_population("a", grid, models.Poisson(rate_hz=1))
    network.add_population("b", grid, models.LIF())
    connector = models.Gaussian(p_max=0.1, sigma=sigma)
    network.add_projection("ab", "a", "b", connector, models.ExponentialCurrent(), 1.0)
    return network


@st.composite
def layouts(draw):
    """Two layers, a tile and a number of ranks; reaches from one tile to the whole grid."""
    grid = Grid(draw(st.integers(2, 24)), draw(st.integers(2, 24)))
    side = draw(st.sampled_from([1, 2, 4]))
    n_tiles = -(-grid.nx // side) * -(-grid.ny // side)
    n = draw(st.sampled_from([n for n in (1, 2, 3, 5) if n <= n_tiles]))
    return two_layers(grid, draw(st.sampled_from([0.1, 0.5, 2.0]))), side, n


def on_placements(network, side, n, work):
    """``work(values, placement, rank)`` on each rank, with the placement of the sources there."""

    def there(ranks):
        placement = place_network(network, side, ranks.rank, n)["a"]
        return placement, work(SourceValues(ranks, placement), placement, ranks.rank)

    return on_ranks(n, there)


@settings(max_examples=30)
@given(layouts(), st.sampled_from([np.int32, np.float32]))
def test_all_know_what_the_owner_says(layout, dtype):
    network, side, n = layout
    dense = (1000 + 3 * np.arange(network.populations["a"].size)).astype(dtype)
    found = on_placements(network, side, n, lambda values, placement, _: values.shared(dense[placement.global_id]))
    for placement, shared in found:
        assert shared.dtype == dtype
        assert shared.tolist() == dense[placement.known_id].tolist()


@settings(max_examples=20)
@given(layouts())
def test_each_neuron_known_has_the_owner_that_says_so_itself(layout):
    network, side, n = layout
    found = on_placements(network, side, n, lambda values, *_: values.owner)
    owner_of = np.full(network.populations["a"].size, -1)
    for rank, (placement, _) in enumerate(found):
        owner_of[placement.global_id] = rank
    for placement, owner in found:
        assert owner.tolist() == owner_of[placement.known_id].tolist()


@settings(max_examples=30)
@given(layouts(), st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.3, 1.0]))
def test_owners_get_the_sum_of_what_all_know(layout, seed, share):
    """Over all ranks, with many zeros, which do not travel."""
    network, side, n = layout
    size = network.populations["a"].size
    random = np.random.default_rng(seed)
    of_rank = (random.integers(-50, 50, (n, size)) * (random.random((n, size)) < share)).astype(np.int32)
    found = on_placements(
        network, side, n, lambda values, placement, rank: values.added_up(of_rank[rank, placement.known_id])
    )
    dense = np.zeros(size, dtype=np.int64)
    for rank, (placement, _) in enumerate(found):
        np.add.at(dense, placement.known_id, of_rank[rank, placement.known_id])
    for placement, total in found:
        assert total.tolist() == dense[placement.global_id].tolist()


@settings(max_examples=15)
@given(layouts(), st.integers(0, 2**32 - 1))
def test_owners_get_rows_of_numbers_too(layout, seed):
    """Of each neuron several values, of which the first rank alone knows any."""
    network, side, n = layout
    size = network.populations["a"].size
    dense = np.random.default_rng(seed).normal(size=(size, 3)).astype(np.float32)
    found = on_placements(
        network, side, n, lambda values, placement, rank: values.added_up(dense[placement.known_id] * (rank == 0))
    )
    known_there = np.isin(np.arange(size), found[0][0].known_id)
    for placement, rows in found:
        assert rows.dtype == np.float32
        np.testing.assert_array_equal(rows, (dense * known_there[:, None])[placement.global_id])


@settings(max_examples=20)
@given(layouts(), st.data())
def test_neurons_are_found_by_their_global_ids(layout, data):
    network, side, n = layout
    size = network.populations["a"].size
    asked = np.array(data.draw(st.lists(st.integers(-2, size + 2), max_size=30)), dtype=np.int64)
    found = on_placements(network, side, n, lambda _, placement, __: placement.local(asked))
    for placement, local in found:
        known = placement.known_id.tolist()
        assert local.tolist() == [known.index(neuron) if neuron in known else -1 for neuron in asked.tolist()]


@pytest.mark.parametrize("n", [3, 5])
def test_ranks_without_neurons_take_part(n):
    """A population of two tiles is on two ranks; the others own none of it, and some know none of it."""
    network = two_layers(Grid(6, 6), 0.3)
    network.add_population("few", Grid(4, 2), models.LIF())
    receptor = models.ExponentialCurrent()
    network.add_projection("some", "few", "b", models.FixedProbability(p=0.5), receptor, 1.0)
    network.add_projection("one", "a", "few", models.OneToOne(), receptor, 1.0)

    def work(ranks):
        placement = place_network(network, 2, ranks.rank, n)["few"]
        values = SourceValues(ranks, placement)
        shared = values.shared(placement.global_id * 2)
        return placement, shared, values.added_up(np.ones(placement.n_known, dtype=np.int32))

    found = on_ranks(n, work)
    assert sorted(placement.n_own for placement, _, _ in found) == [*[0] * (n - 2), 4, 4]
    for placement, shared, total in found:
        assert shared.tolist() == (2 * placement.known_id).tolist()
        knowing = [sum(other in p.known_id for p, _, _ in found) for other in placement.global_id.tolist()]
        assert total.tolist() == knowing


def test_the_sum_leaves_what_was_given_as_it_was():
    network = two_layers(Grid(8, 8), 1.0)

    def work(values, placement, _):
        known = np.ones(placement.n_known, dtype=np.int32)
        values.added_up(known)
        return known

    for _, known in on_placements(network, 4, 2, work):
        assert (known == 1).all()
