"""hpcsnn scale on a real Slurm: an array for each number of ranks, a run that is lost, the rest, and the report."""

from __future__ import annotations

import pytest

from hpcsnn.jobs.job_files import JobFiles, State
from hpcsnn.jobs.run_index import read_run
from hpcsnn.jobs.studies.results import read_results
from support import slurm_lab
from support.jobs import ends, waits_for
from support.processes import completed
from support.ranks import hpcsnn_command

pytestmark = [
    pytest.mark.skipif(slurm_lab.missing() is not None, reason=f"Slurm: {slurm_lab.missing()}"),
    pytest.mark.slow,
]


def command(lab, *arguments):
    done = completed(hpcsnn_command(*arguments), env=lab.environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_study_is_submitted_one_job_is_killed_and_the_same_command_makes_it_good(lab, tmp_path):
    folder = tmp_path / "study"
    words = [
        *("scale", "strong", "topomap", "--set", "scale=2", "--ranks", "1,2", "--seeds", "2", "--duration", "5s"),
        *("--cluster", "slurm", "--device", "cpu", "--time", "5min", "--max-restarts", "0", "--out", str(folder)),
    ]
    said = command(lab, *words)
    assert "1 rank: 2 runs as one array" in said
    assert "2 ranks: 2 runs as one array" in said
    members = [folder / f"ranks={ranks},seed={seed}" for ranks in (1, 2) for seed in (1, 2)]
    arrays = [JobFiles(run).plan().job_id.partition("_")[0] for run in members]
    assert arrays[0] == arrays[1] != arrays[2] == arrays[3]
    lost = members[-1]
    lab.run("scancel", JobFiles(lost).plan().job_id)
    for run in members[:-1]:
        entry = ends(run)
        assert entry.plan.measured
    waits_for(lambda: lab.run("squeue", "-h", "-o", "%i").strip() == "", lost)
    assert not read_run(lost).summary.get("completed")
    told = command(lab, "scale", "report", str(folder))
    assert "3 of 4 runs are finished" in told
    kept = {run: (run / "summary.json").read_text() for run in members[:-1]}
    waits_for(
        lambda: "lost" in command(lab, "jobs", str(folder)) or read_run(lost).status.state is State.CANCELLED, lost
    )
    again = command(lab, *words)
    assert "4 runs, 3 finished or under way" in again
    assert "2 ranks: 1 runs as one array" in again
    ends(lost)
    assert {run: (run / "summary.json").read_text() for run in members[:-1]} == kept
    assert "4 of 4 runs are finished" in command(lab, "scale", "report", str(folder), "--predict", "4")
    runs = read_results(folder / "results.jsonl")
    assert len({run.digest for run in runs if run.seed == 1}) == 1
    assert (folder / "figures" / "scaling.png").is_file()
