"""Costs of terms, none below zero, from what ranks took; and how far off a model is where it was not fitted."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from pydantic import BaseModel

# From how many times more work on it can be told from what every step takes.
_TOLD_APART = 1.25


class LeftOut(BaseModel):
    """The model without the runs on most ranks, beside these runs; times in s, of a step or of a construction."""

    ranks: int
    fitted_to: list[int]
    predicted_s: float
    measured_s: float

    @property
    def error(self) -> float:
        """How far off the prediction was, as a part of what was measured; above zero: too slow."""
        return self.predicted_s / self.measured_s - 1.0


def alike(amounts: Sequence[float]) -> bool:
    """Whether amounts of work differ too little to tell what depends on them from what does not; there is some."""
    return min(amounts, default=0.0) > 0.0 and max(amounts) < _TOLD_APART * min(amounts)


def least_costs(
    terms: Sequence[str], amounts: Sequence[Sequence[float]], seconds: Sequence[float], whole_s: Sequence[float]
) -> dict[str, float]:
    """Costs of terms, none below zero, by which amounts come nearest to seconds, as parts of a whole.

    Args:
        terms: their names.
        amounts: of each term, in the order of `terms`, by row.
        seconds: what a row took.
        whole_s: what it is a part of, as seconds of a whole step: one that took long counts no more than a short one.
    """
    from scipy.optimize import nnls  # takes longer to load than most commands take

    if not seconds:
        return dict.fromkeys(terms, 0.0)
    weights = 1.0 / np.array(whole_s)
    matrix = np.array(amounts, dtype=np.float64) * weights[:, None]
    sizes = np.abs(matrix).max(axis=0)  # columns of one size: amounts are from 1 to millions
    sizes[sizes == 0] = 1.0
    found = nnls(matrix / sizes, np.array(seconds) * weights)[0] / sizes
    return dict(zip(terms, map(float, found), strict=True))


def total(costs: Mapping[str, float], amounts: Mapping[str, float]) -> float:
    """What amounts of work cost together."""
    return math.fsum(costs[term] * amount for term, amount in amounts.items())
