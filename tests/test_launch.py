"""Jobs on this machine and in this process, and what surrounds a job: profiles, requests, files, tables, messages."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import signal
import subprocess
import time
from dataclasses import replace

import pytest
from ranks import hpcsnn, hpcsnn_command
from rich.console import Console
from test_faults import EXPLODING
from test_restart import PLAIN, succeeds
from test_slurm import LONG, SHORT, ends, has_checkpoint, rank_processes, until

from hpcsnn.cli.job_tables import jobs_table, run_view
from hpcsnn.configuration.files import load_configuration
from hpcsnn.errors import ConfigurationError
from hpcsnn.jobs import job_files
from hpcsnn.jobs.executors import sbatch_script
from hpcsnn.jobs.job_files import JobFiles, JobPlan, State, Status
from hpcsnn.jobs.run_index import find_runs, read_run
from hpcsnn.jobs.sweeps import parse_vary
from hpcsnn.planning.request import Request, make_request
from hpcsnn.planning.site_profiles import SiteProfile, load_profile
from hpcsnn.storage.checkpoints import committed

LOCAL = ["--cluster", "local", "--device", "cpu"]


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    digests = {}
    for name, size in (("long", LONG), ("short", SHORT)):
        run = tmp_path_factory.mktemp("straight") / name
        succeeds("run", "topomap", *size, *PLAIN, "--out", run)
        digests[name] = json.loads((run / "summary.json").read_text())["digest"]
    return digests


@pytest.mark.parametrize(("cluster", "ranks"), [("local", 1), ("local", 3), ("debug", 2)])
def test_the_same_path_without_slurm(cluster, ranks, straight, tmp_path):
    run = tmp_path / "run"
    words = ["--cluster", cluster, "--device", "cpu", "--ranks", ranks, "--out", run]
    said = succeeds("submit", "topomap", *SHORT, *words)
    assert said.stdout.splitlines()[-1].split()[1] == str(run)
    entry = ends(run)
    assert (entry.summary["digest"], entry.summary["ranks"]) == (straight["short"], ranks)
    assert entry.status.restarts == entry.status.requeues == 0
    if cluster == "local":
        assert f"digest {straight['short'][:16]}" in succeeds("logs", run).stdout
    assert "completed" in succeeds("jobs", tmp_path).stdout
    again = hpcsnn("submit", "topomap", *SHORT, *words)
    assert again.returncode == 2
    assert "holds a run already" in again.stderr


def test_a_local_time_limit_requeues(tmp_path):
    """Half a minute, most of it to stop in: on a busy machine a stop takes seconds."""
    run, straight = tmp_path / "run", tmp_path / "straight"
    quick = tmp_path / "quick"
    succeeds("run", "topomap", "--set", "scale=4", "--set", "duration_ms=5000", *PLAIN, "--out", quick)
    speed = 1 / json.loads((quick / "summary.json").read_text())["wall_per_model_s"]
    size = ["--set", "scale=4", "--set", f"duration_ms={round(12 * speed) * 1000}"]
    succeeds("submit", "topomap", *size, *LOCAL, "--ranks", 1, "--time", "0.5min", "--grace", "24s", "--out", run)
    entry = ends(run)
    assert entry.status.requeues >= 1
    succeeds("run", "topomap", *size, *PLAIN, "--out", straight)
    assert entry.summary["digest"] == json.loads((straight / "summary.json").read_text())["digest"]


def test_a_lost_rank_is_made_good_here_too(straight, tmp_path):
    run = tmp_path / "run"
    succeeds("submit", "topomap", *LONG, *LOCAL, "--ranks", 2, "--out", run)
    has_checkpoint(run)
    os.kill(until(lambda: rank_processes(run), run)[-1], signal.SIGKILL)
    entry = ends(run)
    assert entry.status.restarts == 1
    assert entry.summary["digest"] == straight["long"]


def test_cancel_and_resume_as_a_job(straight, tmp_path):
    run = tmp_path / "run"
    succeeds("submit", "topomap", *LONG, *LOCAL, "--ranks", 2, "--out", run)
    has_checkpoint(run)
    busy = hpcsnn("resume", run, *LOCAL)
    assert busy.returncode == 2
    assert f"{run}: its job is running; hpcsnn cancel {run} first, or wait for it" in busy.stderr
    assert "asked to stop at a checkpoint" in succeeds("cancel", run).stdout
    entry = ends(run, State.CANCELLED)
    assert entry.summary["steps"] == committed(run)[-1].step < 800_000
    over = hpcsnn("cancel", run)
    assert over.stderr == f"error: {run}: nothing to cancel; its job is cancelled\n"
    earlier = committed(run)[0].step
    succeeds("resume", run, "--from", earlier, *LOCAL, "--ranks", 1)
    assert committed(run)[0].step == earlier
    watched = succeeds("watch", run)
    assert "completed" in watched.stdout
    assert read_run(run).summary["digest"] == straight["long"]
    assert read_run(run).summary["resumed_from_step"] == earlier


def test_an_error_that_would_only_come_again_is_not_tried_again(tmp_path):
    (tmp_path / "wild.yaml").write_text(EXPLODING)
    run = tmp_path / "run"
    succeeds("submit", tmp_path / "wild.yaml", *LOCAL, "--ranks", 1, "--out", run)
    entry = ends(run, State.FAILED)
    assert "not finite" in entry.status.reason
    assert entry.status.restarts == 0
    watched = hpcsnn("watch", run)
    assert watched.returncode == 1
    assert "failed" in watched.stdout


def test_a_local_sweep_runs_what_is_missing(tmp_path):
    folder = tmp_path / "sweep"
    words = ["--vary", "seed=1,2", *SHORT, *LOCAL, "--ranks", 1, "--out", folder, "--max-parallel", 2]
    assert len(succeeds("sweep", "topomap", *words).stdout.splitlines()) == 3
    for seed in (1, 2):
        ends(folder / f"seed={seed}")
    assert succeeds("sweep", "topomap", *words).stdout == f"{folder}: 2 runs, 2 finished or under way\n"
    more = ["--vary", "seed=1..3", *words[2:]]
    assert len(succeeds("sweep", "topomap", *more).stdout.splitlines()) == 2
    ends(folder / "seed=3")
    report = succeeds("sweep", "--report", folder).stdout
    assert "3 completed" in report
    assert len(re.findall(r"^[123] ", report, flags=re.MULTILINE)) == 3
    other = hpcsnn("sweep", "topomap_static", *words)
    assert f"{folder}: holds a sweep of topomap" in other.stderr
    assert "no sweep here" in hpcsnn("sweep", "--report", tmp_path).stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed", "--vary 'seed': must be key=values, such as seed=1..10 or scale=1,2,4"),
        ("seed=3..1", "--vary 'seed=3..1': must go upwards, over at most 10000 values"),
        ("seed=1,,2", "--vary 'seed=1,,2': each value must be given, and once"),
        ("seed=1,1", "--vary 'seed=1,1': each value must be given, and once"),
    ],
)
def test_what_cannot_vary_says_why(text, message):
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        parse_vary(text)


def test_what_varies():
    assert parse_vary("seed=1..3") == ("seed", [1, 2, 3])
    assert parse_vary("projections.ff.weight=0.1,0.2") == ("projections.ff.weight", [0.1, 0.2])
    assert parse_vary("projections.ff.synapse=static,additive_stdp")[1] == ["static", "additive_stdp"]


# -- profiles and requests ---------------------------------------------------------------------------------------------


@pytest.fixture
def clusters(tmp_path, monkeypatch):
    file = tmp_path / "clusters.yaml"
    monkeypatch.setenv("HPCSNN_CLUSTERS", str(file))
    return file


def test_profiles_are_optional_and_named(clusters):
    assert load_profile(None) == SiteProfile()
    clusters.write_text(
        "default: {partition: small}\nbig: {partition: large, modules: [cuda], sbatch: {exclusive: true}}\n"
    )
    assert load_profile(None).partition == "small"
    assert load_profile("big").modules == ["cuda"]


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        ("big: {partition: a}", "bgi", "unknown name 'bgi'; allowed: big. Did you mean 'big'?"),
        ("big: {partitoin: a}", "big", "unknown name 'partitoin'; allowed: account, "),
        ("big: {mpi: slurm}", "big", "big.mpi: 'slurm' is not allowed; input should be 'auto', 'srun' or 'mpiexec'"),
        ("big: {gpus_per_node: -1}", "big", "big.gpus_per_node: -1 is not allowed; input should be greater than"),
        ("big: partition", "big", "big: 'partition' is not allowed; must be a mapping of keys to values"),
        ("- big", "big", "must be a mapping of profile names to profiles"),
        ("big: {", "big", "cannot be read: "),
    ],
)
def test_a_wrong_profile_names_the_key(clusters, text, name, message):
    clusters.write_text(text)
    with pytest.raises(ConfigurationError, match=re.escape(message)) as error:
        load_profile(name)
    assert str(clusters) in str(error.value)


def test_what_is_asked_for_follows_the_network():
    small, large = load_configuration("topomap"), load_configuration("topomap", ["scale=32"])
    assert make_request(small, SiteProfile()).ranks == 1
    request = make_request(large, SiteProfile(), nodes=2)
    assert request.ranks == 2 * (2 * 512**2 // 30_000 // 2)
    assert request.memory_gb >= 1
    assert make_request(large, SiteProfile(), nodes=2, gpus_per_node=4).ranks == 8
    assert make_request(large, SiteProfile(ranks_per_node=6), nodes=2).ranks == 12
    assert make_request(small, SiteProfile(), time_min=1.0).grace_s == 30
    assert 60 <= make_request(small, SiteProfile(), time_min=60.0).grace_s < 120


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"nodes": 2, "ranks": 3}, "--ranks: 3 is not allowed; must be a multiple of --nodes 2"),
        ({"ranks": 4, "gpus_per_node": 2}, "--ranks: 4 is not allowed; 1 x 2 GPUs serve at most 2 ranks, one each"),
        ({"grace_s": 90, "time_min": 1.0}, "--grace: 90 s is not allowed; must be shorter than --time (60 s)"),
        ({"ranks": 5}, "ranks: 5 is not allowed; the largest population has 4 tiles of side 8"),
    ],
)
def test_ranks_that_do_not_fit_say_why(asked, message):
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        make_request(load_configuration("topomap"), SiteProfile(), **asked)


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
        (["--cluster", "local", "--time", "2"], "--time: '2' is not allowed; must be a time with its unit"),
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
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "there is no sbatch on PATH" in done.stderr


# -- files and what is shown of them -----------------------------------------------------------------------------------


def a_plan(**changes):
    plan = JobPlan("local", 2, 1, "mpiexec", "pmi2", "cpu", 60.0, 3, "logs", time.time(), job_id="17")
    return replace(plan, **changes)


def a_run(path, status, progress=None):
    files = JobFiles(path)
    files.write_plan(a_plan())
    files.write_status(status)
    if progress is not None:
        (path / "progress.json").write_text(json.dumps(progress))
    return path


PROGRESS = {
    "updated": time.time(),
    "step": 1000,
    "model_s": 15.0,
    "end_s": 60.0,
    "speed": 2.5,
    "left_s": 18.0,
    "synapses": 12345,
    "rates_hz": {"source": 20.0, "target": 7.5},
}


def text_of(renderable, width=80):
    console = Console(width=width, file=io.StringIO())
    console.print(renderable)
    return console.file.getvalue()


def test_jobs_and_watch_fit_eighty_columns(tmp_path):
    running = Status(State.RUNNING, restarts=1, requeues=2, started=time.time() - 60)
    a_run(tmp_path / "one", running, PROGRESS)
    a_run(tmp_path / "deep" / "two", Status(State.FAILED, "projections.ff.weight: too large"))
    a_run(tmp_path / "three", Status(State.QUEUED))
    entries = find_runs(tmp_path)
    table = text_of(jobs_table(entries, tmp_path))
    assert max(map(len, table.splitlines())) <= 80
    rows = {line.split()[0]: line.split() for line in table.splitlines()[1:]}
    assert rows["one"][1:8] == ["17", "running", "25%", "2.5", "x", "4", "59:00"]
    assert rows["deep/two"][2] == "failed"
    assert rows["three"][2] == "queued"
    view = text_of(run_view(read_run(tmp_path / "one"), 80))
    assert max(map(len, view.splitlines())) <= 80
    bars = [line for line in view.splitlines() if line.strip() and set(line.strip()) <= set("━╸╺")]
    assert len(bars) == 1, "a line of its own"
    for words in ("15.00 of 60 s at 2.5 x real time", "12,345", "target 7.5 Hz", "1 after a crash, 2 after", "0:18"):
        assert words in view
    assert "too large" in text_of(run_view(read_run(tmp_path / "deep" / "two"), 80))


def test_a_supervisor_that_is_silent_counts_as_lost(tmp_path, monkeypatch):
    run = a_run(tmp_path / "run", Status(State.RUNNING))
    assert read_run(run).state == "running"
    monkeypatch.setattr(job_files, "LOST_AFTER_S", -1.0)
    assert read_run(run).state == "lost"


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
