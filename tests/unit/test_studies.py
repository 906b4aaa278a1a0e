"""Studies: their file, their runs, one answer on all ranks, tables by beNNch's names, predictions, the figure."""

from __future__ import annotations

import csv
import json
import re
from itertools import pairwise
from statistics import median

import matplotlib.pyplot as plt
import pytest

from hpcsnn import ConfigurationError
from hpcsnn.analysis.drawing.style import COLOURS, STYLE
from hpcsnn.errors import SimulationError, StorageError
from hpcsnn.jobs.studies.figure import scaling_figure
from hpcsnn.jobs.studies.points import GROUPS, points_of, predicted_points
from hpcsnn.jobs.studies.report import Report, facts_of, written
from hpcsnn.jobs.studies.results import gathered, read_results
from hpcsnn.jobs.studies.study import parse_numbers, planned, read_study
from hpcsnn.planning.cost_model import fitted
from hpcsnn.planning.measured import PHASES
from support.studies import a_rank, a_run, a_shape, a_study


def plan(folder, **changes):
    asked = {"ranks": [1, 2], "n_seeds": 2, "duration_ms": 50.0} | changes
    kind = "weak" if "per_rank" in asked else "strong"
    return planned(folder, kind, asked.pop("config", "topomap"), asked.pop("overrides", ["scale=2"]), **asked)


@pytest.mark.parametrize(("text", "numbers"), [("1", [1]), ("1,2,4", [1, 2, 4]), ("8, 2", [2, 8])])
def test_numbers_of_ranks(text, numbers):
    assert parse_numbers("--ranks", text) == numbers


@pytest.mark.parametrize("text", ["", "0", "1,1", "-2", "1,,2", "1.5", "two", "2000000", "1" * 5000, "٣"])
def test_what_is_no_number_of_ranks_is_refused(text):
    with pytest.raises(ConfigurationError, match=r"^--ranks: .* is not allowed; must be whole numbers from 1 on"):
        parse_numbers("--ranks", text)


def test_runs_are_of_each_seed_on_all_ranks_and_keep_no_records(tmp_path):
    configured = ["populations.target.record_spikes=true", "projections.ff.record_events=true", "checkpoint_every=1s"]
    made = plan(tmp_path, overrides=["scale=2", "seed=7", *configured])
    members = [(one.seed, one.ranks, one.path.name) for one in made.study.members()]
    assert members == [(seed, ranks, f"ranks={ranks},seed={seed}") for seed in (7, 8) for ranks in (1, 2)]
    for (_, seed), one in made.configurations.items():
        assert (one.seed, one.duration_ms, one.checkpoint_every) == (seed, 50.0, None)
        assert not one.populations["target"].record_spikes
        assert not one.projections["ff"].record_events
        assert one.network().populations["target"].size == 1024


def test_a_growing_study_has_a_network_for_each_number_of_ranks(tmp_path):
    made = plan(tmp_path, per_rank=1024, ranks=[1, 4])
    assert {n: one.network().populations["target"].size for (n, _), one in made.configurations.items()} == {
        1: 1024,
        4: 4096,
    }
    assert made.study.file.shapes[4].sides["target"] == (64, 64)


def test_a_study_is_read_as_it_was_written_and_grows_by_ranks_and_seeds(tmp_path):
    with pytest.raises(StorageError, match=r"no study here \(there is no study\.json\); hpcsnn scale makes one"):
        read_study(tmp_path)
    study = plan(tmp_path).study.write()
    assert read_study(tmp_path) == study
    larger = plan(tmp_path, ranks=[2, 4], n_seeds=3).study.write()
    assert (larger.file.ranks, larger.file.seeds) == ([1, 2, 4], [1, 2, 3])
    assert read_study(tmp_path) == larger
    (tmp_path / "study.json").write_text("{}")
    with pytest.raises(StorageError, match=r"study\.json: cannot be read: kind: "):
        read_study(tmp_path)


@pytest.mark.parametrize(
    ("other", "key"),
    [
        ({"duration_ms": 60.0}, r"duration_ms: 50\.0, not 60\.0"),
        ({"overrides": ["scale=3"]}, r"overrides: \['scale=2'\], not \['scale=3'\]"),
        ({"config": "topomap_static"}, "config: 'topomap', not 'topomap_static'"),
        ({"per_rank": 1024}, "kind: 'strong', not 'weak'"),
        ({"device": "cpu"}, "device: 'auto', not 'cpu'"),
    ],
)
def test_another_study_is_not_mixed_in(other, key, tmp_path):
    plan(tmp_path).study.write()
    with pytest.raises(StorageError, match=rf"holds another study \({key}\); give another --out"):
        plan(tmp_path, **other).study.write()
    assert read_study(tmp_path).file.duration_ms == 50.0


def test_a_file_that_has_changed_is_another_study(tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text("extends: topomap.yaml\n")
    plan(tmp_path / "study", config=str(mine)).study.write()
    mine.write_text("extends: topomap.yaml\nprojections: {ff: {weight: 0.1}}\n")
    with pytest.raises(StorageError, match="as it was then; the file, or what it names, has changed since"):
        plan(tmp_path / "study", config=str(mine)).study.write()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_seeds": 0}, "--seeds: 0 is not allowed; must be a whole number >= 1 and <= 1000"),
        ({"overrides": ["changes=[{at_ms: 20, set: {populations.target.model.tau_m_ms: 10}}]"]},
         "duration_ms: 50 is not allowed in a measured run; the network changes at 20 ms: must end before"),
        ({"config": "digits", "overrides": []}, "digits: describes a training"),
        ({"duration_ms": 0.15}, "duration_ms"),
    ],
    ids=["seeds", "changes", "training", "steps"],
)  # fmt: skip
def test_what_cannot_be_measured_is_refused(changes, message, tmp_path):
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        plan(tmp_path, **changes)


def finished(member, shape, digest="d" * 64, **changes):
    """The directory of a run of a study as hpcsnn run --measure leaves it."""
    member.path.mkdir(parents=True)
    summary = {
        "completed": True, "stopped_by": None, "digest": digest, "steps": 500, "ranks": member.ranks, "model_s": 0.05,
        "wall_s": 0.1, "wall_per_model_s": 2.0,
        "populations": {name: {"size": size, "rate_hz": 20.0} for name, size in shape.sizes.items()},
        "projections": {name: {"synapses": 100} for name in shape.projections},
        "per_rank": [a_rank(rank, phases_s=dict.fromkeys(PHASES, 0.1 * (1 + rank))) for rank in range(member.ranks)],
        "machine": {"nodes": []}, "ping": [], **changes,
    }  # fmt: skip
    (member.path / "config.yaml").write_text("{}\n")
    (member.path / "summary.json").write_text(json.dumps(summary))


def test_finished_runs_are_gathered_and_stay_when_their_directories_go(tmp_path):
    study = plan(tmp_path).study.write()
    first, second, *_ = study.members()
    assert gathered(study) == []
    finished(first, study.file.shapes[1])
    finished(second, study.file.shapes[2], completed=False)
    (run,) = gathered(study)
    assert (run.run, run.ranks, run.seed, run.steps, run.digest) == ("ranks=1,seed=1", 1, 1, 500, "d" * 64)
    assert run.work.delivered == pytest.approx(200 * 20 * 1e-4)
    assert run.real_time_factor == pytest.approx(1.0 / 0.05)
    (second.path / "summary.json").unlink()
    (second.path / "config.yaml").unlink()
    second.path.rmdir()
    finished(second, study.file.shapes[2])
    assert [one.run for one in gathered(study)] == ["ranks=1,seed=1", "ranks=2,seed=1"]
    assert gathered(study)[1].imbalance == pytest.approx(2 / 1.5), "where a summary has none it follows from its ranks"
    lines = (tmp_path / "results.jsonl").read_text()
    for path in (first.path, second.path):
        for file in path.iterdir():
            file.unlink()
        path.rmdir()
    assert len(gathered(study)) == 2
    assert (tmp_path / "results.jsonl").read_text() == lines


def test_answers_that_differ_between_ranks_end_a_study_with_the_runs_names(tmp_path):
    study = plan(tmp_path).study.write()
    one, two, third, _ = study.members()
    finished(one, study.file.shapes[1], digest="a" * 64)
    finished(third, study.file.shapes[1], digest="b" * 64)
    assert len(gathered(study)) == 2, "another seed has another answer"
    finished(two, study.file.shapes[2], digest="c" * 64)
    with pytest.raises(
        SimulationError, match=r"ranks=1,seed=1 and ranks=2,seed=1 are .* digests differ: a{16}… and c{16}…"
    ):
        gathered(study)


def test_networks_that_grow_have_an_answer_each(tmp_path):
    study = plan(tmp_path, per_rank=1024).study.write()
    for number, member in enumerate(study.members()):
        finished(member, study.file.shapes[member.ranks], digest=f"{number:064d}")
    assert len(gathered(study)) == 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"per_rank": [a_rank(0), a_rank(1)]}, "was to run on 1 ranks, and ran on 2"),
        ({"populations": {"source": {"size": 1024}, "target": {"size": 1024}}}, "cannot be read: 'rate_hz'"),
        ({"ping": [{"kind": "smoke"}]}, "its summary cannot be read: "),
    ],
    ids=["ranks", "rates", "ping"],
)
def test_a_summary_that_does_not_fit_is_told(changes, message, tmp_path):
    study = plan(tmp_path).study.write()
    member = next(study.members())
    finished(member, study.file.shapes[1], **changes)
    with pytest.raises(StorageError, match=re.escape(message)):
        gathered(study)


def test_lines_that_are_no_run_are_told_with_their_number(tmp_path):
    study, _ = a_study(tmp_path, [1, 2])
    path = tmp_path / "results.jsonl"
    path.write_text(path.read_text() + '{"run": 1}\n')
    with pytest.raises(StorageError, match=r"results\.jsonl: line 7 cannot be read: "):
        gathered(study)


def test_results_are_read_as_they_were_written(tmp_path):
    _, runs = a_study(tmp_path, [1, 2, 4])
    assert read_results(tmp_path / "results.jsonl") == runs


@pytest.mark.parametrize(("kind", "ideal"), [("strong", lambda first, n: first / n), ("weak", lambda first, _: first)])
def test_points_are_medians_and_efficiencies_beside_the_fewest_ranks(kind, ideal, tmp_path):
    _, runs = a_study(tmp_path, [1, 2, 8], kind=kind, noise=0.1)
    points = points_of(runs)
    assert [point.ranks for point in points] == [1, 2, 8]
    factors = {n: [run.real_time_factor for run in runs if run.ranks == n] for n in (1, 2, 8)}
    for point in points:
        of = factors[point.ranks]
        assert point.real_time_factor.median == median(of)
        assert (point.real_time_factor.low, point.real_time_factor.high) == (min(of), max(of))
        assert point.efficiency == pytest.approx(ideal(median(factors[1]), point.ranks) / median(of))
        assert sum(point.groups.values()) == pytest.approx(median(of), rel=0.1)
    assert {phase for phases in GROUPS.values() for phase in phases} == set(PHASES)


def test_predictions_go_on_where_runs_end(tmp_path):
    _, runs = a_study(tmp_path, [1, 2, 4], kind="weak", noise=0.0)
    (eight,) = predicted_points(runs, fitted(runs), [8])
    (true,) = points_of(
        [a_run(8, a_study(tmp_path / "more", [8], kind="weak", noise=0.0)[0].file.shapes[8], kind="weak")]
    )
    assert eight.predicted
    assert eight.real_time_factor.median == pytest.approx(true.real_time_factor.median, rel=1e-3)
    assert eight.neurons == true.neurons
    with pytest.raises(ConfigurationError, match="ranks: 1000000 is not allowed"):
        predicted_points([a_run(1, a_shape())], fitted([a_run(1, a_shape())]), [10**6])


def test_the_report_has_the_error_beside_every_prediction_and_bennchs_columns(tmp_path):
    study, runs = a_study(tmp_path, [1, 2, 4])
    report = Report.of(study, runs, [8, 64])
    paths = written(report, tmp_path)
    assert [path.name for path in paths] == ["table.md", "table.csv", "predicted.csv", "scaling.png", "scaling.pdf"]
    error = f"{100 * report.model.left_out.error:+.0f} %"
    rows = [line.split(" | ") for line in (tmp_path / "table.md").read_text().splitlines() if line.startswith("| ")]
    assert [row[2] for row in rows[2:]] == ["3", "3", "3", f"predicted ({error})", f"predicted ({error})"]
    assert "fitted to 1, 2 ranks it predicts" in (tmp_path / "table.md").read_text()
    lines = list(csv.DictReader((tmp_path / "table.csv").read_text().splitlines()))
    assert len(lines) == len(runs)
    bennch = {
        "num_nodes", "tasks_per_node", "procs_per_node", "threads_per_task", "rng_seed", "model_time_sim", "memory",
        "num_neurons", "num_connections", "time_construction_create", "time_construction_connect", "time_simulate",
        "time_phase_update", "time_phase_communicate", "time_phase_deliver",
    }  # fmt: skip
    assert {name for name in lines[0] if not name.startswith("hpcsnn_")} == bennch
    for line, run in zip(lines, runs, strict=True):
        assert line["hpcsnn_digest"] == run.digest
        assert float(line["time_simulate"]) == run.propagation_s
        phases = sum(float(line[f"hpcsnn_time_phase_{phase}"]) for phase in PHASES)
        assert phases == pytest.approx(sum(run.phase_s(phase) for phase in PHASES) * run.steps)
    told = json.loads(json.dumps(facts_of(report)))
    assert [(point["ranks"], point["predicted"]) for point in told["points"]] == [
        (1, False), (2, False), (4, False), (8, True), (64, True)
    ]  # fmt: skip
    assert told["model"]["left_out"]["ranks"] == 4


def test_predicted_constructions_have_their_error_beside_them_and_a_csv_of_their_own(tmp_path):
    study, runs = a_study(tmp_path, [1, 2, 4])
    report = Report.of(study, runs, [8, 64])
    written(report, tmp_path)
    text = (tmp_path / "table.md").read_text()
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| ")]
    column = rows[0].index("construction (s)")
    error = f"({100 * report.model.construction_left_out.error:+.0f} %)"
    assert all(row[column].endswith(error) for row in rows[5:])
    assert "s of construction on 4, where 0.58 were measured" in text
    lines = list(csv.DictReader((tmp_path / "predicted.csv").read_text().splitlines()))
    assert [int(line["hpcsnn_ranks"]) for line in lines] == [8, 64]
    for line, ranks in zip(lines, (8, 64), strict=True):
        expected = report.model.predict(runs[0].work, ranks)
        built = ("time_construction_create", "time_construction_connect", "hpcsnn_time_compile")
        assert sum(float(line[name]) for name in built) == pytest.approx(expected.construction_s)
        assert float(line["time_simulate"]) == pytest.approx(expected.step_s * runs[0].steps)
        phases = sum(float(line[f"hpcsnn_time_phase_{phase}"]) for phase in PHASES)
        assert phases == pytest.approx(float(line["time_simulate"]))
        assert float(line["hpcsnn_error_construction"]) == report.model.construction_left_out.error
    measured = set(next(csv.DictReader((tmp_path / "table.csv").read_text().splitlines())))
    assert set(lines[0]) - measured == {
        "hpcsnn_ranks", "hpcsnn_dry_run", "hpcsnn_error_simulate", "hpcsnn_error_construction"
    }  # fmt: skip
    written(Report.of(study, runs), tmp_path)
    assert not (tmp_path / "predicted.csv").exists(), "a report without predictions leaves none of another one"


def test_predictions_of_one_number_of_ranks_are_not_tested_and_say_so(tmp_path):
    study, runs = a_study(tmp_path, [2])
    report = Report.of(study, runs, [4])
    written(report, tmp_path)
    text = (tmp_path / "table.md").read_text()
    assert "predicted (not tested)" in text
    assert "not tested: all runs are on 2 ranks" in text


def axes_of(figure):
    return {axes.get_ylabel(): axes for axes in figure.axes}


@pytest.mark.parametrize("kind", ["strong", "weak"])
def test_the_figure_shows_what_the_points_say(kind, tmp_path):
    study, runs = a_study(tmp_path, [1, 2, 4], kind=kind)
    points = Report.of(study, runs, [8, 16]).points
    with plt.rc_context(STYLE):
        figure = scaling_figure(kind, points, "+3 %")
        figure.draw_without_rendering()
    panels = axes_of(figure)
    assert set(panels) == {"time (s)", "real-time factor", "fraction", f"{kind} efficiency", "imbalance"}
    measured = [point for point in points if not point.predicted]
    bars = [bar for bar in panels["fraction"].patches if bar.get_linestyle() != "--"]
    assert len(bars) == len(points) * len(GROUPS)
    tops = [bar.get_y() + bar.get_height() for bar in bars[-len(points) :]]
    assert tops == pytest.approx([1.0] * len(points))
    dashed = [bar for bar in panels["real-time factor"].patches if bar.get_linestyle() == "--"]
    assert [bar.get_height() for bar in dashed] == pytest.approx([sum(one.groups.values()) for one in points[3:]])
    lines = panels[f"{kind} efficiency"].get_lines()
    by_style = {line.get_linestyle(): line.get_ydata() for line in lines if len(line.get_xdata()) > 2}
    assert list(by_style["-"]) == [one.efficiency for one in measured]
    assert list(by_style["--"]) == [one.efficiency for one in points[2:]]
    built = {line.get_linestyle(): line for line in panels["time (s)"].get_lines() if line.get_color() == COLOURS[1]}
    assert list(built["--"].get_ydata()) == [one.construction_s.median for one in points[2:]]
    assert any("+3 %" in text.get_text() for legend in figure.legends for text in legend.get_texts())
    labels = [text.get_text() for axes in figure.axes for text in axes.get_xticklabels() + axes.get_yticklabels()]
    assert not [text for text in labels if "mathdefault" in text]
    lowest = [axes.get_ylim()[0] for axes in figure.axes]
    assert all(low < high for low, high in pairwise([lowest[0], panels["time (s)"].get_ylim()[1]]))


def test_a_study_of_one_number_of_ranks_has_a_figure_too(tmp_path):
    study, runs = a_study(tmp_path, [4], seeds=(1,))
    assert len(written(Report.of(study, runs), tmp_path)) == 4
