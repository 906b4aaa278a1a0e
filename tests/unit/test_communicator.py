"""What ranks tell each other: one set of properties for a process alone, for threads, and for the adapter to mpi4py."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpi4py import MPI

from hpcsnn.ranks.communicator import Alone, Mpi, communicator
from support.thread_ranks import AbortedError, on_ranks

SIZES = (1, 2, 3, 5)


class Sent:
    """A message on its way."""

    def wait(self):
        pass


class Mpi4pyOfThreads:
    """The part of an mpi4py communicator that `Mpi` uses, on ranks that are threads.

    As MPI does, the calls for arrays take whole, contiguous buffers, and write into the one that they are given.
    """

    def __init__(self, ranks):
        self._ranks = ranks
        self.bcast, self.allgather, self.alltoall = ranks.broadcast, ranks.gather, ranks.swap
        self.Barrier, self.Abort = ranks.barrier, ranks.abort

    def Get_rank(self):
        return self._ranks.rank

    def Get_size(self):
        return self._ranks.size

    def isend(self, message, rank, tag):
        self._ranks.send((tag, message), rank)
        return Sent()

    def recv(self, source, tag):
        tag_there, message = self._ranks.receive(source)
        assert tag_there == tag
        return message

    def Split(self, colour, key):
        assert key == self._ranks.rank
        return Mpi4pyOfThreads(self._ranks.split(colour))

    def Allreduce(self, given, into, operation=MPI.SUM):
        given = into if given is MPI.IN_PLACE else given
        if operation is MPI.MAX:
            into[...] = [self._ranks.most(int(one)) for one in given]
            return
        assert given.flags.c_contiguous
        assert into.flags.c_contiguous
        assert given.nbytes == into.nbytes
        into[...] = self._ranks.total(given)

    def Allgather(self, given, into):
        assert given.flags.c_contiguous
        assert into.flags.c_contiguous
        self._ranks.gather_blocks(given, into)


def alone(n, work):
    assert n == 1
    return [work(Alone())]


def through_mpi4py(n, work):
    return on_ranks(n, lambda ranks: work(Mpi(Mpi4pyOfThreads(ranks))))


WAYS = [(alone, 1), *((way, n) for way in (on_ranks, through_mpi4py) for n in SIZES)]
ways = pytest.mark.parametrize(("way", "n"), WAYS, ids=[f"{way.__name__}-{n}" for way, n in WAYS])


@ways
def test_ranks_are_numbered_from_zero(way, n):
    assert way(n, lambda ranks: (ranks.rank, ranks.size)) == [(rank, n) for rank in range(n)]


@ways
def test_rank_0_broadcasts(way, n):
    assert way(n, lambda ranks: ranks.broadcast({"rank": ranks.rank})) == [{"rank": 0}] * n


@ways
def test_gathered_values_are_in_the_order_of_ranks(way, n):
    assert way(n, lambda ranks: ranks.gather(("of", ranks.rank))) == [[("of", rank) for rank in range(n)]] * n


@ways
def test_a_swap_is_a_transposition(way, n):
    received = way(n, lambda ranks: ranks.swap([(ranks.rank, to) for to in range(n)]))
    assert received == [[(giver, rank) for giver in range(n)] for rank in range(n)]


@ways
def test_a_swap_takes_messages_of_any_length(way, n):
    def work(ranks):
        return ranks.swap([np.full(ranks.rank * to, ranks.rank) for to in range(n)])

    for rank, received in enumerate(way(n, work)):
        assert [one.tolist() for one in received] == [[giver] * (giver * rank) for giver in range(n)]


@ways
@pytest.mark.parametrize("rounds", [1, 3])
def test_messages_are_passed_on_in_order_to_those_they_are_for(way, n, rounds):
    """Each rank has one for those whose number it divides, itself too; nobody else hears of it."""

    def work(ranks):
        to = [rank for rank in range(n) if rank % (ranks.rank + 1) == 0]
        sources = [rank for rank in reversed(range(n)) if ranks.rank % (rank + 1) == 0]
        passed = [
            ranks.pass_on({rank: np.arange(rank + 1) + 10 * ranks.rank + 100 * number for rank in to}, sources)
            for number in range(rounds)
        ]
        return sources, passed

    for here, (sources, passed) in enumerate(way(n, work)):
        for number, received in enumerate(passed):
            assert [one.tolist() for one in received] == [
                [at + 10 * source + 100 * number for at in range(here + 1)] for source in sources
            ]


@ways
def test_the_most_of_all_ranks_is_known_to_each(way, n):
    assert way(n, lambda ranks: ranks.most(7 - (ranks.rank - 1) ** 2)) == [7 if n > 1 else 6] * n


@ways
@pytest.mark.parametrize("dtype", [np.int32, np.uint64, np.float64])
def test_a_total_is_entry_by_entry_and_keeps_its_type(way, n, dtype):
    values = np.arange(6 * n, dtype=dtype).reshape(n, 3, 2)
    # Every second column of a wider array is not contiguous.
    for total in way(n, lambda ranks: ranks.total(np.repeat(values[ranks.rank], 2, axis=1)[:, ::2])):
        assert total.dtype == dtype
        assert total.tolist() == values.sum(axis=0).tolist()


@ways
def test_values_are_added_up_where_they_are(way, n):
    values = np.arange(6 * n, dtype=np.int64).reshape(n, 3, 2) << 40

    def work(ranks):
        own = values[ranks.rank].copy()
        ranks.add_up(own)
        return own.tolist()

    assert way(n, work) == [values.sum(axis=0).tolist()] * n


@ways
def test_blocks_go_into_the_row_of_their_rank(way, n):
    def work(ranks):
        into = np.full((n, 3), 77, dtype=np.uint32)
        ranks.gather_blocks(np.arange(3, dtype=np.uint32) + 10 * ranks.rank, into)
        return into.tolist()

    assert way(n, work) == [[[10 * rank, 10 * rank + 1, 10 * rank + 2] for rank in range(n)]] * n


@ways
def test_a_barrier_is_passed_by_all_or_none(way, n):
    arrived = []

    def work(ranks):
        arrived.append(ranks.rank)
        ranks.barrier()
        return len(arrived)

    assert way(n, work) == [n] * n


@pytest.mark.parametrize("way", [on_ranks, through_mpi4py])
def test_what_arrives_is_the_receivers_own(way):
    def work(ranks):
        mine = np.zeros(2, dtype=np.int32)
        for received in (*ranks.gather(mine), *ranks.swap([mine] * 3), ranks.broadcast(mine), ranks.total(mine)):
            received += 1 + ranks.rank
        ranks.barrier()
        return mine.tolist()

    assert way(3, work) == [[0, 0]] * 3


@settings(max_examples=30)
@given(st.sampled_from(SIZES), st.lists(st.sampled_from(["gather", "swap", "total", "broadcast"]), max_size=8))
def test_calls_in_a_row_do_not_mix(n, calls):
    """What is gathered in the k-th call is of the k-th call, though some ranks are there sooner."""

    def work(ranks):
        seen = []
        for number, call in enumerate(calls):
            mine = 100 * number + ranks.rank
            if call == "swap":
                seen.append(ranks.swap([mine] * n))
            elif call == "total":
                seen.append([int(ranks.total(np.array([mine]))[0])])
            else:
                seen.append(ranks.gather(mine) if call == "gather" else [ranks.broadcast(mine)])
        return seen

    expected = []
    for number, call in enumerate(calls):
        everyone = [100 * number + rank for rank in range(n)]
        expected.append({"total": [sum(everyone)], "broadcast": everyone[:1]}.get(call, everyone))
    assert on_ranks(n, work) == [expected] * n


@ways
def test_ranks_of_a_colour_are_ranks_among_themselves(way, n):
    """Pairs of neighbours, and what is across them."""

    def work(ranks):
        part = ranks.split(ranks.rank // 2)
        across = ranks.split(ranks.rank % 2)
        return part.rank, part.size, part.gather(ranks.rank), across.gather(ranks.rank), ranks.gather(ranks.rank)

    everyone = list(range(n))
    for rank, (own, size, part, across, all_ranks) in enumerate(way(n, work)):
        neighbours = [one for one in everyone if one // 2 == rank // 2]
        assert (own, size, part) == (neighbours.index(rank), len(neighbours), neighbours)
        assert across == [one for one in everyone if one % 2 == rank % 2]
        assert all_ranks == everyone


def test_an_error_in_a_part_ends_all_parts():
    def work(ranks):
        part = ranks.split(ranks.rank // 2)
        if ranks.rank == 3:
            raise ValueError("of one")
        part.barrier()
        ranks.barrier()

    with pytest.raises(ValueError, match="of one"):
        on_ranks(4, work)


def test_what_users_pass_becomes_a_communicator():
    assert isinstance(communicator(), Alone)
    own = Alone()
    assert communicator(own) is own
    assert on_ranks(2, lambda ranks: communicator(ranks) is ranks) == [True, True]
    kinds = on_ranks(1, lambda ranks: type(communicator(Mpi4pyOfThreads(ranks))))
    assert kinds == [Alone], "a world of one rank needs no MPI"

    def work(ranks):
        comm = Mpi4pyOfThreads(ranks)
        made = communicator(comm)
        return type(made), made.rank, made.size, made.mpi is comm

    assert on_ranks(2, work) == [(Mpi, 0, 2, True), (Mpi, 1, 2, True)]
    assert Alone().mpi is None


@pytest.mark.parametrize("way", [on_ranks, through_mpi4py])
def test_one_rank_can_end_all(way):
    def work(ranks):
        if ranks.rank == 2:
            ranks.abort(4)
        ranks.barrier()

    with pytest.raises(AbortedError) as caught:
        way(3, work)
    assert caught.value.code == 4
