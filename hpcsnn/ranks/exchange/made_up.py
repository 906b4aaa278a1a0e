"""Spikes of neighbours that are not there, for a rank that is looked at by itself.

They come in the boxes in which neighbours would have sent them, so that all that a rank does with spikes of others it
does here: it puts its own into boxes, and takes these out of theirs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcsnn.network import Network
from hpcsnn.ranks.exchange.neighbours import Whole
from hpcsnn.ranks.exchange.plan import ExchangePlan
from hpcsnn.ranks.partition import Placement

# Of a population: in which step a neuron spikes, and its global id, shape (n,) each.
Spikes = tuple[NDArray[Any], NDArray[Any]]


def roomy_boxes(plan: ExchangePlan) -> dict[str, NDArray[Any]]:
    """Boxes that hold all that neighbours can send: their words, how many spikes fit into each, and where each begins
    among the words."""
    around, n_out = plan.neighbours, plan.room.n_out
    assert around is not None
    block = plan.box_block.copy()
    block[n_out:] = around.n_known.sum(axis=1) * plan.interval
    words = 1 + np.concatenate([np.maximum(block[:n_out], around.n_border * plan.interval), block[n_out:]])
    return {
        "box_block": block.astype(np.int32),
        "start": np.cumsum(words) - words,
        "boxes": np.zeros(int(words.sum()), dtype=np.uint32),
    }


def mirrored_routes(
    placements: Mapping[str, Placement], plan: ExchangePlan, populations: Collection[str]
) -> dict[str, NDArray[Any]]:
    """Routes of own neurons, as `ExchangePlan.tables` has them, with more that lead into the boxes of neighbours.

    A neuron of one of `populations` that a neighbour owns spikes whenever the own one does that has its place in one of
    the own tiles: the n-th tile that is known follows the n-th own one, and around again. Neighbours are then as busy
    as this rank, in its rhythm and with the correlations of a tile.
    """
    around = plan.neighbours
    assert around is not None
    owns = [np.repeat(np.arange(len(around.route_start) - 1), np.diff(around.route_start))]
    boxes, numbers = [around.route_to], [around.route_number]
    first_own = 0
    for at, (name, placement) in enumerate(placements.items()):
        if name in populations and placement.n_own:
            known = np.arange(placement.n_own, placement.n_known)
            sizes = placement.tiling.sizes(placement.known_tiles)
            n_own_tiles = len(placement.own_tiles)
            halo = sizes[n_own_tiles:]
            inside = known - placement.n_own - np.repeat(np.cumsum(halo) - halo, halo)
            model = np.repeat(np.arange(len(halo)) % n_own_tiles, halo)
            starts = np.cumsum(sizes) - sizes
            fits = inside < sizes[model]  # tiles at the far edges are smaller than others
            sender, number = _sent_by(plan, at, known[fits])
            owns.append(first_own + (starts[model] + inside)[fits])
            boxes.append(plan.room.n_out + sender)
            numbers.append(number)
        first_own += placement.n_own
    own = np.concatenate(owns)
    order = np.argsort(own, kind="stable")
    start = np.concatenate([[0], np.cumsum(np.bincount(own, minlength=first_own))])
    return {
        "route_start": start.astype(np.int32),
        "route_to": np.concatenate(boxes)[order].astype(np.int32),
        "route_number": np.concatenate(numbers)[order].astype(np.uint32),
    }


def sent_spikes(
    network: Network,
    placements: Mapping[str, Placement],
    plan: ExchangePlan,
    spikes: Mapping[str, Spikes],
    n_steps: int,
) -> dict[str, NDArray[Any]]:
    """Given spikes, of those of them that neighbours own, in the steps from 0 up to `n_steps`: fields ``made_up_*``."""
    steps, boxes, numbers = ([np.empty(0, np.int64)] for _ in range(3))
    for at, name in enumerate(network.populations):
        if name not in spikes:
            continue
        step, ids = (np.asarray(one, dtype=np.int64) for one in spikes[name])
        index = placements[name].local(ids)
        theirs = (index >= placements[name].n_own) & (step >= 0) & (step < n_steps)
        sender, number = _sent_by(plan, at, index[theirs])
        steps.append(step[theirs])
        boxes.append(plan.room.n_out + sender)
        numbers.append(number)
    step = np.concatenate(steps)
    order = np.argsort(step, kind="stable")
    start = np.concatenate([[0], np.cumsum(np.bincount(step, minlength=n_steps))])
    return {
        "made_up_start": start.astype(np.int64),
        "made_up_from": np.concatenate(boxes)[order].astype(np.int32),
        "made_up_number": np.concatenate(numbers)[order].astype(np.uint32),
    }


def _sent_by(plan: ExchangePlan, population: int, index: Whole) -> tuple[Whole, Whole]:
    """Which of those that send owns each neuron of a population, by its local index, and the number it has there."""
    around = plan.neighbours
    assert around is not None
    first, n_known = around.first_known[:, population], around.n_known[:, population]
    sender = np.searchsorted(first + n_known, index, side="right")
    before = around.n_known[:, :population].sum(axis=1)
    return sender, before[sender] + index - first[sender]
