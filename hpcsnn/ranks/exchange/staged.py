"""Spikes between ranks through the host's memory, for a device whose memory MPI is not given.

The protocols are those of kernels/step/exchange_host.cpp, which says what messages are.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hpcsnn.ranks.communicator import Communicator
from hpcsnn.ranks.exchange.neighbours import Neighbourhood
from hpcsnn.ranks.exchange.plan import ExchangePlan

Messages = NDArray[np.uint32]


class Staged(Protocol):
    """One way to swap spikes. ``capacity`` is how many messages come at most in a round.

    Attributes:
        n_rounds: so far; int64, shape (1,).
        sent: what this rank has sent so far, by `hpcsnn.codegen.constants.Sent`; int64, shape (3,).
    """

    n_rounds: NDArray[np.int64]
    sent: NDArray[np.int64]

    @property
    def capacity(self) -> int:
        """Most messages that a round brings."""

    def rounds(self, messages: Messages) -> Iterator[Messages]:
        """Send `messages`; yield what others sent, as `accept_received` takes it, round by round. A collective call."""


def staged(communicator: Communicator, plan: ExchangePlan) -> Staged:
    """The way of the plan."""
    if plan.neighbours is None:
        return StagedAllgather(communicator, plan.room.block)
    return StagedNeighbours(communicator, plan.neighbours, plan.number_bits, plan.interval)


class StagedAllgather:
    """All ranks send to all: [how many are left, spikes ...] in blocks of one size, and as many more rounds follow as
    the fullest rank needs."""

    def __init__(self, communicator: Communicator, block: int) -> None:
        self._ranks, self._block = communicator, block
        self._send_block = np.zeros(block + 1, dtype=np.uint32)
        self._receive_block = np.zeros((communicator.size, block + 1), dtype=np.uint32)
        self.n_rounds, self.sent = np.zeros(1, dtype=np.int64), np.zeros(3, dtype=np.int64)

    @property
    def capacity(self) -> int:
        """Most messages that a round brings."""
        return self._block * self._ranks.size

    def rounds(self, messages: Messages) -> Iterator[Messages]:
        """See `Staged`."""
        sent, more = 0, True
        while more:
            part = messages[sent : sent + self._block]
            self._send_block[0] = len(messages) - sent
            self._send_block[1 : 1 + len(part)] = part
            self._ranks.gather_blocks(self._send_block, self._receive_block)
            sent += len(part)
            self.n_rounds += 1
            others = self._ranks.size - 1
            self.sent += (others, others * self._send_block.nbytes, others * len(part))
            left = self._receive_block[:, 0].astype(np.int64)
            more = bool((left > self._block).any())
            left[self._ranks.rank] = 0
            yield self._receive_block[:, 1:][np.arange(self._block)[None, :] < left[:, None]]


class StagedNeighbours:
    """Each neighbour is sent what it knows. What arrives has the numbers of all neurons known here, population by
    population, instead of those that its sender knows them by."""

    def __init__(self, communicator: Communicator, around: Neighbourhood, number_bits: int, interval: int) -> None:
        self._ranks, self._around, self._interval = communicator, around, interval
        self._numbers = np.uint32(2**number_bits - 1)
        self._ends = np.cumsum(around.n_known, axis=1)
        # From a number in a population of a sender's to one among all known here.
        before_sender = self._ends - around.n_known
        before_here = np.cumsum(around.all_known) - around.all_known
        self._shift = before_here + around.first_known - before_sender
        self.n_rounds, self.sent = np.zeros(1, dtype=np.int64), np.zeros(3, dtype=np.int64)

    @property
    def capacity(self) -> int:
        """Most messages that a round brings."""
        return int(self._around.n_known.sum()) * self._interval

    def rounds(self, messages: Messages) -> Iterator[Messages]:
        """See `Staged`; there is one round."""
        around, steps = self._around, messages & ~self._numbers
        neurons = (messages & self._numbers).astype(np.int64)
        n_routes = around.route_start[neurons + 1] - around.route_start[neurons]
        inside = np.arange(int(n_routes.sum())) - np.repeat(np.cumsum(n_routes) - n_routes, n_routes)
        route = np.repeat(around.route_start[neurons], n_routes) + inside
        sent = np.repeat(steps, n_routes) | around.route_number[route].astype(np.uint32)
        to = around.route_to[route]
        received = self._ranks.pass_on(
            {rank: sent[to == slot] for slot, rank in enumerate(around.ranks.tolist())}, around.ranks.tolist()
        )
        self.n_rounds += 1
        self.sent += (len(around.ranks), sent.nbytes, len(sent))
        yield np.concatenate([np.empty(0, np.uint32), *(self._as_here(*one) for one in enumerate(received))])

    def _as_here(self, sender: int, messages: Messages) -> Messages:
        numbers = (messages & self._numbers).astype(np.int64)
        population = np.searchsorted(self._ends[sender], numbers, side="right")
        return (messages & ~self._numbers) | (numbers + self._shift[sender, population]).astype(np.uint32)
