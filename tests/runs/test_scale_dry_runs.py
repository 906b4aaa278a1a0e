"""hpcsnn scale dry-runs: ranks of a study's networks tried by themselves, and predictions that rest on them."""

from __future__ import annotations

import json
import os
import re

import pytest

from hpcsnn import ConfigurationError
from hpcsnn.devices.processors import processor
from hpcsnn.errors import StorageError
from hpcsnn.jobs.studies.dry_runs import read_dry_runs, wanted_dry_runs
from hpcsnn.jobs.studies.report import Report
from hpcsnn.jobs.studies.results import gathered
from hpcsnn.jobs.studies.study import planned
from hpcsnn.planning.weak_growth import grown_networks
from support.ranks import hpcsnn
from support.studies import a_run, a_shape

CORES = len(os.sched_getaffinity(0))


def a_real_study(folder, ranks=(1, 2), cpu=None, **changes):
    """A study of the map that can be tried, with runs that nobody made."""
    asked = {"ranks": list(ranks), "n_seeds": 1, "duration_ms": 50.0, "device": "cpu"} | changes
    kind = "weak" if "per_rank" in asked else "strong"
    study = planned(folder, kind, "topomap", ["populations.target.record_spikes=true"], **asked).study.write()
    machine = {"nodes": [{"host": "here", "cpu": cpu or processor(), "cores": CORES}]}
    runs = [a_run(n, study.file.shapes[n], kind=kind, machine=machine) for n in ranks]
    (folder / "results.jsonl").write_text("".join(run.model_dump_json() + "\n" for run in runs))
    return study


def test_a_rank_of_so_many_is_tried_and_predictions_rest_on_it(tmp_path):
    study = a_real_study(tmp_path / "study", per_rank=1024)
    asked = ("scale", "dry-runs", str(study.folder), "--ranks", "16", "--duration", "20ms", "--warm-up", "5ms")
    done = hpcsnn(*asked, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told, rows = json.loads(done.stdout), read_dry_runs(study)
    assert [row.model_dump() for row in rows] == told
    together = min(2, CORES)
    assert [(row.ranks, row.at_a_time) for row in rows] == [(1, 1), *[(16, together)] * together]
    for row in rows:
        assert row.neurons == 2 * 1024, "the network has grown, as in the study"
        assert row.work.neurons == 2 * 1024 * row.ranks
        assert row.cpu == processor()
        assert row.work_s > 0
        assert row.phase_s("recording") == 0.0, "as in runs that are measured"
    report = Report.of(study, gathered(study), [8, 16], rows)
    eight, sixteen = report.points[2:]
    assert (eight.dry_runs, sixteen.dry_runs) == (False, True)
    note = next(note for note in report.notes() if note.startswith("dry runs of a rank of 16, "))
    assert re.search(r"divided by [\d.]+ \(construction [\d.]+\), as one rank alone took", note)
    shown = hpcsnn("scale", "report", str(study.folder), "--predict", "16", cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert "predicted, dry run (" in (study.folder / "table.md").read_text()


@pytest.mark.parametrize(
    ("changes", "asked", "message"),
    [
        ({"finished": False}, {}, "no run is finished; how often neurons spike is taken from runs"),
        ({"cpu": "Abacus"}, {}, "is none of the study's (Abacus): what a rank takes here says nothing of there"),
        ({}, {"at_a_time": 10**6}, f"--at-a-time: 1000000 is not allowed; must be at most the {CORES} cores here"),
        ({}, {"ranks": [10**6]}, "--ranks: 1000000 is not allowed; the largest population has 4 tiles"),
    ],
    ids=["unfinished", "elsewhere", "crowded", "tiles"],
)
def test_what_cannot_be_tried_says_why(changes, asked, message, tmp_path):
    study = a_real_study(tmp_path, cpu=changes.get("cpu"))
    runs = gathered(study) if changes.get("finished", True) else []
    words = {"ranks": [16], "at_a_time": None, "trust": False} | asked
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        wanted_dry_runs(study, runs, **words)


def test_runs_on_gpus_are_refused(tmp_path):
    study = a_real_study(tmp_path)
    runs = [
        run.model_copy(update={"per_rank": [one.model_copy(update={"device": "NVIDIA H100"}) for one in run.per_rank]})
        for run in gathered(study)
    ]
    with pytest.raises(ConfigurationError, match="are made on processors, and this study's runs on NVIDIA H100"):
        wanted_dry_runs(study, runs, [16], None, trust=False)


def test_a_study_without_runs_on_one_rank_has_no_yardstick(tmp_path):
    study = a_real_study(tmp_path, ranks=(2, 4))
    wanted = wanted_dry_runs(study, gathered(study), [4], 1, trust=False)
    assert [(one.ranks, one.at_a_time) for one in wanted] == [(4, 1)]


def test_networks_are_the_studys_own(tmp_path):
    study = a_real_study(tmp_path, per_rank=1024)
    wanted = wanted_dry_runs(study, gathered(study), [16], None, trust=False)
    configuration = planned(tmp_path, "weak", "topomap", [], ranks=[16], n_seeds=1, duration_ms=50.0, per_rank=1024)
    (grown,) = grown_networks(next(iter(configuration.configurations.values())), 1024, [16])
    for words in grown.overrides():
        assert words in wanted[-1].settings
    assert "seed=1" in wanted[-1].settings


def test_where_all_send_to_all_the_studys_rates_are_told(tmp_path):
    study = planned(tmp_path, "strong", "brunel", [], ranks=[2], n_seeds=1, duration_ms=1.5, device="cpu").study
    machine = {"nodes": [{"cpu": processor()}]}
    rates = ({"E": 30.0, "I": 20.0}, {"E": 10.0, "I": 22.0}, {"E": 12.0, "I": 24.0})
    work = study.file.shapes[2].work(rates[0])
    runs = [a_run(2, a_shape(), machine=machine).model_copy(update={"rates_hz": of, "work": work}) for of in rates]
    (wanted,) = wanted_dry_runs(study, runs, [4], 1, trust=False)
    assert wanted.rates_hz == {"E": 12.0, "I": 22.0}, "medians over runs"
    bounded = a_real_study(tmp_path / "map")
    assert wanted_dry_runs(bounded, gathered(bounded), [4], 1, trust=False)[-1].rates_hz is None


def test_a_line_that_is_no_dry_run_is_told_with_its_number(tmp_path):
    study = a_real_study(tmp_path)
    assert read_dry_runs(study) == []
    (tmp_path / "dry_runs.jsonl").write_text('{"ranks": 0}\n')
    with pytest.raises(StorageError, match=r"dry_runs\.jsonl: line 1 cannot be read: ranks: "):
        read_dry_runs(study)
