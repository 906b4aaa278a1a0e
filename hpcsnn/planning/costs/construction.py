"""How long a construction takes on so many ranks: each part a sum of what it is made of, fitted to what ranks took.

Parts are those of ``construction_s`` in a summary. Placing and creating go by the neurons that a rank keeps or knows of
others, connecting by its synapses; creating also by log2 P, as ranks speak with each other while they begin; and each
takes something anyhow, as kernels take all of theirs. Where all ranks kept as much, nothing can tell what goes by it
from what does not: then all counts as what is taken anyhow, so that no prediction promises more than was seen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hpcsnn.planning.costs.fitting import alike, least_costs, total
from hpcsnn.planning.measured import Construction, MeasuredRun
from hpcsnn.planning.network_work import NetworkWork

PARTS: dict[str, tuple[str, ...]] = {
    "place": ("start", "neuron"),
    "create": ("start", "neuron", "talk"),
    "connect": ("start", "synapse"),
    "compile": ("start",),
}


@dataclass(frozen=True)
class Built:
    """A rank that was constructed: with how many it spoke, itself among them, with how many neurons (own ones and those
    that it knows of others) and synapses, and what each part took, in s."""

    talking: int
    neurons: float
    synapses: float
    construction_s: Construction


def built(run: MeasuredRun) -> list[Built]:
    """Every rank of a run."""
    n_neurons = max(sum(one.neurons for one in run.per_rank), 1)
    return [
        Built(
            run.ranks,
            one.neurons + known_neurons(run.work, run.ranks, one.neurons / n_neurons),
            one.synapses,
            one.construction_s,
        )
        for one in run.per_rank
    ]


def construction_costs(rows: Sequence[Built]) -> dict[str, dict[str, float]]:
    """What each part costs, by its terms; s."""
    whole_s = [max(row.construction_s.whole, 1e-9) for row in rows]
    costs = {}
    for part, terms in PARTS.items():
        amounts = [list(_amounts(part, row.talking, row.neurons, row.synapses).values()) for row in rows]
        if len(terms) > 1 and alike([of[1] for of in amounts]):
            amounts = [[start, 0.0, *others] for start, _, *others in amounts]
        seconds = [float(getattr(row.construction_s, part)) for row in rows]
        costs[part] = least_costs(terms, amounts, seconds, whole_s)
    return costs


def construction_of(costs: Mapping[str, Mapping[str, float]], work: NetworkWork, n_ranks: int) -> dict[str, float]:
    """Seconds of each part on the rank of so many that has most of a network."""
    share = work.largest_share(n_ranks)
    neurons = work.neurons * share + known_neurons(work, n_ranks, share)
    return {part: total(costs[part], _amounts(part, n_ranks, neurons, work.synapses * share)) for part in PARTS}


def known_neurons(work: NetworkWork, n_ranks: int, share: float) -> float:
    """Neurons of others that a rank with this part of a network knows: worked out for runs too, as predictions have
    nothing else."""
    return work.neurons * work.around(share) if n_ranks > 1 else 0.0


def _amounts(part: str, n_ranks: int, neurons: float, synapses: float) -> dict[str, float]:
    amounts = {"start": 1.0, "neuron": neurons, "talk": math.log2(n_ranks), "synapse": synapses}
    return {term: amounts[term] for term in PARTS[part]}
