"""hpcsnn scale end to end, on real ranks here: what it leaves, going on after an interrupt, what it refuses."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess

import pytest

from hpcsnn.jobs.job_files import JobFiles
from hpcsnn.jobs.studies.results import read_results
from support.processes import outcome, until
from support.ranks import hpcsnn, hpcsnn_command
from support.runs import PLAIN, digest_of_run, succeeds

STRONG = ["scale", "strong", "topomap", "--ranks", "1,2", "--seeds", "1", "--duration", "60ms", "--device", "cpu"]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A finished study of one seed on one and two ranks, which nobody changes."""
    folder = tmp_path_factory.mktemp("scale") / "study"
    succeeds(*STRONG, "--out", folder)
    return folder


@pytest.fixture
def copy(study, tmp_path):
    shutil.copytree(study, tmp_path / "study")
    return tmp_path / "study"


def test_a_study_leaves_a_line_a_run_tables_and_a_figure(study, tmp_path):
    runs = read_results(study / "results.jsonl")
    assert [(run.ranks, run.seed, run.steps, len(run.per_rank)) for run in runs] == [(1, 1, 600, 1), (2, 1, 600, 2)]
    plain = tmp_path / "plain"
    succeeds("run", "topomap", "--set", "duration_ms=60", *PLAIN, "--out", plain)
    assert {run.digest for run in runs} == {digest_of_run(plain)}, "a run that is measured is the same run"
    for run in runs:
        assert run.step_s > 0
        assert sum(run.phase_s(phase) for phase in vars(run.per_rank[0].phases_s)) == pytest.approx(run.step_s, rel=0.5)
        assert run.machine["nodes"][0]["cores"] >= 1
        assert run.machine["versions"]["hpcsnn"]
    assert [len(run.ping) > 0 for run in runs] == [False, True]
    assert (runs[1].launch, runs[1].machine["launcher"].partition(" of ")[0]) == ("mpiexec", "HPCSNN_EXPECTED_RANKS")
    assert len(list(csv.DictReader((study / "table.csv").read_text().splitlines()))) == 2
    assert (study / "figures" / "scaling.png").stat().st_size > 10_000
    assert not [path for path in study.rglob("*") if path.name in ("checkpoints", "records", "network.zarr")]


def test_the_same_command_repeats_nothing_and_another_is_refused(copy):
    before = {path: path.stat().st_mtime_ns for path in copy.glob("ranks=*/summary.json")}
    said = succeeds(*STRONG, "--out", copy)
    assert f"{copy}: 2 runs, 2 finished\n" in said.stdout
    assert {path: path.stat().st_mtime_ns for path in copy.glob("ranks=*/summary.json")} == before
    other = hpcsnn(*STRONG, "--set", "scale=2", "--out", copy)
    assert other.returncode == 2
    assert f"error: {copy}: holds another study (overrides: [], not ['scale=2']); give another --out\n" == other.stderr


def test_a_report_for_programs_has_predictions_with_their_error(copy):
    for run in copy.glob("ranks=*"):
        shutil.rmtree(run)  # the lines are enough
    told = json.loads(succeeds("scale", "report", copy, "--predict", "4", "--json").stdout)
    assert [(point["ranks"], point["predicted"]) for point in told["points"]] == [(1, False), (2, False), (4, True)]
    assert told["model"]["left_out"]["fitted_to"] == [1]
    (copy.parent / "runs").mkdir()
    copy.rename(copy.parent / "runs" / "topomap-strong")
    said = succeeds("check", "topomap", "--suggest-ranks", "--json", cwd=copy.parent).stdout
    assert json.loads(said)["suggested_ranks"] in (1, 2, 4)
    refused = hpcsnn("check", "topomap_static", "--suggest-ranks", cwd=copy.parent)
    assert refused.returncode == 2
    assert "--suggest-ranks: needs a --study: what a neuron, a spike and a message take differs" in refused.stderr


def test_answers_that_differ_fail_with_the_runs_names(copy):
    summary = copy / "ranks=2,seed=1" / "summary.json"
    read = json.loads(summary.read_text())
    summary.write_text(json.dumps({**read, "digest": "0" * 64}))
    done = hpcsnn("scale", "report", copy)
    assert done.returncode == 1
    assert "ranks=1,seed=1 and ranks=2,seed=1 are one network with one seed, and their digests differ" in done.stderr


def begun(folder, *more):
    """A study under way, once its second run is."""
    words = [*STRONG[:-4], "--duration", "12s", "--device", "cpu", "--set", "scale=2", *more, "--out", str(folder)]
    process = subprocess.Popen(
        hpcsnn_command(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    second = folder / "ranks=2,seed=1"
    until(lambda: (folder / "ranks=1,seed=1" / "summary.json").is_file() and (second / "progress.json").is_file())
    return words, process, second


def test_an_interrupted_study_goes_on(tmp_path):
    folder = tmp_path / "study"
    words, process, second = begun(folder)
    os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C at a terminal
    _, complained = outcome(process)
    assert process.returncode == 130
    assert "interrupted" in complained
    assert JobFiles(second).status().state.over, "nothing goes on behind it"
    first = (folder / "ranks=1,seed=1" / "summary.json").read_text()
    said = succeeds(*words)
    assert f"{folder}: 2 runs, 1 finished\n" in said.stdout
    assert (folder / "ranks=1,seed=1" / "summary.json").read_text() == first
    one, two = read_results(folder / "results.jsonl")
    assert one.digest == two.digest
    assert two.steps == 120_000


@pytest.mark.slow
def test_a_study_that_was_killed_takes_over_the_run_that_goes_on_without_it(tmp_path):
    folder = tmp_path / "study"
    words, process, second = begun(folder)
    process.kill()
    outcome(process)
    job = JobFiles(second).plan().job_id
    succeeds(*words)
    assert JobFiles(second).plan().job_id == job, "it was waited for, and not begun anew"
    assert len(read_results(folder / "results.jsonl")) == 2


@pytest.mark.slow
def test_a_growing_study_says_what_it_has_chosen(tmp_path):
    weak = ["scale", "weak", "topomap", "--per-rank", "512", "--ranks", "1,2", "--seeds", "1", *STRONG[-4:]]
    said = succeeds(*weak, "--out", tmp_path / "study").stdout
    assert (
        "1 rank: source 16 x 32, target 16 x 32; 512 a rank\n2 ranks: source 32 x 32, target 32 x 32; 512 a rank\n"
        in said
    )
    one, two = read_results(tmp_path / "study" / "results.jsonl")
    assert [run.work.largest for run in (one, two)] == [512, 1024]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--ranks", "1,x"], "--ranks: '1,x' is not allowed; must be whole numbers from 1 on, each once"),
        (["--ranks", "100"], "ranks: 100 is not allowed; the largest population has 4 tiles"),
        (["--duration", "soon"], "--duration: 'soon' is not allowed; must be a time with its unit"),
        (["--cluster", "sun"], "--cluster: 'sun' is not allowed; must be one of slurm, local, debug"),
        (
            ["--ranks", "3", "--ranks-per-node", "2"],
            "--ranks: 3 is not allowed with 2 ranks a node; must be a multiple",
        ),
    ],
    ids=["numbers", "tiles", "duration", "cluster", "nodes"],
)
def test_what_cannot_be_studied_says_why_and_leaves_nothing(words, message, tmp_path):
    done = hpcsnn(*STRONG, *words, "--out", tmp_path / "study")
    assert done.returncode == 2
    assert message in done.stderr
    assert not (tmp_path / "study").exists()
