"""How a number of synapses is shared out over targets, so that a rank draws the part of its own targets alone.

What is shared out are the places of a set of targets (a place is a pair that may have a synapse), all subsets of so
many places alike. The targets 0 .. n - 1 are halved again and again: of the synapses of a part, those of its first half
are hypergeometric, by a random number that the part and the owner of the synapses alone decide. A rank follows the
parts in which it has a target, and no others; where two ranks follow the same part, they draw the same number.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

_NARROW = 2**16

Whole = NDArray[np.int64]
Words = Callable[[Whole, Whole], NDArray[np.uint64]]
# (first target, behind the last one, owner), each (m,): the places of the owner on these targets.
Places = Callable[[Whole, Whole, Whole], Whole]


def shares(
    targets: Whole, n_targets: int, owners: Whole, n_synapses: Whole, places: Places, words: Words
) -> tuple[Whole, Whole, Whole]:
    """What each owner comes to have on each of these targets, where that is anything.

    Args:
        targets: ids of a rank's targets, shape (n,), in ascending order.
        n_targets: of the population.
        owners: whose synapses are shared out, shape (m,): sources, or 0 for the whole projection.
        n_synapses: of each of them, shape (m,), no more than it has places.
        places: how many places an owner has on a part of the targets.
        words: random numbers by owner and part.

    Returns:
        owner, target, number of synapses: three of one length.
    """
    first, behind = np.zeros_like(owners), np.full_like(owners, n_targets)
    part, found = np.ones_like(owners), [(owners[:0], owners[:0], owners[:0])]
    while True:
        ours = np.searchsorted(targets, behind) > np.searchsorted(targets, first)
        first, behind, part, owners, n_synapses = (
            one[ours & (n_synapses > 0)] for one in (first, behind, part, owners, n_synapses)
        )
        whole = behind - first == 1
        found.append((owners[whole], first[whole], n_synapses[whole]))
        first, behind, part, owners, n_synapses = (one[~whole] for one in (first, behind, part, owners, n_synapses))
        if not len(owners):
            break
        middle = (first + behind) // 2
        left = _of_first_half(
            n_synapses, places(first, middle, owners), places(middle, behind, owners), words(owners, part)
        )
        first, behind = np.concatenate([first, middle]), np.concatenate([middle, behind])
        part = np.concatenate([2 * part, 2 * part + 1])
        owners, n_synapses = np.concatenate([owners, owners]), np.concatenate([left, n_synapses - left])
    owner, target, number = (np.concatenate(column) for column in zip(*found, strict=True))
    return owner, target, number


def _of_first_half(n_synapses: Whole, first: Whole, second: Whole, words: NDArray[np.uint64]) -> Whole:
    """Hypergeometric numbers by inversion, shape (m,): how many of so many go to the first of two sets of places."""
    case, n_cases = np.zeros_like(n_synapses), 1
    for column in (n_synapses, first, second):  # few differ: halves are as large as each other, or one apart
        numbers = column - column.min()
        if numbers.max() >= _NARROW:
            numbers = np.unique(column, return_inverse=True)[1]
        width = int(numbers.max()) + 1
        case, n_cases = case * width + numbers, n_cases * width
    order = np.argsort(case.astype(np.uint16) if n_cases <= _NARROW else case, kind="stable")  # by digits if narrow
    chances = (words >> np.uint64(11)).astype(np.float64) * 2.0**-53
    drawn = np.empty_like(n_synapses)
    for here in np.split(order, 1 + np.flatnonzero(np.diff(case[order]))):
        least, at_most = hypergeometric(*(int(column[here[0]]) for column in (n_synapses, first, second)))
        drawn[here] = least + np.searchsorted(at_most[:-1], chances[here], side="right")
    return drawn


def hypergeometric(n_drawn: int, n_first: int, n_second: int) -> tuple[int, NDArray[np.float64]]:
    """The least number that can be drawn of the first kind, and the chances of at most this one, one more, ..

    From the ratios of neighbours alone, outwards from the likeliest, as far as float64 tells: + * / and sums in one
    order, so the same bits on every machine.
    """
    least, most = max(0, n_drawn - n_second), min(n_drawn, n_first)
    n = n_first + n_second
    likeliest = min(max((n_drawn + 1) * (n_first + 1) // (n + 2), least), most)
    variance = n_drawn * (n_first / n) * (n_second / n) * ((n - n_drawn) / max(n - 1, 1))
    reach = int(9.0 * math.sqrt(variance)) + 40
    least, most = max(least, likeliest - reach), min(most, likeliest + reach)
    below = np.arange(likeliest, least, -1, dtype=np.float64)
    above = np.arange(likeliest, most, dtype=np.float64)
    fall = below * (n_second - n_drawn + below) / ((n_drawn - below + 1.0) * (n_first - below + 1.0))
    rise = (n_drawn - above) * (n_first - above) / ((above + 1.0) * (n_second - n_drawn + above + 1.0))
    weights = np.concatenate([np.cumprod(fall)[::-1], [1.0], np.cumprod(rise)])
    at_most = np.cumsum(weights)
    return least, at_most / at_most[-1]
