"""The stand-in for ranks itself: whatever goes wrong on one rank ends all of them, and nobody hangs."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from support.thread_ranks import AbortedError, CallsDifferError, on_ranks

SIZES = pytest.mark.parametrize("n", [2, 3, 5])


def test_results_come_in_the_order_of_ranks():
    # The first ranks are the last to be done.
    turns = [threading.Event() for _ in range(4)]
    turns[3].set()

    def work(ranks):
        turns[ranks.rank].wait()
        if ranks.rank:
            turns[ranks.rank - 1].set()
        return ranks.rank, ranks.size

    assert on_ranks(4, work) == [(rank, 4) for rank in range(4)]


@SIZES
def test_an_error_on_one_rank_ends_those_that_wait_for_it(n):
    reached = []

    def work(ranks):
        ranks.barrier()
        if ranks.rank == n - 1:
            raise ValueError("of the last rank")
        ranks.gather(1)
        reached.append(ranks.rank)

    with pytest.raises(ValueError, match="of the last rank"):
        on_ranks(n, work)
    assert not reached


@SIZES
def test_an_abort_ends_all_ranks_the_caller_too(n):
    reached = []

    def work(ranks):
        if ranks.rank == 1:
            ranks.abort(3)
            reached.append(ranks.rank)
        ranks.barrier()
        reached.append(ranks.rank)

    with pytest.raises(AbortedError) as caught:
        on_ranks(n, work)
    assert caught.value.code == 3
    assert not reached


@SIZES
def test_calls_that_differ_are_an_error(n):
    def work(ranks):
        return ranks.gather(1) if ranks.rank else ranks.swap([1] * n)

    with pytest.raises(CallsDifferError, match="rank 0: swap, rank 1: gather"):
        on_ranks(n, work)


@SIZES
def test_a_rank_that_makes_fewer_calls_is_an_error(n):
    def work(ranks):
        for _ in range(3 if ranks.rank else 2):
            ranks.barrier()

    with pytest.raises(CallsDifferError, match="rank 0: end, rank 1: barrier"):
        on_ranks(n, work)


def test_a_second_group_knows_nothing_of_the_first():
    def fails(ranks):
        ranks.barrier()
        raise ValueError("first")

    with pytest.raises(ValueError, match="first"):
        on_ranks(3, fails)
    assert on_ranks(3, lambda ranks: sum(ranks.gather(ranks.rank))) == [3, 3, 3]


def test_arrays_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="total: shapes"):
        on_ranks(2, lambda ranks: ranks.total(np.zeros(1 + ranks.rank)))
    with pytest.raises(ValueError, match="total: shapes"):
        on_ranks(2, lambda ranks: ranks.total(np.zeros(1, [np.int32, np.int64][ranks.rank])))
    for length, dtype, rows in ((1, np.uint32, 2), (2, np.int64, 2), (2, np.uint32, 3)):
        with pytest.raises(ValueError, match="gather_blocks: "):
            on_ranks(2, lambda ranks: ranks.gather_blocks(np.zeros(length, dtype), np.zeros((rows, 2), np.uint32)))  # noqa: B023
    with pytest.raises(ValueError, match=r"^swap: 2 messages for 3 ranks$"):
        on_ranks(3, lambda ranks: ranks.swap([1, 2]))
