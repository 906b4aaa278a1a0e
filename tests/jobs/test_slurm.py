"""Jobs on a real Slurm that this module starts: time limits, preemption, lost ranks and nodes, cancelling, arrays."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time

import pytest

from hpcsnn.jobs.job_files import JobFiles, State
from hpcsnn.jobs.run_index import read_run
from hpcsnn.storage.checkpoints import committed
from support import slurm_lab
from support.jobs import ENDLESS, LONG, SHORT, ends, has_checkpoint, rank_processes, waits_for
from support.networks import EXPLODING
from support.processes import completed
from support.ranks import hpcsnn_command
from support.runs import PLAIN, digest_of_run, newest_step, succeeds

pytestmark = pytest.mark.skipif(slurm_lab.missing() is not None, reason=f"Slurm: {slurm_lab.missing()}")


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """Digests of the runs that nothing interrupts."""
    digests = {}
    for name, size in (("long", LONG), ("short", SHORT)):
        run = tmp_path_factory.mktemp("straight") / name
        succeeds("run", "topomap", *size, *PLAIN, "--out", run)
        digests[name] = digest_of_run(run)
    return digests


def command(lab, *arguments):
    done = completed(hpcsnn_command(*arguments), env=lab.environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def submit(lab, run, *arguments):
    """Submit a topographic map; the job's id."""
    said = command(lab, "submit", "topomap", "--out", run, "--device", "cpu", "--no-figures", *arguments)
    job, folder = said.split()
    assert folder == str(run)
    return job


@pytest.mark.parametrize(
    ("where", "launch"),
    [(("--ranks", "4"), "mpiexec"), (("--nodes", "2", "--ranks", "4"), "srun")],
    ids=["one node by mpiexec", "two nodes by srun"],
)
def test_four_ranks_give_the_digest_of_the_plain_run(where, launch, lab, straight, tmp_path):
    run = tmp_path / "run"
    job = submit(lab, run, *SHORT, *where)
    entry = ends(run)
    assert entry.summary["digest"] == straight["short"]
    assert (entry.summary["ranks"], entry.plan.launch, entry.plan.job_id) == (4, launch, job)
    assert (entry.status.restarts, entry.status.requeues) == (0, 0)
    waits_for(lambda: lab.state(job) == "COMPLETED", run)
    said = command(lab, "logs", run)
    assert "4 ranks, each on cpu" in said
    assert f"digest {straight['short'][:16]}" in said


@pytest.mark.parametrize("where", [("--ranks", "2"), ("--nodes", "2", "--ranks", "2")], ids=["one node", "two nodes"])
def test_who_waits_ends_with_the_job_and_has_its_exit_code(where, lab, straight, tmp_path):
    run, wild = tmp_path / "run", tmp_path / "wild"
    how = ["--device", "cpu", "--no-figures", "--time", "10min", *where, "--wait", "--json", "--out"]
    done = completed(hpcsnn_command("submit", "topomap", *SHORT, *how, run), env=lab.environment)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["state"], told["exit_code"]) == ("completed", 0)
    assert (told["run"], told["job_id"]) == (str(run), read_run(run).plan.job_id)
    assert read_run(run).summary["digest"] == straight["short"]
    assert lab.state(told["job_id"]) in ("COMPLETING", "COMPLETED")
    (tmp_path / "wild.yaml").write_text(EXPLODING)
    done = completed(hpcsnn_command("submit", tmp_path / "wild.yaml", *how, wild), env=lab.environment)
    told = json.loads(done.stdout)
    assert (done.returncode, told["state"], told["exit_code"]) == (1, "failed", 1)
    assert "not finite" in read_run(wild).status.reason
    waits_for(lambda: lab.state(told["job_id"]) == "FAILED", wild)


@pytest.mark.slow
def test_who_waits_for_a_job_that_is_cancelled_is_told(lab, tmp_path):
    """By hpcsnn while it runs, and by Slurm while it is in the queue, of which no file of the run says anything."""
    run, queued = tmp_path / "run", tmp_path / "queued"
    words = ["submit", "topomap", *ENDLESS, "--device", "cpu", "--no-figures", "--time", "10min", "--wait", "--json"]

    def waiting(path, *where):
        said = hpcsnn_command(*words, *where, "--out", path)
        return subprocess.Popen(said, env=lab.environment, stdout=subprocess.PIPE, text=True)

    with waiting(run, "--ranks", "2") as first:
        has_checkpoint(run)
        with waiting(queued, "--ranks", "8", "--nodes", "2") as second:  # all that there is
            waits_for(lambda: JobFiles(queued).plan_file.is_file() and JobFiles(queued).plan().job_id, queued)
            assert (read_run(queued).status.state, second.poll()) == (State.QUEUED, None)
            lab.run("scancel", JobFiles(queued).plan().job_id)
            told = json.loads(second.communicate()[0])
            assert (second.returncode, told["state"], told["exit_code"]) == (3, "lost", 3)
        assert first.poll() is None
        command(lab, "cancel", run)
        told = json.loads(first.communicate()[0])
        assert (first.returncode, told["state"], told["exit_code"]) == (1, "cancelled", 1)
    assert read_run(run).summary["steps"] == committed(run)[-1].step < 40_000_000


def test_a_time_limit_requeues_and_the_run_goes_on(lab, tmp_path):
    """One minute, of which Slurm's early signal leaves some; where commands are slow, the next start has it too."""
    run = tmp_path / "run"
    submit(lab, run, *ENDLESS, "--ranks", "2", "--time", "1min")
    waits_for(lambda: read_run(run).status.requeues > 0, run)
    stopped = newest_step(run)
    waits_for(lambda: newest_step(run) > stopped, run)
    command(lab, "cancel", run)
    entry = ends(run, State.CANCELLED)
    assert entry.status.restarts == 0
    assert 0 < entry.summary["resumed_from_step"] <= entry.summary["steps"]
    straight = tmp_path / "straight"
    size = [*ENDLESS, "--set", f"duration_ms={entry.summary['steps'] * 0.1:.1f}"]
    succeeds("run", "topomap", *size, *PLAIN, "--out", straight)
    assert entry.summary["digest"] == digest_of_run(straight)


def test_preemption_requeues(lab, straight, tmp_path):
    run = tmp_path / "run"
    submit(lab, run, *LONG, "--ranks", "2", "--nodes", "2", "--time", "10min")
    has_checkpoint(run)
    script = tmp_path / "urgent.sh"
    script.write_text("#!/bin/sh\nsleep 1\n")
    output = str(tmp_path / "urgent.out")
    urgent = ["sbatch", "--parsable", "-p", "urgent", "-N2", "--exclusive", "--mem=1G", "-o", output, str(script)]
    job = lab.run(*urgent).strip()
    assert job
    waits_for(lambda: read_run(run).status.requeues > 0, run)
    entry = ends(run)
    assert lab.state(job) == "COMPLETED"
    assert (entry.status.requeues, entry.status.restarts) == (1, 0)
    assert entry.summary["digest"] == straight["long"]


@pytest.mark.parametrize("nodes", [1, 2], ids=["mpiexec", "srun"])
def test_a_lost_rank_is_made_good(nodes, lab, straight, tmp_path):
    run = tmp_path / "run"
    submit(lab, run, *LONG, "--ranks", "2", "--nodes", str(nodes), "--time", "10min")
    has_checkpoint(run)
    os.kill(waits_for(lambda: rank_processes(run), run)[-1], signal.SIGKILL)
    waits_for(lambda: read_run(run).status.restarts == 1, run)
    entry = ends(run)
    assert (entry.status.restarts, entry.status.requeues) == (1, 0)
    assert entry.summary["digest"] == straight["long"]
    assert entry.summary["resumed_from_step"] > 0


def test_a_rank_that_is_lost_too_often_fails_the_run(lab, tmp_path):
    run = tmp_path / "run"
    job = submit(lab, run, *LONG, "--ranks", "2", "--time", "10min", "--max-restarts", "0")
    has_checkpoint(run)
    os.kill(waits_for(lambda: rank_processes(run), run)[-1], signal.SIGKILL)
    entry = ends(run, State.FAILED)
    assert "restarted 0 times already (--max-restarts)" in entry.status.reason
    waits_for(lambda: lab.state(job) == "FAILED", run)
    # Somebody looks into it, and lets it go on.
    step = committed(run)[-1].step
    said = command(lab, "resume", run, "--until", f"{step * 0.1 + 100}ms", "--cluster", "slurm", "--device", "cpu")
    assert said.split()[1] == str(run)
    assert ends(run).summary["steps"] == step + 1000


def test_a_lost_node_is_made_good(lab, straight, tmp_path):
    run = tmp_path / "run"
    submit(lab, run, *LONG, "--ranks", "2", "--nodes", "2", "--time", "10min")
    has_checkpoint(run)
    lab.run("scontrol", "update", "nodename=n2", "state=down", "reason=test")
    # A node that comes back while its job is still being ended may keep Slurm waiting for that end.
    waits_for(lambda: lab.run("squeue", "-h", "-t", "completing") == "", run)
    time.sleep(1)
    lab.run("scontrol", "update", "nodename=n2", "state=resume")
    waits_for(lambda: read_run(run).status.state is State.COMPLETED, run)
    entry = read_run(run)
    assert (entry.status.restarts, entry.status.requeues) == (1, 0)
    assert entry.summary["digest"] == straight["long"]


def test_scancel_shows_as_cancelled_and_can_be_resumed(lab, tmp_path):
    run = tmp_path / "run"
    job = submit(lab, run, *LONG, "--ranks", "2", "--nodes", "2", "--time", "10min")
    has_checkpoint(run)
    lab.run("scancel", job)
    ends(run, State.CANCELLED)
    assert "cancelled" in command(lab, "jobs", run)
    assert committed(run)[-1].verify()


def test_cancel_stops_at_a_checkpoint(lab, tmp_path):
    run, queued = tmp_path / "run", tmp_path / "queued"
    job = submit(lab, run, *ENDLESS, "--ranks", "2", "--nodes", "2", "--time", "10min")
    waiting = submit(lab, queued, *LONG, "--ranks", "8", "--nodes", "2", "--time", "10min")  # all that there is
    has_checkpoint(run)
    assert read_run(queued).status.state is State.QUEUED
    assert command(lab, "cancel", queued) == f"{queued}: cancelled\n"
    assert lab.state(waiting) == "CANCELLED"
    assert "asked to stop at a checkpoint" in command(lab, "cancel", run)
    entry = ends(run, State.CANCELLED)
    assert entry.summary["steps"] == committed(run)[-1].step < 40_000_000
    waits_for(lambda: lab.state(job) in ("COMPLETED", "CANCELLED"), run)


def test_a_world_of_the_wrong_size_ends_at_once_with_the_reason(lab, tmp_path):
    """--mpi=none makes two worlds of one rank, without a word from Slurm."""
    clusters = tmp_path / "clusters.yaml"
    clusters.write_text("wrong: {mpi: srun, mpi_plugin: none}\n")
    run = tmp_path / "run"
    environment = {**lab.environment, "HPCSNN_CLUSTERS": str(clusters)}
    words = ["submit", "topomap", "--profile", "wrong", "--ranks", "2", *SHORT, "--device", "cpu", "--out", run]
    assert completed(hpcsnn_command(*words), env=environment).returncode == 0
    entry = ends(run, State.FAILED)
    assert "MPI made a world of 1 rank where 2 were started" in entry.status.reason
    assert "set mpi or mpi_plugin in the cluster's profile" in entry.status.reason
    assert entry.status.restarts == 0
    assert not (run / "summary.json").exists()


def test_an_array_completes_what_is_missing(lab, tmp_path):
    folder = tmp_path / "sweep"
    size = ["--set", "duration_ms=20000", "--ranks", "1", "--device", "cpu", "--out", folder]
    words = ["sweep", "topomap", "--vary", "seed=1..3", "--vary", "scale=1,2", *size, "--max-parallel", "2"]
    assert "6 runs as one array" in command(lab, *words)
    members = [folder / f"seed={seed},scale={scale}" for seed in (1, 2, 3) for scale in (1, 2)]
    last = members[-1]
    lab.run("scancel", JobFiles(last).plan().job_id)  # still in the queue: nobody will say what became of it
    for run in members[:-1]:
        ends(run)
    assert read_run(last).status.state is State.QUEUED
    waits_for(lambda: "lost" in command(lab, "jobs", folder), last)
    digests = {run: (run / "summary.json").read_text() for run in members[:-1]}
    said = command(lab, *words)
    assert f"{folder}: 6 runs, 5 finished or under way" in said
    ends(last)
    assert all((run / "summary.json").read_text() == summary for run, summary in digests.items())
    report = command(lab, "sweep", "--report", folder)
    assert "6 completed" in report
    assert (folder / "figures" / "results.png").is_file()
    import xarray as xr

    results = xr.open_zarr(folder / "results.zarr", consolidated=False)
    assert dict(results.sizes) == {"seed": 3, "scale": 2}
    for run in members:
        seed, scale = (int(part.partition("=")[2]) for part in run.name.split(","))
        summary = json.loads((run / "summary.json").read_text())
        found = results.sel(seed=seed, scale=scale)
        assert float(found["ff.synapses"]) == summary["projections"]["ff"]["synapses"]
        assert float(found["target.rate_hz"]) == pytest.approx(summary["populations"]["target"]["rate_hz"])


def test_a_job_that_slurm_refuses_says_why_and_may_be_submitted_again(lab, tmp_path):
    run = tmp_path / "run"
    words = ["submit", "topomap", *SHORT, "--ranks", "1", "--device", "cpu", "--out", run]
    done = completed(hpcsnn_command(*words, "--partition", "nowhere"), env=lab.environment)
    assert done.returncode == 1
    assert "the job was not taken: " in done.stderr
    assert "nvalid partition" in done.stderr
    assert "Traceback" not in done.stderr
    assert ends(run, State.FAILED).status.reason.startswith("not submitted: ")
    command(lab, "resume", run, "--cluster", "slurm", "--ranks", "1", "--device", "cpu")
    assert ends(run).summary["completed"]


def test_dry_run_shows_the_script_and_submits_nothing(lab, tmp_path):
    run = tmp_path / "run"
    jobs = ["squeue", "-h", "-t", "all", "-o", "%i"]
    before = set(lab.run(*jobs).split())
    words = ["--nodes", "2", "--ranks", "8", "--time", "2h", "--partition", "urgent", "--dry-run"]
    said = command(lab, "submit", "topomap", "--set", "scale=4", "--out", run, *words)
    assert said.startswith(f"{run}: 8 ranks on 2 nodes, ")
    for line in (
        "#SBATCH --nodes=2",
        "#SBATCH --ntasks-per-node=4",
        "#SBATCH --time=120",
        "#SBATCH --partition=urgent",
    ):
        assert line in said
    assert " -u -m submitit.core._submit " in said
    assert set(lab.run(*jobs).split()) == before
    assert not run.exists()
