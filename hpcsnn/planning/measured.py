"""What ranks and messages of a run took, as its ``summary.json`` says it: the one place where this is read."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hpcsnn.errors import StorageError, shown
from hpcsnn.planning.network_work import NetworkWork

# Of `RankMeasured.phases_s`: what is a rank's own work, and what is between ranks.
WORK = ("neurons", "delivery", "plasticity", "rewiring", "recording", "host")
EXCHANGE = ("exchange_accept", "exchange_transfer", "exchange_wait")
PHASES = (*WORK, *EXCHANGE)

_Seconds = float


class _Read(BaseModel):
    """More may be there than is read here: later versions say more."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)


class Construction(_Read):
    """Seconds of the parts of a start: placing populations, arrays and state, synapses, kernels."""

    place: _Seconds = Field(ge=0)
    create: _Seconds = Field(ge=0)
    connect: _Seconds = Field(ge=0)
    compile: _Seconds = Field(ge=0)

    @property
    def whole(self) -> float:
        """All of it, in s."""
        return self.place + self.create + self.connect + self.compile


class Phases(_Read):
    """Seconds of the phases of propagation."""

    neurons: _Seconds = Field(ge=0)
    delivery: _Seconds = Field(ge=0)
    plasticity: _Seconds = Field(ge=0)
    rewiring: _Seconds = Field(ge=0)
    recording: _Seconds = Field(ge=0)
    exchange_wait: _Seconds = Field(ge=0)
    exchange_transfer: _Seconds = Field(ge=0)
    exchange_accept: _Seconds = Field(ge=0)
    host: _Seconds = Field(ge=0)

    @property
    def work(self) -> float:
        """What the rank is busy with, whoever waits: all but waiting and transfer."""
        return sum(float(getattr(self, name)) for name in WORK) + self.exchange_accept


class Cycles(_Read):
    """A histogram of how long steps took, in microseconds; one edge more than counts."""

    edges: list[float]
    counts: list[int]

    @model_validator(mode="after")
    def _fit(self) -> Cycles:
        if (
            len(self.edges) != len(self.counts) + 1
            or self.edges != sorted(self.edges)
            or min(self.counts, default=0) < 0
        ):
            raise ValueError("must be rising edges, and a count from 0 on between two of them")
        return self


class Sent(_Read):
    """What a rank sent in the whole run."""

    messages: int = Field(ge=0)
    bytes: int = Field(ge=0)
    spikes: int = Field(ge=0)


class RankMeasured(_Read):
    """One rank of a run; times in s, memory in bytes."""

    rank: int = Field(ge=0)
    host: str
    device: str
    neurons: int = Field(ge=0)
    known_sources: int = Field(ge=0)
    synapses: int = Field(ge=0)
    construction_s: Construction
    propagation_s: _Seconds = Field(ge=0)
    phases_s: Phases
    cycle_us: Cycles
    sent: Sent
    exchange_rounds: int = Field(ge=0)
    memory_bytes: int = Field(ge=0)


class PingTime(_Read):
    """Median seconds of one exchange of blocks of ``bytes``; see `hpcsnn.ranks.ping`.

    Of kind ``exchange``: of one of no spikes, as the run itself makes them, through MPI or memory of the node.
    """

    kind: Literal["allgather", "shift", "exchange"]
    ranks: int = Field(ge=2)
    bytes: int = Field(ge=0)
    seconds: _Seconds = Field(gt=0)


class MeasuredRun(BaseModel):
    """What a model of costs is fitted to: a run on so many ranks, the network's work, and what each rank took."""

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

    def construction_s(self, part: str = "whole") -> float:
        """Of the slowest rank: a part of the start, or all of it."""
        return max(float(getattr(one.construction_s, part)) for one in self.per_rank)


class _OfRanks(_Read):
    per_rank: list[RankMeasured] = Field(min_length=1)


def measured_ranks(summary: Mapping[str, Any], where: object) -> list[RankMeasured]:
    """What each rank of a run took, in the order of ranks.

    Args:
        summary: as read.
        where: the run, for messages.

    Raises:
        StorageError: the summary says nothing of ranks, as those of older versions do, or what no version says.
    """
    if "per_rank" not in summary:
        raise StorageError(
            f"{where}: its summary says nothing of each rank (per_rank), as those of earlier versions; run it again"
        )
    try:
        ranks = _OfRanks.model_validate({"per_rank": summary["per_rank"]}).per_rank
    except ValidationError as error:
        problem = error.errors()[0]
        place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in problem["loc"]).lstrip(".")
        raise StorageError(
            f"{where}: its summary cannot be read: {place}: {shown(problem['input'])}: {problem['msg']}"
        ) from None
    return sorted(ranks, key=lambda one: one.rank)
