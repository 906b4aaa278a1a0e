"""The batch scripts that ship, and a profile that ships, on a real Slurm: the digest of a run without Slurm."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hpcsnn.shipped_files import site_folder
from support import slurm_lab
from support.jobs import LONG
from support.processes import completed, until
from support.ranks import hpcsnn, hpcsnn_command
from support.runs import PLAIN, digest_of_run, newest_step, succeeds

pytestmark = pytest.mark.skipif(slurm_lab.missing() is not None, reason=f"Slurm: {slurm_lab.missing()}")

BATCH = site_folder().parent / "batch"
SHORT = ("--set", "duration_ms=200")
OVER = {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL"}


def plain_digest(folder, *size):
    """The digest of a run that is no job."""
    succeeds("run", "topomap", *size, *PLAIN, "--out", folder)
    return digest_of_run(folder)


def summary(run):
    return json.loads((run / "summary.json").read_text())


class Job:
    """A batch script on its way; what it printed is in a file of the folder that it was submitted in."""

    def __init__(self, lab, folder, script, *options, arguments=SHORT, **settings):
        self.lab, self.folder = lab, folder
        names = {"DEVICE": "cpu", "VENV": str(Path(sys.executable).parent.parent), **settings}
        environment = {**lab.environment, **{f"HPCSNN_{name}": str(value) for name, value in names.items()}}
        command = ["sbatch", "--parsable", *options, str(BATCH / script), *arguments]
        done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        self.id = done.stdout.strip()

    def output(self):
        return "\n".join(path.read_text() for path in sorted(self.folder.glob("hpcsnn-*.out")))

    def until(self, condition, limit_s=300):
        """Wait for a condition; what it gave."""
        return until(condition, limit_s, lambda: f"{self.lab.state(self.id)}: {self.output()}")

    def states(self):
        """Of the job, or of all tasks of an array."""
        return set(self.lab.run("squeue", "-h", "-r", "-t", "all", "-j", self.id, "-o", "%T").split())

    def ends(self):
        """How it ended, once it has."""
        self.until(lambda: (states := self.states()) and states <= OVER)
        return self.states()

    def completes(self):
        assert self.ends() == {"COMPLETED"}, self.output()

    def starts_before_this(self):
        """How often it was requeued."""
        shown = self.lab.run("scontrol", "-o", "show", "job", self.id)
        return int(dict(word.split("=", 1) for word in shown.split() if "=" in word)["Restarts"])


@pytest.mark.parametrize(
    ("script", "options", "ranks"),
    [
        ("one_node.sbatch", ("--ntasks=2",), 2),
        ("many_nodes.sbatch", ("--ntasks-per-node=1",), 2),
        ("checkpoint_and_requeue.sbatch", ("--ntasks-per-node=1",), 1),
    ],
)
def test_a_script_gives_the_digest_of_a_plain_run(script, options, ranks, lab, tmp_path):
    """Names with blanks and what a shell would act on are names like others."""
    here, run = tmp_path / "a folder", tmp_path / "$(touch sprung) run"
    here.mkdir()
    (here / "my map.yaml").write_text("extends: topomap.yaml\nseed: 5\n")
    job = Job(lab, here, script, *options, CONFIG="my map.yaml", RUN=run)
    job.completes()
    assert summary(run)["digest"] == plain_digest(tmp_path / "plain", "--set", "seed=5", *SHORT)
    assert summary(run)["ranks"] == ranks
    assert not list(tmp_path.rglob("sprung"))


def test_an_array_is_a_run_of_each_seed_and_completes_what_is_missing(lab, tmp_path):
    first = Job(lab, tmp_path, "array.sbatch", "--array=1-3")
    first.completes()
    runs = tmp_path / "runs" / f"topomap-{first.id}"
    digests = {seed: summary(runs / f"seed={seed}")["digest"] for seed in (1, 2, 3)}
    for seed, digest in digests.items():
        assert digest == plain_digest(tmp_path / f"plain-{seed}", "--set", f"seed={seed}", *SHORT)
    assert len(set(digests.values())) == 3
    shutil.rmtree(runs / "seed=2")
    networks = {seed: (runs / f"seed={seed}" / "network.zarr").resolve() for seed in (1, 3)}
    written = {seed: network.stat().st_mtime_ns for seed, network in networks.items()}
    Job(lab, tmp_path, "array.sbatch", "--array=1-3", RUNS=runs).completes()
    assert {seed: summary(runs / f"seed={seed}")["digest"] for seed in (1, 2, 3)} == digests
    assert {seed: network.stat().st_mtime_ns for seed, network in networks.items()} == written


@pytest.fixture(scope="module")
def long_digest(tmp_path_factory):
    return plain_digest(tmp_path_factory.mktemp("plain") / "run", *LONG)


@pytest.mark.parametrize("nodes", [1, 2], ids=["mpiexec", "srun"])
def test_a_run_that_is_stopped_in_time_goes_on_after_its_requeue(nodes, lab, long_digest, tmp_path):
    """Slurm's early signal, as #SBATCH --signal=B:USR1 has it sent; then a requeue from outside, without a warning."""
    run = tmp_path / "run"
    options = (f"--nodes={nodes}", "--ntasks-per-node=1")
    script = "checkpoint_and_requeue.sbatch"
    job = Job(lab, tmp_path, script, *options, arguments=LONG, RUN=run, CHECKPOINT_EVERY="1s")
    job.until(lambda: newest_step(run) > 0)
    lab.run("scancel", "--batch", "--signal=USR1", job.id)
    job.until(lambda: job.starts_before_this() == 1)
    stopped = summary(run)
    assert (stopped["completed"], stopped["stopped_by"]) == (False, "SIGUSR1")
    assert stopped["steps"] == newest_step(run)
    job.until(lambda: newest_step(run) > stopped["steps"])
    lab.run("scontrol", "requeue", job.id)
    job.completes()
    assert job.starts_before_this() == 2
    done = summary(run)
    assert done["resumed_from_step"] > stopped["steps"]
    assert (done["completed"], done["digest"], done["ranks"]) == (True, long_digest, nodes)
    assert (run / "figures" / "rates.png").is_file()


def test_the_signal_comes_to_the_script_alone_and_in_time():
    lines = (BATCH / "checkpoint_and_requeue.sbatch").read_text().splitlines()
    assert [line for line in lines if line.startswith("#SBATCH --signal")] == ["#SBATCH --signal=B:USR1@120"]
    assert {"#SBATCH --requeue", "#SBATCH --open-mode=append"} <= set(lines)


def test_a_cancelled_run_is_not_requeued_and_may_go_on(lab, tmp_path):
    run = tmp_path / "run"
    script = "checkpoint_and_requeue.sbatch"
    job = Job(lab, tmp_path, script, "--ntasks-per-node=1", arguments=LONG, RUN=run, CHECKPOINT_EVERY="1s")
    job.until(lambda: newest_step(run) > 0)
    lab.run("scancel", job.id)
    assert job.ends() == {"CANCELLED"}
    assert job.starts_before_this() == 0

    def goes_on():  # once the ranks have left, which Slurm does not wait for
        until = f"{newest_step(run) * 0.1 + 10}ms"
        return hpcsnn("resume", run, "--until", until, *PLAIN).returncode == 0

    job.until(goes_on)
    assert summary(run)["completed"]


@pytest.mark.parametrize("script", ["one_node.sbatch", "checkpoint_and_requeue.sbatch"])
def test_a_run_that_fails_fails_the_job(script, lab, tmp_path):
    job = Job(lab, tmp_path, script, "--ntasks-per-node=1", "--ntasks=1", arguments=("--set", "seed=-1"))
    assert job.ends() == {"FAILED"}
    assert "seed: -1 is not allowed" in job.output()
    assert job.starts_before_this() == 0


def test_ranks_of_another_mpi_are_noticed(lab, tmp_path):
    job = Job(lab, tmp_path, "many_nodes.sbatch", "--ntasks-per-node=1", MPI_PLUGIN="none", RUN=tmp_path / "run")
    assert job.ends() == {"FAILED"}
    assert "MPI made a world of 1 rank where 2 were started" in job.output()
    assert not (tmp_path / "run").exists()


def test_mpiexec_over_two_nodes_by_a_profile_that_ships(lab, tmp_path):
    run = tmp_path / "run"
    words = ["submit", "topomap", *SHORT, "--nodes", 2, "--ranks", 2, "--device", "cpu", "--profile", "cpu_mpiexec"]
    environment = {**lab.environment, "HPCSNN_CLUSTERS": str(tmp_path / "none.yaml")}
    done = subprocess.run(
        hpcsnn_command(*words, "--out", run), env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    watched = completed(hpcsnn_command("watch", run), limit_s=300, env=environment)
    assert watched.returncode == 0, watched.stdout
    assert summary(run)["digest"] == plain_digest(tmp_path / "plain", *SHORT)
    assert (summary(run)["ranks"], json.loads((run / "job" / "plan.json").read_text())["launch"]) == (2, "mpiexec")
