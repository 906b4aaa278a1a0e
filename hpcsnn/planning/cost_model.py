"""How long a step takes on so many ranks: fitted to measured runs, tested on the most ranks that there were.

Each phase of a step is a sum of amounts of work, each times what one of it costs: seconds for a step, a neuron, a
synapse that a spike arrives at, and so on, none below zero (non-negative least squares, Lawson & Hanson 1974). A phase
has costs of its own, fitted to what ranks took for it, so that what grows together in a study cannot be taken for each
other; where all ranks had as much work, all of a phase is put down to it. Messages take what they took by themselves in
the same job (`hpcsnn.ranks.ping`), times a factor. What is left is waiting for the slowest rank: for all of what the
one with most work has more, and for chance, by which the slowest of P equal ones is later than their mean by so many
standard deviations of a rank's steps: the expected largest of P standard normal numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from statistics import fmean, median

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from hpcsnn.errors import ConfigurationError
from hpcsnn.planning.measured import Cycles, PingTime, RankMeasured
from hpcsnn.planning.network_work import NetworkWork, RankWork, rank_work

# What each phase of a rank's own work is a sum of.
TERMS: dict[str, tuple[str, ...]] = {
    "neurons": ("step", "neuron"),
    "delivery": ("step", "delivered"),
    "plasticity": ("step", "post"),
    "rewiring": ("step", "attempt"),
    "recording": ("step",),
    "host": ("step",),
    "exchange_accept": ("exchange", "foreign"),
}
# From how many times more work on it can be told from what every step takes.
_TOLD_APART = 1.25
MESSAGE, CHANCE = ("latency", "byte"), ("chance", "part")


class MeasuredRun(BaseModel):
    """What the model is fitted to: a run on so many ranks, the network's work, and what each rank took."""

    model_config = ConfigDict(extra="ignore")

    ranks: int
    steps: int
    work: NetworkWork
    per_rank: list[RankMeasured]
    ping: list[PingTime] = []

    @property
    def step_s(self) -> float:
        """Seconds of a step: all ranks advance together."""
        return max(one.propagation_s for one in self.per_rank) / self.steps

    def phase_s(self, phase: str) -> float:
        """Seconds of a phase in a step, in the mean over ranks."""
        return fmean(float(getattr(one.phases_s, phase)) for one in self.per_rank) / self.steps


class Prediction(BaseModel):
    """Seconds of a step on so many ranks, by phase and in all."""

    ranks: int
    phases_s: dict[str, float]

    @property
    def step_s(self) -> float:
        """All phases together."""
        return math.fsum(self.phases_s.values())


class LeftOut(BaseModel):
    """The model without the runs on most ranks, beside these runs; times in s a step."""

    ranks: int
    fitted_to: list[int]
    predicted_s: float
    measured_s: float

    @property
    def error(self) -> float:
        """How far off the prediction was, as a part of what was measured; above zero: too slow."""
        return self.predicted_s / self.measured_s - 1.0


class CostModel(BaseModel):
    """What everything costs, in s; by phase and term.

    Attributes:
        ranks: for which there were runs.
        costs: of the phases of `TERMS`, and of ``message`` (by latency and byte), ``transfer`` (what messages take in a
            run beside that) and ``exchange_wait``.
        left_out: how well it predicts; None where the runs were all on as many ranks.
    """

    ranks: list[int]
    costs: dict[str, dict[str, float]]
    left_out: LeftOut | None = None

    def predict(self, work: NetworkWork, n_ranks: int) -> Prediction:
        """Time of a step of a network on so many ranks.

        Raises:
            ConfigurationError: fewer ranks than one, or more than the network has tiles.
        """
        if not 1 <= n_ranks <= work.tiles:
            raise ConfigurationError(
                f"ranks: {n_ranks} is not allowed; must be a whole number >= 1 and <= {work.tiles}, the tiles of the "
                "largest population"
            )
        mean, largest = (
            rank_work(work, n_ranks, share) for share in (work.mean_share(n_ranks), work.largest_share(n_ranks))
        )
        phases = {phase: self._phase_s(phase, mean) for phase in TERMS}
        work_s = math.fsum(phases.values())
        longest_s = math.fsum(self._phase_s(phase, largest) for phase in TERMS)
        transfer = self.costs["transfer"]["message"] * _message_s(self.costs["message"], work, n_ranks)
        wait = _dot(self.costs["exchange_wait"], _waiting(n_ranks, work_s, longest_s))
        return Prediction(ranks=n_ranks, phases_s={**phases, "exchange_transfer": transfer, "exchange_wait": wait})

    def _phase_s(self, phase: str, work: RankWork) -> float:
        return _dot(self.costs[phase], _amounts(phase, work))


def fitted(runs: Sequence[MeasuredRun]) -> CostModel:
    """The model of some runs, of one network or of several, with its error on the most ranks that there were.

    Raises:
        ConfigurationError: no run.
    """
    if not runs:
        raise ConfigurationError("cost model: there is no run that it could be fitted to")
    pings = [(run.work, one) for run in runs for one in run.ping]
    model, most = _fitted(runs, pings), max(run.ranks for run in runs)
    fewer, at_most = [run for run in runs if run.ranks < most], [run for run in runs if run.ranks == most]
    if not fewer:
        return model
    without = _fitted(fewer, pings)  # messages by themselves are no run, and take seconds on any number of ranks
    predicted = median(without.predict(run.work, most).step_s for run in at_most)
    measured = median(run.step_s for run in at_most)
    left_out = LeftOut(ranks=most, fitted_to=without.ranks, predicted_s=predicted, measured_s=measured)
    return model.model_copy(update={"left_out": left_out})


def _fitted(runs: Sequence[MeasuredRun], pings: Sequence[tuple[NetworkWork, PingTime]]) -> CostModel:
    rows = [(run, one, _measured_work(run, one)) for run in runs for one in run.per_rank]
    costs: dict[str, dict[str, float]] = {}
    for phase, terms in TERMS.items():
        amounts = [list(_amounts(phase, work).values()) for _, _, work in rows]
        if len(terms) == 2 and _alike([work for constant, work in amounts if constant]):
            amounts = [[0.0, work] for _, work in amounts]  # then all of it is put down to the work
        seconds = [float(getattr(one.phases_s, phase)) / run.steps for run, one, _ in rows]
        costs[phase] = _costs(terms, amounts, seconds, [run.step_s for run, _, _ in rows])
    together = [run for run in runs if run.ranks > 1]
    costs["message"] = _message_costs(pings)
    expected = [_message_s(costs["message"], run.work, run.ranks) for run in together]
    taken = [run.phase_s("exchange_transfer") for run in together]
    if any(expected):
        costs["transfer"] = _costs(("message",), [[one] for one in expected], taken, [run.step_s for run in together])
    else:
        costs["transfer"] = {"message": 1.0}  # of messages there is the ping alone, or nothing
    costs["exchange_wait"] = _waiting_costs(together) if together else _waiting_of(runs)
    return CostModel(ranks=sorted({run.ranks for run in runs}), costs=costs)


def _alike(amounts: Sequence[float]) -> bool:
    """Whether amounts of work differ too little to tell what depends on them from what does not; there is some."""
    return min(amounts, default=0.0) > 0.0 and max(amounts) < _TOLD_APART * min(amounts)


def _measured_work(run: MeasuredRun, one: RankMeasured) -> RankWork:
    """The work of a rank as the run counted it."""
    synapses = sum(rank.synapses for rank in run.per_rank)
    share = one.neurons / max(sum(rank.neurons for rank in run.per_rank), 1)
    of_synapses = one.synapses / synapses if synapses else share
    return rank_work(run.work, run.ranks, share, neurons=one.neurons, synapses=of_synapses)


def _amounts(phase: str, work: RankWork) -> dict[str, float]:
    amounts = {
        "step": 1.0,
        "neuron": work.neurons,
        "delivered": work.delivered,
        "post": work.posts,
        "attempt": work.attempts,
        "exchange": work.exchanges,
        "foreign": work.foreign,
    }
    return {term: amounts[term] for term in TERMS[phase]}


def _costs(
    terms: Sequence[str], amounts: Sequence[Sequence[float]], seconds: Sequence[float], whole_s: Sequence[float]
) -> dict[str, float]:
    """Costs of terms, none below zero, by which amounts come nearest to seconds, as parts of whole steps."""
    from scipy.optimize import nnls  # takes longer to load than most commands take

    if not seconds:
        return dict.fromkeys(terms, 0.0)
    weights = 1.0 / np.array(whole_s)
    matrix = np.array(amounts, dtype=np.float64) * weights[:, None]
    sizes = np.abs(matrix).max(axis=0)  # columns of one size: amounts are from 1 to millions
    sizes[sizes == 0] = 1.0
    found = nnls(matrix / sizes, np.array(seconds) * weights)[0] / sizes
    return dict(zip(terms, map(float, found), strict=True))


# -- messages ----------------------------------------------------------------------------------------------------------


def _message_costs(pings: Sequence[tuple[NetworkWork, PingTime]]) -> dict[str, float]:
    """What a message costs by itself: of the kind of exchange that the network has."""
    kinds = {"allgather": "allgather", "neighbours": "shift"}
    fitting = [one for work, one in pings if one.kind == kinds[work.exchange]]
    amounts = []
    for one in fitting:
        partners = one.ranks - 1 if one.kind == "allgather" else 1
        amounts.append([math.log2(one.ranks) if one.kind == "allgather" else 1.0, float(partners * one.bytes)])
    seconds = [one.seconds for one in fitting]
    costs = _costs(MESSAGE, amounts, seconds, seconds)
    empty = [(_latencies(work, one.ranks), one.seconds) for work, one in pings if one.kind == "exchange"]
    if empty:  # as the runs themselves exchange, in whatever memory: what a call of MPI takes says nothing of it
        whole_s = [one for _, one in empty]
        costs["latency"] = _costs(("latency",), [[one] for one, _ in empty], whole_s, whole_s)["latency"]
    return costs


def _message_s(costs: dict[str, float], work: NetworkWork, n_ranks: int) -> float:
    """Seconds of messages in a step: latency by log2 P or by neighbour, and all bytes that arrive."""
    if n_ranks == 1:
        return 0.0
    n_bytes = work.neighbours(n_ranks) * work.block_bytes(n_ranks)
    return (costs["latency"] * _latencies(work, n_ranks) + costs["byte"] * n_bytes) / work.exchange_steps


def _latencies(work: NetworkWork, n_ranks: int) -> float:
    """Of an exchange: one for each neighbour, or by log2 P."""
    return math.log2(n_ranks) if work.exchange == "allgather" else float(work.neighbours(n_ranks))


# -- waiting for the slowest -------------------------------------------------------------------------------------------


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


def _waiting(n_ranks: int, mean_s: float, longest_s: float) -> dict[str, float]:
    """What ranks wait for in the mean: the longest work, and chance, of the machine's and of the work's."""
    late = largest_of(n_ranks)
    return {"largest": longest_s - mean_s, "chance": late, "part": late * mean_s}


def _waiting_costs(runs: Sequence[MeasuredRun]) -> dict[str, float]:
    amounts, by_chance = [], []
    for run in runs:
        work_s = [one.phases_s.work / run.steps for one in run.per_rank]
        largest, chance, part = _waiting(run.ranks, fmean(work_s), max(work_s)).values()
        amounts.append([chance, part])
        by_chance.append(max(run.phase_s("exchange_wait") - largest, 0.0))
    if _alike([part / chance for chance, part in amounts]):
        amounts = [[chance, 0.0] for chance, _ in amounts]
    return {"largest": 1.0} | _costs(CHANCE, amounts, by_chance, [run.step_s for run in runs])


def _waiting_of(runs: Sequence[MeasuredRun]) -> dict[str, float]:
    """Where no rank waited for another: for all of the work of the one with most, and by what steps of one differ."""
    spread_s = median(_spread_s(one.cycle_us) for run in runs for one in run.per_rank)
    return {"largest": 1.0, "chance": spread_s, "part": 0.0}


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


def _dot(costs: dict[str, float], amounts: dict[str, float]) -> float:
    return math.fsum(costs[term] * amount for term, amount in amounts.items())
