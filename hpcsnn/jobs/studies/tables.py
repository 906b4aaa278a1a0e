"""The tables of a study: one to read, by numbers of ranks, and one for programs, a line a run."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from statistics import fmean

from hpcsnn.jobs.studies.points import Point, Spread
from hpcsnn.jobs.studies.results import StudyRun
from hpcsnn.planning.cost_model import CostModel
from hpcsnn.planning.costs.construction import PARTS
from hpcsnn.planning.costs.fitting import LeftOut
from hpcsnn.planning.measured import PHASES

COLUMNS = (
    "ranks",
    "nodes",
    "runs",
    "neurons",
    "synapses",
    "construction (s)",
    "propagation (s)",
    "real-time factor",
    "step (µs)",
    "efficiency",
    "waiting (%)",
    "imbalance",
    "memory a rank (MB)",
)


def cells(point: Point, model: CostModel | None) -> list[str]:
    """A row of the table that is read; what is predicted has the model's error where runs would stand."""
    of_steps, of_constructions = (model.left_out, model.construction_left_out) if model is not None else (None, None)
    whole = sum(point.groups.values())
    return [
        f"{point.ranks:,}",
        "-" if point.nodes is None else f"{point.nodes:,}",
        f"predicted{', dry run' * point.dry_runs} ({error_of(of_steps)})" if point.predicted else str(point.n_runs),
        f"{point.neurons:,}",
        f"{point.synapses:,.0f}",
        spread(point.construction_s) + (f" ({error_of(of_constructions)})" if point.predicted else ""),
        spread(point.propagation_s),
        short(point.real_time_factor.median) if point.predicted else spread(point.real_time_factor),
        short(point.step_s * 1e6),
        f"{point.efficiency:.2f}",
        f"{100 * point.groups['waiting'] / whole:.0f}" if whole > 0 else "-",
        "-" if point.imbalance is None else f"{point.imbalance.median:.2f}",
        "-" if point.memory_bytes is None else f"{point.memory_bytes / 1e6:.0f}",
    ]


# Of the columns, those that a terminal has room for; there without ranges.
_NARROW = ("ranks", "neurons", "real-time factor", "step (µs)", "efficiency", "waiting (%)", "imbalance")


def narrow(points: Sequence[Point], model: CostModel | None) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of the table in a terminal."""
    rows = []
    for point in points:
        row = dict(zip(COLUMNS, cells(point, model), strict=True))
        without_ranges = [row[name].partition(" (")[0] for name in _NARROW]
        construction = "-" if point.construction_s is None else short(point.construction_s.median)
        rows.append([*without_ranges, construction, row["runs"].replace(" (", "\n(")])
    return [*_NARROW, "built (s)", "runs"], rows


def spread(value: Spread | None) -> str:
    """``1.2 (1.1 - 1.3)``; one number where there is no more."""
    if value is None:
        return "-"
    if value.low == value.high:
        return short(value.median)
    return f"{short(value.median)} ({short(value.low)} - {short(value.high)})"


def short(value: float) -> str:
    """A number with three digits, or all of a large one."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def error_of(left_out: LeftOut | None) -> str:
    """How far off the model is on the most ranks left out, in short."""
    return "not tested" if left_out is None else f"{100 * left_out.error:+.0f} %"


def tested(model: CostModel) -> str:
    """How well the model predicts steps, in words."""
    one = model.left_out
    if one is None:
        return f"not tested: all runs are on {model.ranks[0]} rank{'s' if model.ranks[0] > 1 else ''}"
    return (
        f"fitted to {_fitted_to(one)} it predicts {short(one.predicted_s * 1e6)} µs a step on {one.ranks}, where "
        f"{short(one.measured_s * 1e6)} were measured: {100 * one.error:+.1f} %"
    )


def tested_construction(model: CostModel) -> str | None:
    """How well it predicts constructions, in words; None where `tested` says that nothing is."""
    one = model.construction_left_out
    if one is None:
        return None
    return (
        f"fitted to {_fitted_to(one)} it predicts {short(one.predicted_s)} s of construction on {one.ranks}, where "
        f"{short(one.measured_s)} were measured: {100 * one.error:+.1f} %"
    )


def _fitted_to(one: LeftOut) -> str:
    return f"{', '.join(map(str, one.fitted_to))} rank{'s' if one.fitted_to != [1] else ''}"


def markdown(heading: str, notes: Sequence[str], points: Sequence[Point], model: CostModel | None) -> str:
    """``table.md``."""
    rows = [list(COLUMNS), ["---"] * len(COLUMNS), *(cells(point, model) for point in points)]
    lines = [f"# {heading}", "", *(f"- {note}" for note in notes), ""]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)]) + "\n"


# What beNNch calls the times of NEST's phases, by ours: collocating spikes into buffers is a part of our neurons'.
_BENNCH_PHASES = {
    "time_phase_update": ("neurons",),
    "time_phase_communicate": ("exchange_transfer", "exchange_wait"),
    "time_phase_deliver": ("delivery", "exchange_accept"),
}


def bennch_csv(runs: Sequence[StudyRun]) -> str:
    """``table.csv``: a line a run, by beNNch's names of columns; what beNNch has none for begins with ``hpcsnn_``."""
    text = io.StringIO()
    rows = [_csv_row(run) for run in runs]
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def predicted_csv(points: Sequence[Point], model: CostModel) -> str:
    """``predicted.csv``: a line a prediction, by the names of columns of ``table.csv``; errors of the model,
    as parts of what was measured, empty where it was not tested.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, list(_predicted_row(points[0], model)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(_predicted_row(point, model) for point in points)
    return text.getvalue()


def _predicted_row(point: Point, model: CostModel) -> dict[str, object]:
    assert point.propagation_s is not None
    n_steps = point.propagation_s.median / point.step_s if point.step_s > 0 else 0.0
    phases = {phase: point.phases_s[phase] * n_steps for phase in PHASES}
    return {
        "hpcsnn_ranks": point.ranks,
        "num_neurons": point.neurons,
        "num_connections": round(point.synapses),
        **_construction(point.parts_s),
        "time_simulate": point.propagation_s.median,
        **{name: sum(phases[phase] for phase in of) for name, of in _BENNCH_PHASES.items()},
        "hpcsnn_time_compile": point.parts_s["compile"],
        "hpcsnn_real_time_factor": point.real_time_factor.median,
        **{f"hpcsnn_time_phase_{name}": value for name, value in phases.items()},
        "hpcsnn_dry_run": point.dry_runs,
        "hpcsnn_error_simulate": "" if model.left_out is None else model.left_out.error,
        "hpcsnn_error_construction": "" if model.construction_left_out is None else model.construction_left_out.error,
    }


def _construction(parts_s: Mapping[str, float]) -> dict[str, float]:
    return {
        "time_construction_create": parts_s["place"] + parts_s["create"],
        "time_construction_connect": parts_s["connect"],
    }


def _csv_row(run: StudyRun) -> dict[str, object]:
    a_node = run.ranks // run.nodes
    parts_s = {part: run.construction_s(part) for part in PARTS}
    phases = {phase: fmean(float(getattr(one.phases_s, phase)) for one in run.per_rank) for phase in PHASES}
    memory = [one.memory_bytes for one in run.per_rank]
    return {
        "num_nodes": run.nodes,
        "tasks_per_node": a_node,
        "procs_per_node": a_node,
        "threads_per_task": 1,
        "rng_seed": run.seed,
        "model_time_sim": run.model_s * 1e3,
        "num_neurons": run.work.neurons,
        "num_connections": run.synapses,
        **_construction(parts_s),
        "time_simulate": run.propagation_s,
        **{name: sum(phases[phase] for phase in of) for name, of in _BENNCH_PHASES.items()},
        "memory": sum(memory),
        "hpcsnn_run": run.run,
        "hpcsnn_scaling": run.kind,
        "hpcsnn_time_compile": parts_s["compile"],
        "hpcsnn_real_time_factor": run.real_time_factor,
        **{f"hpcsnn_time_phase_{name}": value for name, value in phases.items()},
        "hpcsnn_imbalance": run.imbalance,
        "hpcsnn_memory_largest_rank": max(memory),
        "hpcsnn_bytes_sent": sum(one.sent.bytes for one in run.per_rank),
        "hpcsnn_messages_sent": sum(one.sent.messages for one in run.per_rank),
        "hpcsnn_spikes_sent": sum(one.sent.spikes for one in run.per_rank),
        "hpcsnn_exchange_rounds": max(one.exchange_rounds for one in run.per_rank),
        "hpcsnn_digest": run.digest,
    }
