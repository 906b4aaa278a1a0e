"""The report of a study: facts, tables and figure, all made of its runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hpcsnn.atomic_files import refuse_link, replace_file
from hpcsnn.jobs.studies.points import Point, points_of, predicted_points
from hpcsnn.jobs.studies.results import StudyRun
from hpcsnn.jobs.studies.study import Study
from hpcsnn.jobs.studies.tables import bennch_csv, error_of, markdown, predicted_csv, tested, tested_construction
from hpcsnn.planning.cost_model import CostModel, fitted
from hpcsnn.planning.costs.dry_rows import DryRow, pace

FIGURE = "scaling"


@dataclass(frozen=True)
class Report:
    """What there is to say of a study; ``model`` where something is predicted."""

    study: Study
    runs: list[StudyRun]
    points: list[Point]
    model: CostModel | None
    tried: list[DryRow] = field(default_factory=list)

    @classmethod
    def of(
        cls, study: Study, runs: Sequence[StudyRun], predict: Sequence[int] = (), tried: Sequence[DryRow] = ()
    ) -> Report:
        """The report of some runs, with predictions for numbers of ranks, which dry runs help to find.

        Raises:
            ConfigurationError: predictions where there is no run, or of more ranks than the network has tiles.
        """
        model = fitted(runs, tried) if predict else None
        beyond = predicted_points(runs, model, predict) if model is not None else []
        return cls(study, list(runs), [*points_of(runs), *beyond], model, list(tried))

    def heading(self) -> str:
        """What the study is of, on one line."""
        file = self.study.file
        settings = " ".join(file.overrides)
        return f"{file.kind.capitalize()} scaling of {file.config}{' ' * bool(settings)}{settings}"

    def notes(self) -> list[str]:
        """What a reader needs beside the numbers."""
        file = self.study.file
        said = [
            f"{file.duration_ms:g} ms of model time on each number of ranks, seeds {', '.join(map(str, file.seeds))}; "
            f"{len(self.runs)} of {len(list(self.study.members()))} runs are finished",
            "times are medians (smallest - largest) over seeds, of the slowest rank; efficiency is beside fewest ranks",
        ]
        if file.per_rank is not None:
            said.append(f"{file.per_rank:,} neurons of the largest population for each rank")
        if self.runs:
            said += _where(self.runs)
        if self.model is not None:
            said.append(f"predicted by a model of what work and messages cost: {tested(self.model)}")
            of_construction = tested_construction(self.model)
            said += [] if of_construction is None else [of_construction]
            said += _of_dry_runs(self.tried, self.runs)
        return [_one_line(note) for note in said]


def _of_dry_runs(tried: Sequence[DryRow], runs: Sequence[StudyRun]) -> list[str]:
    """What predictions rest on beside runs."""
    of = sorted({row.ranks for row in tried if row.ranks > 1})
    if not of:
        return []
    beside, most = pace(tried, runs), max(row.at_a_time for row in tried)
    told = "how fast the machine was then nothing tells"
    if beside is not None:
        told = (
            f"their times divided by {beside.steps:.2f} (construction {beside.construction:.2f}), as one rank alone "
            "took so many times as long as in the study"
        )
    return [f"dry runs of a rank of {', '.join(f'{n:,}' for n in of)}, {most} at a time; {told}"]


def _where(runs: Sequence[StudyRun]) -> list[str]:
    """On what the runs were made: all kinds of nodes, and how ranks were started where there were most."""
    nodes = [node for run in runs for node in run.machine.get("nodes", [])]
    kinds = dict.fromkeys(f"{node.get('cpu')}, {node.get('cores')} cores, {node.get('system')}" for node in nodes)
    of = max(runs, key=lambda run: run.ranks)
    versions = ", ".join(f"{name} {version}" for name, version in of.machine.get("versions", {}).items())
    devices = dict.fromkeys(one.device for run in runs for one in run.per_rank)
    launch = f"{of.ranks} ranks started by {of.launch or of.machine.get('launcher', 'none')}"
    return [
        f"on {'; '.join(kinds) or 'unknown machines'}; each rank on {'; '.join(devices)}",
        f"{launch}, binding: {of.machine.get('binding', 'unknown')}; {versions or 'versions unknown'}",
    ]


def _one_line(text: str) -> str:
    return " ".join(text.split())


def facts_of(report: Report) -> dict[str, Any]:
    """What ``hpcsnn scale report --json`` prints: points, runs without what each rank took, and the model."""
    return {
        "study": str(report.study.folder),
        "kind": report.study.file.kind,
        "config": report.study.file.config,
        "finished": len(report.runs),
        "runs": [run.model_dump(exclude={"per_rank", "ping", "machine"}) for run in report.runs],
        "points": [{**asdict(point), "predicted": point.predicted} for point in report.points],
        "model": None if report.model is None else report.model.model_dump(),
    }


def written(report: Report, folder: Path) -> list[Path]:
    """Write ``table.md``, ``table.csv``, ``predicted.csv`` where something is, and the figure; their paths.

    Raises:
        StorageError: the folder of figures is a link.
        OSError: a file cannot be written.
    """
    import matplotlib  # which a report of numbers alone does not need

    from hpcsnn.analysis.drawing.figures import save
    from hpcsnn.analysis.drawing.style import STYLE
    from hpcsnn.jobs.studies.figure import scaling_figure

    refuse_link(folder)
    table, lines = folder / "table.md", folder / "table.csv"
    replace_file(table, markdown(report.heading(), report.notes(), report.points, report.model))
    replace_file(lines, bennch_csv(report.runs))
    paths, predictions = [table, lines], folder / "predicted.csv"
    predictions.unlink(missing_ok=True)  # those of another report
    if report.model is not None:
        beyond = [point for point in report.points if point.predicted]
        replace_file(predictions, predicted_csv(beyond, report.model))
        paths.append(predictions)
    with matplotlib.rc_context(STYLE):
        figure = scaling_figure(report.study.file.kind, report.points, _errors(report.model))
        paths += [save(figure, folder / "figures", FIGURE, form) for form in ("png", "pdf")]
    return paths


def _errors(model: CostModel | None) -> str:
    """Of predictions of steps and of constructions, for a legend."""
    if model is None or model.left_out is None:
        return "not tested"
    construction = error_of(model.construction_left_out)
    return f"{error_of(model.left_out)} (construction {construction}) on {model.left_out.ranks} ranks left out"
