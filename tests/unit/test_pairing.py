"""Vacant elements that meet: the n-th offer by key and the n-th demand, however both are spread over ranks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn.engine.rewiring.pairing import elements, paired
from hpcsnn.ranks.communicator import Alone
from support.thread_ranks import on_ranks

SIZES = st.sampled_from([1, 2, 3, 5])
# Keys from all of the range, from its ends and the borders between ranks' parts of it, and keys that are often equal.
BORDERS = sorted({min(max(2**32 * part // n + off, 0), 2**32 - 1) for n in (1, 2, 3, 5) for part in range(n + 1)
                  for off in (-1, 0, 1)})  # fmt: skip
KEYS = st.one_of(st.integers(0, 2**32 - 1), st.sampled_from(BORDERS), st.integers(0, 3))
OFFERS = st.lists(st.tuples(KEYS, st.integers(0, 9)), max_size=40)
# A key, and a target among the few of a rank.
DEMANDS = st.lists(st.tuples(KEYS, st.integers(0, 4)), max_size=40)


def rows(entries, width):
    return np.array(entries, dtype=np.int64).reshape(-1, width)


def spread(data, entries, n):
    """Every entry on one rank, its place in the list with it."""
    ranks = data.draw(st.lists(st.integers(0, n - 1), min_size=len(entries), max_size=len(entries)))
    return [[entry for entry, rank in zip(entries, ranks, strict=True) if rank == here] for here in range(n)]


def pairs_of(offers, demands):
    """The definition: (source, rank and index of the target), in the order of places."""
    met = zip(sorted(offers), sorted(demands), strict=False)
    return [(source, rank, index) for (_, source), (_, _, rank, index) in met]


@settings(max_examples=60)
@given(SIZES, OFFERS, DEMANDS, st.data())
def test_the_nth_offer_meets_the_nth_demand(n, offers, demands, data):
    offered = spread(data, offers, n)
    # A target's id says which rank it is on: that of its demands.
    demanded = [
        [(key, 5 * rank + index, rank, index) for key, index in mine]
        for rank, mine in enumerate(spread(data, demands, n))
    ]
    found = on_ranks(n, lambda ranks: paired(ranks, rows(offered[ranks.rank], 2), rows(demanded[ranks.rank], 4)))
    expected = pairs_of(offers, [demand for mine in demanded for demand in mine])
    assert len(expected) == min(len(offers), len(demands))
    for rank, pairs in enumerate(found):
        assert pairs.tolist() == [[index, source] for source, there, index in expected if there == rank]


@settings(max_examples=25)
@given(OFFERS, DEMANDS, st.data())
def test_ranks_find_the_pairs_that_one_rank_finds(offers, demands, data):
    """The same sources for every target, in the same order, wherever targets and offers are."""
    alone = paired(Alone(), rows(offers, 2), rows([(key, target, 0, target) for key, target in demands], 4))
    expected = {target: alone[alone[:, 0] == target, 1].tolist() for target in range(5)}
    for n in (2, 3, 5):
        home = data.draw(st.lists(st.integers(0, n - 1), min_size=5, max_size=5))
        offered = spread(data, offers, n)
        demanded = [[(key, t, rank, t) for key, t in demands if home[t] == rank] for rank in range(n)]
        found = on_ranks(n, lambda ranks: paired(ranks, rows(offered[ranks.rank], 2), rows(demanded[ranks.rank], 4)))  # noqa: B023
        for target, sources in expected.items():
            pairs = found[home[target]]
            assert pairs[pairs[:, 0] == target, 1].tolist() == sources
        assert sum(map(len, found)) == len(alone)


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(-3, 4)), max_size=20))
def test_elements_are_counted_from_zero_neuron_by_neuron(counts):
    ids, numbers = (np.array(column, dtype=np.int32) for column in zip(*counts, strict=True)) if counts else (
        np.empty(0, np.int32), np.empty(0, np.int32))  # fmt: skip
    neuron, element = elements(ids, numbers)
    assert list(zip(neuron.tolist(), element.tolist(), strict=True)) == [
        (identity, number) for identity, n in counts for number in range(max(n, 0))
    ]
    assert neuron.dtype == element.dtype == np.int32


@pytest.mark.parametrize("n", [1, 3])
def test_nothing_to_pair_is_no_pair(n):
    def work(ranks):
        pairs = paired(ranks, rows([], 2), rows([], 4))
        return pairs.shape, pairs.dtype

    assert on_ranks(n, work) == [((0, 2), np.dtype(np.int64))] * n
