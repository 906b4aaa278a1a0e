"""Dry runs of a study's networks: ``dry_runs.jsonl``, a line each, so that predictions rest on what a rank of so many
took."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from hpcsnn.atomic_files import refuse_link, replace_file
from hpcsnn.devices.processors import processor
from hpcsnn.errors import ConfigurationError, SimulationError
from hpcsnn.jobs.studies.points import work_at
from hpcsnn.jobs.studies.results import StudyRun, read_rows
from hpcsnn.jobs.studies.study import Study, planned
from hpcsnn.planning.costs.dry_rows import DryRow
from hpcsnn.planning.network_work import NetworkWork

_ROWS = "dry_runs.jsonl"


@dataclass(frozen=True)
class WantedDryRun:
    """Dry runs of the busiest rank of so many, `at_a_time` of them at once; `settings` make the study's configuration
    that of the network; ``rates_hz`` are those of the study's runs, where all ranks send to all."""

    ranks: int
    seed: int
    at_a_time: int
    settings: tuple[str, ...]
    work: NetworkWork
    rates_hz: dict[str, float] | None


def read_dry_runs(study: Study) -> list[DryRow]:
    """The dry runs of a study; none where nobody made any.

    Raises:
        StorageError: a line that is none.
    """
    path = study.folder / _ROWS
    return read_rows(path, DryRow) if path.is_file() else []


def write_dry_runs(study: Study, rows: Sequence[DryRow]) -> Path:
    """Keep dry runs in place of those that were there: the machine's pace is that of their time alone."""
    refuse_link(study.folder)
    path = study.folder / _ROWS
    replace_file(path, "".join(row.model_dump_json() + "\n" for row in rows))
    return path


def wanted_dry_runs(
    study: Study, runs: Sequence[StudyRun], ranks: Sequence[int], at_a_time: int | None, trust: bool
) -> list[WantedDryRun]:
    """The dry runs for numbers of ranks: of each seed of the study, and where it has runs of one rank, of one alone.

    Args:
        study, runs: the study and its finished runs.
        ranks: numbers of ranks.
        at_a_time: dry runs at once; None: as many as ranks shared a node where the study has most.
        trust: whether code that the configuration names may run.

    Raises:
        ConfigurationError: no finished run, runs on GPUs or another processor, or a rank that cannot be by itself.
        StorageError: the configuration is no longer the study's.
    """
    from hpcsnn.planning.dry_run import check_dry_run  # a report, which reads rows alone, needs no engine

    _check_machine(study, runs)
    together = at_a_time or _ranks_of_a_node(runs)
    cores = len(os.sched_getaffinity(0))
    if together > cores:
        if at_a_time is not None:
            raise ConfigurationError(f"--at-a-time: {at_a_time} is not allowed; must be at most the {cores} cores here")
        together = cores
    file = study.file
    alone = [1] if any(run.ranks == 1 for run in runs) else []
    plan = planned(
        study.folder,
        file.kind,
        file.config,
        file.overrides,
        ranks=sorted({*alone, *ranks}),
        n_seeds=1,
        duration_ms=file.duration_ms,
        per_rank=file.per_rank,
        device=file.device,
        trust=trust,
    )
    file.check_same(plan.study.file, study.folder)
    for (n, _), configuration in plan.configurations.items():
        if n > (tiles := plan.study.file.shapes[n].tiles):
            raise ConfigurationError(f"--ranks: {n} is not allowed; the largest population has {tiles} tiles")
        check_dry_run(configuration.network(), n, runs[0].rates_hz)
    grown = {one.ranks: one.overrides() for one in plan.grown}
    rates_hz = None
    if file.shapes[file.ranks[0]].exchange == "allgather":
        rates_hz = {name: median(run.rates_hz[name] for run in runs) for name in runs[0].rates_hz}
    found = []
    for seed in file.seeds:
        for n in sorted({n for n, _ in plan.configurations}):
            said = [*file.overrides, *grown.get(n, []), f"seed={seed}"]
            found.append(WantedDryRun(n, seed, min(together, n), tuple(said), work_at(runs, n), rates_hz))
    return found


def made(study: Study, wanted: WantedDryRun, warm_up: str, duration: str, trust: bool) -> list[DryRow]:
    """Make these dry runs, each in a process of its own; what they found.

    Raises:
        ConfigurationError: what `hpcsnn dry-run` refuses.
        SimulationError: one of them failed.
    """
    program = [sys.executable, "-P", "-m", "hpcsnn", "dry-run", study.file.config, "--json"]
    asked = ["--ranks", str(wanted.ranks), "--warm-up", warm_up, "--duration", duration]
    settings = [word for one in wanted.settings for word in ("--set", one)]
    command = [*program, *asked, *settings, *(["--trust"] if trust else [])]
    with tempfile.TemporaryDirectory() as folder:
        if wanted.rates_hz is not None:
            rates = {name: {"rate_hz": rate_hz} for name, rate_hz in wanted.rates_hz.items()}
            (Path(folder) / "summary.json").write_text(json.dumps({"digest": "", "populations": rates}))
            command += ["--rates", folder]
        return [_row(found, wanted) for found in _at_once(command, wanted.at_a_time)]


def _at_once(command: Sequence[str], n: int) -> list[dict[str, Any]]:
    """What a command finds, in so many processes side by side."""
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(n)]
    try:
        outcomes = [process.communicate() for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    for process, (_, complaint) in zip(processes, outcomes, strict=True):
        if process.returncode:
            said = complaint.strip().removeprefix("error: ")
            raise (ConfigurationError if process.returncode == 2 else SimulationError)(said or "dry-run: it failed")
    return [json.loads(found) for found, _ in outcomes]


def _row(found: dict[str, Any], wanted: WantedDryRun) -> DryRow:
    beside = {"seed": wanted.seed, "at_a_time": wanted.at_a_time, "work": wanted.work, "cpu": processor()}
    return DryRow.model_validate({**found, **beside})


def _ranks_of_a_node(runs: Sequence[StudyRun]) -> int:
    most = max(runs, key=lambda run: run.ranks)
    return -(-most.ranks // most.nodes)


def _check_machine(study: Study, runs: Sequence[StudyRun]) -> None:
    if not runs:
        raise ConfigurationError(f"{study.folder}: no run is finished; how often neurons spike is taken from runs")
    devices = {one.device for run in runs for one in run.per_rank}
    if any(not device.startswith("cpu") for device in devices):
        raise ConfigurationError(
            f"{study.folder}: dry runs are made on processors, and this study's runs on {', '.join(sorted(devices))}"
        )
    theirs = {str(node["cpu"]) for run in runs for node in run.machine.get("nodes", []) if "cpu" in node}
    if theirs and processor() not in theirs:
        raise ConfigurationError(
            f"{study.folder}: this machine ({processor()}) is none of the study's ({', '.join(sorted(theirs))}): what "
            "a rank takes here says nothing of there; make dry runs on one of its nodes"
        )
