"""What the runs of a study came to: ``results.jsonl``, a line a run, which is all that a report needs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from hpcsnn.atomic_files import refuse_link, replace_file
from hpcsnn.errors import SimulationError, StorageError
from hpcsnn.jobs.job_files import JobFiles
from hpcsnn.jobs.run_index import read_run
from hpcsnn.jobs.studies.study import Member, Study
from hpcsnn.planning.measured import MeasuredRun, measured_ranks

_RESULTS = "results.jsonl"

Row = TypeVar("Row", bound=BaseModel)


class StudyRun(MeasuredRun):
    """One finished run of a study; times in s, of the run and not of a step where they do not say so.

    ``run`` is its directory's name, ``rates_hz`` are by population, ``machine`` says where it ran; ``restarts`` how
    often it began anew.
    """

    run: str
    kind: str
    config: str
    seed: int
    nodes: int
    dt_ms: float
    model_s: float
    digest: str
    sides: dict[str, tuple[int, int]]
    rates_hz: dict[str, float]
    synapses: int
    wall_s: float
    imbalance: float
    machine: dict[str, Any]
    launch: str = ""
    restarts: int = 0

    @property
    def propagation_s(self) -> float:
        """From the first step to the last, of the slowest rank."""
        return max(one.propagation_s for one in self.per_rank)

    @property
    def real_time_factor(self) -> float:
        """Seconds of propagation for a second of model time."""
        return self.propagation_s / self.model_s

    def share_of(self, *phases: str) -> float:
        """The part of all phases that some take, in the mean over ranks."""
        whole = sum(sum(vars(one.phases_s).values()) for one in self.per_rank)
        some = sum(float(getattr(one.phases_s, phase)) for one in self.per_rank for phase in phases)
        return some / whole if whole > 0 else 0.0


def gathered(study: Study, keep: bool = True) -> list[StudyRun]:
    """Every finished run of a study, in the order of ranks and seeds; those whose directories have gone as the file has
    them, which then has them all.

    Args:
        keep: write those that are new into the file.

    Raises:
        StorageError: a summary or line that cannot be read, or that says nothing of ranks.
        SimulationError: runs of one network and seed differ in their digests.
    """
    path = study.folder / _RESULTS
    runs = {one.run: one for one in read_results(path)} if path.is_file() else {}
    before = dict(runs)
    for member in study.members():
        found = _row(study, member)
        if found is not None:
            runs[found.run] = found
    ordered = sorted(runs.values(), key=lambda one: (one.ranks, one.seed))
    if keep and runs != before:
        refuse_link(study.folder)
        replace_file(path, "".join(one.model_dump_json() + "\n" for one in ordered))
    check_digests(ordered)
    return ordered


def read_results(path: Path) -> list[StudyRun]:
    """The runs that a ``results.jsonl`` has.

    Raises:
        StorageError: no file, or a line that is no run.
    """
    return read_rows(path, StudyRun)


def read_rows(path: Path, kind: type[Row]) -> list[Row]:
    """What the lines of a file are, each of a kind.

    Raises:
        StorageError: no file, or a line that is none; says which.
    """
    try:
        lines = path.read_text().splitlines()
    except OSError as error:
        raise StorageError(f"{path}: cannot be read: {error.strerror}") from None
    rows = []
    for number, line in enumerate(lines, 1):
        try:
            rows.append(kind.model_validate_json(line))
        except ValidationError as error:
            problem = error.errors()[0]
            where = ".".join(map(str, problem["loc"]))
            raise StorageError(f"{path}: line {number} cannot be read: {where}: {problem['msg']}") from None
    return rows


def check_digests(runs: Iterable[StudyRun]) -> None:
    """See that a network and seed have one answer on all numbers of ranks.

    Raises:
        SimulationError: they have several; names the runs.
    """
    answers: dict[tuple[str, int], dict[str, StudyRun]] = {}
    for run in runs:
        network = json.dumps([run.kind, run.sides, run.model_s])
        seen = answers.setdefault((network, run.seed), {})
        seen.setdefault(run.digest, run)
        if len(seen) > 1:
            one, other = seen.values()
            raise SimulationError(
                f"{one.run} and {other.run} are one network with one seed, and their digests differ: "
                f"{one.digest[:16]}… and {other.digest[:16]}…; no time of this study means anything"
            )


def _row(study: Study, member: Member) -> StudyRun | None:
    """A run as its directory has it; None: it is not finished, or not there."""
    entry = read_run(member.path)
    if not entry.summary.get("completed"):
        return None
    summary, shape = entry.summary, study.file.shapes[member.ranks]
    where = f"{member.path}"
    per_rank = measured_ranks(summary, where)
    if len(per_rank) != member.ranks:
        raise StorageError(f"{where}: was to run on {member.ranks} ranks, and ran on {len(per_rank)}")
    plan = JobFiles(member.path).plan() if entry.plan is not None else None
    try:
        rates_hz = {name: float(of["rate_hz"]) for name, of in summary["populations"].items()}
        synapses = {name: int(of["synapses"]) for name, of in summary["projections"].items()}
        busy = [one.phases_s.work for one in per_rank]
        return StudyRun.model_validate(
            {
                "run": member.path.name,
                "kind": study.file.kind,
                "config": study.file.config,
                "ranks": member.ranks,
                "seed": member.seed,
                "nodes": plan.nodes if plan else 1,
                "steps": summary["steps"],
                "dt_ms": shape.dt_ms,
                "model_s": summary["model_s"],
                "digest": summary["digest"],
                "sides": shape.sides,
                "rates_hz": rates_hz,
                "synapses": sum(synapses.values()),
                "wall_s": summary["wall_s"],
                "imbalance": summary.get("imbalance") or max(busy) / max(sum(busy) / len(busy), 1e-12),
                "machine": summary.get("machine", {}),
                "launch": plan.launch if plan and member.ranks > 1 else "",
                "restarts": entry.status.restarts if entry.status else 0,
                "work": shape.work(rates_hz, synapses),
                "per_rank": per_rank,
                "ping": summary.get("ping", []),
            }
        )
    except (KeyError, TypeError, ValueError) as error:
        raise StorageError(f"{where}: its summary cannot be read: {' '.join(str(error).split())}") from None
