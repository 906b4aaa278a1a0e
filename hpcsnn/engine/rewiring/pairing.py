"""Vacant elements joined at random over all ranks, none of which ever holds them all.

Every vacant element has a random key that depends on its neuron alone. The n-th offer, by key, meets the n-th demand.
Keys are cut into as many ranges as there are ranks; each rank sorts one range, offers then move to where the demand of
the same place is, and pairs go to the rank of their target: three messages to each rank, of a P-th of all elements.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hpcsnn.ranks.communicator import Communicator

# key, neuron (global id), and for demands the rank and index of the target
Elements = NDArray[np.int64]


def elements(ids: NDArray[np.int32], counts: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The neuron of each of `counts` elements (below zero: none), and the element's number among its neuron's."""
    counts = np.maximum(counts, 0)
    number = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.repeat(ids, counts), number.astype(np.int32)


def paired(communicator: Communicator, offers: Elements, demands: Elements) -> NDArray[np.int64]:
    """Pairs for the targets of this rank, shape (n, 2): local target and source id, in the order of their places.

    Args:
        offers: shape (n, 2): a key below 2^32 and the source's id.
        demands: shape (m, 4): a key, the target's id, this rank, and the target's index on it.
    """
    n_ranks, rank = communicator.size, communicator.rank
    offers = _sorted(sent_to_ranks(communicator, offers, offers[:, 0] * n_ranks >> 32))
    demands = _sorted(sent_to_ranks(communicator, demands, demands[:, 0] * n_ranks >> 32))
    n_offers, n_demands = np.array(communicator.gather((len(offers), len(demands)))).T
    first = np.concatenate([[0], np.cumsum(n_demands)])
    place = int(n_offers[:rank].sum()) + np.arange(len(offers))
    wanted = place < first[-1]
    there = np.searchsorted(first, place[wanted], side="right") - 1
    met = sent_to_ranks(communicator, np.column_stack([place, offers[:, 1]])[wanted], there)
    demand = demands[met[:, 0] - first[rank]]
    pairs = sent_to_ranks(communicator, np.column_stack([met[:, 0], demand[:, 3], met[:, 1]]), demand[:, 2])
    return pairs[np.argsort(pairs[:, 0])][:, 1:]


def _sorted(rows: Elements) -> Elements:
    return rows[np.lexsort((rows[:, 1], rows[:, 0]))]


def sent_to_ranks(communicator: Communicator, rows: NDArray[np.int64], to: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows to the ranks named; what has come here, by the rank that it comes from. A collective call."""
    return np.concatenate(communicator.swap([rows[to == rank] for rank in range(communicator.size)]))
