"""Jobs on this machine and in this process: started, stopped, lost, resumed and looked at."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal

import pytest

from hpcsnn.jobs.executors import sbatch_script
from hpcsnn.jobs.job_files import JobFiles, State, Status
from hpcsnn.jobs.run_index import read_run
from hpcsnn.planning.request import Request
from hpcsnn.planning.site_profiles import SiteProfile
from hpcsnn.storage.checkpoints import committed
from support.job_files import PROGRESS, a_plan, a_run
from support.jobs import ENDLESS, LONG, SHORT, ends, has_checkpoint, rank_processes, waits_for
from support.networks import EXPLODING
from support.processes import completed, start_up_s
from support.ranks import hpcsnn, hpcsnn_command
from support.runs import PLAIN, digest_of_run, newest_step, succeeds

LOCAL = ["--cluster", "local", "--device", "cpu", "--no-figures"]


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    digests = {}
    for name, size in (("long", LONG), ("short", SHORT)):
        run = tmp_path_factory.mktemp("straight") / name
        succeeds("run", "topomap", *size, *PLAIN, "--out", run)
        digests[name] = digest_of_run(run)
    return digests


@pytest.mark.parametrize(("cluster", "ranks"), [("local", 1), ("local", 3), ("debug", 2)])
def test_the_same_path_without_slurm(cluster, ranks, straight, tmp_path):
    run = tmp_path / "run"
    words = ["--cluster", cluster, "--device", "cpu", "--ranks", ranks, "--out", run]
    said = succeeds("submit", "topomap", *SHORT, *words, "--wait", "--json")
    told = json.loads(said.stdout[said.stdout.index("{") :])
    assert (told["run"], told["state"], told["exit_code"]) == (str(run), "completed", 0)
    entry = read_run(run)
    assert entry.status.state is State.COMPLETED, "whoever waits sees the end"
    assert (entry.summary["digest"], entry.summary["ranks"]) == (straight["short"], ranks)
    assert entry.status.restarts == entry.status.requeues == 0
    if cluster == "local":
        assert f"digest {straight['short'][:16]}" in succeeds("logs", run).stdout
    assert "completed" in succeeds("jobs", tmp_path).stdout
    again = hpcsnn("submit", "topomap", *SHORT, *words)
    assert again.returncode == 2
    assert "holds a run already" in again.stderr


def test_a_local_time_limit_requeues(tmp_path):
    """Time for three start-ups, as long as they take on this machine now, and four times that to stop in."""
    window_s = max(1, round(3 * start_up_s()))
    limits = ["--time", f"{5 * window_s / 60:.4f}min", "--grace", f"{4 * window_s}s"]
    run = tmp_path / "run"
    succeeds("submit", "topomap", *ENDLESS, *LOCAL, "--ranks", 2, *limits, "--out", run)
    waits_for(lambda: read_run(run).status.requeues > 0, run)
    stopped = newest_step(run)
    waits_for(lambda: newest_step(run) > stopped, run)
    succeeds("cancel", run)
    entry = ends(run, State.CANCELLED)
    assert entry.status.restarts == 0
    assert 0 < entry.summary["resumed_from_step"] <= entry.summary["steps"]
    straight = tmp_path / "straight"
    size = [*ENDLESS, "--set", f"duration_ms={entry.summary['steps'] * 0.1:.1f}"]
    succeeds("run", "topomap", *size, *PLAIN, "--out", straight)
    assert entry.summary["digest"] == digest_of_run(straight)


def test_a_lost_rank_is_made_good_here_too(straight, tmp_path):
    run = tmp_path / "run"
    succeeds("submit", "topomap", *LONG, *LOCAL, "--ranks", 2, "--out", run)
    has_checkpoint(run)
    os.kill(waits_for(lambda: rank_processes(run), run)[-1], signal.SIGKILL)
    entry = ends(run)
    assert entry.status.restarts == 1
    assert entry.summary["digest"] == straight["long"]


def test_cancel_and_resume_as_a_job(tmp_path):
    """Of a run that is far from its end, however slow the commands beside it are."""
    run = tmp_path / "run"
    succeeds("submit", "topomap", *ENDLESS, *LOCAL, "--ranks", 2, "--out", run)
    has_checkpoint(run)
    busy = hpcsnn("resume", run, *LOCAL)
    assert busy.returncode == 2
    assert f"{run}: its job is running; hpcsnn cancel {run} first, or wait for it" in busy.stderr
    assert "asked to stop at a checkpoint" in succeeds("cancel", run).stdout
    entry = ends(run, State.CANCELLED)
    assert entry.summary["steps"] == committed(run)[-1].step < 40_000_000
    over = hpcsnn("cancel", run)
    assert over.stderr == f"error: {run}: nothing to cancel; its job is cancelled\n"
    earlier = committed(run)[0].step
    end_ms = earlier / 10 + 8000
    succeeds("resume", run, "--from", earlier, "--until", f"{end_ms:g}ms", *LOCAL, "--ranks", 1)
    assert committed(run)[0].step == earlier
    watched = succeeds("watch", run)
    assert "completed" in watched.stdout
    straight = tmp_path / "straight"
    succeeds("run", "topomap", *ENDLESS, "--set", f"duration_ms={end_ms:g}", *PLAIN, "--out", straight)
    assert read_run(run).summary["digest"] == digest_of_run(straight)
    assert read_run(run).summary["resumed_from_step"] == earlier


def test_an_error_that_would_only_come_again_is_not_tried_again(tmp_path):
    (tmp_path / "wild.yaml").write_text(EXPLODING)
    run = tmp_path / "run"
    waited = hpcsnn("submit", tmp_path / "wild.yaml", *LOCAL, "--ranks", 1, "--out", run, "--wait")
    assert waited.returncode == 1, "as of the run"
    assert waited.stdout.split()[-1] == str(run)
    entry = ends(run, State.FAILED)
    assert "not finite" in entry.status.reason
    assert entry.status.restarts == 0
    watched = hpcsnn("watch", run)
    assert watched.returncode == 1
    assert "failed" in watched.stdout


def test_a_local_sweep_runs_what_is_missing(tmp_path):
    folder = tmp_path / "sweep"
    words = ["--vary", "seed=1,2", *SHORT, *LOCAL[:4], "--ranks", 1, "--out", folder, "--max-parallel", 2]
    assert len(succeeds("sweep", "topomap", *words).stdout.splitlines()) == 3
    for seed in (1, 2):
        ends(folder / f"seed={seed}")
    assert succeeds("sweep", "topomap", *words).stdout == f"{folder}: 2 runs, 2 finished or under way\n"
    more = ["--vary", "seed=1..3", *words[2:]]
    told = json.loads(succeeds("sweep", "topomap", *more, "--json").stdout)
    assert told["folder"] == str(folder)
    *there, new = told["runs"]
    assert there == [{"run": f"{folder}/seed={seed}", "job_id": None} for seed in (1, 2)]
    assert new == {"run": f"{folder}/seed=3", "job_id": JobFiles(folder / "seed=3").plan().job_id}
    ends(folder / "seed=3")
    report = succeeds("sweep", "--report", folder).stdout
    assert "3 completed" in report
    assert len(re.findall(r"^[123] ", report, flags=re.MULTILINE)) == 3
    told = json.loads(succeeds("sweep", "--report", folder, "--json").stdout)
    assert told["states"] == {"completed": 3}
    assert [one["settings"] for one in told["results"]] == [{"seed": seed} for seed in (1, 2, 3)]
    summary = json.loads((folder / "seed=2" / "summary.json").read_text())
    assert told["results"][1]["mean"]["target.rate_hz"] == summary["populations"]["target"]["rate_hz"]
    assert not list(folder.glob("seed=*/figures/*")), "a sweep draws the report's figures, and those alone"
    other = hpcsnn("sweep", "topomap_static", *words)
    assert f"{folder}: holds a sweep of topomap" in other.stderr
    assert "no sweep here" in hpcsnn("sweep", "--report", tmp_path).stderr


@pytest.mark.skipif(shutil.which("srun") is None, reason="submitit writes scripts only where Slurm's commands are")
def test_the_script_holds_what_the_profile_says(tmp_path):
    profile = SiteProfile(
        partition="gpu", account="lab", qos="high", constraint="a100", modules=["cuda/12", "x; rm -rf /"],
        setup=["export A=1"], sbatch={"mail-user": "me@there", "exclusive": True},
    )  # fmt: skip
    script = sbatch_script(Request(4, 16, 4, 40, 120.0, 90), profile, tmp_path, "name with 'quotes'")
    for line in (
        *("#SBATCH --nodes=4", "#SBATCH --ntasks-per-node=4", "#SBATCH --gpus-per-node=4", "#SBATCH --mem=40GB"),
        *("#SBATCH --time=120", "#SBATCH --signal=USR2@90", "#SBATCH --partition=gpu", "#SBATCH --account=lab"),
        *("#SBATCH --qos=high", "#SBATCH --constraint=a100", "#SBATCH --requeue", "#SBATCH --exclusive"),
        *("#SBATCH --mail-user=me@there", "module load cuda/12", "module load 'x; rm -rf /'", "export A=1"),
    ):
        assert line in script.splitlines(), line


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--cluster", "sun"], "--cluster: 'sun' is not allowed; must be one of slurm, local, debug"),
        (["--cluster", "local", "--time", "soon"], "--time: 'soon' is not allowed; must be a time with its unit"),
        (["--cluster", "local", "--profile", "no"], "--profile: in "),
        (["--cluster", "local", "--ranks", "64"], "ranks: 64 is not allowed"),
        (["--cluster", "local", "--set", "scale=0"], "scale: 0 is not allowed"),
    ],
)
def test_what_cannot_be_submitted_says_why_and_leaves_nothing(words, message, tmp_path):
    done = hpcsnn("submit", "topomap", *words, "--out", tmp_path / "run")
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()


def test_slurm_where_there_is_none(tmp_path):
    environment = {**os.environ, "PATH": "/nowhere"}
    words = hpcsnn_command("submit", "topomap", "--out", tmp_path / "run")
    done = completed(words, env=environment)
    assert done.returncode == 2
    assert "there is no sbatch and no srun on PATH" in done.stderr


def test_nothing_of_a_run_is_unpickled(tmp_path):
    """A pickle that somebody put there is not opened by those who only look."""
    run = a_run(tmp_path / "run", Status(State.COMPLETED), PROGRESS)
    trap, logs = tmp_path / "sprung", run / "job" / "logs"
    logs.mkdir()
    JobFiles(run).write_plan(a_plan(logs=str(logs)))
    pickle = f"cposix\nsystem\n(S'touch {trap}'\ntR.".encode()
    for name in ("17_submitted.pkl", "17_0_result.pkl"):
        (logs / name).write_bytes(pickle)
    (logs / "17_0_log.out").write_text("said\n")
    assert "completed" in succeeds("jobs", tmp_path).stdout
    assert succeeds("logs", run).stdout == "said\n"
    told = json.loads(succeeds("logs", run, "--json").stdout)
    assert told == {"run": str(run), "job_id": "17", "file": str(logs / "17_0_log.out"), "text": "said\n"}
    assert json.loads(succeeds("logs", run, "--json", "--follow").stdout) == told
    assert "17_0_log.err: nothing written yet" in hpcsnn("logs", run, "--json", "--errors").stderr
    succeeds("watch", run)
    assert json.loads(succeeds("jobs", tmp_path, "--json").stdout)[0]["progress"]["synapses"] == 12345
    assert hpcsnn("resume", run, "--cluster", "local").returncode == 2
    assert not trap.exists()


def test_damaged_files_of_a_job_do_not_stop_the_list(tmp_path):
    run = a_run(tmp_path / "run", Status(State.RUNNING))
    (run / "job" / "state.json").write_text("{")
    (run / "progress.json").write_text("[]")
    assert succeeds("jobs", tmp_path).returncode == 0
    assert hpcsnn("cancel", run).stderr.startswith(f"error: {run / 'job' / 'state.json'}: cannot be read: ")
    assert hpcsnn("jobs", tmp_path / "no").stderr == f"error: {tmp_path / 'no'}: no such folder\n"
    assert hpcsnn("watch", tmp_path).stderr == f"error: {tmp_path}: no run here (there is no config.yaml)\n"
