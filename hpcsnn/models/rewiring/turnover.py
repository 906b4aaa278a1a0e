"""Numbers of synapses that go and come in an update, the weakest of a projection; and growth where gradients are."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hpcsnn.errors import ConfigurationError
from hpcsnn.models.parameters import Parameter, probability


@dataclass(frozen=True)
class Update:
    """What an update begins with.

    Attributes:
        number: of the batch (in a training), or of steps done; 0 before the first.
        n_synapses: of the projection, on all ranks.
        n_pairs: that may have one.
    """

    number: int
    n_synapses: int
    n_pairs: int


@dataclass(frozen=True)
class Turnover:
    """How many synapses of a projection go in an update and how many come.

    ``numbers`` gives both, of the rule's values and an `Update`; no more go than there are, no more come than there
    are free pairs. Those go that have the smallest ``least``, over all ranks, a float that sees the synapse; of equal
    ones those of the first targets, and of a target's those of the first sources.
    """

    numbers: Callable[[Mapping[str, Any], Update], tuple[int, int]]
    least: str = "weight < 0.0f ? -weight : weight"


@dataclass(frozen=True)
class Guide:
    """Which of the pairs that are drawn before a batch grow at its end: those with the largest ``most``.

    ``candidates`` says how many pairs are drawn, of the rule's values and an `Update`; those that have a synapse or
    were drawn before are left out. ``most`` is a float that sees the pair and ``gradient``, what its synapse would
    have had in this batch: of equal ones those that were drawn first grow. What is missing comes at random pairs, as
    it does where no Trainer trains.
    """

    candidates: Callable[[Mapping[str, Any], Update], int]
    most: str = "gradient < 0.0f ? -gradient : gradient"


# Of a rule whose `Turnover` has `numbers_of_schedule`.
SCHEDULE = {
    "every": Parameter(10, "batches", "between two updates", "int", minimum=1),
    "fraction": probability(0.2, "part of the synapses that goes in an update"),
    "decay_until": Parameter(0, "batches", "in which the fraction falls to 0 as a cosine; 0: it stays", "int", 0),
    "sparse_from": Parameter(0, "batches", "after which the number of synapses begins to change", "int", 0),
    "sparse_until": Parameter(0, "batches", "after which it is final; 0: it stays as it is", "int", 0),
    "final_probability": probability(0.01, "part of the pairs that has a synapse in the end, with sparse_until"),
}


def check_schedule(where: str, values: Mapping[str, Any]) -> None:
    """Refuse a change that ends before it begins.

    Raises:
        ConfigurationError: names `where`, the parameter, its value and what is allowed.
    """
    begins, ends = values["sparse_from"], values["sparse_until"]
    if begins and ends <= begins:
        raise ConfigurationError(
            f"{where}.sparse_from: {begins} is not allowed; must be below sparse_until ({ends}), where the number of "
            "synapses ends to change"
        )


def numbers_of_schedule(values: Mapping[str, Any], update: Update) -> tuple[int, int]:
    """How many go and come: each `every` updates a fraction, and what brings the number on to its final one.

    The fraction falls as RigL's does; what the number has more than in the end falls as (1 - t)^3, t from 0 in
    `sparse_from` to 1 in `sparse_until` (Zhu & Gupta 2017). It goes by the number that there is, so that a training
    that is resumed needs to know no other.
    """
    if update.number == 0 or update.number % values["every"]:
        return 0, 0
    stays = round(_part_left(values, update.number) * (update.n_synapses - (final := _final(values, update))))
    number = final + stays
    comes = round(_fraction(values, update.number) * number)
    # What is too few for the schedule comes, and only what is too many goes, beside the fraction.
    goes = comes + update.n_synapses - number
    return (goes, comes) if goes >= 0 else (0, comes - goes)


def _final(values: Mapping[str, Any], update: Update) -> int:
    return round(values["final_probability"] * update.n_pairs) if values["sparse_until"] else update.n_synapses


def _part_left(values: Mapping[str, Any], batch: int) -> float:
    """Of what there is more than in the end, the part that stays in this update."""
    before, now = (_to_go(values, one) for one in (batch - values["every"], batch))
    return now / before if before > 0.0 else 0.0


def _to_go(values: Mapping[str, Any], batch: int) -> float:
    begins, ends = values["sparse_from"], values["sparse_until"]
    passed = min(max(batch - begins, 0), ends - begins)
    left = 1.0 - passed / max(ends - begins, 1)
    return left * left * left


def _fraction(values: Mapping[str, Any], batch: int) -> float:
    if not values["decay_until"]:
        return float(values["fraction"])
    return float(values["fraction"]) / 2 * (1.0 + math.cos(math.pi * min(batch / values["decay_until"], 1.0)))
