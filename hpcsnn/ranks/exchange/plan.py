"""How the ranks of a network swap spikes: with all or with neighbours, how often, by which numbers, in which room."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.errors import ConfigurationError, check_known
from hpcsnn.network import Network
from hpcsnn.network.exchange_fields import ExchangeRoom
from hpcsnn.ranks.exchange.neighbours import Neighbourhood, has_neighbours, neighbourhood
from hpcsnn.ranks.partition import Placement

WAYS = ("auto", "neighbours", "allgather")
# Messages per rank and round: 4 kB blocks cost twice a minimal one, and hold a busy step of 50,000 neurons per rank.
LARGEST_BLOCK = 1023
SMALLEST_BLOCK = 15
_BITS_OF_A_MESSAGE = 32


def block_size(n_neurons: int, interval: int, asked: int | None) -> int:
    """Spikes of so many neurons in the first round of an exchange: 1 % of them per step, unless asked for."""
    if asked is not None:
        return asked
    return min(max(SMALLEST_BLOCK, n_neurons * interval // 100), LARGEST_BLOCK)


def check_way(network: Network, way: object) -> str:
    """`way` if the network's ranks can swap spikes so.

    Raises:
        ConfigurationError: no such way, or neighbours where a projection has no bounded reach.
    """
    asked = str(check_known("exchange", way, WAYS) or way)
    if asked == "neighbours" and not has_neighbours(network):
        raise ConfigurationError(
            "exchange: 'neighbours' is not allowed; the network has a projection whose reach no distance bounds: must "
            "be 'auto' or 'allgather'"
        )
    return asked


@dataclass(frozen=True)
class ExchangePlan:
    """What a rank needs to know to swap spikes.

    A message is a number of a neuron in the lower ``number_bits`` and above them how many steps behind the first of an
    interval it spiked. What is sent at the end of an interval is accepted ``lag`` steps into the next, as late as the
    smallest delay allows, and before more is sent.

    Attributes:
        interval: steps from one exchange to the next, half of the smallest delay or a little more, or as many as these
            bits can tell.
        neighbours: whom it swaps with; None: with all.
        box_rank, box_block, box_start: of each block, those to neighbours and then those from neighbours: whose it is,
            how many spikes fit into it, and where it begins among the words of all, shape (n_out + n_in,).
    """

    interval: int
    lag: int
    number_bits: int
    room: ExchangeRoom
    neighbours: Neighbourhood | None
    box_rank: NDArray[np.int64]
    box_block: NDArray[np.int64]
    box_start: NDArray[np.int64]

    def tables(self) -> dict[str, NDArray[Any]]:
        """The arrays of `exchange_fields` that tell kernels of neighbours; none where all send to all."""
        around = self.neighbours
        if around is None:
            return {}
        # Behind the neighbours, as one sender of all that is known here: what `Staged` brings.
        first = np.vstack([around.first_known, np.zeros_like(around.all_known)])
        known = np.vstack([around.n_known, around.all_known])
        return {
            "route_start": around.route_start.astype(np.int32),
            "route_to": around.route_to.astype(np.int32),
            "route_number": around.route_number.astype(np.uint32),
            "first_of_sender": first.ravel().astype(np.int32),
            "known_of_sender": known.ravel().astype(np.uint32),
            "box_rank": self.box_rank.astype(np.int32),
            "box_block": self.box_block.astype(np.int32),
        }


def plan_exchange(
    network: Network,
    placements: Mapping[str, Placement],
    rank: int,
    n_ranks: int,
    most: Callable[[int], int],
    asked_block: int | None = None,
    with_neighbours: bool = True,
) -> ExchangePlan:
    """The plan of a rank of several.

    Args:
        network, placements, rank, n_ranks: of the rank.
        most: the largest over ranks of what each gives it; a collective call.
        asked_block: spikes per rank, or neighbour, and round; None: chosen from the number of neurons.
        with_neighbours: whether to swap with neighbours alone; for a network that `has_neighbours`.
    """
    n_own = sum(placement.n_own for placement in placements.values())
    none = np.empty(0, dtype=np.int64)
    if not with_neighbours:
        bits = _bits(sum(population.size for population in network.populations.values()))
        interval, lag = _interval_and_lag(network, bits)
        block = most(block_size(n_own, interval, asked_block))
        room = ExchangeRoom(n_own * interval, block, n_ranks, rest=max(n_own * interval - block, 0))
        return ExchangePlan(interval, lag, bits, room, None, none, none, none)
    around = neighbourhood(network, placements, rank)
    bits = _bits(most(sum(placement.n_known for placement in placements.values())))
    interval, lag = _interval_and_lag(network, bits)
    known = np.concatenate([around.n_border, around.n_known.sum(axis=1)])
    blocks = np.array([block_size(n, interval, asked_block) for n in known.tolist()], dtype=np.int64)
    # What does not fit into a block is sent from behind it, and received elsewhere.
    n_out = len(around.ranks)
    words = 1 + np.concatenate([np.maximum(blocks, known * interval)[:n_out], blocks[n_out:]])
    room = ExchangeRoom(
        n_own * interval,
        n_in=n_out,
        n_out=n_out,
        boxes=int(words.sum()),
        rest=int(max((known * interval - blocks)[n_out:].max(initial=0), 0)),
    )
    ranks = np.concatenate([around.ranks, around.ranks])
    return ExchangePlan(interval, lag, bits, room, around, ranks, blocks, np.cumsum(words) - words)


def _bits(n: int) -> int:
    """That tell n numbers from each other."""
    return max(n - 1, 1).bit_length()


def _interval_and_lag(network: Network, number_bits: int) -> tuple[int, int]:
    """Steps between two exchanges, and how many after one it is accepted: a spike of the first step of an interval is
    there when it is due, and what was sent before more is sent."""
    interval = min(network.exchange_steps(), 2 ** (_BITS_OF_A_MESSAGE - number_bits))
    return interval, min(network.min_delay_steps(), 2 * interval - 1) - interval
