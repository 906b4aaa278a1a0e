"""What dry runs say to a model of costs: what a rank of very many takes for its own work, on a machine as busy as a run
would have it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean, median

from pydantic import BaseModel, ConfigDict, Field

from hpcsnn.planning.costs.construction import Built, known_neurons
from hpcsnn.planning.measured import WORK, Construction, MeasuredRun
from hpcsnn.planning.network_work import NetworkWork, RankWork, rank_work

OWN = (*WORK, "exchange_accept")


class DryRow(BaseModel):
    """A dry run, as far as a model is fitted to it; a line of a study's ``dry_runs.jsonl``.

    Attributes:
        ranks, rank, seed: of how many, which one, of which network.
        at_a_time: how many were made at once on this machine.
        work: of the network in a step.
        neurons, synapses: that the rank keeps.
        cpu_us_per_step: processor time of a step.
        phases_us_per_step: wall microseconds of a step by phase.
        construction_s: of what comes before the first step.
        cpu: the processor's name.
        digest_of_inputs: of all that decides what the rank does.
    """

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    ranks: int = Field(ge=1)
    rank: int = Field(ge=0)
    seed: int
    at_a_time: int = Field(ge=1)
    work: NetworkWork
    neurons: int = Field(ge=1)
    synapses: int = Field(ge=0)
    cpu_us_per_step: float = Field(gt=0)
    phases_us_per_step: dict[str, float]
    construction_s: Construction
    memory_bytes: int = Field(ge=0)
    cpu: str
    digest_of_inputs: str

    def phase_s(self, phase: str) -> float:
        """Seconds of a phase in a step: of the wall's, the part that the processor was this rank's, as nobody is waited
        for."""
        wall_us = sum(self.phases_us_per_step.values())
        part = min(self.cpu_us_per_step / wall_us, 1.0) if wall_us > 0 else 1.0
        return 1e-6 * part * self.phases_us_per_step.get(phase, 0.0)

    @property
    def work_s(self) -> float:
        """Seconds of a step for all that the rank does itself."""
        return sum(self.phase_s(phase) for phase in OWN)

    @property
    def share(self) -> float:
        """The part of the network's neurons that the rank has."""
        return self.neurons / self.work.neurons

    def rank_work(self) -> RankWork:
        """What the rank has to do in a step."""
        of_synapses = self.synapses / self.work.synapses if self.work.synapses else self.share
        return rank_work(self.work, self.ranks, self.share, neurons=self.neurons, synapses=of_synapses)

    def built(self) -> Built:
        """Its construction, in which it spoke with nobody."""
        known = known_neurons(self.work, self.ranks, self.share)
        return Built(1, self.neurons + known, self.synapses, self.construction_s)

    def slowed(self, steps: float, construction: float) -> DryRow:
        """The same on a machine that takes so many times as long for steps, and to construct."""
        phases = {phase: steps * us for phase, us in self.phases_us_per_step.items()}
        parts = {part: construction * seconds for part, seconds in self.construction_s.model_dump().items()}
        return self.model_copy(
            update={
                "cpu_us_per_step": steps * self.cpu_us_per_step,
                "phases_us_per_step": phases,
                "construction_s": Construction.model_validate(parts),
            }
        )


class Pace(BaseModel):
    """How many times as long as its runs' a study's machine took when dry runs were made: for steps, and to construct.

    A dry run of one rank alone is a run of one rank: where there are both, what they took for their own work differs by
    nothing but the machine.
    """

    steps: float = Field(gt=0)
    construction: float = Field(gt=0)


def pace(rows: Sequence[DryRow], runs: Sequence[MeasuredRun]) -> Pace | None:
    """The pace of dry runs beside a study's runs; None: nothing tells."""
    yardsticks = [row for row in rows if row.ranks == 1 and row.at_a_time == 1]
    alone = [run for run in runs if run.ranks == 1]
    if not yardsticks or not alone:
        return None
    steps = median(row.work_s for row in yardsticks), median(run.per_rank[0].phases_s.work / run.steps for run in alone)
    built = median(row.construction_s.whole for row in yardsticks), median(run.construction_s() for run in alone)
    if min(*steps, *built) <= 0.0:
        return None
    return Pace(steps=steps[0] / steps[1], construction=built[0] / built[1])


def at_the_studys_pace(rows: Sequence[DryRow], runs: Sequence[MeasuredRun]) -> list[DryRow]:
    """Dry runs of several ranks as they would have been when the study was made."""
    of = pace(rows, runs) or Pace(steps=1.0, construction=1.0)
    return [row.slowed(1.0 / of.steps, 1.0 / of.construction) for row in rows if row.ranks > 1]


def corrections(rows: Sequence[DryRow], expected_s: Sequence[Mapping[str, float]]) -> dict[int, dict[str, float]]:
    """By number of ranks and phase: how many times as long a rank of so many took as a model expected of each row."""
    found: dict[int, dict[str, float]] = {}
    for ranks in sorted({row.ranks for row in rows}):
        of = [(row, said) for row, said in zip(rows, expected_s, strict=True) if row.ranks == ranks]
        found[ranks] = {
            phase: fmean(row.phase_s(phase) for row, _ in of) / whole
            for phase in OWN
            if (whole := fmean(said[phase] for _, said in of)) > 0.0
        }
    return found
