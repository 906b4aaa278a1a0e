"""A study by numbers of ranks: medians and ranges over its runs, how well it scales, and what is predicted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from statistics import median

from hpcsnn.jobs.studies.results import StudyRun
from hpcsnn.planning.cost_model import CostModel, Prediction
from hpcsnn.planning.costs.construction import PARTS
from hpcsnn.planning.network_work import NetworkWork

# What tables and figures show of phases: some together.
GROUPS: dict[str, tuple[str, ...]] = {
    "neurons": ("neurons",),
    "delivery": ("delivery",),
    "plasticity": ("plasticity",),
    "rewiring": ("rewiring",),
    "messages": ("exchange_transfer", "exchange_accept"),
    "waiting": ("exchange_wait",),
    "other": ("host", "recording"),
}


@dataclass(frozen=True)
class Spread:
    """Median, smallest and largest over runs."""

    median: float
    low: float
    high: float

    @classmethod
    def over(cls, runs: Sequence[StudyRun], value: Callable[[StudyRun], float]) -> Spread:
        """Of a value of each run."""
        values = [value(run) for run in runs]
        return cls(median(values), min(values), max(values))


@dataclass(frozen=True)
class Point:
    """One number of ranks. Times in s; of a point that is ``predicted`` there is no memory or imbalance.

    Attributes:
        real_time_factor: seconds of propagation for a second of model time.
        groups: the real-time factor by `GROUPS`, in the mean over ranks.
        efficiency: of strong scaling what ranks do beside as many of the fewest ranks', of weak scaling the time on the
            fewest ranks beside this one.
        memory_bytes: of the rank with most.
        dry_runs: whether a prediction rests on dry runs of as many ranks.
        parts_s: of a construction on the slowest rank, the parts of `Construction`.
        phases_s: of a step that is predicted, all of them; empty where runs have them.
    """

    ranks: int
    n_runs: int
    neurons: int
    synapses: float
    real_time_factor: Spread
    step_s: float
    groups: dict[str, float]
    efficiency: float
    nodes: int | None = None
    construction_s: Spread | None = None
    propagation_s: Spread | None = None
    imbalance: Spread | None = None
    memory_bytes: int | None = None
    dry_runs: bool = False
    parts_s: dict[str, float] = field(default_factory=dict)
    phases_s: dict[str, float] = field(default_factory=dict)

    @property
    def predicted(self) -> bool:
        """Whether nothing of it was measured."""
        return self.n_runs == 0


def points_of(runs: Sequence[StudyRun]) -> list[Point]:
    """What was measured, by ascending numbers of ranks."""
    by_ranks = {ranks: [run for run in runs if run.ranks == ranks] for ranks in sorted({run.ranks for run in runs})}
    points: list[Point] = []
    for ranks, some in by_ranks.items():
        factor = Spread.over(some, lambda run: run.real_time_factor)
        first = points[0] if points else None
        points.append(
            Point(
                ranks=ranks,
                n_runs=len(some),
                neurons=some[0].work.neurons,
                synapses=median(run.synapses for run in some),
                real_time_factor=factor,
                step_s=median(run.step_s for run in some),
                groups={
                    name: median(run.real_time_factor * run.share_of(*phases) for run in some)
                    for name, phases in GROUPS.items()
                },
                efficiency=_efficiency(some[0].kind, first, ranks, factor.median),
                nodes=some[0].nodes,
                construction_s=Spread.over(some, lambda run: run.construction_s()),
                propagation_s=Spread.over(some, lambda run: run.propagation_s),
                imbalance=Spread.over(some, lambda run: run.imbalance),
                parts_s={part: median(run.construction_s(part) for run in some) for part in PARTS},
                memory_bytes=round(median(max(one.memory_bytes for one in run.per_rank) for run in some)),
            )
        )
    return points


def predicted_points(runs: Sequence[StudyRun], model: CostModel, ranks: Sequence[int]) -> list[Point]:
    """What the model says of numbers of ranks, measured ones or not, of the study's network.

    Raises:
        ConfigurationError: more ranks than the network has tiles.
    """
    first = points_of(runs)[0]
    found = [_predicted(runs[0], model.predict(work_at(runs, n), n), work_at(runs, n), first) for n in ranks]
    return [replace(point, dry_runs=point.ranks in model.corrections) for point in found]


def work_at(runs: Sequence[StudyRun], ranks: int) -> NetworkWork:
    """The work of the study's network on so many ranks; that of weak scaling grows."""
    largest = max(runs, key=lambda run: run.ranks)
    return largest.work.grown(ranks / largest.ranks) if largest.kind == "weak" else largest.work


def _predicted(run: StudyRun, prediction: Prediction, work: NetworkWork, first: Point) -> Point:
    model_s = run.dt_ms * 1e-3
    factor, built_s = prediction.step_s / model_s, prediction.construction_s
    return Point(
        ranks=prediction.ranks,
        n_runs=0,
        neurons=work.neurons,
        synapses=work.synapses,
        real_time_factor=Spread(factor, factor, factor),
        step_s=prediction.step_s,
        groups={
            name: sum(prediction.phases_s.get(phase, 0.0) for phase in phases) / model_s
            for name, phases in GROUPS.items()
        },
        efficiency=_efficiency(run.kind, first, prediction.ranks, factor),
        construction_s=Spread(built_s, built_s, built_s),
        propagation_s=Spread(*[prediction.step_s * run.steps] * 3),
        parts_s=prediction.parts_s,
        phases_s=prediction.phases_s,
    )


def _efficiency(kind: str, first: Point | None, ranks: int, factor: float) -> float:
    """Beside the fewest ranks; 1 where times are too short to be told."""
    if first is None or factor <= 0:
        return 1.0
    ideal = first.real_time_factor.median * (first.ranks / ranks if kind == "strong" else 1.0)
    return ideal / factor
