"""How long a step takes on so many ranks, and the construction before it: fitted to measured runs, tested on the most
ranks that there were.

Each phase of a step is a sum of amounts of work, each times what one of it costs: seconds for a step, a neuron, a
synapse that a spike arrives at, and so on, none below zero (non-negative least squares, Lawson & Hanson 1974). A phase
has costs of its own, fitted to what ranks took for it, so that what grows together in a study cannot be taken for each
other; where all ranks had as much work, all of a phase is put down to it. Messages take what they took by themselves in
the same job (`hpcsnn.ranks.ping`), times a factor. What is left is waiting for the slowest rank: for all of what the
one with most work has more, and for chance, by which the slowest of P equal ones is later than their mean by so many
standard deviations of a rank's steps: the expected largest of P standard normal numbers. Constructions likewise: see
`hpcsnn.planning.costs.construction`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

from pydantic import BaseModel

from hpcsnn.errors import ConfigurationError
from hpcsnn.planning.costs.construction import built, construction_costs, construction_of
from hpcsnn.planning.costs.dry_rows import DryRow, at_the_studys_pace, corrections
from hpcsnn.planning.costs.fitting import LeftOut, alike, least_costs, total
from hpcsnn.planning.costs.waiting import waiting, waiting_costs
from hpcsnn.planning.measured import MeasuredRun, PingTime, RankMeasured
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
_MESSAGE = ("latency", "byte")


class Prediction(BaseModel):
    """Seconds of a step on so many ranks, by phase and in all; and those of a construction, by part and in all."""

    ranks: int
    phases_s: dict[str, float]
    parts_s: dict[str, float]

    @property
    def step_s(self) -> float:
        """All phases together."""
        return math.fsum(self.phases_s.values())

    @property
    def construction_s(self) -> float:
        """All parts of a construction together, on the rank with most."""
        return math.fsum(self.parts_s.values())


class CostModel(BaseModel):
    """What everything costs, in s; by phase and term.

    Attributes:
        ranks: for which there were runs.
        costs: of the phases of `TERMS`, and of ``message`` (by latency and byte), ``transfer`` (what messages take in a
            run beside that) and ``exchange_wait``.
        corrections: by number of ranks of which there were dry runs, and phase: by what factor what a rank does itself
            takes longer than by its costs, as caches are no term of them.
        construction: costs of the parts of a construction, by term.
        left_out, construction_left_out: how well it predicts steps and constructions; None where the runs were all on
            as many ranks.
    """

    ranks: list[int]
    costs: dict[str, dict[str, float]]
    corrections: dict[int, dict[str, float]] = {}
    construction: dict[str, dict[str, float]]
    left_out: LeftOut | None = None
    construction_left_out: LeftOut | None = None

    def predict(self, work: NetworkWork, n_ranks: int) -> Prediction:
        """Time of a step of a network on so many ranks, and of its construction.

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
        found = self.corrections.get(n_ranks, {})
        phases, longest = (
            {phase: found.get(phase, 1.0) * seconds for phase, seconds in self.expected_s(of).items()}
            for of in (mean, largest)
        )
        work_s, longest_s = math.fsum(phases.values()), math.fsum(longest.values())
        transfer = self.costs["transfer"]["message"] * _message_s(self.costs["message"], work, n_ranks)
        wait = total(self.costs["exchange_wait"], waiting(n_ranks, work_s, longest_s))
        phases |= {"exchange_transfer": transfer, "exchange_wait": wait}
        return Prediction(ranks=n_ranks, phases_s=phases, parts_s=construction_of(self.construction, work, n_ranks))

    def expected_s(self, work: RankWork) -> dict[str, float]:
        """Seconds of each phase of a rank's own work, by its costs alone."""
        return {phase: total(self.costs[phase], _amounts(phase, work)) for phase in TERMS}


def fitted(runs: Sequence[MeasuredRun], tried: Sequence[DryRow] = ()) -> CostModel:
    """The model of some runs, of one network or of several, with its error on the most ranks that there were.

    Args:
        runs: on some numbers of ranks.
        tried: dry runs, which say what ranks do by themselves; they stay where runs are left out.

    Raises:
        ConfigurationError: no run.
    """
    if not runs:
        raise ConfigurationError("cost model: there is no run that it could be fitted to")
    pings = [(run.work, one) for run in runs for one in run.ping]
    tried = at_the_studys_pace(tried, runs)
    model, most = _fitted(runs, pings, tried), max(run.ranks for run in runs)
    fewer, at_most = [run for run in runs if run.ranks < most], [run for run in runs if run.ranks == most]
    if not fewer:
        return model
    # Messages by themselves and dry runs are no runs, and take seconds for any number of ranks.
    without = _fitted(fewer, pings, tried)
    predicted = [without.predict(run.work, most) for run in at_most]
    steps = median(one.step_s for one in predicted), median(run.step_s for run in at_most)
    constructions = median(one.construction_s for one in predicted), median(run.construction_s() for run in at_most)
    left_out, of_construction = (
        LeftOut(ranks=most, fitted_to=without.ranks, predicted_s=predicted_s, measured_s=measured_s)
        for predicted_s, measured_s in (steps, constructions)
    )
    return model.model_copy(update={"left_out": left_out, "construction_left_out": of_construction})


def _fitted(
    runs: Sequence[MeasuredRun], pings: Sequence[tuple[NetworkWork, PingTime]], tried: Sequence[DryRow]
) -> CostModel:
    rows = [(run, one, _measured_work(run, one)) for run in runs for one in run.per_rank]
    works = [*(work for *_, work in rows), *(row.rank_work() for row in tried)]
    whole_s = [*(run.step_s for run, *_ in rows), *(row.work_s for row in tried)]
    costs: dict[str, dict[str, float]] = {}
    for phase, terms in TERMS.items():
        amounts = [list(_amounts(phase, work).values()) for work in works]
        if len(terms) == 2 and alike([work for constant, work in amounts if constant]):
            amounts = [[0.0, work] for _, work in amounts]  # then all of it is put down to the work
        seconds = [float(getattr(one.phases_s, phase)) / run.steps for run, one, _ in rows]
        costs[phase] = least_costs(terms, amounts, seconds + [row.phase_s(phase) for row in tried], whole_s)
    together = [run for run in runs if run.ranks > 1]
    costs["message"] = _message_costs(pings)
    expected = [_message_s(costs["message"], run.work, run.ranks) for run in together]
    taken = [run.phase_s("exchange_transfer") for run in together]
    if any(expected):
        costs["transfer"] = least_costs(
            ("message",), [[one] for one in expected], taken, [run.step_s for run in together]
        )
    else:
        costs["transfer"] = {"message": 1.0}  # of messages there is the ping alone, or nothing
    costs["exchange_wait"] = waiting_costs(runs)
    construction = construction_costs([*(one for run in runs for one in built(run)), *(row.built() for row in tried)])
    model = CostModel(ranks=sorted({run.ranks for run in runs}), costs=costs, construction=construction)
    found = corrections(tried, [model.expected_s(row.rank_work()) for row in tried])
    return model.model_copy(update={"corrections": found})


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
    costs = least_costs(_MESSAGE, amounts, seconds, seconds)
    empty = [(_latencies(work, one.ranks), one.seconds) for work, one in pings if one.kind == "exchange"]
    if empty:  # as the runs themselves exchange, in whatever memory: what a call of MPI takes says nothing of it
        whole_s = [one for _, one in empty]
        costs["latency"] = least_costs(("latency",), [[one] for one, _ in empty], whole_s, whole_s)["latency"]
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
