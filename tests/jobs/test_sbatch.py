"""What sbatch is given: options, environment and arrays, by stand-ins that write down what they see."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest

from hpcsnn.jobs.job_files import JobFiles, State
from support.jobs import LONG, has_checkpoint, waits_for
from support.processes import completed
from support.ranks import hpcsnn_command

# Each call adds its environment and its script to a file of its own.
SBATCH = """#!/bin/sh
n=$(ls "$SEEN" | wc -l)
{{ env; echo; cat "$1"; }} > "$SEEN/$n"
{answer}
"""
TAKEN, REFUSED = "echo Submitted batch job 90$n", "echo 'sbatch: error: Invalid account' >&2; exit 1"


class StandIn:
    """A Slurm of scripts in a folder, and what its sbatch was given."""

    def __init__(self, folder):
        self.folder, self.seen = folder / "bin", folder / "seen"
        self.folder.mkdir()
        self.seen.mkdir()
        self.script("sbatch", SBATCH.format(answer=TAKEN))
        self.script("srun", "#!/bin/sh\n")
        self.script("scontrol", f"#!/bin/sh\necho \"$@\" >> {folder}/scontrol.log\necho 'MaxArraySize = 3'\n")
        self.scontrol_log = folder / "scontrol.log"

    def script(self, name, text):
        (self.folder / name).write_text(text)
        (self.folder / name).chmod(0o755)

    def __call__(self, *words, **environment):
        path = f"{self.folder}{os.pathsep}{os.environ['PATH']}"
        return completed(
            hpcsnn_command(*words), env={**os.environ, "PATH": path, "SEEN": str(self.seen), **environment}
        )

    def given(self):
        """Of each call the environment, and the options in its script."""
        calls = []
        for file in sorted(self.seen.iterdir(), key=lambda path: int(path.name)):
            variables, _, script = file.read_text().partition("\n\n#!/bin/bash")
            options = re.findall(r"^#SBATCH --(\S+?)(?:=(.*))?$", script, flags=re.MULTILINE)
            calls.append((dict(line.partition("=")[::2] for line in variables.splitlines()), dict(options)))
        return calls


@pytest.fixture
def slurm(tmp_path):
    return StandIn(tmp_path)


@pytest.fixture
def profile(tmp_path, monkeypatch):
    """Writes the profile `mine`."""
    file = tmp_path / "clusters.yaml"
    monkeypatch.setenv("HPCSNN_CLUSTERS", str(file))
    return lambda text: file.write_text(f"mine: {{{text}}}\n")


def test_the_users_defaults_reach_sbatch_and_what_would_break_a_run_does_not(slurm, tmp_path):
    of_user = {"SBATCH_ACCOUNT": "proj1", "SBATCH_PARTITION": "short", "SLURM_CLUSTERS": "big", "SBATCH_WCKEY": "ours"}
    breaks = {"SBATCH_TIMELIMIT": "1", "SBATCH_NO_REQUEUE": "1", "SBATCH_SIGNAL": "TERM", "SBATCH_ARRAY_INX": "0-9"}
    of_step = {"SLURM_JOB_ID": "4711", "SLURM_CPU_BIND": "quiet", "SLURM_NTASKS": "8"}
    done = slurm("submit", "topomap", "--out", tmp_path / "run", **of_user, **breaks, **of_step)
    assert done.returncode == 0, done.stderr
    ((variables, options),) = slurm.given()
    assert {name: variables.get(name) for name in of_user} == of_user
    assert not {*breaks, *of_step} & variables.keys()
    assert "wckey" not in options


def test_a_flag_and_a_profile_go_over_the_environment(slurm, profile, tmp_path):
    profile("qos: high")
    of_user = {"SBATCH_ACCOUNT": "proj1", "SBATCH_QOS": "low", "SBATCH_PARTITION": "short"}
    words = ["--profile", "mine", "--account", "proj2"]
    assert slurm("submit", "topomap", *words, "--out", tmp_path / "run", **of_user).returncode == 0
    ((variables, options),) = slurm.given()
    assert (options["account"], options["qos"]) == ("proj2", "high")
    assert "SBATCH_ACCOUNT" not in variables
    assert "SBATCH_QOS" not in variables
    assert variables["SBATCH_PARTITION"] == "short"


def test_a_refused_submission_leaves_the_folder_free(slurm, tmp_path):
    run = tmp_path / "run"
    slurm.script("sbatch", SBATCH.format(answer=REFUSED))
    done = slurm("submit", "topomap", "--account", "wrong", "--out", run)
    assert done.returncode == 1
    assert done.stderr.endswith("error: the job was not taken: sbatch: error: Invalid account\n")
    assert JobFiles(run).status().state is State.FAILED
    slurm.script("sbatch", SBATCH.format(answer=TAKEN))
    done = slurm("submit", "topomap", "--account", "right", "--out", run)
    assert (done.returncode, done.stdout) == (0, f"901  {run}\n")
    again = slurm("submit", "topomap", "--out", run)
    assert again.returncode == 2
    assert "a job was submitted here already" in again.stderr


@pytest.mark.parametrize("key", ["mem-per-cpu", "mem_per_gpu"])
def test_another_memory_takes_the_place_of_ours(key, slurm, profile, tmp_path):
    profile(f"sbatch: {{{key}: 2G, exclusive: true}}")
    assert slurm("submit", "topomap", "--profile", "mine", "--out", tmp_path / "run").returncode == 0
    ((_, options),) = slurm.given()
    assert options[key.replace("_", "-")] == "2G"
    assert "exclusive" in options
    assert "mem" not in options


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("no-requeue", "a run is requeued until it is done"),
        ("no_requ", "a run is requeued until it is done"),
        ("time", "the limit is --time, by which hpcsnn plans checkpoints"),
        ("signal", "its signal is how a run is told to write a checkpoint in time; --grace says when"),
        ("Partition", "has a key of its own in the profile"),
        ("ntasks", "these are --nodes and --ranks"),
        ("output", "logs are where hpcsnn logs looks for them"),
    ],
)
def test_options_that_runs_depend_on_are_not_a_profiles(key, why, slurm, profile, tmp_path):
    profile(f"sbatch: {{{key}: x}}")
    done = slurm("submit", "topomap", "--profile", "mine", "--out", tmp_path / "run")
    assert done.returncode == 2
    assert f"must be another option of sbatch: {why}" in done.stderr, done.stderr
    profile("sbatch: {t: 10}")
    done = slurm("submit", "topomap", "--profile", "mine", "--out", tmp_path / "run")
    assert "must be an option of sbatch by its long name" in done.stderr, done.stderr
    assert slurm.given() == []


def test_a_sweep_larger_than_an_array_becomes_several(slurm, tmp_path):
    words = ["sweep", "topomap", "--vary", "seed=1..7", "--max-parallel", "6", "--out", tmp_path / "sweep"]
    done = slurm(*words)
    assert done.returncode == 0, done.stderr
    assert [options.get("array") for _, options in slurm.given()] == ["0-2%2", "0-2%2", None]
    ids = [JobFiles(tmp_path / "sweep" / f"seed={seed}").plan().job_id for seed in range(1, 8)]
    assert ids == ["900_0", "900_1", "900_2", "901_0", "901_1", "901_2", "902"]


def test_a_script_is_shown_where_there_is_no_slurm(tmp_path):
    words = ["submit", "topomap", "--time", "1-12:00:00", "--dry-run", "--out", tmp_path / "run"]
    done = completed(hpcsnn_command(*words), env={**os.environ, "PATH": "/nowhere"})
    assert done.returncode == 0, done.stderr
    assert "#SBATCH --time=2160\n" in done.stdout
    assert "#SBATCH --requeue\n" in done.stdout


def test_slurm_without_srun_is_told(slurm, tmp_path):
    (slurm.folder / "srun").unlink()
    done = completed(
        hpcsnn_command("submit", "topomap", "--out", tmp_path / "run"), env={**os.environ, "PATH": str(slurm.folder)}
    )
    assert done.returncode == 2
    assert "there is no srun on PATH: log in to a node that submits jobs, or use --cluster local" in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_local_job_within_an_allocation_leaves_the_allocation_alone(slurm, tmp_path):
    """It is not Slurm's: told to end, it ends, and asks nobody for another start."""
    run = tmp_path / "run"
    words = ["submit", "topomap", *LONG, "--cluster", "local", "--device", "cpu", "--ranks", "1", "--out", run]
    assert slurm(*words, SLURM_JOB_ID="4711").returncode == 0
    has_checkpoint(run)
    controller = int(JobFiles(run).plan().job_id)
    (supervisor,) = children(controller)
    os.kill(supervisor, signal.SIGTERM)
    waits_for(lambda: JobFiles(run).status().state is State.CANCELLED, run)
    assert not slurm.scontrol_log.exists()


def children(pid):
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
