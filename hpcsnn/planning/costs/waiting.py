"""What ranks wait for: the one with most work, and the one that is latest by chance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from statistics import fmean, median

import numpy as np
from numpy.typing import NDArray

from hpcsnn.planning.costs.fitting import alike, least_costs
from hpcsnn.planning.measured import Cycles, MeasuredRun

_CHANCE = ("chance", "part")


@lru_cache(maxsize=256)
def largest_of(n: int) -> float:
    """The expected largest of n independent standard normal numbers: 0, 0.564, 0.846, 1.029, .. for n = 1, 2, 3, 4.

    By E = int_0^inf (1 - F^n) - int_-inf^0 F^n of the distribution function F.
    """
    from scipy.special import log_ndtr

    if n == 1:
        return 0.0
    x = np.linspace(-12.0, 12.0, 24_001)
    power = np.exp(n * log_ndtr(x))
    positive: NDArray[np.bool_] = x >= 0.0
    above = np.trapezoid(1.0 - power[positive], x[positive])
    return float(above - np.trapezoid(power[x <= 0.0], x[x <= 0.0]))


def waiting(n_ranks: int, mean_s: float, longest_s: float) -> dict[str, float]:
    """What ranks wait for in the mean: the longest work, and chance, of the machine's and of the work's; ``root`` is of
    what a step differs by that is a sum over independent neurons."""
    late = largest_of(n_ranks)
    return {
        "largest": longest_s - mean_s,
        "chance": late,
        "part": late * mean_s,
        "root": late * math.sqrt(mean_s),
    }


def waiting_costs(runs: Sequence[MeasuredRun]) -> dict[str, float]:
    """What waiting costs in runs of several ranks; where ranks were all alone, by what their steps differ."""
    together = [run for run in runs if run.ranks > 1]
    return _of_ranks_together(together) if together else _of_ranks_alone(runs)


def _of_ranks_together(runs: Sequence[MeasuredRun]) -> dict[str, float]:
    amounts, by_chance = [], []
    for run in runs:
        work_s = [one.phases_s.work / run.steps for one in run.per_rank]
        of = waiting(run.ranks, fmean(work_s), max(work_s))
        amounts.append([of[term] for term in _CHANCE])
        by_chance.append(max(run.phase_s("exchange_wait") - of["largest"], 0.0))
    if alike([part / chance for chance, part in amounts]):
        amounts = [[chance, 0.0] for chance, _ in amounts]
    return {"largest": 1.0, "root": 0.0} | least_costs(_CHANCE, amounts, by_chance, [run.step_s for run in runs])


def _of_ranks_alone(runs: Sequence[MeasuredRun]) -> dict[str, float]:
    """No rank waited for another: for all of the work of the one with most, and by what steps of one differ.

    Steps differ by what neurons do that know nothing of each other. The variance of what they take together goes by how
    many they are, and so by the work: that of a P-th of it is a P-th.
    """
    roots = [
        _spread_s(one.cycle_us) / math.sqrt(one.phases_s.work / run.steps)
        for run in runs
        for one in run.per_rank
        if one.phases_s.work > 0
    ]
    return {"largest": 1.0, "chance": 0.0, "part": 0.0, "root": median(roots) if roots else 0.0}


def _spread_s(steps: Cycles) -> float:
    """What would be the standard deviation if steps were normal: half of what two thirds in the middle differ by.

    Steps that seldom come and take long on all ranks alike, such as those with an update, have no part in it.
    """
    counts = np.array(steps.counts, dtype=np.float64)
    if counts.sum() == 0:
        return 0.0
    below = np.concatenate([[0.0], np.cumsum(counts)]) / counts.sum()
    early, late = np.interp([0.158655, 0.841345], below, steps.edges)
    return float(late - early) / 2 * 1e-6
