"""What ``hpcsnn scale`` does: the runs of a study one after the other here, or as job arrays; and its report."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.status import Status

from hpcsnn.cli.common import Asked, say_json
from hpcsnn.cli.job_actions import launch_setting
from hpcsnn.configuration.schema import Configuration
from hpcsnn.configuration.times import parse_time_ms
from hpcsnn.errors import ConfigurationError, SimulationError
from hpcsnn.jobs.executors import Cluster, check_cluster, check_reachable, make_plan, prepare, submit
from hpcsnn.jobs.job_files import JobFiles
from hpcsnn.jobs.run_index import RunEntry, look_up, read_run
from hpcsnn.jobs.studies.dry_runs import made, read_dry_runs, wanted_dry_runs, write_dry_runs
from hpcsnn.jobs.studies.report import Report, facts_of, written
from hpcsnn.jobs.studies.results import StudyRun, gathered
from hpcsnn.jobs.studies.study import Kind, Member, Plan, Study, parse_numbers, planned, read_study, usual_folder
from hpcsnn.planning.site_profiles import load_profile
from hpcsnn.runs.progress import clock
from hpcsnn.terminal import terminal

if TYPE_CHECKING:
    from hpcsnn.cli.scale_commands import StudyAsked

# How often a run is looked at, in s: seldom, since it is being measured.
_LOOK_EVERY_S = 0.5
_ASK_EVERY = 60


def make_study(wanted: StudyAsked, per_rank: int | None, asked: Asked, trust: bool, as_json: bool) -> None:
    """Carry out what is missing of a study, or submit it, and report; one of weak scaling has neurons `per_rank`."""
    kind: Kind = "strong" if per_rank is None else "weak"
    folder = wanted.out or usual_folder(wanted.config, kind)
    plan = planned(
        folder,
        kind,
        wanted.config,
        wanted.overrides,
        ranks=parse_numbers("--ranks", wanted.ranks),
        n_seeds=wanted.seeds,
        duration_ms=parse_time_ms("--duration", wanted.duration),
        per_rank=per_rank,
        device=asked.device,
        trust=trust,
    )
    console = terminal(stderr=as_json, highlight=False, soft_wrap=True)
    launch = _Launch(asked, wanted.ranks_per_node)
    for ranks in {ranks for ranks, _ in plan.configurations}:  # what cannot be carried out leaves no folder
        launch.setting(_of(plan, ranks), ranks)
    check_reachable(launch.cluster)
    study = plan.study.write()
    for one in plan.grown:
        sides = ", ".join(f"{name} {' x '.join(map(str, of))}" for name, of in one.sides.items())
        console.print(f"{one.ranks} rank{'s' if one.ranks > 1 else ''}: {sides}; {one.neurons_a_rank:,.0f} a rank")
    if launch.cluster == "slurm":
        told = _submitted(study, plan, launch, console)
        if as_json:
            say_json(told)
        return
    _warn_of_few_cores(max(ranks for ranks, _ in plan.configurations), console)
    _carried_out(study, plan, launch, console)
    report_study(folder, None, as_json)


def report_study(folder: Path, predict: str | None, as_json: bool) -> None:
    """Write the report of what there is, and show it."""
    ranks = [] if predict is None else parse_numbers("--predict", predict)
    study = read_study(folder)
    runs = gathered(study)
    report = Report.of(study, runs, ranks, read_dry_runs(study))
    paths = written(report, folder) if runs else []
    if as_json:
        say_json({**facts_of(report), "files": [str(path) for path in paths]})
        return
    from hpcsnn.cli.tables.of_studies import print_report

    print_report(report, paths, terminal())


def make_dry_runs(
    folder: Path, ranks: str, times: tuple[str, str], at_a_time: int | None, trust: bool, as_json: bool
) -> None:
    """Make dry runs of a study's networks, and keep them beside it; `times` are of warm-up and of what is measured."""
    for where, text in zip(("--warm-up", "--duration"), times, strict=True):
        parse_time_ms(where, text)
    numbers = parse_numbers("--ranks", ranks)
    study = read_study(folder)
    wanted = wanted_dry_runs(study, gathered(study, keep=False), numbers, at_a_time, trust)
    console = terminal(stderr=as_json, highlight=False, soft_wrap=True)
    rows = []
    for number, one in enumerate(wanted):
        which = f"a rank of {one.ranks:,}, seed {one.seed}, {one.at_a_time} at a time"
        with console.status(f"{which}, {number + 1} of {len(wanted)}"):
            found = made(study, one, *times, trust)
        rows += found
        steps_us = ", ".join(f"{1e6 * row.work_s:.3g}" for row in found)
        console.print(f"{which}: {steps_us} µs a step for what it does itself")
    path = write_dry_runs(study, rows)
    if as_json:
        say_json([row.model_dump() for row in rows])
        return
    console.print(str(path))


@dataclass(frozen=True)
class _Launch:
    """How the runs of a study are launched."""

    asked: Asked
    ranks_per_node: int | None

    @property
    def cluster(self) -> Cluster:
        return check_cluster(self.asked.cluster or "local")

    def setting(self, configuration: Configuration, ranks: int) -> Any:
        """Cluster, profile and request of a run on so many ranks."""
        a_node = self.ranks_per_node or load_profile(self.asked.profile).ranks_per_node or ranks
        if ranks > a_node and ranks % a_node:
            raise ConfigurationError(
                f"--ranks: {ranks} is not allowed with {a_node} ranks a node; must be a multiple, or fewer"
            )
        nodes = max(1, ranks // a_node)
        asked = replace(self.asked, cluster=self.cluster, nodes=nodes, ranks=ranks)
        cluster, profile, request = launch_setting(configuration, asked)
        if cluster == "slurm":  # a measured run has its nodes for itself
            profile = profile.model_copy(update={"sbatch": {"exclusive": True, **profile.sbatch}})
        return cluster, profile, request

    def prepared(self, member: Member, configuration: Configuration, logs: Path) -> Any:
        """Write what the job of a run reads; cluster, profile and request."""
        cluster, profile, request = self.setting(configuration, member.ranks)
        of_ranks = {"max_restarts": self.asked.max_restarts, "figures": False, "measured": True}
        plan = make_plan(cluster, request, profile, logs, device=self.asked.device, **of_ranks)
        prepare(member.path, configuration, plan)
        return cluster, profile, request


def _of(plan: Plan, ranks: int) -> Configuration:
    return next(one for (n, _), one in plan.configurations.items() if n == ranks)


def _warn_of_few_cores(ranks: int, console: Console) -> None:
    cores = len(os.sched_getaffinity(0))
    if ranks > cores:
        console.print(
            f"warning: {ranks} ranks share {cores} core{'s' if cores > 1 else ''} here: what they take says nothing of "
            "as many cores",
            style="yellow",
        )


# -- on this machine ---------------------------------------------------------------------------------------------------


def _carried_out(study: Study, plan: Plan, launch: _Launch, console: Console) -> None:
    """One run after the other, in fresh processes; what is under way already is waited for."""
    finished = {run.run for run in gathered(study)}
    wanted = [one for one in study.members() if (one.ranks, one.seed) in plan.configurations]
    missing = [one for one in wanted if one.path.name not in finished]
    console.print(f"{study.folder}: {len(wanted)} runs, {len(wanted) - len(missing)} finished")
    started = time.monotonic()
    for number, member in enumerate(missing):
        which = f"{member.path.name}, {number + 1} of {len(missing)}"
        with console.status(which) as status:
            show = partial(_show, status, which)
            entry = _ended(member, plan, launch, study.folder / "job" / "logs", show)
        if not entry.summary.get("completed"):
            reason = entry.status.reason if entry.status else ""
            raise SimulationError(f"{member.path}: {entry.state}: {reason or 'it has not ended'}")
        run = next(one for one in gathered(study) if one.run == member.path.name)
        left_s = (time.monotonic() - started) / (number + 1) * (len(missing) - number - 1)
        console.print(_line(run) + (f"  ({clock(left_s)} left)" if left_s else ""))


def _line(run: StudyRun) -> str:
    step_us = run.step_s * 1e6
    return f"{run.run}: {run.real_time_factor:.3g} s a model second, {step_us:.3g} µs a step, digest {run.digest[:16]}…"


def _show(status: Status, which: str, entry: RunEntry) -> None:
    """Let a terminal show how a run goes."""
    now = entry.progress
    where = f"{now['model_s']:.2f} of {now['end_s']:g} s, {now['speed']:.3g} x real time" if now else entry.state
    status.update(f"{which}: {where}")


def _ended(member: Member, plan: Plan, launch: _Launch, logs: Path, show: Callable[[RunEntry], None]) -> RunEntry:
    """Have a run carried out by a job, unless one is at it; how it then stands. An interrupt ends it first."""
    if look_up(member.path).to_submit:
        configuration = plan.configurations[member.ranks, member.seed]
        cluster, profile, request = launch.prepared(member, configuration, logs.resolve())
        submit(cluster, [member.path], request, profile, logs.resolve(), name=member.path.name)
    try:
        return _awaited(member, show)
    except KeyboardInterrupt:
        JobFiles(member.path).request_cancel()
        _awaited(member, show)
        raise


def _awaited(member: Member, show: Callable[[RunEntry], None]) -> RunEntry:
    looks = 0
    while True:
        entry = look_up(member.path) if looks % _ASK_EVERY == 0 else read_run(member.path)
        over = entry.status is None or entry.status.state.over or entry.state == "lost"
        if over:
            return entry
        show(entry)
        looks += 1
        time.sleep(_LOOK_EVERY_S)


# -- on Slurm ----------------------------------------------------------------------------------------------------------


def _submitted(study: Study, plan: Plan, launch: _Launch, console: Console) -> list[dict[str, Any]]:
    """An array for each number of ranks of what is neither finished nor under way."""
    finished = {run.run for run in gathered(study)}
    wanted = [one for one in study.members() if (one.ranks, one.seed) in plan.configurations]
    missing = [one for one in wanted if one.path.name not in finished and look_up(one.path).to_submit]
    console.print(f"{study.folder}: {len(wanted)} runs, {len(wanted) - len(missing)} finished or under way")
    told = []
    logs = (study.folder / "job" / "logs").resolve()
    for ranks in sorted({one.ranks for one in missing}):
        members = [one for one in missing if one.ranks == ranks]
        told += _array(members, plan, launch, logs, f"{study.folder.name}-{ranks}")
        job = told[-1]["job_id"].partition("_")[0]
        console.print(f"{job}  {ranks} rank{'s' if ranks > 1 else ''}: {len(members)} runs as one array")
    if missing:
        console.print(
            f"hpcsnn jobs {study.folder} shows how they stand, hpcsnn scale report {study.folder} the results"
        )
    return told


def _array(members: Sequence[Member], plan: Plan, launch: _Launch, logs: Path, name: str) -> list[dict[str, Any]]:
    setting = None
    for member in members:
        setting = launch.prepared(member, plan.configurations[member.ranks, member.seed], logs)
    assert setting is not None
    cluster, profile, request = setting
    ids = submit(cluster, [one.path for one in members], request, profile, logs, name=name)
    return [{"job_id": job, "run": str(one.path)} for job, one in zip(ids, members, strict=True)]
