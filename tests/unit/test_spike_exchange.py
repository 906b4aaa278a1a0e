"""Spikes in blocks of one size, in as many rounds as the fullest rank needs: all arrive, once, in order."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcsnn.ranks.exchange.plan import LARGEST_BLOCK, SMALLEST_BLOCK, block_size
from hpcsnn.ranks.exchange.staged import StagedAllgather
from support.thread_ranks import on_ranks

# How many spikes each rank has, in each of several exchanges.
COUNTS = st.sampled_from([1, 2, 3, 5]).flatmap(
    lambda n: st.lists(st.lists(st.integers(0, 23), min_size=n, max_size=n), min_size=1, max_size=3)
)


def messages(rank, exchange, n):
    return np.arange(n, dtype=np.uint32) + (exchange << 24) + (rank << 16)


@settings(max_examples=50)
@given(COUNTS, st.sampled_from([1, 2, 7, 8]))
def test_every_round_brings_the_next_block_of_every_other_rank(counts, block):
    def work(ranks):
        staged = StagedAllgather(ranks, block)
        received = []
        for exchange, of_ranks in enumerate(counts):
            rounds = staged.rounds(messages(ranks.rank, exchange, of_ranks[ranks.rank]))
            received.append(list(islice(rounds, 30)))  # an end to rounds without end
        return received, staged.capacity, staged.n_rounds.tolist(), staged.sent.tolist()

    n = len(counts[0])
    for here, (received, capacity, n_rounds, sent) in enumerate(on_ranks(n, work)):
        assert n_rounds == [sum(map(len, received))]
        n_bytes, n_spikes = n_rounds[0] * 4 * (block + 1), sum(one[here] for one in counts)
        assert sent == [(n - 1) * of_each for of_each in (*n_rounds, n_bytes, n_spikes)]
        for exchange, (rounds, of_ranks) in enumerate(zip(received, counts, strict=True)):
            assert len(rounds) == max(1, -(-max(of_ranks) // block))
            for number, got in enumerate(rounds):
                blocks = [
                    messages(rank, exchange, of_ranks[rank])[number * block : (number + 1) * block]
                    for rank in range(n) if rank != here
                ]  # fmt: skip
                assert got.tolist() == [int(message) for one in blocks for message in one]
                assert got.dtype == np.uint32
                assert len(got) <= capacity


def test_the_largest_messages_arrive_whole():
    """An id and a step may use all 32 bits, and so may counts that are not signed."""
    given_ = [np.array([2**32 - 1, 0, 2**31], dtype=np.uint32), np.array([], dtype=np.uint32)]
    (first,), (second,) = on_ranks(2, lambda ranks: list(StagedAllgather(ranks, 3).rounds(given_[ranks.rank])))
    assert first.tolist() == []
    assert second.tolist() == [2**32 - 1, 0, 2**31]


def test_a_block_that_is_just_full_needs_no_second_round():
    lengths = (4, 3)

    def rounds(ranks):
        return len(list(StagedAllgather(ranks, 4).rounds(messages(ranks.rank, 0, lengths[ranks.rank]))))

    assert on_ranks(2, rounds) == [1, 1]
    lengths = (5, 3)
    assert on_ranks(2, rounds) == [2, 2]


@given(st.integers(0, 10**7), st.integers(1, 1000))
def test_a_block_holds_one_spike_in_a_hundred_neurons_and_steps(n_own, interval):
    block = block_size(n_own, interval, None)
    assert SMALLEST_BLOCK <= block <= LARGEST_BLOCK
    if SMALLEST_BLOCK < block < LARGEST_BLOCK:
        assert block <= n_own * interval / 100 < block + 1
    assert block <= block_size(n_own + 1, interval, None)
    assert block <= block_size(n_own, interval + 1, None)


@pytest.mark.parametrize("asked", [1, 5, 10**6])
def test_a_block_that_is_asked_for_is_taken(asked):
    assert block_size(10**6, 10, asked) == asked
